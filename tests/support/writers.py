"""A database with several writers, whose transactions stay open for as long as a test wishes.

No writer ever waits: what another holds is refused at once, so that one thread can play them all.
"""

from __future__ import annotations

import json
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg

from support.sources import MssqlEngine, SourceEngine, SqliteEngine

Rows = list[tuple[Any, ...]]


class Writers(ABC):
    """A database that is emptied for each history."""

    spelled: dict[str, str]
    """What this engine writes otherwise than PostgreSQL does."""

    @property
    @abstractmethod
    def url(self) -> str:
        """How the toolkit is pointed at it."""

    @abstractmethod
    def reset(self, *statements: str) -> None:
        """Begin anew: no transaction, no table but those that the statements make."""

    @abstractmethod
    def begin(self, writer: int) -> None:
        """Open the writer's transaction, unless it is open."""

    @abstractmethod
    def end(self, writer: int, *, commit: bool) -> None:
        """End the writer's transaction, if it is open."""

    @abstractmethod
    def write(self, writer: int, statements: Sequence[str]) -> bool:
        """All of the statements or, if one is refused, none; in the writer's transaction if it is open."""

    @abstractmethod
    def alone(self, statements: Sequence[str]) -> bool:
        """All of the statements in a transaction of its own, or none; for those that need the table to themselves."""

    @abstractmethod
    def committed(self, names: Iterable[str]) -> dict[str, tuple[list[str], Rows]]:
        """Columns and rows of each table, as far as they are committed."""

    @abstractmethod
    def close(self) -> None:
        """End everything."""

    def _spell(self, statement: str) -> str:
        for ours, theirs in self.spelled.items():
            statement = statement.replace(ours, theirs)
        return statement


class PostgresWriters(Writers):
    """Three connections that write and one that reads, on a database of its own."""

    spelled: dict[str, str] = {}  # noqa: RUF012

    def __init__(self, url: str) -> None:
        self._url = url
        options = "-c lock_timeout=5ms -c synchronous_commit=off"
        self._writers = [self._connected(options) for _ in range(3)]
        self._reader = self._connected("")

    @property
    def url(self) -> str:
        return self._url

    def _connected(self, options: str) -> psycopg.Connection[Any]:
        # A prepared statement would not survive a new column.
        return psycopg.connect(self._url, autocommit=True, prepare_threshold=None, options=options)

    def reset(self, *statements: str) -> None:
        for writer in range(len(self._writers)):
            self.end(writer, commit=False)
        for statement in ("DROP SCHEMA public CASCADE", "CREATE SCHEMA public", *statements):
            self._reader.execute(statement.encode())

    def begin(self, writer: int) -> None:
        if self._writers[writer].info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
            self._writers[writer].execute("BEGIN")

    def end(self, writer: int, *, commit: bool) -> None:
        if self._writers[writer].info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            self._writers[writer].execute("COMMIT" if commit else "ROLLBACK")

    def write(self, writer: int, statements: Sequence[str]) -> bool:
        connection = self._writers[writer]
        with suppress(psycopg.Error), connection.transaction():
            for statement in statements:
                connection.execute(statement.encode())
            return True
        return False

    def alone(self, statements: Sequence[str]) -> bool:
        free = next((w for w, c in enumerate(self._writers) if not c.info.transaction_status), None)
        return free is not None and self.write(free, statements)

    def committed(self, names: Iterable[str]) -> dict[str, tuple[list[str], Rows]]:
        found = {}
        for name in names:
            cursor = self._reader.execute(f'SELECT * FROM "{name}"'.encode())
            found[name] = ([column.name for column in cursor.description or ()], cursor.fetchall())
        return found

    def close(self) -> None:
        for connection in (*self._writers, self._reader):
            connection.close()


class MssqlWriters(Writers):
    """Three connections that write and one that reads, on a database of its own."""

    spelled: dict[str, str] = {}  # noqa: RUF012

    def __init__(self, engine: MssqlEngine) -> None:
        self._engine = engine
        self._open = ExitStack()
        self._writers = [self._open.enter_context(engine.connected()) for _ in range(3)]
        self._reader = self._open.enter_context(engine.connected())
        for cursor in self._writers:
            cursor.execute("SET LOCK_TIMEOUT 5")

    @property
    def url(self) -> str:
        return self._engine.url

    def reset(self, *statements: str) -> None:
        for writer in range(len(self._writers)):
            self.end(writer, commit=False)
        self._reader.execute("SELECT name FROM sys.tables")
        for (name,) in self._reader.fetchall():
            self._reader.execute(f"DROP TABLE {self._engine.quote(name)}")
        for statement in statements:
            self._reader.execute(statement)

    def begin(self, writer: int) -> None:
        if not self._is_open(writer):
            self._writers[writer].execute("BEGIN TRANSACTION")

    def end(self, writer: int, *, commit: bool) -> None:
        if self._is_open(writer):
            self._writers[writer].execute("COMMIT TRANSACTION" if commit else "ROLLBACK TRANSACTION")

    def write(self, writer: int, statements: Sequence[str]) -> bool:
        alone = not self._is_open(writer)
        cursor = self._writers[writer]
        try:
            cursor.execute("BEGIN TRANSACTION" if alone else "SAVE TRANSACTION written")
            for statement in statements:
                cursor.execute(statement)
            if alone:
                cursor.execute("COMMIT TRANSACTION")
        except self._engine.error:
            cursor.execute("IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION" + ("" if alone else " written"))
            return False
        return True

    def alone(self, statements: Sequence[str]) -> bool:
        free = next((writer for writer in range(len(self._writers)) if not self._is_open(writer)), None)
        return free is not None and self.write(free, statements)

    def committed(self, names: Iterable[str]) -> dict[str, tuple[list[str], Rows]]:
        found = {}
        for name in names:
            self._reader.execute(f"SELECT * FROM {self._engine.quote(name)}")
            columns = [column[0] for column in self._reader.description or ()]
            found[name] = (columns, self._reader.fetchall())
        return found

    def close(self) -> None:
        self._open.close()

    def _is_open(self, writer: int) -> bool:
        self._writers[writer].execute("SELECT @@TRANCOUNT")
        return bool(self._writers[writer].fetchone()[0])


_SQLITE = """
import json, sqlite3, sys

def opened(path):
    return sqlite3.connect(path, isolation_level=None, timeout=0)

def write(statements):
    writer.execute("SAVEPOINT step")
    try:
        for statement in statements:
            writer.execute(statement)
    except sqlite3.Error:
        writer.execute("ROLLBACK TO step")
        return False
    finally:
        writer.execute("RELEASE step")
    return True

def read(name):
    cursor = reader.execute(f'SELECT * FROM "{name}"')
    return [column[0] for column in cursor.description], cursor.fetchall()

for line in sys.stdin:
    command, argument = json.loads(line)
    done = None
    if command == "open":
        writer, reader = opened(argument), opened(argument)
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("PRAGMA synchronous = OFF")
    elif command == "write":
        done = write(argument)
    elif command == "alone":
        done = not writer.in_transaction and write(argument)
    elif command == "read":
        done = {name: read(name) for name in argument}
    elif command == "BEGIN":
        writer.in_transaction or writer.execute(command)
    elif command == "close":
        writer.close()
        reader.close()
    else:
        writer.in_transaction and writer.execute(command)
    print(json.dumps(done), flush=True)
"""


class SqliteWriters(Writers):
    """One writer, whatever its number, in another process: two SQLite libraries in one break each other's locks."""

    spelled = {"TRUNCATE ": "DELETE FROM "}  # noqa: RUF012

    def __init__(self, directory: Path) -> None:
        self._directory, self._number, self._path = directory, 0, directory / "none"
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-c", _SQLITE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    @property
    def url(self) -> str:
        return f"sqlite:///{self._path}"

    def reset(self, *statements: str) -> None:
        if self._number:
            self._call("close")
        self._number += 1
        self.open(self._directory / f"source{self._number}.db")
        assert self.alone(statements)

    def open(self, path: Path) -> None:
        """Write to this database."""
        self._path = path
        self._call("open", str(path))

    def begin(self, writer: int) -> None:
        del writer
        self._call("BEGIN")

    def end(self, writer: int, *, commit: bool) -> None:
        del writer
        self._call("COMMIT" if commit else "ROLLBACK")

    def write(self, writer: int, statements: Sequence[str]) -> bool:
        del writer
        return bool(self._call("write", [self._spell(statement) for statement in statements]))

    def alone(self, statements: Sequence[str]) -> bool:
        return bool(self._call("alone", [self._spell(statement) for statement in statements]))

    def committed(self, names: Iterable[str]) -> dict[str, tuple[list[str], Rows]]:
        found: dict[str, Any] = self._call("read", list(names))
        return {name: (columns, [tuple(row) for row in rows]) for name, (columns, rows) in found.items()}

    def close(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()

    def _call(self, command: str, argument: Any = None) -> Any:
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps([command, argument]), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())


@contextmanager
def writers_on(engine: SourceEngine) -> Iterator[Writers]:
    """Writers to the database that an engine holds."""
    writers: Writers
    if isinstance(engine, SqliteEngine):
        writers = SqliteWriters(engine.path.parent)
        writers.open(engine.path)
    elif isinstance(engine, MssqlEngine):
        writers = MssqlWriters(engine)
    else:
        writers = PostgresWriters(engine.url)
    try:
        yield writers
    finally:
        writers.close()
