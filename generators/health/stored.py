"""The health world read back from its SQLite file. Standard library only."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

from generators.errors import GeneratorError
from generators.health.core import Customer, Movement, Subscription, World


def read(path: Path) -> World:
    """The rows in the database at ``path``; raises ``GeneratorError`` where they are not there or make no sense."""
    if not path.is_file():
        raise GeneratorError(f"There is no database at {path}. Generate it first with `python -m generators.health`.")
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            tables = [
                connection.execute(f"SELECT * FROM {name} ORDER BY rowid").fetchall()
                for name in ("day06_customers", "day06_subscriptions", "day06_mrr_movements")
            ]
        return from_rows(*tables)
    except (sqlite3.Error, TypeError, ValueError) as error:
        raise GeneratorError(f"{path} does not hold the health world: {error}. Generate it anew.") from error


def from_rows(customers: list[Any], subscriptions: list[Any], movements: list[Any]) -> World:
    """The world of rows as an engine gives them: dates as ``date`` or ISO text, money as dollars of any type.

    Raises ``TypeError`` and ``ValueError`` for rows of another shape.
    """
    return World(
        [Customer(key, email, _day(day), tier, cents(mrr), status) for key, email, day, tier, mrr, status in customers],
        [
            Subscription(key, customer, _day(start), None if end is None else _day(end), cents(mrr), tier)
            for key, customer, start, end, mrr, tier in subscriptions
        ],
        [
            Movement(_day(month), cents(new), cents(expansion), cents(contraction), cents(churn), cents(net))
            for month, new, expansion, contraction, churn, net in movements
        ],
    )


def cents(dollars: Any) -> int:
    """Dollars, exact or floating, as whole cents."""
    return round(float(dollars) * 100)


def _day(value: Any) -> date:
    return value if isinstance(value, date) else date.fromisoformat(value)
