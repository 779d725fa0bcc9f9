"""Worlds read back: the rows of any target as tables of one DuckDB connection, in logical types.

What is judged is what was written, so a world is read through its target's own driver. Parquet
files are read where they are; rows of a database are copied into a temporary DuckDB file, so that
memory stays flat and a report can read them many times.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pyarrow as pa
from sqlalchemy import MetaData, Table

from generators.errors import GeneratorError
from generators.readers.base import Rows
from generators.targets import Target, target
from generators.writers.parquet import file_of
from schemas.mappings import ddl_type

__all__ = ["Rows", "open_reader"]

_ROWS = {
    "sqlite": "generators.readers.sqlite",
    "postgresql": "generators.readers.postgresql",
    "mssql": "generators.readers.mssql",
}


@contextmanager
def open_reader(url: str, metadata: MetaData) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection in which every table of ``metadata`` is visible by name, as ``url`` holds it now.

    Columns are in the schema's order and DuckDB's form of the logical types; the session's time
    zone is UTC. Raises ``GeneratorError`` where the tables are not there, cannot be read, or hold
    something that is not of its column's type.
    """
    at = target(url)
    with TemporaryDirectory(prefix="etl-world-") as scratch:
        connection = duckdb.connect(str(Path(scratch) / "world.duckdb"))
        try:
            connection.execute("SET TimeZone = 'UTC'; SET memory_limit = '1GB'")
            if at.engine == "parquet":
                _view_files(connection, at, metadata)
            else:
                _copy_tables(connection, at, metadata)
            yield connection
        finally:
            connection.close()


def _view_files(connection: duckdb.DuckDBPyConnection, at: Target, metadata: MetaData) -> None:
    for table in metadata.sorted_tables:
        path = file_of(at.path, table.name)
        try:
            connection.execute(f'CREATE VIEW "{table.name}" AS {_typed(table, f"read_parquet({_literal(path)})")}')
        except duckdb.Error as error:
            raise _unreadable(str(path), error) from error


def _copy_tables(connection: duckdb.DuckDBPyConnection, at: Target, metadata: MetaData) -> None:
    rows: Any = import_module(_ROWS[at.engine])
    opened: Rows = rows.open_rows(at)
    with opened:
        for table in metadata.sorted_tables:
            try:
                connection.register("stored", opened.read(table))
                connection.execute(f'CREATE TABLE "{table.name}" AS {_typed(table, "stored")}')
                connection.unregister("stored")
            except (duckdb.Error, pa.ArrowException, OSError) as error:
                raise _unreadable(f"{table.name} in {at}", error) from error


def _typed(table: Table, relation: str) -> str:
    """SELECT of the table's columns, each cast to its logical type; casting what is right already costs nothing."""
    columns = ", ".join(
        f'CAST("{column.name}" AS {ddl_type("duckdb", column.type.logical)}) AS "{column.name}"'  # type: ignore[attr-defined]
        for column in table.columns
    )
    return f"SELECT {columns} FROM {relation}"


def _literal(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def _unreadable(what: str, error: Exception) -> GeneratorError:
    reason = str(error).strip().splitlines()[0].rstrip(".")
    return GeneratorError(f"{what} cannot be read as the world's: {reason}. Generate the world there first.")
