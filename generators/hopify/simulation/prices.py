"""Money corrected afterwards: a line of an old order was wrong, a product's list price changes."""

from __future__ import annotations

from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import numpy as np
from sqlalchemy import select

from generators.hopify.days import HOUR
from generators.hopify.simulation.members import rows_of
from generators.hopify.simulation.today import Today, as_datetime
from schemas.hopify import order_discounts, order_items, payments, products

_CORRECTED = 2e-5
_CENT = Decimal("0.01")


def correct_lines(today: Today) -> None:
    """Lower a price on a few old orders, and the payments with it."""
    rng = today.rng("lines")
    highest = today.taken["orders"]
    count = int(rng.poisson(max(_CORRECTED * highest, min(0.15, highest / 100))))
    for order_id in np.unique(rng.integers(1, highest + 1, count)):
        _correct(today, rng, int(order_id))


def change_list_prices(today: Today) -> None:
    """On the 1st of a month two products' list prices move by some percent, up as often as down."""
    if today.date.day != 1:
        return
    rng = today.rng("list-prices")
    found = today.connection.execute(select(products).order_by(products.c.product_id))
    rows = [row for row in found if row.is_active]
    at = as_datetime(today.begin + 5 * HOUR)
    chosen = [rows[int(position)] for position in rng.choice(len(rows), 2, replace=False)]
    changed = [
        {
            "product_id": row.product_id,
            "list_price": _times(row.list_price, float(np.exp(0.04 * rng.standard_normal()))),
            "updated_at": at,
        }
        for row in chosen
    ]
    today.journal.update(products, changed)


def _correct(today: Today, rng: np.random.Generator, order_id: int) -> None:
    """Take 1 to 6 % off the first line of an order, if it was there before today and still comes to something."""
    items = _of_order(today, order_items, order_id)
    if not items or max(row.updated_at for row in items) >= as_datetime(today.begin):
        return
    line, attempts = items[0], _of_order(today, payments, order_id)
    price = max(_times(line.unit_price, 1 - float(rng.uniform(0.01, 0.06))), _CENT)
    less = (line.unit_price - price) * line.quantity
    total = sum((row.quantity * row.unit_price for row in items), Decimal(0))
    off = sum((row.amount_off for row in _of_order(today, order_discounts, order_id)), Decimal(0))
    at = as_datetime(today.end - HOUR)
    settled = all(row.updated_at < as_datetime(today.begin) for row in attempts)
    if less <= 0 or total - off - less <= 0 or not settled:
        return
    _apply(today, at, {"order_item_id": line.order_item_id, "unit_price": price}, less, attempts)


def _apply(today: Today, at: datetime, line: dict[str, Any], less: Decimal, attempts: list[Any]) -> None:
    today.journal.update(order_items, [line | {"updated_at": at}])
    rows = [{"payment_id": row.payment_id, "amount": row.amount - less, "updated_at": at} for row in attempts]
    today.journal.update(payments, rows)


def _of_order(today: Today, table: Any, order_id: int) -> list[Any]:
    query = select(table).order_by(*table.primary_key.columns)
    return list(rows_of(today.connection, query, table.c.order_id, [order_id]))


def _times(price: Decimal, factor: float) -> Decimal:
    """``price`` times a factor of six digits, rounded to the cent."""
    return (price * Decimal(f"{factor:.6f}")).quantize(_CENT, ROUND_HALF_UP)
