"""Tickets opened on earlier days move on: answered, closed, later rated."""

from __future__ import annotations

from typing import Any

import numpy as np
from sqlalchemy import Row, select

from generators.hopify.columns import NULL, Ints
from generators.hopify.days import DAY, HOUR, MINUTE
from generators.hopify.potential import resolution_hours
from generators.hopify.simulation.activity import resolution_noise
from generators.hopify.simulation.members import members
from generators.hopify.simulation.today import Today, as_datetime, as_instant
from generators.hopify.tickets import response_minutes, satisfactions
from generators.hopify.traits import normal
from schemas.hopify import TICKET_PRIORITIES, support_tickets

_LONGEST = 40
"""Days within which every ticket is answered again: none takes more than 25 to close."""


def move_tickets(today: Today) -> None:
    """Answer and close what is due today among the tickets opened before."""
    waiting = _waiting(today)
    if not waiting:
        return
    rng = today.rng("support")
    planned, minutes = _planned(today, waiting)
    opened = np.array([as_instant(row.opened_at) for row in waiting])
    # What was due earlier is done at some time today.
    some_time = today.instants(rng, len(waiting))
    closed = np.where(opened + planned < today.begin, some_time, opened + planned)
    responded = np.where(opened + minutes * MINUTE < today.begin, some_time, opened + minutes * MINUTE)
    ratings = satisfactions(rng, (closed - opened) / HOUR)
    _close(today, waiting, closed, responded, ratings)
    _answer(today, waiting, closed, responded)


def _waiting(today: Today) -> list[Row[Any]]:
    table = support_tickets.c
    query = (
        select(
            table.ticket_id,
            table.customer_id,
            table.priority,
            table.opened_at,
            table.first_response_minutes,
        )
        .where(table.updated_at >= as_datetime((today.number - _LONGEST) * DAY), table.status != "closed")
        .where(table.opened_at < as_datetime(today.begin))
        .order_by(table.ticket_id)
    )
    return list(today.connection.execute(query))


def _planned(today: Today, waiting: list[Row[Any]]) -> tuple[Ints, Ints]:
    """How long tickets take in microseconds, and minutes to the first response: by customer and ticket."""
    ids = np.array([row.ticket_id for row in waiting])
    asker = np.array([row.customer_id for row in waiting])
    who = members(today.connection, today.world.seed, asker).who
    at = np.searchsorted(who.ids, asker)
    priority = np.array([TICKET_PRIORITIES.index(row.priority) for row in waiting])
    hours = resolution_hours(who, at, priority, resolution_noise(today, ids))
    minutes = response_minutes(who.segment[at], hours, normal(today.world.seed, "response", ids))
    return (hours * HOUR).astype(np.int64), minutes


def _close(today: Today, waiting: list[Row[Any]], closed: Ints, responded: Ints, ratings: Ints) -> None:
    rows = [
        {
            "ticket_id": row.ticket_id,
            "status": "closed",
            "closed_at": as_datetime(at),
            "first_response_minutes": _minutes(row, min(int(answer), int(at))),
            "satisfaction": None if rating == NULL else int(rating),
            "updated_at": as_datetime(at),
        }
        for row, at, answer, rating in zip(waiting, closed, responded, ratings, strict=True)
        if at < today.end
    ]
    today.journal.update(support_tickets, rows)


def _answer(today: Today, waiting: list[Row[Any]], closed: Ints, responded: Ints) -> None:
    rows = [
        {
            "ticket_id": row.ticket_id,
            "status": "pending",
            "first_response_minutes": _minutes(row, int(answer)),
            "updated_at": as_datetime(answer),
        }
        for row, at, answer in zip(waiting, closed, responded, strict=True)
        if row.first_response_minutes is None and answer < today.end <= at
    ]
    today.journal.update(support_tickets, rows)


def _minutes(row: Row[Any], answer: int) -> int:
    """Minutes to the first response: those known, or until ``answer``."""
    known: int | None = row.first_response_minutes
    return (answer - as_instant(row.opened_at)) // MINUTE if known is None else known
