"""The life of a customer, month by month: plan changes, cancellation, coming back.

At most one thing happens to a customer in a month, so every span is at least a day long and none
overlap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from generators.hopify import potential
from generators.hopify.columns import NULL, Floats, Ints
from generators.hopify.customers import People
from generators.hopify.days import MONTHS, month_index, month_start, months_between
from generators.hopify.loyalty import Behaviour, monthly_risk, reasons, score, trailing
from generators.hopify.personas import PERSONAS, choice, habit
from generators.hopify.spans import OPEN, Spans
from schemas.hopify import START_REASONS

NEW, UPGRADE, DOWNGRADE, REACTIVATION = (START_REASONS.index(reason) for reason in START_REASONS)


@dataclass(frozen=True, slots=True)
class Life:
    """Spans, and for those that ended by cancelling the risk score and the reason (a position; NULL if none)."""

    spans: Spans
    score: Floats
    churn_reason: Ints


class _Ledger:
    """What happened, as it happens; one entry a begun span."""

    def __init__(self) -> None:
        self.who: list[Ints] = []
        self.start: list[Ints] = []
        self.tier: list[Ints] = []
        self.reason: list[Ints] = []
        self.ended_who: list[Ints] = []
        self.ended_on: list[Ints] = []
        self.ended_score: list[Floats] = []
        self.ended_reason: list[Ints] = []

    def begin(self, who: Ints, start: Ints, tier: Ints, reason: int) -> None:
        self.who.append(who)
        self.start.append(start)
        self.tier.append(tier)
        self.reason.append(np.full(len(who), reason))

    def cancel(self, who: Ints, day: Ints, score: Floats, reason: Ints) -> None:
        self.ended_who.append(who)
        self.ended_on.append(day)
        self.ended_score.append(score)
        self.ended_reason.append(reason)

    def life(self) -> Life:
        """All spans in order; one ends where the customer's next begins, or was cancelled, or not at all."""
        who, start = np.concatenate(self.who), np.concatenate(self.start)
        order = np.lexsort((start, who))
        who, start = who[order], start[order]
        following = np.append(np.where(who[1:] == who[:-1], start[1:], OPEN), OPEN)[: len(who)]
        spans = Spans(who, start, following, np.concatenate(self.tier)[order], np.concatenate(self.reason)[order])
        return self._with_endings(spans)

    def _with_endings(self, spans: Spans) -> Life:
        end, scores, why = spans.end.copy(), np.zeros(len(spans.who)), np.full(len(spans.who), NULL)
        if self.ended_who:
            ended, on = np.concatenate(self.ended_who), np.concatenate(self.ended_on)
            at = np.searchsorted(spans.who * OPEN + spans.start, ended * OPEN + on, "left") - 1
            end[at] = on
            scores[at], why[at] = np.concatenate(self.ended_score), np.concatenate(self.ended_reason)
        return Life(Spans(spans.who, spans.start, end, spans.tier, spans.reason), scores, why)


def live(rng: np.random.Generator, who: People, orders: potential.Orders, tickets: potential.Tickets) -> Life:
    """Live all months of the calendar, with the behaviour each customer would show in them."""
    count, ledger = len(who), _Ledger()
    signup_month = month_index(who.signed_up)
    tiers = np.array([persona.tiers for persona in PERSONAS])
    tier = choice(tiers, who.segment, rng.random(count)) + 1
    ledger.begin(np.arange(count), who.signed_up, tier, NEW)
    active, churned_on = np.zeros(count, np.bool_), np.full(count, NULL)
    seen = _behaviour(count, orders, tickets)
    for month in range(MONTHS):
        draw, day = rng.random(count), _days_in(rng, month, count)
        lived = Behaviour(*(part[:, month] for part in (seen.tickets, seen.hours, seen.failures, seen.orders)))
        risk = monthly_risk(who.segment, months_between(who.signed_up, day), lived)
        up, down = plan_change_rates(who.segment, tier, who.traits.value)
        leaving = active & (draw < risk)
        raised = active & ~leaving & (draw < risk + up)
        lowered = active & ~leaving & ~raised & (draw < risk + up + down)
        back = ~active & (churned_on != NULL) & (draw < return_rate(who.segment, churned_on, day))
        tier = tier + raised - lowered
        why = reasons(lived.of(leaving), who.segment[leaving], rng.random(int(leaving.sum())))
        ledger.cancel(np.flatnonzero(leaving), day[leaving], score(risk[leaving]), why)
        for changed, reason in ((raised, UPGRADE), (lowered, DOWNGRADE), (back, REACTIVATION)):
            ledger.begin(np.flatnonzero(changed), day[changed], tier[changed], reason)
        churned_on = np.where(leaving, day, np.where(back, NULL, churned_on))
        active = (active & ~leaving) | back | (signup_month == month)
    return ledger.life()


def plan_change_rates(segment: Ints, tier: Ints, value: Floats) -> tuple[Floats, Floats]:
    """Monthly probabilities of moving one tier up and one down; big spenders move up, small ones down."""
    pull = np.clip(value, 0.1, 8.0) ** 0.35
    up: Floats = np.where(tier < 3, habit("upgrade", segment) * pull, 0.0)
    down: Floats = np.where(tier > 1, habit("downgrade", segment) / pull, 0.0)
    return up, down


def return_rate(segment: Ints, churned_on: Ints, day: Ints) -> Floats:
    """Monthly probability of coming back: it halves every four months of absence."""
    gone = months_between(np.where(churned_on == NULL, day, churned_on), day)
    rate: Floats = habit("reactivation", segment) * 0.5 ** (gone / 4.0)
    return rate


def _days_in(rng: np.random.Generator, month: int, count: int) -> Ints:
    first, following = (int(day) for day in month_start([month, month + 1]))
    return rng.integers(first, following, count)


def _behaviour(count: int, orders: potential.Orders, tickets: potential.Tickets) -> Behaviour:
    """Per customer and month what the three months before it showed."""
    asked, bought = (tickets.who, _month(tickets.at)), (orders.who, _month(orders.at))
    opened = trailing(_summed(count, asked, np.ones(len(tickets.who))))
    hours = trailing(_summed(count, asked, tickets.hours))
    return Behaviour(
        tickets=opened,
        hours=hours / np.maximum(opened, 1.0),
        failures=trailing(_summed(count, bought, orders.failures.astype(np.float64))),
        orders=trailing(_summed(count, bought, np.ones(len(orders.who)))),
    )


def _month(instants: Ints) -> Ints:
    return month_index(instants // 86_400_000_000)


def _summed(count: int, cells: tuple[Ints, Ints], amounts: Floats) -> Floats:
    """``amounts`` summed by (customer, month)."""
    who, month = cells
    sums = np.bincount(who * MONTHS + month, amounts, count * MONTHS).astype(np.float64)
    return sums.reshape(count, MONTHS)
