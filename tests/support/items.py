"""One small table with everything a sync has to do with: a key, values, a cursor."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from schemas import types
from schemas.table import FULL, Column, Cursor, CursorKind, Table

UPDATED = Column("updated_at", types.DATETIME)
ITEMS = Table(
    "items",
    (Column("id", types.INT, nullable=False), Column("name", types.STRING), Column("amount", types.INT), UPDATED),
    ("id",),
    Cursor(CursorKind.UPDATED_AT, "updated_at"),
)
CURSORLESS = Table("items", ITEMS.columns[:3], ("id",), FULL)
KEYLESS = Table("items", ITEMS.columns[1:3])

ROWS = 1_000
_START = datetime(2024, 1, 1)


def moment(minute: int) -> datetime:
    """A cursor value; ``item(i)`` changed at minute ``i``."""
    return _START + timedelta(minutes=minute)


def stored(minute: int) -> str:
    """The same as a literal's text."""
    return moment(minute).isoformat(" ", "microseconds")


def item(i: int) -> tuple[Any, ...]:
    """A row of ``ITEMS``."""
    return (i, f"item {i}", i * 7 % 100, moment(i))


def items(numbers: Iterable[int] = range(ROWS)) -> list[tuple[Any, ...]]:
    """Rows of ``ITEMS``."""
    return [item(i) for i in numbers]


def changing(where: str, minute: int | None, **values: str) -> str:
    """An UPDATE of ``items``; the cursor stays as it was if ``minute`` is None. Values are SQL."""
    sets = [f"{name} = {value}" for name, value in values.items()]
    sets += [f"updated_at = '{stored(minute)}'"] if minute is not None else []
    return f"UPDATE items SET {', '.join(sets)} WHERE {where}"
