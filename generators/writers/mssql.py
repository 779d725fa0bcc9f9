"""Rows into SQL Server: bulk copy in Arrow where the server takes it, else as arrays of parameters.

Bulk copy sees only committed tables, so a load is not one transaction here: tables are created
and committed, filled, given their keys and checks, counted; after a failure they are dropped
again. With ``replace`` the world's earlier tables are gone from the start of the load on.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
from sqlalchemy import MetaData

from generators.errors import FailedRunError, GeneratorError
from generators.mssql import told
from generators.targets import Target
from generators.writers import ddl
from generators.writers.mssql_tables import dialect, with_cursors
from schemas.mssql import connect, execute_many, transaction

log = logging.getLogger(__name__)

_NO_TIMEOUT = 0
_ROWS_AT_ONCE = 10_000
"""Rows bound at once; from 1,000 on, more made no difference in time."""

_NO_BULK_COPY = "SELECT CAST(SERVERPROPERTY('BabelfishVersion') AS varchar(40))"
_TABLES = "SELECT t.name FROM sys.tables t JOIN sys.schemas s ON s.schema_id = t.schema_id WHERE s.name = SCHEMA_NAME()"


def writer(to: Target, metadata: MetaData, *, replace: bool = False) -> MssqlWriter:
    """The writer for the database that ``to`` names."""
    return MssqlWriter(to, metadata, replace=replace)


class MssqlWriter:
    """Creates bare tables, copies rows, then adds keys, checks, indexes and comments, and counts."""

    def __init__(self, to: Target, metadata: MetaData, *, replace: bool = False) -> None:
        self._to, self._replace = to, replace
        self._metadata = with_cursors(metadata)
        self._dialect = dialect()
        self._written: Counter[str] = Counter()
        self._refused: set[str] = set()

    def __enter__(self) -> Self:
        self._connect()
        self._babelfish = self._one(_NO_BULK_COPY)
        try:
            self._make_room()
            self._run(ddl.bare_tables(self._metadata, self._dialect))
        except BaseException:
            self._connection.close()
            raise
        if self._babelfish is not None:
            # https://github.com/babelfish-for-postgresql/babelfish_extensions: it takes wrong values or breaks off.
            log.info("no bulk copy into Babelfish %s; rows are inserted, which is slower", self._babelfish)
        return self

    def write(self, table: str, batch: pa.RecordBatch) -> None:
        refused = self._babelfish is not None or table in self._refused
        if refused or not self._copied(table, batch):
            self._inserted(table, batch)
        self._written[table] += batch.num_rows

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        finished = False
        try:
            if error is None:
                self._run(ddl.constraints(self._metadata, self._dialect))
                if self._babelfish is None:  # which has no extended properties of columns
                    self._run(ddl.comments(self._metadata, self._dialect))
                self._count()
                finished = True
        finally:
            self._close(keep=finished)

    def _connect(self) -> None:
        with told(str(self._to)):
            self._connection = connect(self._to.url)
        self._cursor = self._connection.cursor()

    def _make_room(self) -> None:
        """Drop the world's tables, or stop where there are any."""
        with told(str(self._to)):
            found = {name for (name,) in self._cursor.execute(_TABLES).fetchall()}
        there = sorted(found & set(self._metadata.tables))
        if there and not self._replace:
            raise GeneratorError(
                f"{self._to} already has the tables {', '.join(there)}. "
                "Name another database, or ask for the tables to be replaced."
            )
        self._run(ddl.drops(self._metadata, self._dialect))

    def _copied(self, table: str, batch: pa.RecordBatch) -> bool:
        """Bulk copy ``batch`` as one transaction of the server; whether that worked.

        A table that does not take one is not tried again. The driver's core is in Rust, whose
        panics are no ``Exception``.
        """
        try:
            self._cursor.bulkcopy_arrow(
                self._name(table),
                batch,
                batch_size=batch.num_rows,
                timeout=_NO_TIMEOUT,
                column_mappings=batch.schema.names,
                table_lock=True,
                keep_nulls=True,
                use_internal_transaction=True,
            )
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            log.warning("%s: no bulk copy (%s); rows are inserted, which is slower", table, _first_line(error))
            self._refused.add(table)
            return False
        return True

    def _inserted(self, table: str, batch: pa.RecordBatch) -> None:
        """Insert ``batch`` in one transaction."""
        names = ", ".join(self._name(name) for name in batch.schema.names)
        values = ", ".join("?" * batch.num_columns)
        statement = f"INSERT INTO {self._name(table)} ({names}) VALUES ({values})"
        with told(f"{table} in {self._to}"), transaction(self._cursor):
            for start in range(0, batch.num_rows, _ROWS_AT_ONCE):
                columns = (column.to_pylist() for column in batch.slice(start, _ROWS_AT_ONCE).columns)
                execute_many(self._cursor, statement, list(zip(*columns, strict=True)))

    def _count(self) -> None:
        for table in self._metadata.tables:
            found = self._one(f"SELECT COUNT_BIG(*) FROM {self._name(table)}")
            if found != self._written[table]:
                raise FailedRunError(
                    f"{table} holds {found:,} rows of {self._written[table]:,} after loading. "
                    "Nothing was kept; load again, and report it if it happens twice."
                )

    def _run(self, statements: Iterable[str]) -> None:
        """Run and commit."""
        with told(str(self._to)), transaction(self._cursor):
            for statement in statements:
                self._cursor.execute(statement)

    def _one(self, query: str) -> Any:
        with told(str(self._to)):
            return self._cursor.execute(query).fetchone()[0]

    def _name(self, identifier: str) -> str:
        return ddl.quoted(self._dialect, identifier)

    def _close(self, *, keep: bool) -> None:
        """Disconnect; what is not to be kept is dropped on a new connection, as this one may be broken."""
        self._connection.close()
        if keep:
            return
        try:
            self._connect()
            self._run(ddl.drops(self._metadata, self._dialect))
            self._connection.close()
        except GeneratorError as error:
            log.warning("what was not finished could not be dropped: %s", error)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
