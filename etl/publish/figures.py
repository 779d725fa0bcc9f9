"""What a dashboard is made of: headline numbers and figures, each with its chart and its table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from etl.publish.errors import MartError
from etl.publish.translate import references, translate
from etl.warehouses.base import Warehouse

NONE = "\u2013"
"""Stands for NULL in tables."""

Row = dict[str, Any]
Reader = Callable[[str], list[Row]]


@dataclass(frozen=True, slots=True)
class Headline:
    """One number above the charts, with a sentence that places it. ``good`` is None where neither applies."""

    label: str
    value: str
    note: str
    good: bool | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart with what it says, what it shows, and the same numbers as a table.

    ``spec`` is a Vega-Lite specification without colours of its own, or None where there is nothing to draw.
    """

    key: str
    title: str
    subtitle: str
    spec: dict[str, Any] | None
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Board:
    """A world's dashboard, or another ``sort`` of page laid out like one, before it is a page."""

    title: str
    period: str
    headlines: Sequence[Headline] = ()
    figures: Sequence[Figure] = field(default=())
    sort: str = "dashboard"


def side_by_side(figures: Sequence[Figure]) -> list[Figure]:
    """The figures for a page two of them wide: one that would stand beside a gap is made wide."""
    found: list[Figure] = []
    waiting = False
    for figure in figures:
        if waiting and figure.wide:
            found[-1] = replace(found[-1], wide=True)
        waiting = not figure.wide and not waiting
        found.append(figure)
    if waiting:
        found[-1] = replace(found[-1], wide=True)
    return found


def reader(warehouse: Warehouse) -> Reader:
    """Runs GoogleSQL over published marts, as rows.

    The reader raises :class:`MartError` for a mart that is not there.
    """
    published = set(warehouse.tables("marts"))

    def read(sql: str) -> list[Row]:
        missing = sorted(name for room, name in references(sql) if room == "marts" and name not in published)
        if missing:
            raise MartError(f"the mart {missing[0]} has not been built", "build the marts first: etl marts")
        rows = warehouse.query(translate(sql, warehouse)).to_pylist()
        return [{name: _whole(value) for name, value in row.items()} for row in rows]

    return read


def _whole(value: Any) -> Any:
    """DuckDB sums integers to a HUGEINT, which Arrow delivers as a decimal without a fraction."""
    return int(value) if isinstance(value, Decimal) and value.as_tuple().exponent == 0 else value


def nothing(key: str, title: str, subtitle: str) -> Figure:
    """A figure for which there is no data yet."""
    return Figure(key, title, subtitle, None, (), ())


def count(value: int | None) -> str:
    """``12,345``; a dash for NULL."""
    return NONE if value is None else f"{value:,}"


def money(value: Decimal | float | None, digits: int = 0) -> str:
    """An exact amount with thousands marked; a dash for NULL."""
    return NONE if value is None else f"{value:,.{digits}f}"


def short(value: Decimal | float) -> str:
    """An amount of three digits: ``4.99M``, ``12.3K``, ``870``; rounded before its unit is chosen."""
    rounded = float(f"{value:.3g}")
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "K")):
        if abs(rounded) >= size:
            return f"{rounded / size:.3g}{unit}"
    return f"{rounded:g}"


def percent(value: float | None, digits: int = 0, *, sign: bool = False) -> str:
    """``12 %`` for 0.12, ``+12 %`` with a sign; a dash for NULL."""
    return NONE if value is None else f"{100 * value:{'+' if sign else ''}.{digits}f}\N{NO-BREAK SPACE}%"


def month(value: date) -> str:
    """``December 2025``."""
    return f"{value:%B %Y}"


def day(value: date) -> str:
    """``31 December 2025``."""
    return f"{value.day} {value:%B %Y}"


def moment(value: Any) -> str:
    """``2025-12-31 14:05:09 UTC`` for an instant, other values as they are."""
    return f"{value:%Y-%m-%d %H:%M:%S} UTC" if isinstance(value, datetime) else str(value)


def words(value: str) -> str:
    """``Paid search`` for ``paid_search``."""
    return value.replace("_", " ").capitalize()
