"""PostgreSQL as a source: Arrow batches through ADBC inside one REPEATABLE READ transaction.

The driver reads by COPY, which takes no bound values, so values stand in the SQL as the dialect's
own literals (https://arrow.apache.org/adbc/current/driver/postgresql.html). A numeric arrives as an
opaque type, so every column is cast to one that arrives as itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import adbc_driver_manager
import pyarrow as pa

from etl.config import Config
from etl.dialects.postgres import SUM_IN_MEMORY, PostgresDialect
from etl.errors import SourceError
from etl.ranges import Ranges, Value
from etl.sources import postgres_catalog
from etl.sources.base import Loss, Pushdown, Reach, Snapshot, Source, Window
from etl.sources.exact import Tally, convert
from etl.urls import with_password, without_password
from schemas.table import Column, CursorKind, Table
from schemas.types import Kind, LogicalType

try:
    from adbc_driver_postgresql import dbapi
except ImportError as error:
    raise SourceError(
        "the PostgreSQL driver is not installed", "install it with: pip install 'multi-warehouse-etl[postgres]'"
    ) from error

_D = PostgresDialect()
# No clock on Earth is ahead of UTC by more, and a timestamp without zone does not say which it is.
_FARTHEST_ZONE = "INTERVAL '14 hours'"
_KEYS_AT_ONCE = 5_000
LOCK_PATIENCE = "SET lock_timeout = '60s'"
"""A reader waits only for who has a table to himself (ALTER TABLE, TRUNCATE), and those behind it wait as long."""
# A cluster's number is drawn when it is made (https://www.postgresql.org/docs/current/functions-info.html);
# a database has one within it. A service that hides the first is known by its address.
_DATABASE = """
SELECT datname::text AS name, oid::bigint AS oid FROM pg_catalog.pg_database WHERE datname = current_database()"""
_CLUSTER = "SELECT system_identifier::text AS number FROM pg_catalog.pg_control_system()"
# Whatever has no type of its own arrives as the server's text, which must not depend on who reads it.
_OPENING = """
SELECT clock_timestamp() AS instant,
       pg_catalog.has_database_privilege(current_database(), 'TEMPORARY') AS may_sum,
       set_config('DateStyle', 'ISO, YMD', true), set_config('TimeZone', 'UTC', true),
       set_config('IntervalStyle', 'postgres', true), set_config('lc_monetary', 'C', true),
       set_config('extra_float_digits', '1', true), set_config('bytea_output', 'hex', true)"""


def connect(config: Config) -> PostgresSource:
    """The source that a ``postgresql://`` URL names."""
    password = config.source.password
    return PostgresSource(with_password(config.source.url, password.get_secret_value() if password else None))


class PostgresSource(Source):
    """A database on a PostgreSQL server."""

    def __init__(self, url: str) -> None:
        scheme, _, rest = url.partition("://")
        self._url = f"{scheme.partition('+')[0]}://{rest}"
        self._identity = ""

    @property
    def identity(self) -> str:
        """The cluster and the database, by the numbers they were created under: what was made anew is another."""
        if not self._identity:
            with self._connected() as connection:
                row = _rows(connection, _DATABASE)[0]
                self._identity = f"postgresql:{self._cluster(connection)}/{row['name']}#{row['oid']}"
        return self._identity

    def _cluster(self, connection: dbapi.Connection) -> str:
        try:
            return str(_rows(connection, _CLUSTER)[0]["number"])
        except adbc_driver_manager.ProgrammingError:
            return urlsplit(self._url).netloc.rpartition("@")[2]

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """One REPEATABLE READ transaction, rolled back at the end; READ ONLY would forbid temporary tables."""
        with self._connected() as connection:
            _run(connection, "BEGIN ISOLATION LEVEL REPEATABLE READ")
            try:
                yield PostgresSnapshot(connection)
            finally:
                # A connection that is lost has nothing left to roll back, and hides why it was lost if asked.
                with suppress(adbc_driver_manager.Error):
                    _run(connection, "ROLLBACK")

    @contextmanager
    def _connected(self) -> Iterator[dbapi.Connection]:
        try:
            with closing(dbapi.connect(self._url, autocommit=True)) as connection:
                yield connection
        except adbc_driver_manager.Error as error:
            raise _translated(error, without_password(self._url)) from error


_REMEDIES = {
    "password authentication failed": "check the user in source.url and ETL_SOURCE_PASSWORD",
    "no password supplied": "set ETL_SOURCE_PASSWORD",
    "could not translate host name": "check the host in source.url",
    "Connection refused": "check host and port in source.url, and that the server is up",
    "permission denied": "GRANT SELECT on it to this user, or exclude the table in etl.toml",
    "lock timeout": "somebody is changing the table: wait for that to end, then run the same command again",
    "terminating connection": "the server ended the connection: run the same command again when it is up",
    "no connection to the server": "the connection was lost: run the same command again when the server is up",
    "server closed the connection": "the connection was lost: run the same command again when the server is up",
    "out of shared memory": "raise max_locks_per_transaction on the server, or sync fewer tables at once",
    "conflict with recovery": "raise max_standby_streaming_delay on the standby, or read from the primary",
}


def _translated(
    error: Exception, subject: str, missing: str = "check the name in source.url or etl.toml"
) -> SourceError:
    """What libpq said, as one sentence of what and one of what to do; ``missing`` is that for what is not there."""
    text = " ".join(str(error).partition("Query was:")[0].split())
    text = text.partition("SQLSTATE")[0].rpartition("[libpq] ")[2].partition(" This probably means")[0]
    text = (text.partition("FATAL: ")[2] or text.partition("ERROR: ")[2] or text).strip(". ")
    remedies = {**_REMEDIES, "does not exist": missing}
    remedy = next((remedy for sign, remedy in remedies.items() if sign in text), "")
    return SourceError(f"{subject}: {text}", remedy or "mend what PostgreSQL names, then run the same command again")


def _run(connection: dbapi.Connection, sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def _rows(connection: dbapi.Connection, sql: str) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        rows: list[dict[str, Any]] = cursor.fetch_arrow_table().to_pylist()
        return rows


class PostgresSnapshot(Snapshot):
    """One transaction on one connection; it is also the session in which rows are summed."""

    dialect = _D

    def __init__(self, connection: dbapi.Connection) -> None:
        self._connection = connection
        # An error spoils a transaction up to its last savepoint, and the other tables are still to be read.
        _run(connection, SUM_IN_MEMORY)
        _run(connection, LOCK_PATIENCE)
        row = _rows(connection, _OPENING)[0]
        _run(connection, "SAVEPOINT etl")
        self.instant: datetime = row["instant"].astimezone(UTC)
        if row["may_sum"]:
            self.pushdown = Pushdown(self, _D, _relation)

    @contextmanager
    def _statement(self, subject: str) -> Iterator[dbapi.Cursor]:
        """A cursor for one statement, whose failure leaves the transaction usable."""
        try:
            with self._connection.cursor() as cursor:
                yield cursor
        except (OSError, pa.ArrowInvalid, adbc_driver_manager.Error) as error:
            with suppress(adbc_driver_manager.Error):
                _run(self._connection, "ROLLBACK TO SAVEPOINT etl")
            raise _translated(error, subject, "it was changed meanwhile: run the same command again") from error

    def query(self, sql: str) -> pa.Table:
        with self._statement("the source") as cursor:
            cursor.execute(sql)
            return _plain(cursor.fetch_arrow_table())

    def run(self, sql: str) -> None:
        with self._statement("the source") as cursor:
            cursor.execute(sql)

    def tables(self) -> tuple[Table, ...]:
        return postgres_catalog.tables(self._rows)

    def count(self, table: Table, part: Ranges | None = None) -> int:
        counted = int(self._rows(f"SELECT COUNT(*) AS n FROM {_relation(table)} AS t{_where(part)}")[0]["n"])
        self._require_intact(table)
        return counted

    def extent(self, table: Table, column: Column) -> tuple[Value | None, Value | None]:
        name = _arriving(column)
        row = self._rows(f"SELECT MIN({name}) AS low, MAX({name}) AS high FROM {_relation(table)} AS t")[0]
        return row["low"], row["high"]

    def reach(self, table: Table) -> Reach:
        if table.cursor.kind is not CursorKind.UPDATED_AT:
            return Reach(None, None)
        column, relation = table.column(table.cursor.column), _relation(table)
        name = _D.quote(column.name)
        past = f" FILTER (WHERE {name} <= {_now(column.type)})" if column.type.kind is not Kind.INT else ""
        row = self._rows(
            f"SELECT CAST(MAX({name}){past} AS text) AS fence, CAST(MAX({name}) AS text) AS seen FROM {relation}"
        )[0]
        return Reach(row["fence"], row["seen"])

    def read(self, table: Table, part: Window | Ranges | None = None) -> Iterator[pa.RecordBatch]:
        yield from self._batches(
            table, f"{_relation(table)} AS t{_since(table, part) if isinstance(part, Window) else _where(part)}"
        )
        self._require_intact(table)

    def losses(self, table: Table) -> tuple[Loss, ...]:
        """None: timestamps end at the microsecond here, and carry no offset."""
        del table
        return ()

    def read_keys(self, table: Table, keys: pa.Table) -> Iterator[pa.RecordBatch]:
        for start in range(0, keys.num_rows, _KEYS_AT_ONCE):
            some = keys.slice(start, _KEYS_AT_ONCE)
            arrays = ", ".join(_key_array(some[column.name], column.type) for column in table.key_columns)
            names = ", ".join(f"k{i}" for i in range(len(table.key)))
            same = " AND ".join(f"t.{_D.quote(name)} = k.k{i}" for i, name in enumerate(table.key))
            yield from self._batches(table, f"unnest({arrays}) AS k({names}) JOIN {_relation(table)} AS t ON {same}")
        self._require_intact(table)

    def holds(self, value: Any) -> bool:
        return _D.has(value)

    def read_constants(self, type_: LogicalType, values: Sequence[Any]) -> pa.Array:
        table = Table("constants", (Column("v", type_),))
        listed = ", ".join(f"({i}, {_D.literal(value, type_)})" for i, value in enumerate(values))
        batches = self._batches(table, f"(VALUES {listed}) AS t(i, v) ORDER BY i")
        return pa.Table.from_batches(batches, table.arrow)["v"].combine_chunks()

    def _require_intact(self, table: Table) -> None:
        """Refuse what was read if it was not what the snapshot saw; our own lock on the table holds it from now on."""
        name = _D.string(_relation(table))
        if not self._rows(postgres_catalog.INTACT.format(name=name))[0]["intact"]:
            raise SourceError(
                f"table {table.name} was truncated, rewritten or replaced after this run's snapshot was taken",
                "run the same command again",
            )

    def _rows(self, sql: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.query(sql).to_pylist()
        return rows

    def _batches(self, table: Table, relation: str) -> Iterator[pa.RecordBatch]:
        """Typed batches of what follows FROM, in which the table is called t."""
        columns = ", ".join(f"{_arriving(column)} AS {_D.quote(column.name)}" for column in table.columns)
        lost = Tally()  # which stays empty: nothing arrives as text that was an instant
        with self._statement(f"table {table.name}") as cursor:
            cursor.execute(f"SELECT {columns} FROM {relation}")
            for batch in cursor.fetch_record_batch():
                yield convert(batch, table, lost)


def _relation(table: Table) -> str:
    return _D.qualify(table.schema, table.name)


def _where(part: Ranges | None) -> str:
    return f" WHERE {part.condition(_D)}" if part else ""


def _since(table: Table, window: Window) -> str:
    column = table.column(window.column)
    name = _D.quote(column.name)
    return f" WHERE {name} >= {_D.literal(window.low, column.type)} OR {name} IS NULL"


_ARRIVES = {
    Kind.INT: "bigint",
    Kind.BOOL: "boolean",
    Kind.FLOAT: "float8",
    Kind.DATE: "date",
    Kind.DATETIME: "timestamp",
    Kind.TIMESTAMP: "timestamptz",
    Kind.TIME: "time",
    Kind.BYTES: "bytea",
}


def _arriving(column: Column) -> str:
    """The column as a type that the driver delivers as itself; text for all that Arrow converts exactly."""
    return f"CAST(t.{_D.quote(column.name)} AS {_ARRIVES.get(column.type.kind, 'text')})"


def _now(type_: LogicalType) -> str:
    if type_.kind is Kind.TIMESTAMP:
        return "clock_timestamp()"
    return f"CAST(clock_timestamp() AT TIME ZONE 'UTC' + {_FARTHEST_ZONE} AS timestamp)"


def _key_array(values: pa.ChunkedArray, type_: LogicalType) -> str:
    listed = ", ".join(_D.literal(value, type_) for value in values.to_pylist())
    return f"ARRAY[{listed}]"


def _plain(table: pa.Table) -> pa.Table:
    """Numerics, which arrive as an opaque type over their text, as that text; whoever asks knows what they are."""
    columns = [
        column.cast(pa.string()) if isinstance(column.type, pa.OpaqueType) else column for column in table.columns
    ]
    return pa.table(columns, names=table.schema.names)
