"""Rows of a SQL Server database, through SQLAlchemy, a part at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
from sqlalchemy import Connection, Engine, Table, select
from sqlalchemy.exc import SQLAlchemyError

from generators.errors import GeneratorError
from generators.targets import Target
from generators.writers.mssql import engine

_ROWS_AT_ONCE = 20_000


def open_rows(at: Target) -> SqlRows:
    """The rows of the database that ``at`` names."""
    return SqlRows(at, engine(at))


class SqlRows:
    """Rows through any SQLAlchemy engine, whose ``Logical`` columns give Python's own types.

    Each table is read by itself: a world that is being judged is not being written.
    """

    def __init__(self, at: Target, engine: Engine) -> None:
        self._at, self._engine = at, engine
        self._connection: Connection

    def __enter__(self) -> Self:
        try:
            self._connection = self._engine.connect()
        except SQLAlchemyError as error:
            raise self._failed(error) from error
        return self

    def read(self, table: Table) -> pa.RecordBatchReader:
        """Only the schema's own columns: ``row_version`` and the like are the server's."""
        try:
            streamed = self._connection.execution_options(yield_per=_ROWS_AT_ONCE).execute(select(table))
        except SQLAlchemyError as error:
            raise self._failed(error) from error
        schema = _schema(table)
        batches = (_batch(part, schema) for part in streamed.partitions())
        return pa.RecordBatchReader.from_batches(schema, batches)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
        self._engine.dispose()

    def _failed(self, error: SQLAlchemyError) -> GeneratorError:
        reason = " ".join(str(getattr(error, "orig", None) or error).split()).rstrip(".")
        return GeneratorError(f"{self._at} cannot be read: {reason}. Check the URL, or generate the world there first.")


def _schema(table: Table) -> pa.Schema:
    columns: Any = table.columns
    return pa.schema([pa.field(column.name, column.type.logical.arrow) for column in columns])


def _batch(rows: Sequence[Sequence[Any]], schema: pa.Schema) -> pa.RecordBatch:
    columns = list(zip(*rows, strict=True))
    arrays = [pa.array(list(_plain(values)), type_) for values, type_ in zip(columns, schema.types, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _plain(values: Sequence[Any]) -> Iterator[Any]:
    """UUIDs as Arrow keeps them here: text in capitals."""
    return (str(value).upper() if type(value).__name__ == "UUID" else value for value in values)
