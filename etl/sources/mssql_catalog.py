"""What tables a SQL Server database has, read from sys.*: six queries whatever the number of tables.

https://learn.microsoft.com/en-us/sql/relational-databases/system-catalog-views/object-catalog-views-transact-sql
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from etl.sources.conventions import best_key, updated_at
from etl.sources.mssql_types import Physical
from schemas.table import FULL, Column, Cursor, CursorKind, ForeignKey, Table
from schemas.types import Kind, LogicalType

Rows = list[dict[str, Any]]
Query = Callable[[str], Rows]
Index = tuple[bool, tuple[str, ...]]
"""Whether it is the primary key, and its columns."""

DEFAULT_SCHEMA = "dbo"
_MICROSECONDS = 6

RELATIONS = """
SELECT t.object_id AS object_id, s.name AS schema_name, t.name AS name, 0 AS is_view
FROM sys.tables AS t JOIN sys.schemas AS s ON s.schema_id = t.schema_id WHERE t.is_ms_shipped = 0
UNION ALL
SELECT v.object_id, s.name, v.name, 1
FROM sys.views AS v JOIN sys.schemas AS s ON s.schema_id = v.schema_id WHERE v.is_ms_shipped = 0
ORDER BY schema_name, name"""
# Of all objects; hidden period columns are listed here only. A type of the user's own is named by what it is made of.
COLUMNS = """
SELECT c.object_id AS object_id, c.name AS name, c.is_nullable AS is_nullable,
       COALESCE(b.name, y.name) AS type_name, c.max_length AS max_length, c.[precision] AS digits, c.scale AS scale,
       c.encryption_type AS encryption, c.collation_name AS collation
FROM sys.columns AS c JOIN sys.types AS y ON y.user_type_id = c.user_type_id
LEFT JOIN sys.types AS b ON b.user_type_id = c.system_type_id AND y.is_assembly_type = 0
ORDER BY c.object_id, c.column_id"""
# A filtered index does not name every row, a disabled one none.
KEYS = """
SELECT i.object_id AS object_id, i.index_id AS index_id, i.is_primary_key AS is_primary, c.name AS name
FROM sys.indexes AS i JOIN sys.index_columns AS k ON k.object_id = i.object_id AND k.index_id = i.index_id
JOIN sys.columns AS c ON c.object_id = k.object_id AND c.column_id = k.column_id
WHERE i.is_unique = 1 AND i.has_filter = 0 AND i.is_disabled = 0
  AND i.is_hypothetical = 0 AND k.key_ordinal > 0
ORDER BY i.object_id, i.index_id, k.key_ordinal"""
REFERENCES = """
SELECT k.parent_object_id AS object_id, k.constraint_object_id AS id, k.referenced_object_id AS target,
       c.name AS name, p.name AS other
FROM sys.foreign_key_columns AS k
JOIN sys.columns AS c ON c.object_id = k.parent_object_id AND c.column_id = k.parent_column_id
JOIN sys.columns AS p ON p.object_id = k.referenced_object_id AND p.column_id = k.referenced_column_id
ORDER BY k.parent_object_id, k.constraint_object_id, k.constraint_column_id"""
TRACKED = "SELECT t.object_id AS object_id FROM sys.change_tracking_tables AS t"
COMMENTS = """
SELECT p.major_id AS object_id, c.name AS name, CAST(p.value AS nvarchar(4000)) AS text
FROM sys.extended_properties AS p JOIN sys.columns AS c ON c.object_id = p.major_id AND c.column_id = p.minor_id
WHERE p.class = 1 AND p.name = N'MS_Description'"""


@dataclass(frozen=True, slots=True)
class Catalog:
    """The tables, and what the logical types leave out: each column's own type, primary keys, who is tracked."""

    tables: tuple[Table, ...]
    physical: Mapping[str, Mapping[str, Physical]]
    """By a table's target name and a column's name."""

    primary: Mapping[str, tuple[str, ...]]
    tracked: frozenset[str] = frozenset()
    """Target names of the tables whose changes are tracked."""


def catalog(query: Query) -> Catalog:
    """The catalog of the connected database; ``query`` gives the rows of a query."""
    relations = query(RELATIONS)
    columns, keys, references, comments = (_grouped(query(sql)) for sql in (COLUMNS, KEYS, REFERENCES, COMMENTS))
    tracked = {row["object_id"] for row in query(TRACKED)}
    targets = {row["object_id"]: Table(row["name"], (), schema=_schema(row)).target for row in relations}
    found = [
        _Found(
            row,
            columns[oid],
            {comment["name"]: comment["text"] or "" for comment in comments[oid]},
            _indexes(keys[oid]),
            _foreign_keys(references[oid], targets),
            oid in tracked,
        )
        for row in relations
        if columns[oid := row["object_id"]]
    ]
    return Catalog(
        tuple(one.table() for one in found),
        {targets[one.row["object_id"]]: one.physical for one in found},
        {targets[one.row["object_id"]]: one.primary for one in found},
        frozenset(targets[one.row["object_id"]] for one in found if one.tracked),
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """What the catalog says of one table or view."""

    row: Mapping[str, Any]
    columns: Rows
    comments: Mapping[str, str]
    indexes: Sequence[Index]
    foreign_keys: tuple[ForeignKey, ...]
    tracked: bool

    @property
    def physical(self) -> dict[str, Physical]:
        """The columns' own types."""
        return {column["name"]: _physical(column) for column in self.columns}

    @property
    def primary(self) -> tuple[str, ...]:
        """The primary key."""
        return next((names for is_primary, names in self.indexes if is_primary), ())

    def table(self) -> Table:
        """The table with the best key and the best cursor."""
        columns = tuple(_column(column, self.comments.get(column["name"], "")) for column in self.columns)
        key = best_key(self.indexes, {column.name for column in columns if _names_a_row(column)})
        cursors = (
            []
            if self.row["is_view"]
            else list(_cursors(columns, self.physical, self.tracked and key == self.primary != ()))
        )
        default, *others = cursors or [FULL]
        return Table(
            self.row["name"],
            columns,
            key,
            default,
            _schema(self.row),
            tuple(dict.fromkeys(one.parent for one in self.foreign_keys)),
            tuple(others),
            foreign_keys=self.foreign_keys,
        )


def _grouped(rows: Rows) -> dict[int, Rows]:
    found: dict[int, Rows] = defaultdict(list)
    for row in rows:
        found[row["object_id"]].append(row)
    return found


def _schema(row: Mapping[str, Any]) -> str:
    return "" if row["schema_name"] == DEFAULT_SCHEMA else str(row["schema_name"])


def _physical(row: Mapping[str, Any]) -> Physical:
    encrypted = row["encryption"] is not None
    return Physical(row["type_name"], row["max_length"], row["digits"], row["scale"], encrypted, row["collation"] or "")


def _column(row: Mapping[str, Any], comment: str) -> Column:
    physical = _physical(row)
    type_ = physical.logical or LogicalType(Kind.STRING, large=True)
    return Column(row["name"], type_, bool(row["is_nullable"]), comment, physical.refused)


def _indexes(rows: Rows) -> list[Index]:
    found: dict[tuple[int, bool], list[str]] = defaultdict(list)
    for row in rows:
        found[row["index_id"], bool(row["is_primary"])].append(row["name"])
    return [(is_primary, tuple(names)) for (_, is_primary), names in found.items()]


def _foreign_keys(rows: Rows, targets: Mapping[int, str]) -> tuple[ForeignKey, ...]:
    found: dict[tuple[int, int], Rows] = defaultdict(list)
    for row in rows:
        found[row["target"], row["id"]].append(row)
    return tuple(
        ForeignKey(tuple(row["name"] for row in key), targets[target], tuple(row["other"] for row in key))
        for (target, _), key in found.items()
        if target in targets
    )


def _names_a_row(column: Column) -> bool:
    """Two instants that differ past the microsecond are one in a warehouse."""
    return not column.nullable and not column.refused and column.type.fraction <= _MICROSECONDS


def _cursors(columns: Sequence[Column], physical: Mapping[str, Physical], tracked: bool) -> Iterable[Cursor]:
    version = next((column.name for column in columns if physical[column.name].name == "timestamp"), None)
    if version:
        yield Cursor(CursorKind.ROWVERSION, version)
    if tracked:
        yield Cursor(CursorKind.CHANGE_TRACKING)
    if found := updated_at(columns):
        yield found
