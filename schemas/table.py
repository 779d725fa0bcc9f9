"""A table as every room of the toolkit sees it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa

from schemas.types import TIMESTAMP, LogicalType


class CursorKind(StrEnum):
    """How changed rows of a table are found, best first."""

    ROWVERSION = "rowversion"
    CHANGE_TRACKING = "change_tracking"
    UPDATED_AT = "updated_at"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Cursor:
    """The way a table's changes are found; ``column`` is empty where no column carries it."""

    kind: CursorKind
    column: str = ""

    def __str__(self) -> str:
        return f"{self.kind}({self.column})" if self.column else self.kind.value


FULL = Cursor(CursorKind.FULL)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a source table; ``comment`` is the source's own description of it.

    ``refused`` says why its values cannot be copied as they are; choosing a type for it lifts that.
    """

    name: str
    type: LogicalType
    nullable: bool = True
    comment: str = ""
    refused: str = ""


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """Columns whose values, where none of them is NULL, are those of ``parent_columns`` in a row of ``parent``.

    ``parent`` is a table's name in the warehouse; both tuples are equally long.
    """

    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]


DELETED_AT = Column("_deleted_at", TIMESTAMP)
"""When a row was seen to be gone from the source, in copies that keep such rows."""

VALID_FROM, VALID_TO = Column("valid_from", TIMESTAMP), Column("valid_to", TIMESTAMP)
"""From when on a version was the row's, and before when; the current one has no end."""


@dataclass(frozen=True, slots=True)
class Table:
    """A source table: columns in the source's order, the key that names a row, and its cursor.

    ``schema`` is empty for the source's default schema. ``key`` is empty where the table has no
    primary or unique key over non-null columns; such a table is loaded in full and compared as a
    multiset. ``references`` holds the names of the tables its foreign keys point at, ``cursors`` the
    other ways to find its changes, best first, ``foreign_keys`` the keys with their columns where known.
    ``soft`` and ``history`` are the user's wishes: whether the copy keeps rows that are gone from the
    source, and whether every version of a row is kept.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    cursor: Cursor = FULL
    schema: str = ""
    references: tuple[str, ...] = ()
    cursors: tuple[Cursor, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    soft: bool = False
    history: bool = False

    @property
    def target(self) -> str:
        """The table's name in the warehouse, which has one schema for all source schemas."""
        return f"{self.schema}__{self.name}" if self.schema else self.name

    @property
    def arrow(self) -> pa.Schema:
        """The Arrow schema of its batches."""
        return pa.schema([pa.field(c.name, c.type.arrow) for c in self.columns])

    @property
    def key_columns(self) -> tuple[Column, ...]:
        """The columns of the key, in the key's order."""
        return tuple(self.column(name) for name in self.key)

    def column(self, name: str) -> Column:
        """The column called ``name``; raises ``KeyError``."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)
