"""Rows into SQL Server: bulk copy in Arrow where the server takes it, else ``fast_executemany``.

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
from urllib.parse import quote_plus

import pyarrow as pa
from sqlalchemy import Engine, MetaData, create_engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from generators.errors import GeneratorError
from generators.mssql_driver import connection_string, driver, required
from generators.targets import Target
from generators.writers import ddl
from generators.writers.mssql_tables import dialect, with_cursors

log = logging.getLogger(__name__)

_NO_TIMEOUT = 0
_ROWS_AT_ONCE = 10_000


def writer(to: Target, metadata: MetaData, *, replace: bool = False) -> MssqlWriter:
    """The writer for the database that ``to`` names."""
    return MssqlWriter(to, metadata, replace=replace)


def engine(to: Target) -> Engine:
    """SQLAlchemy's engine for the database that ``to`` names; raises ``GeneratorError`` without a driver."""
    required("pyodbc")
    odbc = quote_plus(connection_string(to.url, driver=driver()))
    return create_engine(f"mssql+pyodbc:///?odbc_connect={odbc}", fast_executemany=True)


class MssqlWriter:
    """Creates bare tables, copies rows, then adds keys, checks, indexes and comments, and counts."""

    def __init__(self, to: Target, metadata: MetaData, *, replace: bool = False) -> None:
        self._to, self._replace = to, replace
        self._loaded, self._metadata = metadata, with_cursors(metadata)
        self._dialect = dialect()
        self._engine = engine(to)
        self._bulk: Any = None
        self._written: Counter[str] = Counter()

    def __enter__(self) -> Self:
        try:
            self._make_room()
            self._run(ddl.bare_tables(self._metadata, self._dialect))
            self._bulk = self._bulk_cursor()
        except SQLAlchemyError as error:
            raise self._failed(error) from error
        return self

    def write(self, table: str, batch: pa.RecordBatch) -> None:
        try:
            if not self._copied(table, batch):
                self._inserted(table, batch)
        except SQLAlchemyError as error:
            raise self._failed(error) from error
        self._written[table] += batch.num_rows

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        finished = False
        try:
            if error is None:
                self._run(ddl.constraints(self._metadata, self._dialect))
                if not self._is_babelfish():  # which has no extended properties
                    self._run(ddl.comments(self._metadata, self._dialect))
                self._count()
                finished = True
        except SQLAlchemyError as failure:
            raise self._failed(failure) from failure
        finally:
            self._close(keep=finished)

    def _make_room(self) -> None:
        """Drop the world's tables, or stop where there are any."""
        there = sorted(set(inspect(self._engine).get_table_names()) & set(self._metadata.tables))
        if there and not self._replace:
            raise GeneratorError(
                f"{self._to} already has the tables {', '.join(there)}. "
                "Name another database, or ask for the tables to be replaced."
            )
        self._run(ddl.drops(self._metadata, self._dialect))

    def _bulk_cursor(self) -> Any:
        """A cursor that can bulk copy, or None where values would not arrive as they are."""
        if self._is_babelfish():
            return None
        try:
            connect = required("mssql_python").connect
            return connect(connection_string(self._to.url), autocommit=True).cursor()
        except Exception as error:  # whatever it is, inserting does without it
            log.warning("no bulk copy (%s); rows are inserted, which is slower", str(error).splitlines()[0])
            return None

    def _is_babelfish(self) -> bool:
        """Babelfish's bulk copy loads wrong values."""
        with self._engine.connect() as connection:
            return connection.execute(text("SELECT SERVERPROPERTY('BabelfishVersion')")).scalar() is not None

    def _copied(self, table: str, batch: pa.RecordBatch) -> bool:
        """Bulk copy ``batch`` as one transaction of the server; whether that worked.

        A server that does not take the first batch of a table is not asked again.
        """
        if self._bulk is None:
            return False
        try:
            self._bulk.bulkcopy_arrow(
                ddl.quoted(self._dialect, table),
                batch,
                timeout=_NO_TIMEOUT,
                column_mappings=batch.schema.names,
                table_lock=True,
                keep_nulls=True,
                use_internal_transaction=True,
            )
        except Exception as error:
            log.warning("%s: no bulk copy (%s); rows are inserted, which is slower", table, str(error).splitlines()[0])
            self._bulk = None
            return False
        return True

    def _inserted(self, table: str, batch: pa.RecordBatch) -> None:
        into = self._loaded.tables[table]
        with self._engine.begin() as connection:
            for start in range(0, batch.num_rows, _ROWS_AT_ONCE):
                connection.execute(into.insert(), batch.slice(start, _ROWS_AT_ONCE).to_pylist())

    def _count(self) -> None:
        with self._engine.connect() as connection:
            for table in self._metadata.tables:
                query = f"SELECT COUNT_BIG(*) FROM {ddl.quoted(self._dialect, table)}"
                found = connection.execute(text(query)).scalar_one()
                if found != self._written[table]:
                    raise GeneratorError(
                        f"{table} holds {found:,} rows of {self._written[table]:,} after loading. "
                        "Nothing was kept; load again, and report it if it happens twice."
                    )

    def _run(self, statements: Iterable[str]) -> None:
        """Run and commit; ``exec_driver_sql`` takes the text as it is, colons and percent signs included."""
        with self._engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def _close(self, *, keep: bool) -> None:
        try:
            if self._bulk is not None:
                self._bulk.connection.close()
            if not keep:
                self._run(ddl.drops(self._metadata, self._dialect))
        except SQLAlchemyError as error:
            log.warning("%s: what was not finished could not be dropped: %s", self._to, error)
        finally:
            self._engine.dispose()

    def _failed(self, error: SQLAlchemyError) -> GeneratorError:
        reason = " ".join(str(getattr(error, "orig", None) or error).split()).rstrip(".")
        return GeneratorError(
            f"{self._to} cannot be written: {reason}. Check the URL, the rights and the server's log."
        )
