"""SQL Server as a source: Arrow batches through mssql-python inside one SNAPSHOT transaction.

What a server lacks (Babelfish most of all) is asked for before the transaction begins, since there an
error may end it; https://learn.microsoft.com/en-us/sql/t-sql/statements/set-transaction-isolation-level-transact-sql
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa

from etl.config import Config
from etl.errors import ConfigError
from etl.ranges import Ranges, Value
from etl.sources import mssql_sql as sql
from etl.sources.base import Finding, Loss, Pushdown, Reach, Snapshot, Source, Window, refuse
from etl.sources.exact import FLOORED, OFFSET
from etl.sources.mssql_cursors import Cursors
from etl.sources.mssql_doctor import findings
from etl.sources.mssql_link import Link, failure
from etl.sources.mssql_reader import Reader, plain
from etl.sources.mssql_server import Server, look, now
from etl.sources.mssql_session import Session, attempt
from etl.urls import with_password
from schemas import types
from schemas.mssql import FORM, Address, MssqlError, address
from schemas.table import Column, Table
from schemas.types import Kind, LogicalType

log = logging.getLogger(__name__)

_D = sql.DIALECT
_KEYS_AT_ONCE = 1_000
UNDO = "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION"
LOCK_PATIENCE = "SET LOCK_TIMEOUT 60000"
"""A reader waits only for who has a table to himself (ALTER TABLE, TRUNCATE); not for ever, as it would by default."""


def connect(config: Config) -> MssqlSource:
    """The source that a ``mssql://`` URL names; raises ``ConfigError`` for one that is none."""
    password = config.source.password
    url = with_password(config.source.url, password.get_secret_value() if password else None)
    scheme, _, rest = url.partition("://")
    try:
        at = address(f"{scheme.partition('+')[0]}://{rest}")
    except MssqlError as error:
        raise failure(error) from error
    if "Database" not in at.options:
        # The login's own would be taken, which is master more often than not.
        raise ConfigError(f"{at} names no database", FORM)
    return MssqlSource(at)


class MssqlSource(Source):
    """A database on a SQL Server."""

    def __init__(self, at: Address) -> None:
        self._at = at
        self._identity = ""

    @property
    def identity(self) -> str:
        """The server's address and the database, with when it was made or restored."""
        if not self._identity:
            with self._session() as session:
                self._identity = self._identified(look(session))
        return self._identity

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """A SNAPSHOT transaction where the database allows it; otherwise a source that moves while it is read."""
        with self._session() as session:
            server = look(session)
            self._identity = self._identified(server)
            try:
                yield MssqlSnapshot(Link(session, server))
            finally:
                with suppress(MssqlError):
                    session.run(UNDO)

    @contextmanager
    def _session(self) -> Iterator[Session]:
        try:
            with closing(Session(self._at)) as session:
                yield session
        except MssqlError as error:
            raise failure(error) from error

    def _identified(self, server: Server) -> str:
        return f"mssql:{urlsplit(str(self._at)).netloc.rpartition('@')[2]}/{server.identity}"


class MssqlSnapshot(Snapshot):
    """One transaction on one connection; it is also the session in which rows are summed."""

    dialect = _D

    def __init__(self, link: Link) -> None:
        self.link, self._server = link, link.server
        self.reader = Reader(link)
        self._cursors = Cursors(link, self.reader)
        self._parts: dict[str, Ranges | None] = {}
        self.consistent = link.server.snapshots
        link.session.run(LOCK_PATIENCE)
        # Before the transaction: metadata has no versions, so that any DDL beside it would be an error within
        # (https://learn.microsoft.com/en-us/sql/relational-databases/errors-events/mssqlserver-3961-database-engine-error).
        self._tables = self.reader.catalog.tables
        link.begin()
        self.instant = now(link.session)
        if not link.server.has_utf8:
            log.info("%s has no UTF-8 collations: its rows are streamed to be summed", link.server.described)
        elif attempt(self._makes_tables):
            self.pushdown = Pushdown(self, _D, self._summed)
        else:
            log.info("%s may make no temporary tables: its rows are streamed to be summed", link.server.user)

    def _makes_tables(self) -> bool:
        """Whether temporary tables can be made within the transaction."""
        name = _D.temporary("etl_probe")
        self.link.session.run(_D.create_temporary(name, "SELECT 1 AS n"))
        self.link.session.run(f"DROP TABLE {name}")
        return True

    def query(self, sql: str) -> pa.Table:
        with self.link.statement():
            return plain(self.link.session.query(sql))

    def run(self, sql: str) -> None:
        with self.link.statement():
            self.link.session.run(sql)

    def relation(self, table: Table) -> str:
        return sql.relation(table)

    def tables(self) -> tuple[Table, ...]:
        return self._tables

    def count(self, table: Table, part: Ranges | None = None) -> int:
        return int(self.link.row(f"SELECT COUNT_BIG(*) AS n FROM {_from(table, part)}", table)["n"])

    def extent(self, table: Table, column: Column) -> tuple[Value | None, Value | None]:
        x = _D.quote(column.name)
        row = self.link.row(f"SELECT MIN({x}) AS low, MAX({x}) AS high FROM {_from(table)}", table)
        return row["low"], row["high"]

    def reach(self, table: Table) -> Reach:
        """Raises ``SourceError`` for a table that has a column of a type that is refused."""
        refuse(table)
        if not self.consistent:
            self.link.say(
                f"{self._server.database} allows no SNAPSHOT isolation, so the source moves while it is compared and "
                f"the gate stays shut; allow it: ALTER DATABASE {_D.quote(self._server.database)} "
                "SET ALLOW_SNAPSHOT_ISOLATION ON"
            )
        return self._cursors.reach(table)

    def expired(self, table: Table, watermark: str) -> str:
        return self._cursors.expired(table, watermark)

    def deleted(self, table: Table, window: Window) -> pa.Table | None:
        return self._cursors.deleted(table, window)

    def read(self, table: Table, part: Window | Ranges | None = None) -> Iterator[pa.RecordBatch]:
        if isinstance(part, Window):
            return self._cursors.changes(table, part)
        self._parts[table.target] = part
        return self.reader.batches(table, f"{sql.relation(table)} AS t", part.condition(_D) if part else "")

    def read_keys(self, table: Table, keys: pa.Table) -> Iterator[pa.RecordBatch]:
        for start in range(0, keys.num_rows, _KEYS_AT_ONCE):
            source = sql.keyed(table, self.reader.physical(table), keys.slice(start, _KEYS_AT_ONCE))
            yield from self.reader.batches(table, source)

    def losses(self, table: Table) -> tuple[Loss, ...]:
        """Counted by the server, over what was read last."""
        counted = [(column, what, predicate) for column in table.columns for what, predicate in _lossy(column)]
        if not counted:
            return ()
        asked = sql.counts([predicate for *_, predicate in counted], _from(table, self._parts.get(table.target)))
        row = self.link.row(asked, table)
        found = (Loss(column.name, what, row[f"n{i}"] or 0) for i, (column, what, _) in enumerate(counted))
        return tuple(loss for loss in found if loss.rows)

    def holds(self, value: Any) -> bool:
        return _D.has(value) and (self._server.has_nul or not (isinstance(value, str) and "\0" in value))

    def read_constants(self, type_: LogicalType, values: Sequence[Any]) -> pa.Array:
        return self.reader.constants(type_, values)

    def findings(self, tables: Sequence[Table]) -> Iterator[Finding]:
        with self.link.statement():
            yield from findings(self.link.session, self._server, tables)

    def _summed(self, table: Table) -> str:
        """The table as its rows are summed: a column that is read as another type is summed as that."""
        physical = self.reader.physical(table)
        if all(physical[column.name].logical == column.type for column in table.columns):
            return sql.relation(table)
        readings = ((column, self.reader.reading(column, physical)) for column in table.columns)
        listed = ", ".join(f"{one.whole or one.sql} AS {_D.quote(column.name)}" for column, one in readings)
        return f"(SELECT {listed} FROM {_from(table)})"


def _from(table: Table, part: Ranges | None = None) -> str:
    return f"{sql.relation(table)} AS t" + (f" WHERE {part.condition(_D)}" if part else "")


def _lossy(column: Column) -> Iterator[tuple[str, str]]:
    """What a column's values may lose, with the predicate that is true of those that do."""
    x = f"t.{_D.quote(column.name)}"
    type_ = column.type
    if predicate := _D.loss(x, LogicalType(Kind.DATETIME, fraction=type_.fraction)):
        yield FLOORED, predicate
    if type_.kind is Kind.TIMESTAMP:
        yield OFFSET, _D.loss(x, types.TIMESTAMP)
