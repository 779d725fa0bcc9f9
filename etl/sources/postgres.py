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
from etl.sources import postgres_doctor
from etl.sources.base import Finding, Loss, Pushdown, Reach, Snapshot, Source, Window, refuse
from etl.sources.exact import Tally, convert
from etl.sources.postgres_catalog import INTACT, Catalog, catalog
from etl.sources.postgres_errors import translated
from etl.sources.postgres_types import Physical, arriving, valued
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
_OLDEST = "pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())"
LOCK_PATIENCE = "SET lock_timeout = '60s'"
"""A reader waits only for who has a table to himself (ALTER TABLE, TRUNCATE), and those behind it wait as long."""
# A cluster's number is drawn when it is made (https://www.postgresql.org/docs/current/functions-info.html);
# a database has one within it. A service that hides the first is known by its address.
_DATABASE = """
SELECT datname::text AS name, oid::bigint AS oid FROM pg_catalog.pg_database WHERE datname = current_database()"""
_CLUSTER = "SELECT system_identifier::text AS number FROM pg_catalog.pg_control_system()"
# Whatever has no type of its own arrives as the server's text, which must not depend on who reads it. Rows that a
# policy would hide raise an error: https://www.postgresql.org/docs/current/ddl-rowsecurity.html
_OPENING = """
SELECT clock_timestamp() AS instant,
       pg_catalog.has_database_privilege(current_database(), 'TEMPORARY') AS may_sum,
       set_config('DateStyle', 'ISO, YMD', true), set_config('TimeZone', 'UTC', true),
       set_config('IntervalStyle', 'postgres', true), set_config('lc_monetary', 'C', true),
       set_config('extra_float_digits', '1', true), set_config('bytea_output', 'hex', true),
       set_config('row_security', 'off', true)"""


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
            raise translated(error, without_password(self._url)) from error


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
        self._catalog = Catalog()
        # An error spoils a transaction up to its last savepoint, and the other tables are still to be read.
        _run(connection, SUM_IN_MEMORY)
        _run(connection, LOCK_PATIENCE)
        row = _rows(connection, _OPENING)[0]
        _run(connection, "SAVEPOINT etl")
        self.instant: datetime = row["instant"].astimezone(UTC)
        if row["may_sum"]:
            self.pushdown = Pushdown(self, _D, self._summed)

    @contextmanager
    def _statement(self, subject: str) -> Iterator[dbapi.Cursor]:
        """A cursor for one statement, whose failure leaves the transaction usable."""
        try:
            with self._connection.cursor() as cursor:
                yield cursor
        except (OSError, pa.ArrowInvalid, adbc_driver_manager.Error) as error:
            with suppress(adbc_driver_manager.Error):
                _run(self._connection, "ROLLBACK TO SAVEPOINT etl")
            raise translated(error, subject, "it was changed meanwhile: run the same command again") from error

    def query(self, sql: str) -> pa.Table:
        return self._asked(sql, "the source")

    def _asked(self, sql: str, subject: str) -> pa.Table:
        with self._statement(subject) as cursor:
            cursor.execute(sql)
            return _plain(cursor.fetch_arrow_table())

    def run(self, sql: str) -> None:
        with self._statement("the source") as cursor:
            cursor.execute(sql)

    def tables(self) -> tuple[Table, ...]:
        self._catalog = catalog(self._rows)
        return self._catalog.tables

    def count(self, table: Table, part: Ranges | None = None) -> int:
        sql = f"SELECT COUNT(*) AS n FROM {self._relation(table)} AS t{_where(part)}"
        counted = int(self._rows(sql, table)[0]["n"])
        self._require_intact(table)
        return counted

    def extent(self, table: Table, column: Column) -> tuple[Value | None, Value | None]:
        name = self._arriving(table, column)
        sql = f"SELECT MIN({name}) AS low, MAX({name}) AS high FROM {self._relation(table)} AS t"
        row = self._rows(sql, table)[0]
        return row["low"], row["high"]

    def reach(self, table: Table) -> Reach:
        """Raises ``SourceError`` for a table that has a column of a type that is refused.

        Of a transaction's number the fence is the oldest transaction's that may still be open: what it
        writes is at or past the fence when it commits.
        https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SNAPSHOT
        """
        refuse(table)
        if table.cursor.kind is CursorKind.FULL:
            return Reach(None, None)
        column, relation = table.column(table.cursor.column), self._relation(table)
        name = valued(_D.quote(column.name), column.type, self._physical(table, column))
        past = f" FILTER (WHERE {name} <= {_now(column.type)})" if column.type.kind is not Kind.INT else ""
        fence = f"MAX({name}){past}" if table.cursor.kind is CursorKind.UPDATED_AT else _OLDEST
        sql = f"SELECT CAST({fence} AS text) AS fence, CAST(MAX({name}) AS text) AS seen FROM {relation}"
        row = self._rows(sql, table)[0]
        return Reach(row["fence"], row["seen"])

    def read(self, table: Table, part: Window | Ranges | None = None) -> Iterator[pa.RecordBatch]:
        where = self._since(table, part) if isinstance(part, Window) else _where(part)
        yield from self._batches(table, f"{self._relation(table)} AS t{where}")
        self._require_intact(table)

    def findings(self, tables: Sequence[Table]) -> Iterator[Finding]:
        return postgres_doctor.findings(self._rows, tables)

    def losses(self, table: Table) -> tuple[Loss, ...]:
        """None: timestamps end at the microsecond here, and carry no offset."""
        del table
        return ()

    def read_keys(self, table: Table, keys: pa.Table) -> Iterator[pa.RecordBatch]:
        for start in range(0, keys.num_rows, _KEYS_AT_ONCE):
            some = keys.slice(start, _KEYS_AT_ONCE)
            arrays = ", ".join(_key_array(some[column.name], column.type) for column in table.key_columns)
            names = ", ".join(f"k{i}" for i in range(len(table.key)))
            same = " AND ".join(self._same(table, i, c) for i, c in enumerate(table.key_columns))
            wanted = f"unnest({arrays}) AS k({names})"
            yield from self._batches(table, f"{wanted} JOIN {self._relation(table)} AS t ON {same}")
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
        name = _D.string(_D.qualify(table.schema, table.name))
        if not self._rows(INTACT.format(name=name), table)[0]["intact"]:
            raise SourceError(
                f"table {table.target} was truncated, rewritten or replaced after this run's snapshot was taken",
                "run the same command again",
            )

    def _rows(self, sql: str, table: Table | None = None) -> list[dict[str, Any]]:
        """The rows of a small query, about ``table`` or the whole database."""
        subject = f"table {table.target}" if table else "the source"
        rows: list[dict[str, Any]] = self._asked(sql, subject).to_pylist()
        return rows

    def _batches(self, table: Table, relation: str) -> Iterator[pa.RecordBatch]:
        """Typed batches of what follows FROM, in which the table is called t."""
        lost = Tally()  # which stays empty: nothing arrives as text that was an instant
        with self._statement(f"table {table.target}") as cursor:
            cursor.execute(self.select(table, relation))
            for batch in cursor.fetch_record_batch():
                yield convert(batch, table, lost)

    def select(self, table: Table, relation: str = "") -> str:
        """The query of the table's rows, or of what follows FROM, with every column as the driver delivers it best."""
        columns = ", ".join(f"{self._arriving(table, column)} AS {_D.quote(column.name)}" for column in table.columns)
        return f"SELECT {columns} FROM {relation or self._relation(table) + ' AS t'}"

    def _relation(self, table: Table) -> str:
        """The table's own rows: those of tables that inherit from it are theirs, and its key does not bind them."""
        name = _D.qualify(table.schema, table.name)
        return f"ONLY {name}" if table.target in self._catalog.parents else name

    def _summed(self, table: Table) -> str:
        """The relation of which rowsums are made, with every column as a value of its logical type."""
        quoted = [(_D.quote(column.name), column) for column in table.columns]
        values = [valued(name, column.type, self._physical(table, column)) for name, column in quoted]
        if values == [name for name, _ in quoted]:
            return self._relation(table)
        listed = ", ".join(f"{value} AS {name}" for value, (name, _) in zip(values, quoted, strict=True))
        return f"(SELECT {listed} FROM {self._relation(table)})"

    def _arriving(self, table: Table, column: Column) -> str:
        return arriving(f"t.{_D.quote(column.name)}", column.type, self._physical(table, column))

    def _same(self, table: Table, i: int, column: Column) -> str:
        """Whether a key column is the i-th of the wanted; an enum's or an address's index is of no use to that."""
        name, wanted = f"t.{_D.quote(column.name)}", f"k.k{i}"
        if column.type.kind is Kind.JSON:
            return f"CAST({name} AS text) = CAST({wanted} AS text)"
        if column.type.kind is Kind.UUID:
            return f"CAST({name} AS uuid) = {wanted}"
        return f"{valued(name, column.type, self._physical(table, column))} = {wanted}"

    def _since(self, table: Table, window: Window) -> str:
        column = table.column(window.column)
        name, physical = _D.quote(column.name), self._physical(table, column)
        xid = physical is not None and physical.name == "xid8"
        low = f"CAST({_D.string(window.low)} AS xid8)" if xid else _D.literal(window.low, column.type)
        return f" WHERE {name} >= {low} OR {name} IS NULL"

    def _physical(self, table: Table, column: Column) -> Physical | None:
        return self._catalog.physical.get(table.target, {}).get(column.name)


def _where(part: Ranges | None) -> str:
    return f" WHERE {part.condition(_D)}" if part else ""


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
