"""Cancellations of a day, from what the database shows of the customers' last three months."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Select, func, select

from generators.hopify.columns import Floats, Ints, batch, labels
from generators.hopify.days import DAY, HOUR, SECOND, months_between
from generators.hopify.loyalty import HIGHEST_RISK, Behaviour, monthly_risk, reasons, score
from generators.hopify.simulation.members import Members, rows_of
from generators.hopify.simulation.today import Today, as_datetime, as_instant, as_timestamp
from generators.hopify.subscriptions import comments
from schemas.hopify import CHURN_REASONS, app_installs, churn_events, orders, payments, subscriptions, support_tickets

_WINDOW = 91


def cancel(today: Today, proposed: Members) -> Ints:
    """End the subscriptions of those whose behaviour makes them leave; their customer ids."""
    rng = today.rng("cancel")
    settled = proposed.of(proposed.active & (proposed.started < today.number))
    seen = _behaviour(today, settled.who.ids)
    risk = monthly_risk(settled.who.segment, months_between(settled.who.signed_up, today.number), seen)
    leaving = rng.random(len(risk)) < risk / HIGHEST_RISK
    leavers, at = settled.of(leaving), today.instants(rng, int(leaving.sum()))
    close(today, leavers, at, "cancelled")
    _record(today, rng, leavers, seen.of(leaving), score(risk[leaving]), at)
    _remove_installs(today, rng, leavers.who.ids)
    return leavers.who.ids


def close(today: Today, ending: Members, at: Ints, status: str) -> None:
    """End the subscriptions of ``ending`` today, at the instants given."""
    rows = [
        {"subscription_id": int(key), "status": status, "ended_on": today.date, "updated_at": as_datetime(instant)}
        for key, instant in zip(ending.subscription, at, strict=True)
    ]
    today.journal.update(subscriptions, rows)


def _record(
    today: Today, rng: np.random.Generator, leavers: Members, seen: Behaviour, scores: Floats, at: Ints
) -> None:
    """The churn events of ``leavers``."""
    count = len(at)
    why = reasons(seen, leavers.who.segment, rng.random(count))
    rows = batch(
        churn_events,
        {
            "churn_event_id": today.reserve("churn_events", count),
            "subscription_id": leavers.subscription,
            "churned_on": np.full(count, today.number),
            "reason": labels(CHURN_REASONS, why),
            "score": scores,
            "comment": comments(rng, count, today.world.texts),
            "updated_at": np.minimum(at + rng.integers(1, 600, count) * SECOND, today.end - 1),
        },
    )
    today.journal.insert({"churn_events": rows})


def _remove_installs(today: Today, rng: np.random.Generator, customer_ids: Ints) -> None:
    """Half of the leavers' installs are removed at the end of the day."""
    table = app_installs.c
    query = select(table.install_id).where(table.removed_at.is_(None)).order_by(table.install_id)
    found = [row[0] for row in rows_of(today.connection, query, table.customer_id, customer_ids)]
    removed = today.end - 2 * SECOND
    rows = [
        {"install_id": key, "removed_at": as_timestamp(removed), "updated_at": as_datetime(removed + SECOND)}
        for key, draw in zip(found, rng.random(len(found)), strict=True)
        if draw < 0.55
    ]
    today.journal.update(app_installs, rows)


def _behaviour(today: Today, customer_ids: Ints) -> Behaviour:
    """What customers showed in the last three months, as the database has it."""
    since = as_datetime((today.number - _WINDOW) * DAY)
    hours = _ticket_hours(today, customer_ids, since)
    bought = select(orders.c.customer_id, func.count()).where(orders.c.ordered_at >= since)
    failed = bought.join(payments, payments.c.order_id == orders.c.order_id).where(payments.c.status == "failed")
    return Behaviour(
        tickets=_per_customer(customer_ids, {key: len(each) for key, each in hours.items()}),
        hours=_per_customer(customer_ids, {key: sum(each) / len(each) for key, each in hours.items()}),
        failures=_per_customer(customer_ids, _counts(today, customer_ids, failed)),
        orders=_per_customer(customer_ids, _counts(today, customer_ids, bought)),
    )


def _ticket_hours(today: Today, customer_ids: Ints, since: datetime) -> dict[int, list[float]]:
    """By customer, how long each ticket opened ``since`` took, or has taken so far."""
    table = support_tickets.c
    query = select(table.customer_id, table.opened_at, table.closed_at).where(table.opened_at >= since)
    hours: dict[int, list[float]] = {}
    for customer, opened, closed in rows_of(today.connection, query, table.customer_id, customer_ids):
        until = today.begin if closed is None else as_instant(closed)
        hours.setdefault(customer, []).append(max(until - as_instant(opened), 0) / HOUR)
    return hours


def _counts(today: Today, customer_ids: Ints, query: Select[Any]) -> dict[int, float]:
    """The rows of ``query`` by customer."""
    grouped = query.group_by(orders.c.customer_id)
    return {row[0]: row[1] for row in rows_of(today.connection, grouped, orders.c.customer_id, customer_ids)}


def _per_customer(customer_ids: Ints, found: Mapping[int, float]) -> Floats:
    return np.array([found.get(int(key), 0.0) for key in customer_ids], np.float64)
