"""Rows of a SQL Server database, by mssql-python's Arrow reader, at one instant where snapshots are allowed."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
from sqlalchemy import Table

from generators.mssql import told
from generators.targets import Target
from generators.writers import ddl
from generators.writers.mssql_tables import dialect
from schemas.mssql import connect

_ROWS_AT_ONCE = 20_000
_SNAPSHOTS = "SELECT snapshot_isolation_state FROM sys.databases WHERE name = DB_NAME()"


def open_rows(at: Target) -> MssqlRows:
    """The rows of the database that ``at`` names."""
    return MssqlRows(at)


class MssqlRows:
    """One SNAPSHOT transaction, or one statement a table where the database does not allow it."""

    def __init__(self, at: Target) -> None:
        self._at = at
        self._dialect = dialect()

    def __enter__(self) -> Self:
        with told(str(self._at)):
            self._connection = connect(self._at.url)
            self._cursor = self._connection.cursor()
            if self._cursor.execute(_SNAPSHOTS).fetchone()[0] == 1:
                self._cursor.execute("SET TRANSACTION ISOLATION LEVEL SNAPSHOT")
                self._cursor.execute("BEGIN TRANSACTION")
        return self

    def read(self, table: Table) -> pa.RecordBatchReader:
        """Only the schema's own columns: ``row_version`` and the like are the server's."""
        columns = ", ".join(ddl.quoted(self._dialect, column.name) for column in table.columns)
        with self._told(table):
            self._cursor.execute(f"SELECT {columns} FROM {ddl.quoted(self._dialect, table.name)}")
            reader = self._cursor.arrow_reader(_ROWS_AT_ONCE)
        return pa.RecordBatchReader.from_batches(reader.schema, self._batches(reader, table))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def _batches(self, reader: Any, table: Table) -> Iterator[pa.RecordBatch]:
        with self._told(table):
            yield from reader

    def _told(self, table: Table) -> Any:
        return told(f"{table.name} in {self._at}")
