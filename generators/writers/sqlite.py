"""Rows into a SQLite file, by ADBC, beside the final name until all of them are there."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import adbc_driver_manager
import adbc_driver_sqlite.dbapi as adbc
import pyarrow as pa
from sqlalchemy import MetaData, create_engine
from sqlalchemy.schema import CreateIndex, CreateTable

from generators.errors import GeneratorError, unwritable
from generators.targets import Target
from generators.writers.sqlite_text import as_stored

_COMPANIONS = ("-journal", "-wal", "-shm")


def writer(to: Target, metadata: MetaData, *, replace: bool = False) -> SqliteWriter:
    """The writer for the file that ``to`` names."""
    return SqliteWriter(to.path, metadata, replace=replace)


class SqliteWriter:
    """Writes a new SQLite database and renames it to ``path`` once it is whole.

    With ``replace`` the whole file at ``path`` gives way, whatever tables it held.
    """

    def __init__(self, path: Path, metadata: MetaData, *, replace: bool = False) -> None:
        self._path = path
        self._metadata = metadata
        self._partial = self._path.with_name(f".{self._path.name}.partial")
        if not replace and _has_tables(self._path):
            raise GeneratorError(f"{path} already has tables. Name another file, or ask for it to be replaced.")

    def __enter__(self) -> Self:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            _remove(self._partial)
            self._execute(CreateTable(table) for table in self._metadata.sorted_tables)
            self._connection = adbc.connect(str(self._partial))
        except (OSError, sqlite3.Error, adbc_driver_manager.Error) as error:
            with suppress(OSError):
                _remove(self._partial)
            raise self._failed(error) from error
        self._cursor = self._connection.cursor()
        return self

    def write(self, table: str, batch: pa.RecordBatch) -> None:
        try:
            self._cursor.adbc_ingest(table, as_stored(self._metadata.tables[table], batch), mode="append")
        except adbc_driver_manager.Error as error:
            raise self._failed(error) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._connection.commit()
            self._cursor.close()
            self._connection.close()
            if error is None:
                self._publish()
        except (OSError, sqlite3.Error, adbc_driver_manager.Error) as failure:
            raise self._failed(failure) from failure
        finally:
            _remove(self._partial)

    def _publish(self) -> None:
        """Index the loaded tables and give the file its name."""
        indexes = (index for table in self._metadata.sorted_tables for index in _ordered(table.indexes))
        self._execute(CreateIndex(index) for index in indexes)
        _remove(self._path, keep=True)
        self._partial.replace(self._path)

    def _execute(self, statements: Any) -> None:
        """Run DDL on the partial file."""
        dialect = create_engine("sqlite://").dialect
        connection = sqlite3.connect(self._partial)
        try:
            connection.execute("PRAGMA journal_mode = OFF")
            connection.execute("PRAGMA synchronous = OFF")
            for statement in statements:
                connection.execute(str(statement.compile(dialect=dialect)))
            connection.commit()
        finally:
            connection.close()

    def _failed(self, error: Exception) -> GeneratorError:
        reason = str(error).splitlines()[0].rstrip(".")
        return unwritable(str(self._path), reason, "Check the directory's rights and free space")


def _ordered(indexes: Any) -> list[Any]:
    return sorted(indexes, key=lambda index: str(index.name))


def _has_tables(path: Path) -> bool:
    """Whether there is a database with tables at ``path``; raises ``GeneratorError`` where that cannot be told."""
    if not path.exists():
        return False
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            found = connection.execute("SELECT COUNT(*) FROM sqlite_master WHERE type = 'table'").fetchone()[0]
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise GeneratorError(f"{path} is not a SQLite database ({error}). Name another file.") from error
    return bool(found)


def _remove(path: Path, *, keep: bool = False) -> None:
    """Delete the database at ``path`` (not itself with ``keep``) and the journals SQLite left beside it."""
    names = [path.name + suffix for suffix in _COMPANIONS] + ([] if keep else [path.name])
    for name in names:
        path.with_name(name).unlink(missing_ok=True)
