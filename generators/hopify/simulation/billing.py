"""Payments of orders placed on earlier days: new attempts, and refunds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np
from sqlalchemy import select

from generators.hopify.columns import Bools, Ints, batch, labels
from generators.hopify.days import DAY
from generators.hopify.payments import FAILED, SUCCEEDED, failure_codes
from generators.hopify.potential import MOST_ATTEMPTS, RETRY_FAILS
from generators.hopify.simulation.members import rows_of
from generators.hopify.simulation.today import Today, as_datetime
from generators.hopify.traits import traits
from schemas.hopify import PAYMENT_METHODS, PAYMENT_STATUSES, order_discounts, order_items, orders, payments

_PATIENCE = 45
"""Days after which a pending order is no longer looked at; none waits so long."""

_TRIED_TODAY = 0.5
_PAID_TODAY = 0.25
_REFUNDED = 0.022
_TRANSFER = PAYMENT_METHODS.index("bank_transfer")


@dataclass(frozen=True, slots=True)
class Unpaid:
    """Pending orders: attempts so far and the method tried, a bank transfer where none was."""

    order_id: Ints
    customer_id: Ints
    attempts: Ints
    method: Ints

    def of(self, rows: Bools) -> Unpaid:
        return Unpaid(self.order_id[rows], self.customer_id[rows], self.attempts[rows], self.method[rows])


def collect(today: Today) -> None:
    """Try again to be paid for pending orders; those that fail for the last time are cancelled."""
    rng, unpaid = today.rng("collect"), _unpaid(today)
    tried = unpaid.of(rng.random(len(unpaid.order_id)) < np.where(unpaid.attempts > 0, _TRIED_TODAY, _PAID_TODAY))
    count = len(tried.order_id)
    risk = np.where(tried.attempts > 0, RETRY_FAILS, traits(today.world.seed, tried.customer_id).risk)
    failed = rng.random(count) < risk
    at = today.instants(rng, count)
    rows = batch(
        payments,
        {
            "payment_id": today.reserve("payments", count),
            "order_id": tried.order_id,
            "attempt": tried.attempts + 1,
            "method": labels(PAYMENT_METHODS, tried.method),
            "status": labels(PAYMENT_STATUSES, np.where(failed, FAILED, SUCCEEDED)),
            "amount": _cents(today, tried.order_id),
            "failure_code": failure_codes(rng, failed),
            "paid_at": at,
            "updated_at": at,
        },
    )
    today.journal.insert({"payments": rows})
    outcome = np.where(~failed, "completed", np.where(tried.attempts + 1 == MOST_ATTEMPTS, "cancelled", "pending"))
    _mark(today, tried.order_id, outcome.tolist(), [as_datetime(instant) for instant in at])


def refund(today: Today) -> None:
    """Give back the money of some orders of one day of the last month."""
    rng = today.rng("refund")
    day = today.number - int(rng.integers(3, 31))
    placed = select(orders.c.order_id, orders.c.updated_at).where(
        orders.c.ordered_at >= as_datetime(day * DAY), orders.c.ordered_at < as_datetime((day + 1) * DAY)
    )
    settled = [row[0] for row in today.connection.execute(placed) if row[1] < as_datetime(today.begin)]
    query = select(payments.c.payment_id, payments.c.order_id, payments.c.updated_at).where(
        payments.c.status == "succeeded"
    )
    paid = sorted(rows_of(today.connection, query, payments.c.order_id, sorted(settled)))
    drawn = zip(paid, rng.random(len(paid)), strict=True)
    given_back = [row for row, draw in drawn if draw < _REFUNDED and row.updated_at < as_datetime(today.begin)]
    at = [as_datetime(instant) for instant in today.instants(rng, len(given_back))]
    rows = [
        {"payment_id": row.payment_id, "status": "refunded", "updated_at": instant}
        for row, instant in zip(given_back, at, strict=True)
    ]
    today.journal.update(payments, rows)
    _mark(today, [row.order_id for row in given_back], ["refunded"] * len(at), at)


def _mark(today: Today, order_ids: Any, statuses: list[str], at: list[datetime]) -> None:
    rows = [
        {"order_id": int(key), "status": status, "updated_at": instant}
        for key, status, instant in zip(order_ids, statuses, at, strict=True)
    ]
    today.journal.update(orders, rows)


def _unpaid(today: Today) -> Unpaid:
    """The pending orders placed before today."""
    query = (
        select(orders.c.order_id, orders.c.customer_id)
        .where(orders.c.ordered_at >= as_datetime((today.number - _PATIENCE) * DAY))
        .where(orders.c.ordered_at < as_datetime(today.begin), orders.c.status == "pending")
        .order_by(orders.c.order_id)
    )
    found = list(today.connection.execute(query))
    ids = np.array([row.order_id for row in found], np.int64)
    latest = _latest_attempts(today, ids)
    attempts = [latest.get(int(key), (0, _TRANSFER)) for key in ids]
    return Unpaid(
        ids,
        np.array([row.customer_id for row in found], np.int64),
        np.array([number for number, _ in attempts], np.int64),
        np.array([method for _, method in attempts], np.int64),
    )


def _latest_attempts(today: Today, order_ids: Ints) -> dict[int, tuple[int, int]]:
    """By order, how many attempts there were and the last one's method."""
    query = select(payments.c.order_id, payments.c.attempt, payments.c.method).order_by(payments.c.attempt)
    found = rows_of(today.connection, query, payments.c.order_id, order_ids)
    return {order: (attempt, PAYMENT_METHODS.index(method)) for order, attempt, method in found}


def _cents(today: Today, order_ids: Ints) -> Ints:
    """What orders come to, in cents: items less discounts."""
    items = select(order_items.c.order_id, order_items.c.quantity, order_items.c.unit_price)
    off = select(order_discounts.c.order_id, order_discounts.c.amount_off)
    total = {int(key): Decimal(0) for key in order_ids}
    for order, quantity, price in rows_of(today.connection, items, order_items.c.order_id, order_ids):
        total[order] += quantity * price
    for order, amount in rows_of(today.connection, off, order_discounts.c.order_id, order_ids):
        total[order] -= amount
    return np.array([int(total[int(key)].scaleb(2)) for key in order_ids], np.int64)
