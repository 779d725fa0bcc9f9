"""One day of the world, from morning to night, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from generators.hopify.days import day_number
from generators.hopify.simulation.activity import trade, welcome
from generators.hopify.simulation.billing import collect, refund
from generators.hopify.simulation.candidates import candidates
from generators.hopify.simulation.corrections import change_silently, correct
from generators.hopify.simulation.erasures import erase
from generators.hopify.simulation.journal import Journal
from generators.hopify.simulation.leaving import cancel
from generators.hopify.simulation.marketing import advertise, count_visits
from generators.hopify.simulation.members import members
from generators.hopify.simulation.plans import change_plans, win_back
from generators.hopify.simulation.prices import change_list_prices, correct_lines
from generators.hopify.simulation.support import move_tickets
from generators.hopify.simulation.today import Today, as_datetime
from generators.hopify.world import NAME, world
from schemas.hopify import world_state


def simulate_day(connection: Connection, state: Any, seed: int) -> Mapping[tuple[str, str], int]:
    """Advance the world by the day after ``state``'s last (a row of world_state); rows by table and kind of change.

    What happens follows from ``seed``, the day and the database alone.
    """
    today = Today(
        connection=connection,
        journal=Journal(connection),
        world=world(state.seed, state.customers),
        seed=seed,
        number=day_number(state.last_day) + 1,
    )
    advertise(today)
    count_visits(today)
    _keep_house(today)
    _live(today)
    erase(today)
    _conclude(today)
    return today.journal.counts


def _keep_house(today: Today) -> None:
    """What is done to rows of earlier days, before today's come."""
    collect(today)
    refund(today)
    move_tickets(today)
    change_list_prices(today)
    correct_lines(today)
    correct(today)
    change_silently(today)


def _live(today: Today) -> None:
    """What customers do: those who leave today do nothing else, and those who return wait until tomorrow."""
    drawn = candidates(today)
    known = members(today.connection, today.world.seed, drawn.everyone())
    staying = known.without(cancel(today, known.among(drawn.leaving)))
    change_plans(today, staying.among(drawn.changing))
    win_back(today, staying.among(drawn.returning))
    trade(today, staying.of(staying.active), drawn)
    welcome(today)


def _conclude(today: Today) -> None:
    row = {"world": NAME, "last_day": today.date, "updated_at": as_datetime(today.end - 1)}
    today.journal.update(world_state, [row])
