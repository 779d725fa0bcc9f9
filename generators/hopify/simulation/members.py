"""Reading back the customers that a day needs, with the subscription each has or last had."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, Select, select

from generators.hopify.columns import NULL, Bools, Ints
from generators.hopify.customers import People
from generators.hopify.days import day_number
from generators.hopify.personas import PLANS
from generators.hopify.simulation.journal import chunks
from generators.hopify.simulation.today import as_instant
from generators.hopify.spans import OPEN
from generators.hopify.texts import COUNTRIES
from generators.hopify.traits import traits
from schemas.hopify import CHANNELS, SEGMENTS, customers, subscriptions

_COUNTRY_CODES = [country.code for country in COUNTRIES]
_TIERS = np.array([0, *(plan.tier for plan in PLANS)])


@dataclass(frozen=True, slots=True)
class Members:
    """Customers in order of their id, each with its latest subscription; ``ended`` is OPEN while it runs."""

    who: People
    subscription: Ints
    plan: Ints
    started: Ints
    ended: Ints

    @property
    def active(self) -> Bools:
        runs: Bools = self.ended == OPEN
        return runs

    @property
    def tier(self) -> Ints:
        return _TIERS[self.plan]

    def of(self, rows: Ints | Bools) -> Members:
        """Those at ``rows``, with repetition where a row is named more than once."""
        return Members(
            _people_at(self.who, rows), self.subscription[rows], self.plan[rows], self.started[rows], self.ended[rows]
        )

    def among(self, customer_ids: Ints) -> Members:
        return self.of(np.isin(self.who.ids, customer_ids))

    def without(self, customer_ids: Ints) -> Members:
        return self.of(~np.isin(self.who.ids, customer_ids))


def members(connection: Connection, seed: int, customer_ids: Ints) -> Members:
    """The customers of ``customer_ids`` that exist; ``seed`` is that of the world, for their characters."""
    query = (
        select(
            customers.c.customer_id,
            customers.c.segment,
            customers.c.acquisition_source,
            customers.c.country_code,
            customers.c.signed_up_on,
            customers.c.created_at,
            subscriptions.c.subscription_id,
            subscriptions.c.plan_id,
            subscriptions.c.started_on,
            subscriptions.c.ended_on,
        )
        .join(subscriptions, subscriptions.c.customer_id == customers.c.customer_id)
        .order_by(customers.c.customer_id, subscriptions.c.started_on)
    )
    latest = {row[0]: row for row in rows_of(connection, query, customers.c.customer_id, np.unique(customer_ids))}
    return _members(seed, list(latest.values()))


def rows_of(connection: Connection, query: Select[Any], column: Any, values: Ints | Sequence[int]) -> Iterator[Any]:
    """The rows of ``query`` whose ``column`` is one of ``values``, asked for in pieces, in order of ``values``."""
    for some in chunks([int(value) for value in values]):
        yield from connection.execute(query.where(column.in_(some))).all()


def _members(seed: int, rows: list[Any]) -> Members:
    def numbers(position: int, convert: Any = int) -> Ints:
        return np.array([convert(row[position]) for row in rows], np.int64)

    ids = numbers(0)
    who = People(
        ids=ids,
        segment=numbers(1, SEGMENTS.index),
        channel=numbers(2, CHANNELS.index),
        campaign=np.full(len(ids), NULL),
        country=numbers(3, _COUNTRY_CODES.index),
        signed_up=numbers(4, day_number),
        created=numbers(5, as_instant),
        traits=traits(seed, ids),
    )
    ended = numbers(9, lambda day: OPEN if day is None else day_number(day))
    return Members(who, numbers(6), numbers(7), numbers(8, day_number), ended)


def _people_at(who: People, rows: Ints | Bools) -> People:
    kept = who.traits
    return People(
        ids=who.ids[rows],
        segment=who.segment[rows],
        channel=who.channel[rows],
        campaign=who.campaign[rows],
        country=who.country[rows],
        signed_up=who.signed_up[rows],
        created=who.created[rows],
        traits=type(kept)(kept.value[rows], kept.load[rows], kept.slowness[rows], kept.risk[rows]),
    )
