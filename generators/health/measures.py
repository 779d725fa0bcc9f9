"""What the health world's rows amount to: retention, churn, changes of tier, MRR. Standard library only.

A customer is retained at month k if it was still covered on the day k months after its signup;
only customers whose day lies within the window count. Shares are fractions of 1, ``None`` where
there is nobody to count.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from generators.health.core import LAST_DAY, MONTHS, TIERS, Customer, Subscription, World, month_end, month_number

History = list[Subscription]


@dataclass(frozen=True, slots=True)
class Share:
    """A fraction of ``sample`` cases; ``value`` is ``None`` for no cases."""

    value: float | None
    sample: int


def histories(subscriptions: Iterable[Subscription]) -> dict[str, History]:
    """Every customer's subscriptions in order of their start."""
    found: dict[str, History] = {}
    for subscription in sorted(subscriptions, key=lambda s: (s.start_date, s.end_date is None)):
        found.setdefault(subscription.customer_id, []).append(subscription)
    return found


def share(cases: Iterable[bool]) -> Share:
    """The fraction of ``cases`` that are true."""
    listed = list(cases)
    return Share(sum(listed) / len(listed) if listed else None, len(listed))


def retention(world: World, month: int) -> Share:
    """The share of customers retained at tenure ``month``, over all who could have been."""
    ends = _last_days(world)
    days = ((c, plus_months(c.signup_date, month)) for c in _signed_up(world))
    return share(_covered(ends, c, day) for c, day in days if day <= LAST_DAY)


def _signed_up(world: World) -> Iterator[Customer]:
    """Customers with a signup no later than the window; others, which a rule reports, have no tenure."""
    return (c for c in world.customers if c.signup_date <= LAST_DAY)


def cohort_retention(world: World, cohort: int) -> Share:
    """The share of one signup month's customers who are active at the window's end."""
    signed = [c for c in world.customers if month_number(c.signup_date) == cohort]
    return share(c.status == "active" for c in signed)


def monthly_churn(world: World, months: int = 6) -> Share:
    """The mean, over tenure months 0 to ``months`` - 1, of the share of a month's customers lost in it."""
    ends = _last_days(world)
    rates = [_lost(world, ends, month) for month in range(months)]
    known = [rate.value for rate in rates if rate.value is not None]
    return Share(sum(known) / len(known) if known else None, min((r.sample for r in rates if r.sample), default=0))


def _lost(world: World, ends: dict[str, date | None], month: int) -> Share:
    """The share of those retained at ``month`` who are lost a month later."""
    at_risk = [
        c
        for c in _signed_up(world)
        if plus_months(c.signup_date, month + 1) <= LAST_DAY
        and (month == 0 or _covered(ends, c, plus_months(c.signup_date, month)))
    ]
    return share(not _covered(ends, c, plus_months(c.signup_date, month + 1)) for c in at_risk)


def _last_days(world: World) -> dict[str, date | None]:
    return {customer: history[-1].end_date for customer, history in histories(world.subscriptions).items()}


def _covered(ends: dict[str, date | None], customer: Customer, day: date) -> bool:
    end = ends.get(customer.customer_id)
    return customer.customer_id in ends and (end is None or end >= day)


def plus_months(day: date, months: int) -> date:
    """The same day so many months later, or that month's last."""
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def changes(history: History) -> tuple[int, int]:
    """How many upgrades and how many downgrades a customer has gone through."""
    steps = [
        TIERS.index(after.plan_tier) - TIERS.index(before.plan_tier)
        for before, after in pairwise(history)
        if {before.plan_tier, after.plan_tier} <= set(TIERS)
    ]
    return sum(step > 0 for step in steps), sum(step < 0 for step in steps)


def mrr_at(subscriptions: Iterable[Subscription], day: date) -> int:
    """MRR in cents of the subscriptions that cover ``day``."""
    return sum(s.mrr for s in subscriptions if s.start_date <= day and (s.end_date is None or s.end_date >= day))


def mrr_by_month(subscriptions: Iterable[Subscription]) -> list[int]:
    """MRR in cents at the end of each month of the window."""
    listed = list(subscriptions)
    return [mrr_at(listed, month_end(month)) for month in range(MONTHS)]


def linearity(values: list[int]) -> float | None:
    """R² of the straight line through ``values`` at even steps; ``None`` for a constant."""
    mean_x, mean_y = (len(values) - 1) / 2, sum(values) / len(values)
    spread = sum((y - mean_y) ** 2 for y in values)
    if not spread:
        return None
    together = sum((x - mean_x) * (y - mean_y) for x, y in enumerate(values))
    return together**2 / (sum((x - mean_x) ** 2 for x in range(len(values))) * spread)
