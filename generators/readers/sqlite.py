"""Rows of a SQLite file, by ADBC."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import adbc_driver_manager
import adbc_driver_sqlite.dbapi as adbc
import pyarrow as pa
from sqlalchemy import Table

from generators.errors import GeneratorError
from generators.targets import Target
from schemas.types import Kind

_BATCH_ROWS = 65_536
# By kind: what the column is cast to in SQLite, and a value of that type. Everything else goes as text.
_FORMS = {
    Kind.INT: ("INTEGER", "0"),
    Kind.BOOL: ("INTEGER", "0"),
    Kind.FLOAT: ("REAL", "0.5"),
    Kind.BYTES: ("BLOB", "x'00'"),
}
_TEXT = ("TEXT", "''")


def open_rows(at: Target) -> SqliteRows:
    """The rows of the file that ``at`` names."""
    return SqliteRows(at)


class SqliteRows:
    """One read transaction."""

    def __init__(self, at: Target) -> None:
        self._at = at

    def __enter__(self) -> Self:
        if not self._at.path.is_file():
            raise GeneratorError(f"There is no database at {self._at}. Generate the world there first.")
        self._connection = adbc.connect(f"{self._at.path.absolute().as_uri()}?mode=ro")
        return self

    def read(self, table: Table) -> pa.RecordBatchReader:
        """ADBC takes a column's type from its first batch, so a row of the right types comes first and is cut off."""
        columns: Any = table.columns
        forms = {column.name: _FORMS.get(column.type.logical.kind, _TEXT) for column in columns}
        first = ", ".join(f'{value} AS "{name}"' for name, (_, value) in forms.items())
        rest = ", ".join(f'CAST("{name}" AS {type_})' for name, (type_, _) in forms.items())
        cursor = self._cursor = self._connection.cursor()  # kept, for a stream ends with its cursor
        cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": str(_BATCH_ROWS)})
        try:
            cursor.execute(f'SELECT {first} UNION ALL SELECT {rest} FROM "{table.name}"')
        except adbc_driver_manager.Error as error:
            reason = str(error).splitlines()[0].rstrip(".")
            raise GeneratorError(
                f"{table.name} cannot be read from {self._at}: {reason}. Generate the world first."
            ) from error
        batches = cursor.fetch_record_batch()
        return pa.RecordBatchReader.from_batches(batches.schema, _without_first_row(batches))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()


def _without_first_row(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield next(batches).slice(1)
    yield from batches
