"""The contract of a warehouse: staging takes batches, a commit changes everything or nothing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

import pyarrow as pa

from etl.dialects.base import Statement, WarehouseDialect
from etl.ranges import Ranges
from schemas.table import Table

Room = Literal["raw", "marts", "etl"]
ROOMS: tuple[Room, ...] = ("raw", "marts", "etl")

STAGING = "_etl_staging_"
"""Begins the name of every staging table; they stand beside their targets and never outlive a run by much."""


LOST_RACE = "etl: another run was first"
"""The message with which a load's assertion aborts its transaction if it is no longer the newest one's successor."""


class Warehouse(ABC):
    """An analytical store that holds the copies (raw), the marts and the ledger (etl)."""

    dialect: WarehouseDialect

    @property
    @abstractmethod
    def identity(self) -> str:
        """Which warehouse this is, for people."""

    @abstractmethod
    def namespace(self, room: Room) -> str:
        """The quoted schema or dataset in which a room's tables live."""

    def relation(self, room: Room, name: str) -> str:
        """The qualified, quoted name of a table."""
        return f"{self.namespace(room)}.{self.dialect.quote(name)}"

    @abstractmethod
    def query(self, sql: str, values: Sequence[Any] = ()) -> pa.Table:
        """The result of one query; raises ``WarehouseError``."""

    @abstractmethod
    def commit(self, statements: Sequence[Statement | str]) -> None:
        """Run the statements in one transaction: all of them take effect, or none.

        Raises ``LostRaceError`` if an assertion among them fails, ``WarehouseError`` otherwise.
        """

    @abstractmethod
    def run(self, sql: str) -> None:
        """Run a statement that changes nothing but the session, such as a temporary table."""

    @abstractmethod
    def columns(self, room: Room, name: str) -> dict[str, str]:
        """The physical type of each column of a table, in order; empty if there is no such table."""

    @abstractmethod
    def tables(self, room: Room) -> list[str]:
        """The names of a room's tables, sorted."""

    @abstractmethod
    def create(self, name: str, columns: Mapping[str, str]) -> None:
        """Create an empty raw table with columns of these physical types, replacing one of that name."""

    @abstractmethod
    def append(self, name: str, table: Table, batches: Iterable[pa.RecordBatch]) -> int:
        """Append batches to raw table ``name``, column by column of ``table``; returns the rows."""

    @abstractmethod
    def read(self, table: Table, part: Ranges | None = None) -> Iterator[pa.RecordBatch]:
        """The rows of ``table`` in raw, or of a part of it, with schema ``table.arrow``."""

    @abstractmethod
    def read_keys(self, table: Table, keys: pa.Table) -> pa.Table:
        """The rows of ``table`` in raw whose key is among ``keys``, with schema ``table.arrow``."""

    @abstractmethod
    def close(self) -> None:
        """Let go of everything held."""

    def drop(self, name: str) -> None:
        """Drop raw table ``name`` if it exists."""
        self.commit([f"DROP TABLE IF EXISTS {self.relation('raw', name)}"])
