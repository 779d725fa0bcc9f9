"""A table cut into slices: ranges of one column that are read, moved and proven one after another, or side by side."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise

from etl.errors import ConfigError
from etl.ranges import Bound, Range, Ranges, Value
from schemas.table import Column, CursorKind, Table
from schemas.types import Kind

SLICEABLE = (Kind.INT, Kind.DATE, Kind.DATETIME, Kind.TIMESTAMP)
_INTEGERS = range(-(2**63), 2**63)
NULLS = Range("null", null=True)


@dataclass(frozen=True, slots=True)
class Axis:
    """The column along which a table is cut. Its values are counted as integers, those of dates by their day.

    Whole days, because a day's ISO text begins every text of that day: texts of instants order by it,
    however the source spells the rest (https://www.sqlite.org/datatype3.html#date_and_time_datatype).
    """

    column: Column

    def parse(self, text: str) -> int:
        """A value given by hand: an integer, a date, or an instant, of which the day counts.

        Raises ``ConfigError``.
        """
        try:
            if self.column.type.kind is Kind.INT:
                return _INTEGERS[_INTEGERS.index(int(text))]
            return datetime.fromisoformat(text).date().toordinal()
        except ValueError:
            example = "42" if self.column.type.kind is Kind.INT else "2026-01-31"
            raise ConfigError(
                f"{text!r} is no {self.column.type}, which column {self.column.name} is", f"write it as {example}"
            ) from None

    def after(self, at: int | None) -> int | None:
        """What follows ``at``; None where nothing does."""
        last = _INTEGERS[-1] if self.column.type.kind is Kind.INT else date.max.toordinal()
        return None if at is None or at >= last else at + 1

    def of(self, value: Value) -> int:
        """A value of the column."""
        return value if isinstance(value, int) else value.toordinal()

    def bound(self, at: int) -> Bound:
        """The lowest value of the column that counts as ``at``."""
        if self.column.type.kind is Kind.INT:
            return at
        day = date.fromordinal(at).isoformat()
        return f"{day} 00:00:00+00:00" if self.column.type.kind is Kind.TIMESTAMP else day

    def show(self, at: int) -> str:
        """``at`` as a person writes it."""
        return str(at) if self.column.type.kind is Kind.INT else date.fromordinal(at).isoformat()


@dataclass(frozen=True, slots=True)
class Span:
    """The values from ``low`` on and before ``high``, as an axis counts them; open where None."""

    low: int | None
    high: int | None

    def range(self, axis: Axis) -> Range:
        """The span as a condition that both sides understand."""
        low, high = (None if at is None else axis.bound(at) for at in (self.low, self.high))
        return Range(self.show(axis), low, high)

    def show(self, axis: Axis) -> str:
        """The span in words, both ends included."""
        low = "the lowest" if self.low is None else axis.show(self.low)
        high = "the highest" if self.high is None else axis.show(self.high - 1)
        return f"{axis.column.name} from {low} to {high}"

    def cut(self, extent: Span, parts: int) -> tuple[Span, ...]:
        """At most ``parts`` spans of one length that together are this one.

        ``extent`` holds the values there are, with both ends: what lies outside of it is not cut.
        """
        assert extent.low is not None
        assert extent.high is not None
        low = extent.low if self.low is None else max(self.low, extent.low)
        high = extent.high if self.high is None else min(self.high, extent.high)
        parts = min(parts, high - low)
        inner = [low + (high - low) * i // parts for i in range(1, parts)] if parts > 1 else []
        ends = [self.low, *inner, self.high]
        return tuple(Span(*pair) for pair in pairwise(ends))


def axis_of(table: Table, column: str = "") -> Axis:
    """The axis that ``column`` is, or that of the table's own cursor; raises ``ConfigError``."""
    if not column and table.cursor.kind is CursorKind.UPDATED_AT:
        column = table.cursor.column
    if not column:
        raise ConfigError(
            f"table {table.target} has no cursor that could be cut into ranges: {table.cursor}",
            f"name a column with --column, {_proposed(table)}, or use --all",
        )
    known = {one.name: one for one in table.columns}
    if column not in known:
        raise ConfigError(f"table {table.target} has no column {column}", f"its columns are {', '.join(known)}")
    if known[column].type.kind not in SLICEABLE:
        raise ConfigError(
            f"column {column} of {table.target} is {known[column].type}, which has no ranges to cut it into",
            f"name a date or an integer, {_proposed(table)}, or use --all",
        )
    return Axis(known[column])


def natural_axis(table: Table) -> Axis | None:
    """The axis along which a whole table is best cut: its integer key, else a date that is never NULL."""
    whole = [column for column in table.key_columns[:1] if column.type.kind is Kind.INT]
    dates = [c for c in table.columns if c.type.kind in SLICEABLE and c.type.kind is not Kind.INT and not c.nullable]
    return next((Axis(column) for column in (*whole, *dates)), None)


def _proposed(table: Table) -> str:
    names = [column.name for column in table.columns if column.type.kind in SLICEABLE]
    return f"one of {', '.join(names)}" if names else "of which it has none"


def span_of(axis: Axis, extent: tuple[Value | None, Value | None]) -> Span | None:
    """The span of the values there are, with both ends; None if there is none."""
    low, high = extent
    return None if low is None or high is None else Span(axis.of(low), axis.of(high) + 1)


def asked(axis: Axis, low: str | None, high: str | None) -> Span:
    """The span from one value to another as people write them, both included; raises ``ConfigError``."""
    first, last = (None if text is None else axis.parse(text) for text in (low, high))
    if first is not None and last is not None and first > last:
        raise ConfigError(f"--from {low} lies after --to {high}", "exchange them")
    return Span(first, axis.after(last))


def ranges(axis: Axis, *spans: Span, nulls: bool = False) -> Ranges:
    """Spans as the part of a table that both sides can be asked for."""
    cut = tuple(span.range(axis) for span in spans)
    return Ranges(axis.column, (*cut, NULLS) if nulls else cut)
