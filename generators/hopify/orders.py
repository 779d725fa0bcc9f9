"""Orders with their items, discounts and payments."""

from __future__ import annotations

import numpy as np

from generators.hopify.baskets import Baskets, Shop, baskets
from generators.hopify.columns import NULL, Batches, Ints, batch, labels
from generators.hopify.customers import People, blanked
from generators.hopify.days import DAY
from generators.hopify.payments import Settled, methods, payment_rows, settle
from generators.hopify.potential import Orders
from generators.hopify.texts import Texts, pick
from schemas.hopify import ORDER_STATUSES, order_discounts, order_items
from schemas.hopify import orders as table

ENTERED_LATE = 0.01


def order_rows(rng: np.random.Generator, who: People, placed: Orders, shop: Shop, words: Texts, until: int) -> Batches:
    """The tables of ``placed`` orders as of the instant ``until``, ids from 1 in each.

    One order in a hundred was entered days after it was placed.
    """
    return entered_rows(rng, who, placed, _entered(rng, placed.at, until), shop, words, until)


def entered_rows(
    rng: np.random.Generator, who: People, placed: Orders, entered: Ints, shop: Shop, words: Texts, until: int
) -> Batches:
    """As ``order_rows``, with the instants at which the orders were ``entered`` given."""
    ids = np.arange(1, len(placed.who) + 1)
    filled = baskets(rng, who, placed, shop)
    method = methods(rng, who.segment[placed.who])
    settled, attempts = settle(rng, placed.at, method, placed.failures, until)
    return (
        _orders(rng, who.ids[placed.who], placed.at, entered, settled, words)
        | _items(filled, ids, entered, shop)
        | _discounts(filled, ids, entered, shop)
        | payment_rows(rng, attempts, ids, method, filled.total, entered)
    )


def _entered(rng: np.random.Generator, at: Ints, until: int) -> Ints:
    late = at + rng.integers(DAY, 12 * DAY, len(at))
    return np.where((rng.random(len(at)) < ENTERED_LATE) & (late < until), late, at)


def _orders(
    rng: np.random.Generator, customer_ids: Ints, at: Ints, entered: Ints, settled: Settled, words: Texts
) -> Batches:
    count = len(at)
    rows = batch(
        table,
        {
            "order_id": np.arange(1, count + 1),
            "customer_id": customer_ids,
            "ordered_at": at,
            "status": labels(ORDER_STATUSES, settled.status),
            "note": blanked(rng, pick(rng, words.notes, count), 0.86),
            "created_at": entered,
            "updated_at": np.maximum(settled.at, entered),
        },
    )
    return {"orders": rows}


def _items(filled: Baskets, order_ids: Ints, entered: Ints, shop: Shop) -> Batches:
    rows = batch(
        order_items,
        {
            "order_item_id": np.arange(1, len(filled.order) + 1),
            "order_id": order_ids[filled.order],
            "product_id": shop.catalogue.ids[filled.product],
            "quantity": filled.quantity,
            "unit_price": filled.price,
            "updated_at": entered[filled.order],
        },
    )
    return {"order_items": rows}


def _discounts(filled: Baskets, order_ids: Ints, entered: Ints, shop: Shop) -> Batches:
    used = np.flatnonzero(filled.discount != NULL)
    rows = batch(
        order_discounts,
        {
            "order_id": order_ids[used],
            "discount_id": shop.discounts.ids[filled.discount[used]],
            "amount_off": filled.off[used],
            "updated_at": entered[used],
        },
    )
    return {"order_discounts": rows}
