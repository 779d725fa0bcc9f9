"""Half-open ranges of a column, as one condition that both sides understand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from etl.dialects.base import Dialect
from schemas.table import Column

Value = int | date | datetime
"""What a column that can be divided into ranges holds."""

Bound = int | str
"""An integer, or a date as ``YYYY-MM-DD``: a prefix of every ISO text of that day, so it orders texts too."""


@dataclass(frozen=True, slots=True)
class Range:
    """Values in ``[low, high)``; an open end where a bound is None. ``null`` is the range of NULL alone."""

    label: str
    low: Bound | None = None
    high: Bound | None = None
    null: bool = False

    def condition(self, dialect: Dialect, column: Column) -> str:
        """The range as a predicate over the quoted column."""
        name = dialect.quote(column.name)
        if self.null:
            return f"{name} IS NULL"
        name = dialect.ordered(name, column.type)
        bounds = [(">=", self.low), ("<", self.high)]
        parts = [f"{name} {sign} {dialect.literal(bound, column.type)}" for sign, bound in bounds if bound is not None]
        return " AND ".join(parts) if parts else f"{name} IS NOT NULL"


@dataclass(frozen=True, slots=True)
class Ranges:
    """Some ranges of one column."""

    column: Column
    ranges: tuple[Range, ...]

    def condition(self, dialect: Dialect) -> str:
        """Rows in any of the ranges; neighbours are joined, so that the predicate stays short."""
        joined = _joined(self.ranges)
        return " OR ".join(f"({one.condition(dialect, self.column)})" for one in joined) or "1 = 0"


def _joined(ranges: Sequence[Range]) -> list[Range]:
    found: list[Range] = []
    for one in ranges:
        last = found[-1] if found else None
        if last and not last.null and not one.null and last.high is not None and last.high == one.low:
            found[-1] = Range(last.label, last.low, one.high)
        else:
            found.append(one)
    return found
