"""Old rows change: people correct them, and some are changed behind the application's back.

The latter leave ``updated_at`` as it was, so that no cursor can find them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from sqlalchemy import Row, Table, func, select

from generators.hopify.columns import Ints
from generators.hopify.days import DAY
from generators.hopify.personas import PLANS
from generators.hopify.simulation.members import rows_of
from generators.hopify.simulation.today import Today, as_datetime
from generators.hopify.texts import COUNTRIES, LocalPool, Texts
from schemas.hopify import (
    CHURN_REASONS,
    PAYMENT_METHODS,
    TICKET_CATEGORIES,
    churn_events,
    customers,
    orders,
    payments,
    subscriptions,
    support_tickets,
)

_FORGOTTEN = 60
"""Rows changed silently have not been touched for so many days."""

_COUNTRY_CODES = [country.code for country in COUNTRIES]


@dataclass(frozen=True, slots=True)
class Pen:
    """What a change is drawn from."""

    rng: np.random.Generator
    words: Texts


@dataclass(frozen=True, slots=True)
class Correction:
    """A kind of change to old rows of ``table``: the columns it reads, and what it makes of a row (None: nothing).

    ``share`` is the rows changed a day over the rows there are.
    """

    table: Table
    share: float
    reads: tuple[str, ...]
    amend: Callable[[Pen, Row[Any]], dict[str, Any] | None]


def correct(today: Today) -> None:
    """The day's corrections; each moves ``updated_at``."""
    rng = today.rng("corrections")
    for kind in CORRECTIONS:
        rows = _amended(today, rng, kind, today.number)
        at = today.instants(rng, len(rows))
        dated = [row | {"updated_at": as_datetime(instant)} for row, instant in zip(rows, at, strict=True)]
        today.journal.update(kind.table, dated)


def change_silently(today: Today) -> None:
    """A few changes to long untouched rows, without a trace in ``updated_at``."""
    rng = today.rng("silent")
    for kind in SILENT:
        today.journal.update(kind.table, _amended(today, rng, kind, today.number - _FORGOTTEN))


def _amended(today: Today, rng: np.random.Generator, kind: Correction, before: int) -> list[dict[str, Any]]:
    """Changed rows of the kind, of those last touched before the day ``before``."""
    (key,) = kind.table.primary_key.columns
    wanted = [kind.table.c[name] for name in kind.reads]
    old = kind.table.c.updated_at < as_datetime(before * DAY)
    query = select(key, *wanted).where(old).order_by(key)
    found = rows_of(today.connection, query, key, _drawn(today, rng, kind))
    pen = Pen(rng, today.world.texts)
    amended = [(row[0], kind.amend(pen, row)) for row in found]
    return [{key.name: number} | change for number, change in amended if change is not None]


def _drawn(today: Today, rng: np.random.Generator, kind: Correction) -> Ints:
    """Keys drawn among those handed out; small worlds see a change now and then too."""
    (key,) = kind.table.primary_key.columns
    highest = int(today.connection.execute(select(func.max(key))).scalar() or 0)
    count = int(rng.poisson(max(kind.share * highest, min(0.15, highest / 100))))
    return np.unique(rng.integers(1, highest + 1, count))


def _one(pen: Pen, pool: LocalPool, country_code: str) -> str:
    return str(pool.pick(pen.rng, np.array([_COUNTRY_CODES.index(country_code)]))[0])


def _other(pen: Pen, words: tuple[str, ...], known: str) -> str:
    """Any of ``words`` but the one known."""
    rest = [word for word in words if word != known]
    return rest[int(pen.rng.integers(0, len(rest)))]


def _phone(pen: Pen, row: Row[Any]) -> dict[str, Any] | None:
    number = _one(pen, pen.words.phones, row.country_code)
    return None if number == row.phone else {"phone": number}


def _address(pen: Pen, row: Row[Any]) -> dict[str, Any] | None:
    pools = {"street_address": pen.words.streets, "city": pen.words.cities, "postal_code": pen.words.postal_codes}
    return {column: _one(pen, pool, row.country_code) for column, pool in pools.items()}


def _consent(_: Pen, row: Row[Any]) -> dict[str, Any] | None:
    return {"accepts_marketing": not row.accepts_marketing}


def _note(pen: Pen, row: Row[Any]) -> dict[str, Any] | None:
    note = str(pen.words.notes[int(pen.rng.integers(0, len(pen.words.notes)))])
    return None if note == row.note else {"note": note}


def _method(pen: Pen, row: Row[Any]) -> dict[str, Any] | None:
    return {"method": _other(pen, PAYMENT_METHODS, row.method)}


def _category(pen: Pen, row: Row[Any]) -> dict[str, Any] | None:
    return {"category": _other(pen, TICKET_CATEGORIES, row.category)}


def _rating(pen: Pen, row: Row[Any]) -> dict[str, Any] | None:
    rated = row.status == "closed" and row.satisfaction is None
    return {"satisfaction": int(pen.rng.integers(1, 6))} if rated else None


def _subject(pen: Pen, row: Row[Any]) -> dict[str, Any] | None:
    return {"subject": f"{row.subject} (#{int(pen.rng.integers(1_000, 10_000))})"} if len(row.subject) < 200 else None


def _price(pen: Pen, row: Row[Any]) -> dict[str, Any] | None:
    """Renegotiated within 15 % of the plan's price, so prices do not drift over the years."""
    cents = PLANS[row.plan_id - 1].cents * int(pen.rng.integers(850, 1_001)) // 1_000
    price = Decimal(cents).scaleb(-2)
    return {"monthly_price": price} if row.status == "active" and price != row.monthly_price else None


def _reason(pen: Pen, row: Row[Any]) -> dict[str, Any] | None:
    comment = str(pen.words.comments[int(pen.rng.integers(0, len(pen.words.comments)))])
    return {"reason": _other(pen, CHURN_REASONS, row.reason), "comment": comment}


CORRECTIONS = (
    Correction(customers, 2e-4, ("phone", "country_code"), _phone),
    Correction(customers, 2e-4, ("country_code",), _address),
    Correction(customers, 3e-4, ("accepts_marketing",), _consent),
    Correction(orders, 1e-4, ("note",), _note),
    Correction(payments, 3e-5, ("method",), _method),
    Correction(support_tickets, 5e-5, ("category",), _category),
    Correction(support_tickets, 1e-4, ("status", "satisfaction"), _rating),
    Correction(subscriptions, 2e-4, ("plan_id", "status", "monthly_price"), _price),
    Correction(churn_events, 3e-4, ("reason",), _reason),
)
SILENT = (
    Correction(customers, 2e-5, ("phone", "country_code"), _phone),
    Correction(orders, 1e-5, ("note",), _note),
    Correction(payments, 1e-5, ("method",), _method),
    Correction(support_tickets, 1e-5, ("subject",), _subject),
    Correction(subscriptions, 4e-5, ("plan_id", "status", "monthly_price"), _price),
)
