"""Rows of a PostgreSQL database, by ADBC, in one repeatable read."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import pyarrow as pa
from sqlalchemy import Table

from generators.errors import GeneratorError
from generators.targets import Target
from schemas.types import Kind

try:
    import adbc_driver_manager
    import adbc_driver_postgresql.dbapi as adbc
except ImportError as missing:
    raise GeneratorError(
        f"PostgreSQL needs a driver that is not there ({missing}). "
        "Install it with: pip install 'multi-warehouse-etl[postgres]'"
    ) from missing

# Numeric, uuid and json come out of ADBC as opaque types; their texts are exact.
_AS_TEXT = {Kind.DECIMAL, Kind.UUID, Kind.JSON}


def open_rows(at: Target) -> PostgresRows:
    """The rows of the database that ``at`` names."""
    return PostgresRows(at)


class PostgresRows:
    """One read-only transaction."""

    def __init__(self, at: Target) -> None:
        self._at = at

    def __enter__(self) -> Self:
        try:
            self._connection = adbc.connect(self._at.url)
            self._cursor = self._connection.cursor()
            self._cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        except adbc_driver_manager.Error as error:
            raise self._failed(error) from error
        return self

    def read(self, table: Table) -> pa.RecordBatchReader:
        columns: Any = table.columns
        selected = ", ".join(
            f'"{c.name}"::text AS "{c.name}"' if c.type.logical.kind in _AS_TEXT else f'"{c.name}"' for c in columns
        )
        try:
            self._cursor.execute(f'SELECT {selected} FROM "{table.name}"')
        except adbc_driver_manager.Error as error:
            raise self._failed(error) from error
        return self._cursor.fetch_record_batch()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cursor.close()
        self._connection.close()

    def _failed(self, error: Exception) -> GeneratorError:
        reason = " ".join(str(error).split()).rstrip(".? ")
        return GeneratorError(f"{self._at} cannot be read: {reason}. Check the URL, or generate the world there first.")
