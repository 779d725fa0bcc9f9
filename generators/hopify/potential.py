"""What customers would do in every month if they were active: the behaviour that decides whether they stay.

Orders and tickets are drawn for the whole calendar first; the life of a customer is then lived
month by month with them in view, and what falls outside its active spans is dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from generators.hopify.columns import Bools, Floats, Ints
from generators.hopify.curves import order_weight, settling_in, ticket_weight
from generators.hopify.customers import People
from generators.hopify.days import DAY, HOUR, MINUTE, MONTHS, month_index, month_start, time_of_day
from generators.hopify.personas import habit

_MONTHS = np.arange(MONTHS)
PRIORITY_SHARES = np.array([0.30, 0.45, 0.19, 0.06])
PRIORITY_SPEED = np.array([1.5, 1.0, 0.55, 0.25])
RETRY_FAILS = 0.45
MOST_ATTEMPTS = 4


@dataclass(frozen=True, slots=True)
class Orders:
    """Orders in order of their instant; ``failures`` is how many payment attempts will fail first."""

    who: Ints
    at: Ints
    failures: Ints

    def kept(self, rows: Bools) -> Orders:
        return Orders(self.who[rows], self.at[rows], self.failures[rows])


@dataclass(frozen=True, slots=True)
class Tickets:
    """Tickets in order of their instant; ``hours`` is how long each takes to resolve."""

    who: Ints
    at: Ints
    priority: Ints
    hours: Floats

    def kept(self, rows: Bools) -> Tickets:
        return Tickets(self.who[rows], self.at[rows], self.priority[rows], self.hours[rows])


def order_rate(who: People) -> Floats:
    """Orders a month of each active customer."""
    return habit("orders", who.segment) * value_pull(who.traits.value)


def value_pull(value: Floats) -> Floats:
    """How much more often a valuable customer orders."""
    pull: Floats = np.minimum(value, 12.0) ** 0.4
    return pull


def ticket_rate(who: People) -> Floats:
    """Tickets a month of each active customer, once settled in."""
    return habit("tickets", who.segment) * who.traits.load


def orders(rng: np.random.Generator, who: People) -> Orders:
    """The orders every customer would place from its signup on."""
    rates = np.repeat(order_rate(who)[:, None], MONTHS, axis=1)
    buyer, at = _events(rng, who, rates, order_weight)
    return Orders(buyer, at, failures(rng, who.traits.risk[buyer]))


def tickets(rng: np.random.Generator, who: People) -> Tickets:
    """The tickets every customer would open from its signup on."""
    age = np.maximum(_MONTHS - month_index(who.signed_up)[:, None], 0)
    asker, at = _events(rng, who, ticket_rate(who)[:, None] * settling_in(age), ticket_weight)
    priority = priorities(rng.random(len(at)))
    noise = rng.standard_normal(len(at))
    return Tickets(asker, at, priority, resolution_hours(who, asker, priority, noise))


def failures(rng: np.random.Generator, risk: Floats) -> Ints:
    """How many attempts fail before one succeeds, at most MOST_ATTEMPTS; a retry fails nearly as often as not."""
    draw = rng.random(len(risk))
    chain = 1 + np.floor(np.log(np.minimum(draw / risk, 1.0)) / np.log(RETRY_FAILS))
    return np.where(draw < risk, np.minimum(chain, MOST_ATTEMPTS), 0).astype(np.int64)


def priorities(uniforms: Floats) -> Ints:
    """A position in TICKET_PRIORITIES for each uniform draw."""
    return np.searchsorted(np.cumsum(PRIORITY_SHARES)[:-1], uniforms, "right").astype(np.int64)


def resolution_hours(who: People, asker: Ints, priority: Ints, noise: Floats) -> Floats:
    """How long tickets take: by segment, by priority, and by how hard the customer's setup is; at most 25 days."""
    typical = habit("resolution_hours", who.segment[asker]) * who.traits.slowness[asker]
    hours: Floats = np.clip(typical * PRIORITY_SPEED[priority] * np.exp(0.6 * noise), 0.2, 600.0)
    return hours


def _events(
    rng: np.random.Generator, who: People, rates: Floats, weight: Callable[[Ints], Floats]
) -> tuple[Ints, Ints]:
    """Poisson events by customer and month at ``rates``: customers' positions and instants, by instant."""
    calendar = np.arange(int(month_start(0)), int(month_start(MONTHS)))
    bounds = np.concatenate([[0.0], np.cumsum(weight(calendar))])
    months = bounds[month_start(np.arange(MONTHS + 1)) - calendar[0]]
    lived = month_index(who.signed_up)[:, None] <= _MONTHS
    counts = rng.poisson(rates * lived * np.diff(months) / 30.4375).ravel()
    actor, month = np.divmod(np.repeat(np.arange(counts.size), counts), MONTHS)
    spot = months[month] + rng.random(len(month)) * (months[month + 1] - months[month])
    day = calendar[np.searchsorted(bounds, spot, "right") - 1]
    at = day * DAY + time_of_day(rng, len(day))
    at = _after_signup(rng, at, who.created[actor], day == who.signed_up[actor])
    order = np.lexsort((actor, at))
    return actor[order], at[order]


def _after_signup(rng: np.random.Generator, at: Ints, created: Ints, same_day: Bools) -> Ints:
    """Instants on the day of signup come minutes after it; signups end twenty minutes before midnight."""
    soon = created + MINUTE + (rng.random(len(at)) * 18 * MINUTE).astype(np.int64)
    return np.where(same_day, np.maximum(np.minimum(at, created + 3 * HOUR), soon), at)
