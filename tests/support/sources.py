"""The source engines under test, each filled by another driver than the one that is tested.

Adding an engine to every contract suite is one class and one entry in ``SOURCES``.
"""

from __future__ import annotations

import os
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from datetime import date, datetime, time
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit, urlunsplit

import psycopg

from etl.config import Config
from etl.engines import open_source
from etl.sources.base import Source
from schemas.mappings import ddl_type
from schemas.table import Column, Table
from support.elsewhere import sqlite_elsewhere
from support.postgres import shared_postgres_server

Row = Sequence[Any]


class SourceEngine(ABC):
    """An empty database of one engine."""

    name: ClassVar[str]
    gaps: ClassVar[dict[str, str]] = {}
    """What this engine cannot hold or do, each with its reason."""

    @property
    @abstractmethod
    def url(self) -> str:
        """How the toolkit is pointed at it."""

    @abstractmethod
    def execute(self, *statements: str) -> None:
        """Run statements in one transaction."""

    @abstractmethod
    def execute_elsewhere(self, *statements: str) -> str:
        """The same in another process; returns what the engine objected to, empty if nothing."""

    @abstractmethod
    def insert(self, table: Table, rows: Iterable[Row]) -> None:
        """Insert rows of Python values."""

    @abstractmethod
    def rows(self, relation: str, columns: Sequence[str]) -> list[tuple[Any, ...]]:
        """All rows of a (quoted) relation, sorted."""

    @abstractmethod
    def quote(self, identifier: str) -> str:
        """A quoted identifier."""

    def create(self, table: Table, *constraints: str) -> None:
        """Create ``table`` with its primary key and further constraints."""
        columns = [self.column_ddl(column) for column in table.columns]
        if table.key:
            columns.append(f"PRIMARY KEY ({', '.join(map(self.quote, table.key))})")
        self.execute(f"CREATE TABLE {self.quote(table.name)} ({', '.join([*columns, *constraints])})")

    def column_ddl(self, column: Column) -> str:
        """One column of a CREATE TABLE."""
        return f"{self.quote(column.name)} {ddl_type(self.name, column.type)}{'' if column.nullable else ' NOT NULL'}"

    def open(self) -> Source:
        """The engine as the toolkit opens it."""
        return open_source(Config.model_validate({"source": {"url": self.url}}))


class SqliteEngine(SourceEngine):
    """A SQLite file, filled by Python's own library."""

    name = "sqlite"
    gaps: ClassVar[dict[str, str]] = {
        "-0.0": "SQLite stores -0.0 as 0.0: https://www.sqlite.org/floatingpoint.html",
        "nan": "SQLite turns NaN into NULL",
    }

    def __init__(self, directory: Path) -> None:
        self.path = directory / "source.db"
        # WAL lets a writer go on beside a snapshot, as every server engine does.
        self.execute("PRAGMA journal_mode = WAL")

    @property
    def url(self) -> str:
        return f"sqlite:///{self.path}"

    def execute(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            for statement in statements:
                connection.execute(statement)

    def execute_elsewhere(self, *statements: str) -> str:
        return sqlite_elsewhere(str(self.path), statements)

    def insert(self, table: Table, rows: Iterable[Row]) -> None:
        names = ", ".join(self.quote(column.name) for column in table.columns)
        marks = ", ".join("?" for _ in table.columns)
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.executemany(
                f"INSERT INTO {self.quote(table.name)} ({names}) VALUES ({marks})",
                ([_bound(value) for value in row] for row in rows),
            )

    def rows(self, relation: str, columns: Sequence[str]) -> list[tuple[Any, ...]]:
        names = ", ".join(map(self.quote, columns))
        with closing(sqlite3.connect(self.path)) as connection:
            return sorted(connection.execute(f"SELECT {names} FROM {relation}").fetchall(), key=repr)

    def quote(self, identifier: str) -> str:
        return '"' + identifier.replace('"', '""') + '"'


def _bound(value: Any) -> Any:
    """A value as an application that uses SQLite with care would store it."""
    if isinstance(value, datetime):
        return value.isoformat(" ", "microseconds")
    if isinstance(value, date | time):
        return value.isoformat()
    return format(value, "f") if isinstance(value, Decimal) else value


class PostgresEngine(SourceEngine):
    """A new database on a real PostgreSQL server, filled through psycopg."""

    name = "postgresql"
    gaps: ClassVar[dict[str, str]] = {
        "nul": "PostgreSQL text cannot hold NUL: https://www.postgresql.org/docs/current/datatype-character.html",
        "forward references": "a foreign key needs its table to be there already",
    }

    def __init__(self, directory: Path) -> None:
        del directory
        server = shared_postgres_server()
        name = f"etl_test_{next(_numbers)}_{os.getpid()}"
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        parts = urlsplit(server)
        self._url = urlunsplit(parts._replace(path=f"/{name}"))

    @property
    def url(self) -> str:
        return self._url

    def execute(self, *statements: str) -> None:
        with psycopg.connect(self._url) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def execute_elsewhere(self, *statements: str) -> str:
        # A connection of its own is another process already: the server's.
        try:
            self.execute(*statements)
        except psycopg.Error as error:
            return str(error)
        return ""

    def insert(self, table: Table, rows: Iterable[Row]) -> None:
        names = ", ".join(self.quote(column.name) for column in table.columns)
        marks = ", ".join("%s" for _ in table.columns)
        with psycopg.connect(self._url) as connection, connection.cursor() as cursor:
            into = f"{self.quote(table.name)} ({names})".replace("%", "%%")
            cursor.executemany(f"INSERT INTO {into} VALUES ({marks})".encode(), list(rows))

    def rows(self, relation: str, columns: Sequence[str]) -> list[tuple[Any, ...]]:
        names = ", ".join(map(self.quote, columns))
        with psycopg.connect(self._url) as connection:
            found = connection.execute(f"SELECT {names} FROM {relation}".encode()).fetchall()
        return sorted((tuple(map(_as_text, row)) for row in found), key=repr)

    def quote(self, identifier: str) -> str:
        return '"' + identifier.replace('"', '""') + '"'


def _as_text(value: Any) -> Any:
    return value.isoformat(" ", "microseconds") if isinstance(value, datetime) else value


_numbers = count(1)

SOURCES: dict[str, Callable[[Path], SourceEngine]] = {"postgresql": PostgresEngine, "sqlite": SqliteEngine}
