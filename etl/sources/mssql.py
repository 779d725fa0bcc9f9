"""SQL Server as a source: Arrow batches through mssql-python inside one SNAPSHOT transaction.

What a server lacks (Babelfish most of all) is asked for before the transaction begins, since there an
error may end it; https://learn.microsoft.com/en-us/sql/t-sql/statements/set-transaction-isolation-level-transact-sql
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.compute as pc

from etl.config import Config
from etl.errors import ConfigError, SourceError
from etl.ranges import Ranges, Value
from etl.sources import mssql_sql as sql
from etl.sources.base import Finding, Loss, Pushdown, Reach, Snapshot, Source, Window
from etl.sources.exact import FLOORED, OFFSET, Tally, convert
from etl.sources.mssql_catalog import Catalog, catalog
from etl.sources.mssql_doctor import findings
from etl.sources.mssql_server import Server, hexed, look, now
from etl.sources.mssql_session import Session, attempt
from etl.sources.mssql_types import Physical, Reading, reading
from etl.urls import with_password
from schemas import types
from schemas.mssql import Address, MssqlError, Trouble, address
from schemas.table import Column, CursorKind, Table
from schemas.types import Kind, LogicalType

log = logging.getLogger(__name__)

_D = sql.DIALECT
_KEYS_AT_ONCE = 1_000
_UNIT_BYTES = 3
"""UTF-8 bytes of a UTF-16 unit, at the most."""


def connect(config: Config) -> MssqlSource:
    """The source that a ``mssql://`` URL names; raises ``ConfigError`` for one that is none."""
    password = config.source.password
    url = with_password(config.source.url, password.get_secret_value() if password else None)
    scheme, _, rest = url.partition("://")
    try:
        return MssqlSource(address(f"{scheme.partition('+')[0]}://{rest}"))
    except MssqlError as error:
        raise _failure(error) from error


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
            opened = MssqlSnapshot(session, server)
            try:
                yield opened
            finally:
                with suppress(MssqlError):
                    session.run("IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION")

    @contextmanager
    def _session(self) -> Iterator[Session]:
        try:
            with closing(Session(self._at)) as session:
                yield session
        except MssqlError as error:
            raise _failure(error) from error

    def _identified(self, server: Server) -> str:
        return f"mssql:{urlsplit(str(self._at)).netloc.rpartition('@')[2]}/{server.identity}"


def _failure(error: MssqlError) -> SourceError | ConfigError:
    wrong_call = error.trouble in (Trouble.ADDRESS, Trouble.DRIVER)
    return (ConfigError if wrong_call else SourceError)(error.message, error.remedy)


class MssqlSnapshot(Snapshot):
    """One transaction on one connection; it is also the session in which rows are summed."""

    dialect = _D

    def __init__(self, session: Session, server: Server) -> None:
        self._session, self.server = session, server
        self.consistent = server.snapshots
        self._parts: dict[str, Ranges | None] = {}
        self._said: set[str] = set()
        self._begin()
        self.instant = now(session)
        if server.has_utf8 and attempt(self._makes_tables):
            self.pushdown = Pushdown(self, _D, self._summed)

    def _makes_tables(self) -> bool:
        """Whether temporary tables can be made within the transaction."""
        name = _D.temporary("etl_probe")
        self._session.run(_D.create_temporary(name, "SELECT 1 AS n"))
        self._session.run(f"DROP TABLE {name}")
        return True

    def _begin(self) -> None:
        if not self.consistent:
            return
        self._session.run("SET TRANSACTION ISOLATION LEVEL SNAPSHOT")
        self._session.run("BEGIN TRANSACTION")
        # The snapshot is of the moment of the first read, not of the beginning.
        self._session.rows("SELECT COUNT(*) AS n FROM sys.tables")

    @contextmanager
    def _statement(self, table: Table | None = None) -> Iterator[None]:
        """What is asked of the server within, whose failure becomes ours and leaves the snapshot usable."""
        try:
            yield
        except MssqlError as error:
            self._mend()
            raise self._failed(error, table) from error

    def _mend(self) -> None:
        """Where the failed statement has taken the transaction with it, begin another."""
        if not self.consistent or attempt(self._session.in_transaction) is not False:
            return
        log.warning("the server ended the transaction with an error; what follows is read at a later instant")
        with suppress(MssqlError):
            self._begin()

    def _failed(self, error: MssqlError, table: Table | None) -> SourceError:
        message, remedy = error.message, error.remedy
        if table is None:
            return SourceError(message, remedy)
        named = sql.relation(table)
        lowered = message.lower()
        if error.trouble is Trouble.DENIED:
            user = _D.quote(self.server.user)
            remedy = f"GRANT SELECT ON {named} TO {user}, or exclude the table in etl.toml"
        elif error.trouble is Trouble.ABSENT or "modified by a ddl statement" in lowered:
            remedy = "it was dropped or altered while it was being read: run the same command again"
        elif "snapshot isolation is not allowed" in lowered:
            remedy = "it reads another database: ALTER DATABASE … SET ALLOW_SNAPSHOT_ISOLATION ON there too"
        elif "memory optimized" in lowered:
            remedy = "SNAPSHOT isolation cannot read memory-optimized tables: exclude it in etl.toml"
        return SourceError(f"table {table.target}: {message}", remedy)

    def query(self, sql: str) -> pa.Table:
        with self._statement():
            return _plain(self._session.query(sql))

    def run(self, sql: str) -> None:
        with self._statement():
            self._session.run(sql)

    def relation(self, table: Table) -> str:
        return sql.relation(table)

    def tables(self) -> tuple[Table, ...]:
        return self._catalog.tables

    @cached_property
    def _catalog(self) -> Catalog:
        return catalog(lambda sql: self.query(sql).to_pylist())

    def _physical(self, table: Table) -> Mapping[str, Physical]:
        found = self._catalog.physical.get(table.target)
        if found is None or not {column.name for column in table.columns} <= found.keys():
            raise SourceError(
                f"table {table.target} is no longer in the source as it was", "run the same command again to look anew"
            )
        return found

    def _ask(self, text: str, table: Table) -> dict[str, Any]:
        with self._statement(table):
            return self._session.rows(text)[0]

    def count(self, table: Table, part: Ranges | None = None) -> int:
        where = f" WHERE {part.condition(_D)}" if part else ""
        return int(self._ask(f"SELECT COUNT_BIG(*) AS n FROM {sql.relation(table)} AS t{where}", table)["n"])

    def extent(self, table: Table, column: Column) -> tuple[Value | None, Value | None]:
        x = _D.quote(column.name)
        row = self._ask(f"SELECT MIN({x}) AS low, MAX({x}) AS high FROM {sql.relation(table)} AS t", table)
        return row["low"], row["high"]

    # --- cursors ----------------------------------------------------------------------------------

    def reach(self, table: Table) -> Reach:
        """Raises ``SourceError`` for a table that has a column of a type that is refused."""
        refuse(table)
        self._warn_moving()
        kind = table.cursor.kind
        if kind is CursorKind.ROWVERSION:
            return self._reach_of_versions(table)
        if kind is CursorKind.CHANGE_TRACKING:
            current = self._tracking(table)["current_version"]
            return Reach(str(current), str(current))
        if kind is CursorKind.FULL:
            return Reach(None, None)
        column = table.cursor.column
        physical = self._physical(table)[column]
        row = self._ask(sql.reach(table, column, physical), table)
        seen = fence = sql.iso(row["seen"], physical)
        if row["future"]:
            fence = sql.iso(self._ask(sql.reach_by_now(table, column, physical), table)["fence"], physical)
        return Reach(fence, seen)

    def _reach_of_versions(self, table: Table) -> Reach:
        if not self.server.exact_fence:
            self._say(
                "this server has no MIN_ACTIVE_ROWVERSION: rows of a transaction that commits after the sync "
                "are found by comparing, not by their row version"
            )
        with self._statement(table):
            newest = self._session.rows(sql.newest_version(table))
        seen = hexed(newest[0]["seen"]) if newest else None
        return Reach(self.server.fence or seen, seen)

    def _tracking(self, table: Table) -> dict[str, Any]:
        primary = self._catalog.primary.get(table.target, ())
        if table.key != primary:
            raise SourceError(
                f"table {table.target}: change tracking knows rows by their primary key {', '.join(primary)}",
                "leave key out of etl.toml, or name another cursor",
            )
        return self._ask(sql.tracking(table), table)

    def expired(self, table: Table, watermark: str) -> str:
        if table.cursor.kind is CursorKind.ROWVERSION:
            fence = self.server.fence
            behind = fence is not None and fence < watermark
            return f"row versions went back from {watermark} to {fence}, so it was restored" if behind else ""
        if table.cursor.kind is not CursorKind.CHANGE_TRACKING:
            return ""
        known = self._tracking(table)
        if known["current_version"] is None or known["least"] is None:
            return "change tracking was switched off"
        if known["current_version"] < int(watermark):
            return f"change tracking went back from {watermark} to {known['current_version']}, so it was restored"
        if known["least"] > int(watermark):
            return (
                f"change tracking knows nothing before version {known['least']} any more and {watermark} was read: "
                "the table was truncated, or the last sync is longer ago than changes are kept"
            )
        return ""

    def deleted(self, table: Table, window: Window) -> pa.Table | None:
        if table.cursor.kind is not CursorKind.CHANGE_TRACKING:
            return None
        keys = Table(table.name, table.key_columns, schema=table.schema)
        readings = [self._reading(column, self._physical(table), "g").sql for column in keys.columns]
        with self._statement(table):
            gone = self._session.query(sql.deleted(table, table.key, window.low, readings))
        batches = [convert(_arrived(batch), keys, Tally()) for batch in gone.to_batches()]
        return pa.Table.from_batches(batches, keys.arrow)

    def _warn_moving(self) -> None:
        if not self.consistent:
            self._say(
                f"{self.server.database} allows no SNAPSHOT isolation, so the source moves while it is compared and "
                f"the gate stays shut; allow it: ALTER DATABASE {_D.quote(self.server.database)} "
                "SET ALLOW_SNAPSHOT_ISOLATION ON"
            )

    def _say(self, warning: str) -> None:
        """Say it once."""
        if warning not in self._said:
            self._said.add(warning)
            log.warning("%s", warning)

    # --- rows -------------------------------------------------------------------------------------

    def read(self, table: Table, part: Window | Ranges | None = None) -> Iterator[pa.RecordBatch]:
        if isinstance(part, Window):
            return self._changes(table, part)
        self._parts[table.target] = part
        return self._batches(table, f"{sql.relation(table)} AS t", part.condition(_D) if part else "")

    def _changes(self, table: Table, window: Window) -> Iterator[pa.RecordBatch]:
        if table.cursor.kind is CursorKind.CHANGE_TRACKING:
            yield from self._batches(table, sql.changed(table, table.key, window.low))
            return
        column = table.column(window.column)
        versions = table.cursor.kind is CursorKind.ROWVERSION
        low = sql.version(window.low) if versions else sql.from_text(window.low, self._physical(table)[column.name])
        rows = 0
        for batch in self._batches(table, f"{sql.relation(table)} AS t", sql.at_least(column, low)):
            rows += batch.num_rows
            yield batch
        if versions and rows and self.server.exact_fence and window.low == self.server.fence:
            log.warning(
                "%s: an open transaction holds the fence at %s; until it ends each sync reads again what changed "
                "since, %s rows by now",
                table.target,
                window.low,
                f"{rows:,}",
            )

    def read_keys(self, table: Table, keys: pa.Table) -> Iterator[pa.RecordBatch]:
        for start in range(0, keys.num_rows, _KEYS_AT_ONCE):
            source = sql.keyed(table, self._physical(table), keys.slice(start, _KEYS_AT_ONCE))
            yield from self._batches(table, source)

    def _reading(self, column: Column, physical: Mapping[str, Physical], alias: str = "t") -> Reading:
        x = f"{alias}.{_D.quote(column.name)}"
        return reading(x, physical[column.name], column.type, self.server.char_bytes)

    def _batches(
        self, table: Table, source: str, where: str = "", physical: Mapping[str, Physical] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Typed batches of what follows FROM, in which the table is called t.

        Rows with a value that has to be fetched by itself are read apart, so that they do not slow the others.
        """
        physical = physical or self._physical(table)
        refuse(table)
        readings = [self._reading(column, physical) for column in table.columns]
        width = sum(one.width for one in readings)
        if not any(one.whole for one in readings):
            yield from self._arriving(table, sql.select([one.sql for one in readings], source, where), width)
            return
        found = self._ask(sql.longest(readings, source, where), table)
        fitting = sql.every(where, sql.short(readings)) if found["n"] else where
        yield from self._arriving(table, sql.select([one.sql for one in readings], source, fitting), width)
        if found["n"]:
            log.info("%s: %s rows hold long values and are read one by one", table.target, f"{found['n']:,}")
            text = sql.select([one.whole or one.sql for one in readings], source, sql.every(where, sql.long(readings)))
            yield from self._arriving(table, text, width + _UNIT_BYTES * found["widest"])

    def _arriving(self, table: Table, text: str, width: int) -> Iterator[pa.RecordBatch]:
        lost = Tally()  # which stays empty: what is lost here is counted by the server
        with self._statement(table), closing(self._session.batches(text, width)) as batches:
            for batch in batches:
                yield convert(_arrived(batch), table, lost)

    def losses(self, table: Table) -> tuple[Loss, ...]:
        """Counted by the server, over what was read last."""
        counted = [(column, what, predicate) for column in table.columns for what, predicate in _lossy(column)]
        if not counted:
            return ()
        sums = ", ".join(
            f"SUM(CAST(CASE WHEN {predicate} THEN 1 ELSE 0 END AS bigint)) AS n{i}"
            for i, (_, _, predicate) in enumerate(counted)
        )
        part = self._parts.get(table.target)
        where = f" WHERE {part.condition(_D)}" if part else ""
        row = self._ask(f"SELECT {sums} FROM {sql.relation(table)} AS t{where}", table)
        found = (Loss(column.name, what, row[f"n{i}"] or 0) for i, (column, what, _) in enumerate(counted))
        return tuple(loss for loss in found if loss.rows)

    def holds(self, value: Any) -> bool:
        return _D.has(value) and (self.server.has_nul or not (isinstance(value, str) and "\0" in value))

    def read_constants(self, type_: LogicalType, values: Sequence[Any]) -> pa.Array:
        table = Table("constants", (Column("i", types.INT), Column("v", type_)))
        listed = ", ".join(f"({i}, {_D.literal(value, type_)})" for i, value in enumerate(values))
        physical = {"i": Physical("int"), "v": _made(type_)}
        read = pa.Table.from_batches(self._batches(table, f"(VALUES {listed}) AS t(i, v)", "", physical), table.arrow)
        return read.sort_by("i")["v"].combine_chunks()

    def _summed(self, table: Table) -> str:
        """The table as its rows are summed: a column that is read as another type is summed as that."""
        physical = self._physical(table)
        if all(physical[column.name].logical == column.type for column in table.columns):
            return sql.relation(table)
        readings = ((column, self._reading(column, physical)) for column in table.columns)
        listed = ", ".join(f"{one.whole or one.sql} AS {_D.quote(column.name)}" for column, one in readings)
        return f"(SELECT {listed} FROM {sql.relation(table)} AS t)"

    def findings(self, tables: Sequence[Table]) -> Iterator[Finding]:
        with self._statement():
            yield from findings(self._session, self.server, tables)


def refuse(table: Table) -> None:
    """Raise ``SourceError`` naming the first column whose values cannot be copied."""
    for column in table.columns:
        if column.refused:
            raise SourceError(
                f"table {table.target}: column {column.name} {column.refused}",
                f'exclude the table, or read the column as text: [tables."{table.target}"] '
                f'columns = {{ "{column.name}" = "large string" }}',
            )


def _lossy(column: Column) -> Iterator[tuple[str, str]]:
    """What a column's values may lose, with the predicate that is true of those that do."""
    x = f"t.{_D.quote(column.name)}"
    type_ = column.type
    if predicate := _D.loss(x, LogicalType(Kind.DATETIME, fraction=type_.fraction)):
        yield FLOORED, predicate
    if type_.kind is Kind.TIMESTAMP:
        yield OFFSET, _D.loss(x, types.TIMESTAMP)


def _made(type_: LogicalType) -> Physical:
    """The type that a constant of a logical type is made with."""
    name, _, length = _D.ddl(type_).partition("(")
    if type_.kind in (Kind.STRING, Kind.JSON, Kind.BYTES):
        unit = 2 if name.startswith("n") else 1
        return Physical(name, -1 if length == "max)" else int(length.rstrip(")")) * unit)
    return Physical(name, 0, type_.precision or 0, type_.scale or (type_.fraction if length else 0))


def _arrived(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with Arrow's usual lengths, and times to the microsecond."""
    arrays = [_usual(array) for array in batch.columns]
    return pa.RecordBatch.from_arrays(arrays, names=[f"c{i}" for i in range(len(arrays))])


def _usual(array: Any) -> Any:
    """An array or a chunked one."""
    if pa.types.is_large_string(array.type):
        return array.cast(pa.string())
    if pa.types.is_large_binary(array.type):
        return array.cast(pa.binary())
    if pa.types.is_time64(array.type):
        return pc.cast(array, pa.time64("us"), safe=False)
    return array


def _plain(table: pa.Table) -> pa.Table:
    return pa.table([_usual(column) for column in table.columns], names=table.schema.names)
