"""DuckDB as a warehouse: one file, which one process at a time may open.

The operating system's lock on the file is therefore the lease of all its tables; whoever comes
second waits (https://duckdb.org/docs/stable/connect/concurrency).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from etl.config import Config
from etl.dialects.base import Statement
from etl.dialects.duckdb import DuckDbDialect
from etl.errors import ConfigError, LostRaceError, WarehouseError
from etl.ranges import Ranges
from etl.scratch import without_progress_bar
from etl.urls import path_of
from etl.warehouses.base import LOST_RACE, ROOMS, Room, Warehouse
from schemas.table import Table
from schemas.types import Kind

log = logging.getLogger(__name__)

BATCH_ROWS = 65_536
_LOCKED = "Could not set lock"


def connect(config: Config, *, create: bool) -> DuckDbWarehouse:
    """The warehouse that a ``duckdb:///`` URL names."""
    settings, path = config.warehouse, path_of(config.warehouse.url)
    if not create and not path.exists():
        raise ConfigError(f"there is no warehouse at {path}", "check warehouse.url, or run: etl sync")
    return DuckDbWarehouse(path, memory_limit=settings.memory_limit, wait_seconds=settings.wait_seconds)


class DuckDbWarehouse(Warehouse):
    """A DuckDB database file."""

    dialect: DuckDbDialect
    exclusive = True

    def __init__(self, path: Path, *, memory_limit: str = "", wait_seconds: float = 600.0) -> None:
        """Open or create the file at ``path``, waiting for another process to close it."""
        self.dialect = DuckDbDialect()
        self.path = path
        self._connection = _open(path, wait_seconds)
        self._file = _file_number(path)
        self.run("SET TimeZone = 'UTC'")
        without_progress_bar(self._connection)
        # Row order is of no use to a warehouse, and keeping it costs memory on large loads.
        self.run("SET preserve_insertion_order = false")
        if memory_limit:
            self._run(f"SET memory_limit = {self.dialect.string(memory_limit)}")
        for room in ROOMS:
            self._run(f"CREATE SCHEMA IF NOT EXISTS {self.namespace(room)}")

    @property
    def identity(self) -> str:
        return f"duckdb:{self.path}"

    def namespace(self, room: Room) -> str:
        return self.dialect.quote(room)

    def query(self, sql: str, values: Sequence[Any] = ()) -> pa.Table:
        try:
            return self._connection.sql(sql, params=list(values) or None).to_arrow_table()
        except duckdb.Error as error:
            raise _translated(error, self.path) from error

    def commit(self, statements: Sequence[Statement | str]) -> None:
        self._run("BEGIN")
        try:
            for statement in statements:
                sql, values = (statement, ()) if isinstance(statement, str) else statement
                self._run(sql, values)
            self._require_file()
            self._run("COMMIT")
        except BaseException:
            self._rollback()
            raise

    def columns(self, room: Room, name: str) -> dict[str, str]:
        rows = self.query(
            "SELECT column_name, data_type FROM duckdb_columns() "
            "WHERE database_name = current_database() AND schema_name = ? AND table_name = ? ORDER BY column_index",
            [room, name],
        )
        return dict(zip(rows["column_name"].to_pylist(), rows["data_type"].to_pylist(), strict=True))

    def tables(self, room: Room) -> list[str]:
        rows = self.query(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database() AND schema_name = ? "
            "ORDER BY table_name",
            [room],
        )
        names: list[str] = rows["table_name"].to_pylist()
        return names

    def layout(self, room: Room) -> dict[str, dict[str, str]]:
        rows = self.query(
            "SELECT table_name, column_name, data_type FROM duckdb_columns() "
            "WHERE database_name = current_database() AND schema_name = ? ORDER BY table_name, column_index",
            [room],
        )
        found: dict[str, dict[str, str]] = {}
        for table, column, type_ in zip(*(column.to_pylist() for column in rows.columns), strict=True):
            found.setdefault(table, {})[column] = type_
        return found

    def create(self, name: str, columns: Mapping[str, str], table: Table | None = None) -> None:
        del table
        typed = ", ".join(f"{self.dialect.quote(column)} {type_}" for column, type_ in columns.items())
        self.run(f"CREATE OR REPLACE TABLE {self.relation('raw', name)} ({typed})")

    def append(self, name: str, table: Table, batches: Iterable[pa.RecordBatch]) -> int:
        source = _Source(batches)
        if source.schema is None:
            return 0
        names = self.dialect.columns([column.name for column in table.columns])
        # One statement drains all of them: DuckDB writes whole row groups, in all its threads, and commits once.
        self._connection.register("etl_batches", pa.RecordBatchReader.from_batches(source.schema, source))
        try:
            self._run(f"INSERT INTO {self.relation('raw', name)} ({names}) SELECT {names} FROM etl_batches")
        except WarehouseError:
            if source.error:
                raise source.error from None
            raise
        finally:
            self._connection.unregister("etl_batches")
        return source.rows

    def read(self, table: Table, part: Ranges | None = None) -> Iterator[pa.RecordBatch]:
        where = f" WHERE {part.condition(self.dialect)}" if part else ""
        try:
            for batch in self._connection.sql(self._select(table) + where).to_arrow_reader(BATCH_ROWS):
                yield batch.cast(table.arrow)
        except duckdb.Error as error:
            raise _translated(error, self.path) from error

    def read_keys(self, table: Table, keys: pa.Table) -> pa.Table:
        matched = " AND ".join(f"t.{q} = k.{q}" for q in map(self.dialect.quote, table.key))
        self._connection.register("etl_keys", keys)
        try:
            rows = self.query(f"{self._select(table)} WHERE EXISTS (SELECT 1 FROM etl_keys AS k WHERE {matched})")
        finally:
            self._connection.unregister("etl_keys")
        return rows.cast(table.arrow)

    def close(self) -> None:
        self._connection.close()

    def _select(self, table: Table) -> str:
        """The table's columns, a UUID as text: Arrow has it as bytes otherwise."""
        columns = (
            f"CAST(t.{q} AS VARCHAR) AS {q}" if column.type.kind is Kind.UUID else f"t.{q}"
            for column, q in ((column, self.dialect.quote(column.name)) for column in table.columns)
        )
        return f"SELECT {', '.join(columns)} FROM {self.live(table)} AS t"

    def run(self, sql: str) -> None:
        self._run(sql)

    def _run(self, sql: str, values: Sequence[Any] = ()) -> None:
        try:
            self._connection.execute(sql, list(values) or None).complete()
        except duckdb.Error as error:
            raise _translated(error, self.path) from error

    def _require_file(self) -> None:
        """DuckDB goes on writing to a file that was deleted, and all of it would be gone in the end."""
        if _file_number(self.path) != self._file:
            raise WarehouseError(
                f"{self.path} was removed or replaced while it was being loaded", "run the same command again"
            )

    def _rollback(self) -> None:
        try:
            self._connection.execute("ROLLBACK")
        except duckdb.Error:
            log.debug("the transaction had already ended")


class _Source:
    """Batches on their way through Arrow's C interface, by which an exception comes back as its text only.

    ``error`` is the exception itself, ``rows`` how many rows have passed; ``schema`` is None if there is no batch.
    """

    def __init__(self, batches: Iterable[pa.RecordBatch]) -> None:
        self._batches = iter(batches)
        self._first: pa.RecordBatch | None = next(self._batches, None)
        self.schema: pa.Schema | None = None if self._first is None else self._first.schema
        self.error: BaseException | None = None
        self.rows = 0

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        try:
            while (batch := self._first) is not None:
                self.rows += batch.num_rows
                yield batch
                self._first = next(self._batches, None)
        except GeneratorExit:  # DuckDB wants no more
            raise
        except BaseException as error:  # Ctrl-C among them
            self.error = error
            raise


def _file_number(path: Path) -> int:
    """The file's number in its file system; 0 if it is not there."""
    try:
        return path.stat().st_ino
    except OSError:
        return 0


def _open(path: Path, wait_seconds: float) -> duckdb.DuckDBPyConnection:
    deadline = time.monotonic() + wait_seconds
    told = False
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return duckdb.connect(str(path))
        except OSError as error:
            raise WarehouseError(f"{path.parent} cannot be made: {error.strerror}", "name a writable place") from error
        except duckdb.Error as error:
            if _LOCKED not in str(error):
                raise _translated(error, path) from error
            if time.monotonic() > deadline:
                raise WarehouseError(
                    f"{path} is still open in another process after {wait_seconds:.0f} s",
                    "wait for that process to end, or end it",
                ) from error
            if not told:
                log.warning("%s is open in another process; waiting for it", path)
                told = True
            time.sleep(0.25)


def _translated(error: duckdb.Error, path: Path) -> WarehouseError:
    text = " ".join(str(error).split())
    if isinstance(error, duckdb.InvalidInputException) and LOST_RACE in text:
        return LostRaceError(
            "another run loaded this table in the meantime; nothing was written",
            "run the same command again",
        )
    if "cannot affect the same target row more than once" in text:
        return WarehouseError(
            "two rows of the source have the same key", "name a unique key for the table in etl.toml, or none: key = []"
        )
    if any(sign in text for sign in ("No space left", "File too large", "quota exceeded")):
        return WarehouseError(f"the disk that holds {path} is full", "make room, then run the same command again")
    if "not a valid DuckDB database" in text:
        return WarehouseError(f"{path} is not a DuckDB database", "check the path in warehouse.url")
    if any(sign in text for sign in ("read-only", "Permission denied", "Cannot open file", "Is a directory")):
        return WarehouseError(f"{path} cannot be written ({text})", "name a writable place in warehouse.url")
    return WarehouseError(f"DuckDB: {text}", "mend what it names, then run the same command again")
