"""The source engines under test, each filled by another driver than the one that is tested.

Adding an engine to every contract suite is one class and one entry in ``SOURCES``.
"""

from __future__ import annotations

import atexit
import os
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import date, datetime, time
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit, urlunsplit

import psycopg
import pytest

from etl.config import Config
from etl.engines import open_source
from etl.sources.base import Source
from schemas.mappings import ddl_type
from schemas.table import Column, Table
from schemas.types import Kind, LogicalType
from support.babelfish import GAPS
from support.elsewhere import sqlite_elsewhere
from support.postgres import shared_postgres_server

Row = Sequence[Any]


class SourceEngine(ABC):
    """An empty database of one engine."""

    name: ClassVar[str]
    gaps: ClassVar[dict[str, str]] = {}
    """What this engine cannot hold or do, each with its reason."""
    add_column: ClassVar[str] = "ADD COLUMN"
    """How ALTER TABLE adds one."""
    computed: ClassVar[str] = "INTEGER GENERATED ALWAYS AS ({}) STORED"
    """How a column is computed from others."""

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

    def renaming(self, table: str, column: str, name: str) -> str:
        """The statement that gives a column another name."""
        return f"ALTER TABLE {table} RENAME COLUMN {column} TO {self.quote(name)}"

    def needs(self, what: str) -> None:
        """Skip the test, with the reason, where the engine has this gap."""
        if what in self.gaps:
            pytest.skip(self.gaps[what])

    def reflected(self, table: Table) -> Table:
        """What is found for a table that ``create`` has made."""
        return table

    def disconnect(self) -> None:
        """End everybody's connections to it, as a server that dies does."""
        raise NotImplementedError(f"{self.name} has no connections to end")

    def remove(self) -> None:  # noqa: B027
        """Let go of the database, where it is not a file or a server of this test's own."""

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

    def disconnect(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )

    def quote(self, identifier: str) -> str:
        return '"' + identifier.replace('"', '""') + '"'


def _as_text(value: Any) -> Any:
    return value.isoformat(" ", "microseconds") if isinstance(value, datetime) else value


class MssqlEngine(SourceEngine):
    """A new database on the server that ``ETL_TEST_MSSQL_URL`` names, filled through pymssql."""

    name = "mssql"
    add_column = "ADD"
    computed = "AS ({}) PERSISTED"
    gaps: ClassVar[dict[str, str]] = {
        "nan": "SQL Server's floats are finite: https://learn.microsoft.com/en-us/sql/t-sql/data-types/float-and-real-transact-sql",
        "inf": "the same",
        "-inf": "the same",
        "5e-324": "the same page: they begin at 2.23E-308",
        "-0.0": "what a literal of -0.0 becomes is not documented",
        "long " * 20_000: "nvarchar(400), which a string is there, holds no more",
        "long " * 1_000: "the same",
        str(b"\xff" * 100_000): "varbinary(900), which bytes are there, holds no more",
        "a ": "trailing blanks do not count, so 'a' and 'a ' are one key",
        "trailing zeros": "those of binary values do not count either, so 0x and 0x00 are one key",
        "forward references": "a foreign key needs its table to be there already",
        "wide decimals": "SQL Server's decimals have 38 digits at the most",
        "ddl beside": "a table that was altered cannot be read in a snapshot from before",
    }

    def __init__(self, directory: Path) -> None:
        del directory
        url = os.environ.get("ETL_TEST_MSSQL_URL")
        if not url:
            pytest.skip("ETL_TEST_MSSQL_URL names no SQL Server")
        self._driver = pytest.importorskip("pymssql", reason="pymssql, which fills the tables, is not installed")
        self.error: type[Exception] = self._driver.Error
        self._server = urlsplit(url)
        self.database = f"etl_test_{next(_numbers)}_{os.getpid()}"
        with self.connected("master") as cursor:
            cursor.execute(f"CREATE DATABASE [{self.database}]")
            cursor.execute("SELECT CAST(SERVERPROPERTY('BabelfishVersion') AS varchar(40))")
            self.is_babelfish = cursor.fetchone()[0] is not None
            if self.is_babelfish:
                cursor.execute("EXEC sp_babelfish_configure 'escape_hatch_rowversion', 'ignore'")
            else:
                cursor.execute(f"ALTER DATABASE [{self.database}] SET ALLOW_SNAPSHOT_ISOLATION ON")
        if self.is_babelfish:
            type(self).gaps = self.gaps | {name: f"Babelfish: {gap.reason}" for name, gap in GAPS.items()}
        atexit.register(self.remove)

    @property
    def url(self) -> str:
        return urlunsplit(self._server._replace(path=f"/{self.database}"))

    @contextmanager
    def connected(self, database: str = "", user: str = "", password: str = "") -> Iterator[Any]:
        """A cursor on a connection of its own that commits each statement; the URL's own unless named otherwise."""
        connection = self._driver.connect(
            server=self._server.hostname,
            port=self._server.port or 1433,
            user=user or unquote(self._server.username or ""),
            password=password or unquote(self._server.password or ""),
            database=database or self.database,
            autocommit=True,
        )
        with closing(connection), closing(connection.cursor()) as cursor:
            yield cursor

    def disconnect(self) -> None:
        with self.connected() as cursor:
            cursor.execute(
                "SELECT DISTINCT session_id FROM sys.dm_exec_sessions "
                "WHERE database_id = DB_ID() AND session_id <> @@SPID"
            )
            for (session,) in cursor.fetchall():
                with suppress(self._driver.Error):  # it may have ended by itself
                    cursor.execute(f"KILL {session}")

    def remove(self) -> None:
        # Whatever still reads it keeps it; the process's end tries again.
        with suppress(self._driver.Error), self.connected("master") as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS [{self.database}]")

    def execute(self, *statements: str) -> None:
        with self.connected() as cursor:
            if len(statements) > 1:
                cursor.execute("BEGIN TRANSACTION")
            for statement in statements:
                cursor.execute(statement)
            if len(statements) > 1:
                cursor.execute("COMMIT TRANSACTION")

    def execute_elsewhere(self, *statements: str) -> str:
        # A connection of its own is another process already: the server's.
        try:
            self.execute(*statements)
        except self._driver.Error as error:
            return str(error)
        return ""

    def insert(self, table: Table, rows: Iterable[Row]) -> None:
        names = ", ".join(self.quote(column.name) for column in table.columns)
        types = [ddl_type(self.name, column.type) for column in table.columns]
        listed = [f"({', '.join(map(_constant, row, types))})" for row in rows]
        with self.connected() as cursor:
            for start in range(0, len(listed), 1_000):
                some = ", ".join(listed[start : start + 1_000])
                cursor.execute(f"INSERT INTO {self.quote(table.name)} ({names}) VALUES {some}")

    def rows(self, relation: str, columns: Sequence[str]) -> list[tuple[Any, ...]]:
        with self.connected() as cursor:
            cursor.execute(f"SELECT {', '.join(map(self.quote, columns))} FROM {relation}")
            return sorted((tuple(map(_as_text, row)) for row in cursor.fetchall()), key=repr)

    def quote(self, identifier: str) -> str:
        return "[" + identifier.replace("]", "]]") + "]"

    def renaming(self, table: str, column: str, name: str) -> str:
        return f"EXEC sp_rename '{table}.{column}', '{name}', 'COLUMN'"

    def column_ddl(self, column: Column) -> str:
        # Otherwise 'a' and 'A' would be one key; what such a collation does has tests of its own.
        exact = " COLLATE Latin1_General_BIN2" if column.type.kind is Kind.STRING else ""
        type_ = f"{ddl_type(self.name, column.type)}{exact}"
        return f"{self.quote(column.name)} {type_}{'' if column.nullable else ' NOT NULL'}"

    def reflected(self, table: Table) -> Table:
        """JSON is max-length text there."""
        text = LogicalType(Kind.STRING, large=True)
        columns = (replace(c, type=text) if c.type.kind is Kind.JSON else c for c in table.columns)
        return replace(table, columns=tuple(columns))


def _constant(value: Any, type_: str) -> str:
    """A Python value in T-SQL."""
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    if isinstance(value, bool | int):
        return str(int(value))
    text = value.isoformat() if isinstance(value, datetime | date | time) else str(value)
    quoted = "N'" + text.replace("'", "''") + "'"
    return quoted if isinstance(value, str) else f"CAST({quoted} AS {type_})"


_numbers = count(1)

SOURCES: dict[str, Callable[[Path], SourceEngine]] = {
    "mssql": MssqlEngine,
    "postgresql": PostgresEngine,
    "sqlite": SqliteEngine,
}
