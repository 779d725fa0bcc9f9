"""A table's partitions: months of a date, or runs of an integer, that together hold every row.

The lowest is open below, the highest above, and NULL has one of its own, so no value lies between.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from etl.errors import ConfigError
from etl.ranges import Range, Ranges, Value
from schemas.table import Column, Table
from schemas.types import Kind

NULL = Range("null", null=True)
MOST = 10_000
PARTITIONABLE = (Kind.INT, Kind.DATE, Kind.DATETIME)


@dataclass(frozen=True, slots=True)
class Partitioning:
    """How one table is divided: by months of ``column``, or by runs of ``size`` where it is an integer."""

    column: Column
    size: int

    def label(self, value: Value | None) -> str:
        """The partition that a value belongs to; labels of one partitioning never change."""
        if value is None:
            return NULL.label
        if isinstance(value, int):
            return str(value // self.size)
        return f"{value.year:04d}-{value.month:02d}"

    @property
    def name(self) -> str:
        """What tells it from every other division of the table."""
        return self.column.name if self.column.type.kind is not Kind.INT else f"{self.column.name}/{self.size}"

    def write(self, labels: Iterable[str]) -> str:
        """Some of its partitions as a text that can be kept."""
        return json.dumps([self.name, *sorted(labels)], ensure_ascii=False)

    def read(self, written: str | None) -> set[str] | None:
        """The partitions that were written; None for nothing, and for those of another partitioning."""
        if written is None:
            return None
        name, *labels = json.loads(written)
        return set(labels) if name == self.name else None

    def cover(self, low: Value | None, high: Value | None) -> tuple[Range, ...]:
        """Every partition from the lowest value to the highest one, and NULL's.

        Raises ``ConfigError`` if there are more than ``MOST``.
        """
        if low is None or high is None:
            return (NULL, Range("all"))
        starts = self._starts(low, high)
        ends = [*starts[1:], None]
        ranges = [
            Range(label, None if i == 0 else start[1], end[1] if end else None)
            for i, (start, end) in enumerate(zip(starts, ends, strict=True))
            for label in (start[0],)
        ]
        return (NULL, *ranges)

    def _starts(self, low: Value, high: Value) -> list[tuple[str, int | str]]:
        """Label and lowest value of each partition in between, in order."""
        if isinstance(low, int) and isinstance(high, int):
            numbers = range(low // self.size, high // self.size + 1)
            self._refuse_too_many(len(numbers))
            return [(str(n), n * self.size) for n in numbers]
        assert isinstance(low, date)
        assert isinstance(high, date)
        months = range(low.year * 12 + low.month - 1, high.year * 12 + high.month)
        self._refuse_too_many(len(months))
        return [(f"{m // 12:04d}-{m % 12 + 1:02d}", f"{m // 12:04d}-{m % 12 + 1:02d}-01") for m in months]

    def _refuse_too_many(self, count: int) -> None:
        if count > MOST:
            raise ConfigError(
                f"column {self.column.name} has {count:,} partitions, more than {MOST:,}",
                "name another partition column, or a larger partition_size",
            )


def partitioning(table: Table, column: str | None, size: int) -> Partitioning:
    """The table's partitioning by ``column``, or by its natural one: its first date, else its integer key.

    Raises ``ConfigError`` for a column that cannot divide the table.
    """
    chosen = table.column(column) if column else _natural(table)
    if chosen is None or chosen.type.kind not in PARTITIONABLE:
        what = f"column {chosen.name} is {chosen.type}" if chosen else "it has no date and no integer key"
        raise ConfigError(
            f"table {table.target} cannot be verified by partitions: {what}",
            f'name an int, date or datetime: [tables.{table.target}] partition = "column", or verify = "full"',
        )
    return Partitioning(chosen, size)


def _natural(table: Table) -> Column | None:
    """The first date that is not the cursor, which moves; else a single integer key."""
    dates = [c for c in table.columns if c.type.kind in (Kind.DATE, Kind.DATETIME) and c.name != table.cursor.column]
    key = [c for c in table.key_columns if c.type.kind is Kind.INT] if len(table.key) == 1 else []
    return next(iter([*dates, *key]), None)


@dataclass(frozen=True, slots=True)
class Scope:
    """The part of a table that one check covers, out of all its partitions."""

    partitions: Ranges
    of: int

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the partitions covered."""
        return tuple(one.label for one in self.partitions.ranges)

    def __str__(self) -> str:
        return f"{len(self.labels)} of {self.of} partitions"


def scope_of(
    by: Partitioning, every: Sequence[Range], touched: Collection[str], checked: Mapping[str, datetime], share: int
) -> Scope:
    """What was touched, and one ``share``-th of all, those first that were not checked for longest.

    ``share`` 0 takes only what was touched.
    """
    rest = sorted((one for one in every if one.label not in touched), key=lambda one: _age(checked, one.label))
    turn = {one.label for one in rest[: math.ceil(len(every) / share)]} if share else set()
    taken = tuple(one for one in every if one.label in touched or one.label in turn)
    return Scope(Ranges(by.column, taken), len(every))


def _age(checked: Mapping[str, datetime], label: str) -> float:
    return checked[label].timestamp() if label in checked else -math.inf


def labels_of(by: Partitioning, values: Iterable[Value | None]) -> set[str]:
    """The partitions that values belong to."""
    return {by.label(value) for value in values}
