"""Rows into PostgreSQL by binary COPY, in one transaction from the first table to the last index."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import MetaData, Table
from sqlalchemy.dialects import postgresql

from generators.errors import GeneratorError, unwritable
from generators.targets import Target
from generators.writers import ddl
from schemas.types import Kind

try:
    import adbc_driver_manager
    import adbc_driver_postgresql.dbapi as adbc
except ImportError as missing:
    raise GeneratorError(
        f"PostgreSQL needs a driver that is not there ({missing}). "
        "Install it with: pip install 'multi-warehouse-etl[postgres]'"
    ) from missing


def writer(to: Target, metadata: MetaData, *, replace: bool = False) -> PostgresWriter:
    """The writer for the database that ``to`` names."""
    return PostgresWriter(to, metadata, replace=replace)


class PostgresWriter:
    """Creates bare tables, copies rows, then adds keys, checks and indexes, counts, and commits.

    With ``replace`` the world's own tables give way, in the same transaction; others stay.
    """

    def __init__(self, to: Target, metadata: MetaData, *, replace: bool = False) -> None:
        self._to, self._metadata, self._replace = to, metadata, replace
        self._dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
        self._written: Counter[str] = Counter()

    def __enter__(self) -> Self:
        try:
            self._connection = adbc.connect(self._to.url)
            self._cursor = self._connection.cursor()
        except adbc_driver_manager.Error as error:
            raise self._failed(error) from error
        try:
            self._make_room()
            self._run(ddl.bare_tables(self._metadata, self._dialect))
        except BaseException:
            self._close()
            raise
        return self

    def write(self, table: str, batch: pa.RecordBatch) -> None:
        try:
            self._cursor.adbc_ingest(table, _as_copied(self._metadata.tables[table], batch), mode="append")
        except adbc_driver_manager.Error as error:
            raise self._failed(error) from error
        self._written[table] += batch.num_rows

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._run(ddl.constraints(self._metadata, self._dialect))
                self._run(ddl.comments(self._metadata, self._dialect))
                self._count()
                self._run(f"ANALYZE {self._name(table)}" for table in self._metadata.tables)
                self._connection.commit()
        except adbc_driver_manager.Error as failure:
            raise self._failed(failure) from failure
        finally:
            self._close()

    def _make_room(self) -> None:
        """Drop the world's tables, or stop where there are any."""
        names = ", ".join(f"'{name}'" for name in self._metadata.tables)
        there = self._rows(
            f"SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"
            f" AND table_name IN ({names}) ORDER BY 1"
        )
        if there and not self._replace:
            listed = ", ".join(name for (name,) in there)
            raise GeneratorError(
                f"{self._to} already has the tables {listed}. "
                "Name another database, or ask for the tables to be replaced."
            )
        self._run(ddl.drops(self._metadata, self._dialect))

    def _count(self) -> None:
        for table in self._metadata.tables:
            ((found,),) = self._rows(f"SELECT COUNT(*) FROM {self._name(table)}")
            if found != self._written[table]:
                raise GeneratorError(
                    f"{table} holds {found:,} rows of {self._written[table]:,} after loading. "
                    "Nothing was kept; load again, and report it if it happens twice."
                )

    def _run(self, statements: Iterable[str]) -> None:
        try:
            for statement in statements:
                self._cursor.execute(statement)
        except adbc_driver_manager.Error as error:
            raise self._failed(error) from error

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        self._run([query])
        rows: list[tuple[Any, ...]] = self._cursor.fetchall()
        return rows

    def _name(self, table: str) -> str:
        return ddl.quoted(self._dialect, table)

    def _close(self) -> None:
        """Whatever was not committed is undone by closing."""
        self._cursor.close()
        self._connection.close()

    def _failed(self, error: Exception) -> GeneratorError:
        # The driver's messages end with the server's: "[libpq] Failed …: ERROR:  …".
        reason = " ".join(str(error).split()).rstrip(".? ")
        return unwritable(str(self._to), reason, "Check the URL, the rights and the server's log")


def _as_copied(table: Table, batch: pa.RecordBatch) -> pa.RecordBatch:
    """``batch`` as binary COPY wants it: a UUID is its 16 bytes, everything else Arrow's own form."""
    kinds = [column.type.logical.kind for column in table.columns]  # type: ignore[attr-defined]
    columns = [
        _uuid_bytes(values) if kind is Kind.UUID else values for kind, values in zip(kinds, batch.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _uuid_bytes(values: pa.Array) -> pa.Array:
    """The 16 bytes of each UUID (https://www.postgresql.org/docs/current/protocol-overview.html, formats)."""
    digits = pc.replace_substring(values, "-", "")
    return pa.array([None if text is None else bytes.fromhex(text) for text in digits.to_pylist()], pa.binary())
