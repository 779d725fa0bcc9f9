"""The contract of a source: everything is read inside a snapshot, as Arrow batches."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from etl.dialects.base import Dialect, RowsumDialect
from etl.errors import SourceError
from etl.queryable import Queryable
from etl.ranges import Ranges, Value
from schemas.table import Column, Table
from schemas.types import LogicalType


@dataclass(frozen=True, slots=True)
class Window:
    """The rows an incremental sync takes: cursor at or past ``low``, and those without a cursor value.

    There is no upper end: the snapshot is one. ``low`` is the source's own text of the value.
    """

    column: str
    low: str


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a table's cursor goes in a snapshot, in the source's own text.

    ``fence`` becomes the next watermark: the highest value that does not lie in the future.
    ``seen`` is the highest value of all. Both are None for a table without values in its cursor.
    """

    fence: str | None
    seen: str | None


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that `etl doctor` looked at."""

    ok: bool
    subject: str
    text: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Loss:
    """What no warehouse of ours can hold of a column, by rule, and how many of its values had it."""

    column: str
    what: str
    rows: int

    def __str__(self) -> str:
        return f"{self.column}: {self.what} in {self.rows:,} rows"


@dataclass(frozen=True, slots=True)
class Pushdown:
    """A source that can sum its own rows: the snapshot's session, its dialect, and a table's qualified name."""

    engine: Queryable
    dialect: RowsumDialect
    relation: Callable[[Table], str]


class Snapshot(ABC):
    """One consistent read of the source; nothing committed after it was opened is visible."""

    dialect: Dialect
    """How the source spells its SQL."""

    pushdown: Pushdown | None = None
    """How the source sums its own rows, if it can."""

    instant: datetime
    """When it was opened, by the source's clock where it has one (UTC)."""

    consistent: bool = True
    """Whether it is one instant; a source that cannot give one is read while it moves."""

    @abstractmethod
    def tables(self) -> tuple[Table, ...]:
        """Every table and view a user made, with key, cursor and references."""

    @abstractmethod
    def query(self, sql: str) -> pa.Table:
        """The result of a small query in the source's own SQL; numbers without an Arrow type may come as text.

        Raises ``SourceError``, after which the snapshot is as usable as before.
        """

    def relation(self, table: Table) -> str:
        """The table's qualified, quoted name."""
        return self.dialect.qualify(table.schema, table.name)

    @abstractmethod
    def count(self, table: Table, part: Ranges | None = None) -> int:
        """``COUNT(*)`` of the table or of a part of it, by the server itself."""

    @abstractmethod
    def extent(self, table: Table, column: Column) -> tuple[Value | None, Value | None]:
        """The lowest and highest value of an int, date or datetime column; None for no value at all."""

    @abstractmethod
    def reach(self, table: Table) -> Reach:
        """How far the table's cursor goes."""

    def expired(self, table: Table, watermark: str) -> str:
        """Why changes since ``watermark`` cannot be told any more; empty if they can."""
        del table, watermark
        return ""

    def deleted(self, table: Table, window: Window) -> pa.Table | None:
        """The keys that are gone since the window's low end; None where the cursor does not tell."""
        del table, window
        return None

    def findings(self, tables: Sequence[Table]) -> Iterator[Finding]:
        """What `etl doctor` should say about this source beside the connection."""
        del tables
        yield from ()

    @abstractmethod
    def read(self, table: Table, part: Window | Ranges | None = None) -> Iterator[pa.RecordBatch]:
        """The table's rows, or those of a part of it, as batches with schema ``table.arrow``.

        Raises ``SourceError`` naming the column where a value does not fit its declared type.
        """

    @abstractmethod
    def losses(self, table: Table) -> tuple[Loss, ...]:
        """The declared losses of the rows that the newest whole read, or read of ranges, has delivered."""

    @abstractmethod
    def read_keys(self, table: Table, keys: pa.Table) -> Iterator[pa.RecordBatch]:
        """The rows whose key is among ``keys``, a table of the key's columns."""

    def holds(self, value: Any) -> bool:
        """Whether the source can hold a value of one of its types at all; what it cannot needs no proof."""
        del value
        return True

    @abstractmethod
    def read_constants(self, type_: LogicalType, values: Sequence[Any]) -> pa.Array:
        """The values, put into the source as constants and read through the same reader as rows."""


def refusal(table: Table, column: Column) -> SourceError:
    """The error for a table with a column whose values cannot be copied as they are."""
    place, named = (json.dumps(name, ensure_ascii=False) for name in (table.target, column.name))
    return SourceError(
        f"table {table.target}: column {column.name} {column.refused}",
        f"leave the table out, [tables.{place}] exclude = true, or read the column as text, "
        f'[tables.{place}.columns] {named} = "large string"',
    )


def refuse(table: Table) -> None:
    """Raise ``SourceError`` naming the first column whose values cannot be copied."""
    for column in table.columns:
        if column.refused:
            raise refusal(table, column)


class Source(ABC):
    """A database that can be read."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """Which server and database this is; a change of it under the same URL stops a sync."""

    @abstractmethod
    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """A new snapshot, open until the context ends."""
