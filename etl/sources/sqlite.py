"""SQLite as a source: Arrow batches through ADBC inside one read transaction.

ADBC fixes a column's Arrow type on the first rows it sees, so a column of NULLs followed by text
fails (https://arrow.apache.org/adbc/current/driver/sqlite.html). Every query therefore begins with
a row of sentinels of the right storage classes, which is dropped again; a value of another class
is then an error that names the column, never a silent conversion.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import adbc_driver_manager
import pyarrow as pa
from adbc_driver_sqlite import dbapi

from etl.config import Config
from etl.dialects.sqlite import SqliteDialect, declared_type
from etl.errors import SourceError
from etl.ranges import Ranges, Value
from etl.readahead import readahead
from etl.sources.base import Loss, Reach, Snapshot, Source, Window
from etl.sources.conventions import best_key, updated_at
from etl.sources.exact import Tally, convert, unfit
from etl.urls import path_of
from schemas.table import FULL, Column, CursorKind, ForeignKey, Table
from schemas.types import Kind, LogicalType

BATCH_ROWS = 65_536
_MISMATCH = re.compile(r"Type mismatch in column (\d+)")
_REFUSED = re.compile(r"bad JSON path: 'etl (\d+) (\w+)'")
# No clock on Earth is ahead of UTC by more, and SQLite does not say in which zone it was written.
_FARTHEST_ZONE = timedelta(hours=14)

_D = SqliteDialect()

log = logging.getLogger(__name__)


def connect(config: Config) -> SqliteSource:
    """The source that a ``sqlite:///`` URL names."""
    return SqliteSource(path_of(config.source.url))


class SqliteSource(Source):
    """A SQLite database file."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise SourceError(f"there is no SQLite database at {path}", "check the path in source.url")
        self.path = path.resolve()

    @property
    def identity(self) -> str:
        return f"sqlite:{self.path}"

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """A read transaction; it changes neither the file nor its journal mode.

        Without WAL a writer has to wait until it ends.
        """
        uri = f"{self.path.as_uri()}?mode=ro"
        try:
            with closing(dbapi.connect(uri, autocommit=False)) as connection:
                # A deferred transaction starts with its first read.
                yield SqliteSnapshot(connection, _scalar(connection, "SELECT COUNT(*) FROM sqlite_master") >= 0)
        except adbc_driver_manager.Error as error:
            raise _source_error(self.path, error) from error


def _source_error(path: Path, error: Exception) -> SourceError:
    if "not a database" in str(error):
        return SourceError(f"{path} is not a SQLite database", "check the path in source.url")
    return SourceError(
        f"reading {path} failed: {_first_line(error)}", "mend what SQLite names, then run the same command again"
    )


def _first_line(error: Exception) -> str:
    """What went wrong, without the query that ADBC repeats after it."""
    return str(error).partition("\n")[0]


def _scalar(connection: dbapi.Connection, sql: str, values: Sequence[Any] = ()) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, tuple(values))
        row = cursor.fetchone()
        return row[0] if row else None


class SqliteSnapshot(Snapshot):
    """One read transaction on one connection."""

    dialect = _D

    def __init__(self, connection: dbapi.Connection, _begun: bool) -> None:
        self._connection = connection
        self._lost: dict[str, Tally] = {}
        self.instant = datetime.now(UTC)

    def tables(self) -> tuple[Table, ...]:
        names = self._rows(
            "SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' "
            "ESCAPE '\\' ORDER BY name"
        )
        found = (self._table_or_none(row["name"]) for row in names)
        return tuple(table for table in found if table)

    def query(self, sql: str) -> pa.Table:
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(sql)
                return cursor.fetch_arrow_table()
        except (OSError, pa.ArrowInvalid, adbc_driver_manager.Error) as error:
            raise SourceError(
                f"the source: {_first_line(error)}", "mend what SQLite names, then run the same command again"
            ) from error

    def count(self, table: Table, part: Ranges | None = None) -> int:
        where = f" WHERE {part.condition(_D)}" if part else ""
        return int(_scalar(self._connection, f"SELECT COUNT(*) FROM {_D.quote(table.name)}{where}"))

    def extent(self, table: Table, column: Column) -> tuple[Value | None, Value | None]:
        name = _D.quote(column.name)
        found = self._rows(f"SELECT MIN({name}) AS low, MAX({name}) AS high FROM {_D.quote(table.name)}")[0]
        return _value(found["low"], table, column), _value(found["high"], table, column)

    def reach(self, table: Table) -> Reach:
        if table.cursor.kind is not CursorKind.UPDATED_AT:
            return Reach(None, None)
        column, relation = _D.quote(table.cursor.column), _D.quote(table.name)
        seen = _scalar(self._connection, f"SELECT MAX({column}) FROM {relation}")
        now = (self.instant.replace(tzinfo=None) + _FARTHEST_ZONE).isoformat(" ", "microseconds")
        if seen is None or isinstance(seen, int) or str(seen) <= now:
            text = None if seen is None else str(seen)
            return Reach(text, text)
        fence = _scalar(self._connection, f"SELECT MAX({column}) FROM {relation} WHERE {column} <= ?", [now])
        return Reach(fence, str(seen))

    def read(self, table: Table, part: Window | Ranges | None = None) -> Iterator[pa.RecordBatch]:
        if not isinstance(part, Window):
            self._lost[table.name] = Tally()
            where = f" WHERE {part.condition(_D)}" if part else ""
            return self._batches(table, _relation(table) + where, lost=self._lost[table.name])
        column = f"t.{_D.quote(part.column)}"
        return self._batches(table, f"{_relation(table)} WHERE {column} >= ? OR {column} IS NULL", [part.low])

    def losses(self, table: Table) -> tuple[Loss, ...]:
        tally = self._lost.get(table.name, Tally())
        return tuple(Loss(column, what, rows) for (column, what), rows in sorted(tally.items()) if rows)

    def read_keys(self, table: Table, keys: pa.Table) -> Iterator[pa.RecordBatch]:
        if not all(column.type.kind in (Kind.INT, Kind.STRING) for column in table.key_columns):
            return self._read_keys_by_scan(table, keys)
        # json_each keeps every value bound and lets SQLite look rows up by their index.
        wanted = " AND ".join(_same_key(column, i) for i, column in enumerate(table.key_columns))
        rows = list(zip(*(keys[name].to_pylist() for name in table.key), strict=True))
        relation = f"json_each(?) AS wanted CROSS JOIN {_relation(table)} ON {wanted}"
        return self._batches(table, relation, [json.dumps(rows)])

    def read_constants(self, type_: LogicalType, values: Sequence[Any]) -> pa.Array:
        table = Table("constants", (Column("v", type_),))
        literals = [_D.literal(value, type_) for value in values]
        relation = "(" + " UNION ALL ".join(f"SELECT {literal} AS v" for literal in literals) + ") AS t"
        batches = self._batches(table, relation)
        return pa.Table.from_batches(batches, table.arrow)["v"].combine_chunks()

    def _read_keys_by_scan(self, table: Table, keys: pa.Table) -> Iterator[pa.RecordBatch]:
        """For keys whose stored text need not be the canonical one (dates, decimals): compared as values."""
        wanted = set(zip(*(keys[name].to_pylist() for name in table.key), strict=True))
        for batch in self._batches(table, _relation(table)):
            found = zip(*(batch[name].to_pylist() for name in table.key), strict=True)
            yield batch.filter(pa.array([key in wanted for key in found], pa.bool_()))

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[dict[str, Any]]:
        with self._connection.cursor() as cursor:
            cursor.execute(sql, tuple(values))
            rows: list[dict[str, Any]] = cursor.fetch_arrow_table().to_pylist()
            return rows

    def _table_or_none(self, name: str) -> Table | None:
        """The table, unless SQLite cannot even describe it: a view of a dropped table, a module that is not there."""
        try:
            return self._table(name)
        except adbc_driver_manager.Error as error:
            log.warning("%s cannot be read and is left out: %s", name, _first_line(error))
            return None

    def _table(self, name: str) -> Table:
        # hidden = 1 marks a virtual table's own columns; 2 and 3 are generated columns, which are data.
        info = self._rows('SELECT name, type, "notnull", pk FROM pragma_table_xinfo(?) WHERE hidden <> 1', [name])
        key = tuple(row["name"] for row in sorted(info, key=lambda row: row["pk"]) if row["pk"])
        if self._holds_null(name, [row["name"] for row in info if row["pk"] and not row["notnull"]]):
            key = ()
        columns = tuple(
            Column(row["name"], declared_type(row["type"] or ""), not (row["notnull"] or row["name"] in key))
            for row in info
        )
        references = self._rows('SELECT DISTINCT "table" AS name FROM pragma_foreign_key_list(?)', [name])
        return Table(
            name,
            columns,
            key or self._unique_key(name, columns),
            updated_at(columns) or FULL,
            references=tuple(row["name"] for row in references),
            foreign_keys=self._foreign_keys(name),
        )

    def _foreign_keys(self, name: str) -> tuple[ForeignKey, ...]:
        """The keys with their columns; one that names no column of its parent means the parent's primary key."""
        rows = self._rows(
            """SELECT id, "table" AS parent, "from" AS name, COALESCE("to", '') AS other"""
            " FROM pragma_foreign_key_list(?) ORDER BY id, seq",
            [name],
        )
        found = []
        for _, key in groupby(rows, lambda row: row["id"]):
            columns = list(key)
            parent, others = columns[0]["parent"], tuple(row["other"] for row in columns)
            if not all(others):
                primary = self._rows("SELECT name FROM pragma_table_info(?) WHERE pk ORDER BY pk", [parent])
                others = tuple(row["name"] for row in primary)
            found.append(ForeignKey(tuple(row["name"] for row in columns), parent, others))
        return tuple(found)

    def _holds_null(self, name: str, columns: Sequence[str]) -> bool:
        """Whether a primary key holds NULL, which SQLite allows, even twice: https://www.sqlite.org/quirks.html."""
        anywhere = " OR ".join(f"{_D.quote(column)} IS NULL" for column in columns)
        return bool(
            columns and _scalar(self._connection, f"SELECT EXISTS (SELECT 1 FROM {_D.quote(name)} WHERE {anywhere})")
        )

    def _unique_key(self, name: str, columns: Sequence[Column]) -> tuple[str, ...]:
        """The narrowest unique index over columns that cannot be NULL, if there is one."""
        required = {column.name for column in columns if not column.nullable}
        indexes = self._rows('SELECT name FROM pragma_index_list(?) WHERE "unique" AND NOT partial', [name])
        named = (self._rows("SELECT name FROM pragma_index_info(?)", [index["name"]]) for index in indexes)
        # What an index has beside columns, an expression, has no name.
        return best_key(((False, tuple(row["name"] or "" for row in rows)) for rows in named), required)

    def _batches(
        self, table: Table, relation: str, values: Sequence[Any] = (), lost: Tally | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Typed batches of a relation called t; declared losses are added to ``lost``."""
        lost = Tally() if lost is None else lost
        sentinels = ", ".join(f"{_D.sentinel(column.type)} AS {_D.quote(column.name)}" for column in table.columns)
        stored = ", ".join(
            _D.stored(f"t.{_D.quote(column.name)}", column.type, i) for i, column in enumerate(table.columns)
        )
        with self._connection.cursor() as cursor:
            cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": str(BATCH_ROWS)})
            try:
                cursor.execute(f"SELECT {sentinels} UNION ALL SELECT {stored} FROM {relation}", tuple(values))
                skip = 1
                # SQLite's own work takes one core; what it has read is converted while it goes on.
                with closing(readahead(cursor.fetch_record_batch())) as batches:
                    for batch in batches:
                        yield convert(batch.slice(skip), table, lost)
                        skip = 0
            except (OSError, pa.ArrowInvalid, adbc_driver_manager.Error) as error:
                raise _read_error(table, error) from error


def _value(stored: Any, table: Table, column: Column) -> Value | None:
    """A stored extreme as a value; of an instant, only its day is needed."""
    if stored is None or (isinstance(stored, int) and column.type.kind is Kind.INT):
        return stored
    try:
        return date.fromisoformat(str(stored)[:10])
    except ValueError as error:
        raise unfit(table.name, column, f"the extreme value {stored!r} is not {column.type}") from error


def _relation(table: Table) -> str:
    return f"{_D.quote(table.name)} AS t"


def _same_key(column: Column, i: int) -> str:
    """Whether a key column is the i-th of the wanted values; by its index, whose collation may have 'a' as 'A'."""
    same = f"t.{_D.quote(column.name)} = json_extract(wanted.value, '$[{i}]')"
    return f"{same} AND {same} COLLATE BINARY" if column.type.kind is Kind.STRING else same


def _read_error(table: Table, error: Exception) -> SourceError:
    if match := _MISMATCH.search(str(error)):
        column = table.columns[int(match[1])]
        return unfit(table.name, column, f"holds values that are not {column.type}")
    if match := _REFUSED.search(str(error)):
        column = table.columns[int(match[1])]
        what = f"holds a value of SQLite's type {match[2]} that is not {column.type}"
        return unfit(table.name, column, what, "bytes" if match[2] == "blob" else "string")
    return SourceError(
        f"table {table.name}: {_first_line(error)}", "mend what SQLite names, then run the same command again"
    )
