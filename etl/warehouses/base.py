"""The contract of a warehouse: staging takes batches, a commit changes everything or nothing."""

from __future__ import annotations

import hashlib
import uuid
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import MappingProxyType
from typing import Any, ClassVar, Literal

import pyarrow as pa

from etl.dialects.base import Statement, WarehouseDialect
from etl.ranges import Ranges
from schemas.table import DELETED_AT, Column, Table

Room = Literal["raw", "raw_history", "marts", "etl"]
ROOMS: tuple[Room, ...] = ("raw", "raw_history", "marts", "etl")

STAGING = "_etl_staging_"
"""Begins the name of every staging table; they stand beside their targets and never outlive a run by much."""


def staging_prefix(target: str) -> str:
    """What begins the staging tables of ``target`` and of no other table, whatever both are called."""
    return f"{STAGING}{hashlib.sha256(target.encode()).hexdigest()[:16]}_"


RANGE_STAGING = "_etl_range_"
"""Begins the names of staged ranges of a table, which several tasks load and another one takes within a day."""


def range_staging_prefix(target: str) -> str:
    """What begins the staged ranges of ``target`` and of no other table."""
    return staging_prefix(target).replace(STAGING, RANGE_STAGING, 1)


def staging_name(target: str, role: str = "rows") -> str:
    """A name for a staging table of ``target`` that no other run, thread or attempt has."""
    return f"{staging_prefix(target)}{role}_{uuid.uuid4().hex[:8]}"


LOST_RACE = "etl: another run was first"
"""The message with which a load's assertion aborts its transaction if it is no longer the newest one's successor."""


def live_rows(dialect: WarehouseDialect, table: Table, relation: str) -> str:
    """The rows of a relation with the table's columns that are not marked as deleted, as a relation."""
    marked = f"{dialect.quote(DELETED_AT.name)} IS NULL"
    return f"(SELECT * FROM {relation} AS etl_all WHERE {marked})" if table.soft else relation


class Warehouse(ABC):
    """An analytical store that holds the copies (raw), the marts and the ledger (etl)."""

    dialect: WarehouseDialect

    exclusive: ClassVar[bool] = False
    """Whether whoever has the warehouse open has it alone, so that every staging table found is left over."""

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

    def live(self, table: Table) -> str:
        """The rows of the table's copy that are not marked as deleted, as a relation."""
        return live_rows(self.dialect, table, self.relation("raw", table.target))

    def soft_tables(self) -> frozenset[str]:
        """The raw tables of which some rows are marked as deleted; whoever opens the ledger tells."""
        return frozenset()

    @abstractmethod
    def query(self, sql: str, values: Sequence[Any] = ()) -> pa.Table:
        """The result of one query; raises ``WarehouseError``."""

    @abstractmethod
    def commit(self, statements: Sequence[Statement | str]) -> None:
        """Run the statements in one transaction: all of them take effect, or none.

        They change rows; tables are changed by ``alter``, ``replace`` and ``publish``. Raises
        ``LostRaceError`` if an assertion among them fails, ``WarehouseError`` otherwise.
        """

    def alter(self, changes: Sequence[str], statements: Sequence[Statement | str] = ()) -> None:
        """Commit the statements and change tables, by DDL that changes nothing more when it is run twice.

        Where DDL cannot be part of a transaction, the statements are committed first: killed in
        between, the ledger says that the table is not what was proven. Raises what ``commit`` raises.
        """
        self.commit([*statements, *changes])

    @abstractmethod
    def run(self, sql: str) -> None:
        """Run a statement that changes nothing but the session, such as a temporary table."""

    @abstractmethod
    def columns(self, room: Room, name: str) -> dict[str, str]:
        """The physical type of each column of a table, in order; empty if there is no such table."""

    @abstractmethod
    def tables(self, room: Room) -> list[str]:
        """The names of a room's tables, sorted."""

    def layout(self, room: Room) -> dict[str, dict[str, str]]:
        """The columns of every table of a room."""
        return {name: self.columns(room, name) for name in self.tables(room)}

    @abstractmethod
    def create(self, name: str, columns: Mapping[str, str], table: Table | None = None) -> None:
        """Create an empty raw table with columns of these physical types, replacing one of that name.

        With ``table``, it may become that table's copy, and is described and laid out accordingly.
        """

    @abstractmethod
    def append(self, name: str, table: Table, batches: Iterable[pa.RecordBatch]) -> int:
        """Append batches to raw table ``name``, column by column of ``table``; returns the rows.

        They are there once ``flush`` has been called.
        """

    def flush(self, name: str) -> None:
        """Make sure that what was appended to raw table ``name`` is there."""
        del name

    def replace(self, staging: str, target: str, statements: Sequence[Statement | str]) -> None:
        """Put raw table ``staging`` in the place of ``target``, and commit the statements.

        One transaction where there can be one; otherwise a kill leaves the old table or none, and a
        ledger that says it is not proven. ``staging`` is gone then. Raises what ``commit`` raises.
        """
        staged, dropped = self.relation("raw", staging), f"DROP TABLE IF EXISTS {self.relation('raw', target)}"
        self.commit([*statements, dropped, self.dialect.rename(staged, target)])

    def merge(self, table: Table, staging: str) -> str:
        """The statement that merges raw table ``staging`` into the table's copy, for a commit right after.

        Columns that only the warehouse still has are NULL in staging, and so in every row that is merged.
        """
        target, staged = self.relation("raw", table.target), self.relation("raw", staging)
        return self.dialect.merge(target, staged, list(self.columns("raw", staging)), table.key)

    def within(self, table: Table, keys: str) -> str:
        """A predicate over ``etl_t``, true of all the copy's rows whose key is in relation ``keys``; empty for any row.

        It names constants, for warehouses that charge by the parts of a table that a statement may touch.
        """
        del table, keys
        return ""

    def publish(
        self,
        marts: Mapping[str, str],
        replaced: Mapping[str, str] = MappingProxyType({}),
        statements: Sequence[Statement | str] = (),
    ) -> None:
        """Put marts that were built aside (value) in the place of the published ones (key): all at once, or none.

        A mart in ``replaced`` keeps its rows but for those of which the condition there is true. The
        statements are committed with all of it.
        """
        changes: list[Statement | str] = []
        for name, aside in marts.items():
            relation, built = self.relation("marts", name), self.relation("marts", aside)
            if name in replaced:
                changes += [*self._exchange(relation, built, aside, replaced[name]), f"DROP TABLE {built}"]
            else:
                changes += [f"DROP TABLE IF EXISTS {relation}", self.dialect.rename(built, name)]
        self.commit([*changes, *statements])

    def _exchange(self, relation: str, built: str, aside: str, condition: str) -> list[str]:
        """The rows of mart ``aside`` in the place of those of a published one of which the condition is true."""
        names = list(self.columns("marts", aside))
        return [f"DELETE FROM {relation} WHERE {condition}", self.dialect.insert_from(relation, built, names)]

    def lease(self, target: str) -> AbstractContextManager[None]:
        """The right to load raw table ``target``, which one run at a time holds; whoever comes second waits.

        Raises ``WarehouseError`` after waiting for as long as configured.
        """
        del target
        return nullcontext()

    def whole(self, targets: Collection[str]) -> AbstractContextManager[None]:
        """The right to read all of these raw tables, also of those that otherwise want a part to be named.

        Raises what ``lease`` raises.
        """
        del targets
        return nullcontext()

    def label(self, **labels: str) -> None:
        """Say for what the next statements of this thread are run: ``run``, ``table`` and ``step``."""
        del labels

    def estimate(self, sql: str) -> int | None:
        """The bytes that a query would read, where they are charged for."""
        del sql
        return None

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
        self.alter([f"DROP TABLE IF EXISTS {self.relation('raw', name)}"])

    def stage(self, name: str, columns: Sequence[Column], rows: pa.Table) -> None:
        """Create raw table ``name`` with these columns and rows."""
        self.create(name, {column.name: self.dialect.ddl(column.type) for column in columns})
        self.append(name, Table(name, tuple(columns)), rows.to_batches())
        self.flush(name)

    def leftovers(self, target: str = "") -> list[str]:
        """Staging tables of ``target``, or of every table: left over, if asked by whoever holds the lease."""
        begins = staging_prefix(target) if target else STAGING
        return [name for name in self.tables("raw") if name.startswith(begins)]
