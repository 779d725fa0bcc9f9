"""Erasures by request: a customer goes, and everything that was theirs before it."""

from __future__ import annotations

from typing import Any

import numpy as np
from sqlalchemy import Select, select

from generators.hopify.simulation.members import rows_of
from generators.hopify.simulation.today import Today
from schemas.hopify import (
    app_installs,
    churn_events,
    customers,
    order_discounts,
    order_items,
    orders,
    payments,
    subscriptions,
    support_tickets,
)

_DAILY = 1 / 15_000


def erase(today: Today) -> None:
    """Delete a few customers with all their rows, children first."""
    rng, highest = today.rng("erasures"), today.taken["customers"]
    count = int(rng.poisson(_DAILY * highest + min(0.25, highest / 1_500)))
    drawn = {int(key) for key in rng.integers(1, highest + 1, count)} if count else set()
    erased = sorted(drawn - _newest_owners(today)) if drawn else []
    order_ids = _keys(today, select(orders.c.order_id), orders.c.customer_id, erased)
    subscription_ids = _keys(today, select(subscriptions.c.subscription_id), subscriptions.c.customer_id, erased)
    for table in (order_discounts, payments, order_items):
        today.journal.delete(table, "order_id", order_ids)
    today.journal.delete(churn_events, "subscription_id", subscription_ids)
    for table in (orders, subscriptions, support_tickets, app_installs, customers):
        today.journal.delete(table, "customer_id", erased)


def _newest_owners(today: Today) -> set[int]:
    """Who owns a table's highest key: they stay another day, so that no key is ever given twice."""
    taken = today.taken
    owners = (
        select(orders.c.customer_id).where(orders.c.order_id == taken["orders"]),
        select(subscriptions.c.customer_id).where(subscriptions.c.subscription_id == taken["subscriptions"]),
        select(support_tickets.c.customer_id).where(support_tickets.c.ticket_id == taken["support_tickets"]),
        select(app_installs.c.customer_id).where(app_installs.c.install_id == taken["app_installs"]),
        _through_order(order_items).where(order_items.c.order_item_id == taken["order_items"]),
        _through_order(payments).where(payments.c.payment_id == taken["payments"]),
        select(subscriptions.c.customer_id)
        .join(churn_events, churn_events.c.subscription_id == subscriptions.c.subscription_id)
        .where(churn_events.c.churn_event_id == taken["churn_events"]),
    )
    return {taken["customers"], *(int(key) for query in owners for key in today.connection.execute(query).scalars())}


def _through_order(table: Any) -> Select[Any]:
    return select(orders.c.customer_id).join(table, table.c.order_id == orders.c.order_id)


def _keys(today: Today, query: Select[Any], column: Any, values: list[int]) -> list[int]:
    return [int(row[0]) for row in rows_of(today.connection, query, column, np.array(values, np.int64))]
