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
from schemas.table import FULL, Column, Cursor, CursorKind, Table
from schemas.types import Kind, LogicalType

Rows = list[dict[str, Any]]
Query = Callable[[str], Rows]

DEFAULT_SCHEMA = "dbo"
_MICROSECONDS = 6

RELATIONS = """
SELECT o.object_id AS object_id, s.name AS schema_name, o.name AS name, RTRIM(o.type) AS kind
FROM sys.objects AS o JOIN sys.schemas AS s ON s.schema_id = o.schema_id
WHERE o.type IN ('U', 'V') AND o.is_ms_shipped = 0
ORDER BY s.name, o.name"""
# Hidden period columns are listed here only. A type of the user's own is named by what it is made of.
COLUMNS = """
SELECT c.object_id AS object_id, c.name AS name, c.is_nullable AS is_nullable,
       COALESCE(b.name, y.name) AS type_name, c.max_length AS max_length, c.precision AS digits, c.scale AS scale,
       c.encryption_type AS encryption
FROM sys.columns AS c JOIN sys.objects AS o ON o.object_id = c.object_id
JOIN sys.types AS y ON y.user_type_id = c.user_type_id
LEFT JOIN sys.types AS b ON b.user_type_id = c.system_type_id AND y.is_assembly_type = 0
WHERE o.type IN ('U', 'V') AND o.is_ms_shipped = 0
ORDER BY c.object_id, c.column_id"""
# A filtered index does not name every row, a disabled one none.
KEYS = """
SELECT i.object_id AS object_id, i.index_id AS index_id, i.is_primary_key AS is_primary, c.name AS name
FROM sys.indexes AS i JOIN sys.objects AS o ON o.object_id = i.object_id
JOIN sys.index_columns AS k ON k.object_id = i.object_id AND k.index_id = i.index_id
JOIN sys.columns AS c ON c.object_id = k.object_id AND c.column_id = k.column_id
WHERE o.type = 'U' AND o.is_ms_shipped = 0 AND i.is_unique = 1 AND i.has_filter = 0 AND i.is_disabled = 0
  AND i.is_hypothetical = 0 AND k.key_ordinal > 0
ORDER BY i.object_id, i.index_id, k.key_ordinal"""
REFERENCES = """
SELECT f.parent_object_id AS object_id, f.referenced_object_id AS target
FROM sys.foreign_keys AS f ORDER BY f.parent_object_id, f.referenced_object_id"""
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

    required: Mapping[str, frozenset[str]]
    primary: Mapping[str, tuple[str, ...]]

    def cursors(self, table: Table) -> tuple[Cursor, ...]:
        """Every way to find the table's changes, best first."""
        known = next((known for known in self.tables if known.target == table.target), table)
        return known.cursor, *known.cursors


def catalog(query: Query) -> Catalog:
    """The catalog of the connected database; ``query`` gives the rows of a query."""
    relations = {row["object_id"]: row for row in query(RELATIONS)}
    columns, keys, references, comments = (_grouped(query(sql)) for sql in (COLUMNS, KEYS, REFERENCES, COMMENTS))
    tracked = {row["object_id"] for row in query(TRACKED)}
    targets = {oid: Table(row["name"], (), schema=_schema(row)).target for oid, row in relations.items()}
    physical: dict[str, dict[str, Physical]] = {}
    required: dict[str, frozenset[str]] = {}
    primary: dict[str, tuple[str, ...]] = {}
    tables = []
    for oid, row in relations.items():
        if not columns[oid]:
            continue
        target = targets[oid]
        indexes = _indexes(keys[oid])
        physical[target] = {column["name"]: _physical(column) for column in columns[oid]}
        required[target] = frozenset(column["name"] for column in columns[oid] if not column["is_nullable"])
        primary[target] = next((names for is_primary, names in indexes if is_primary), ())
        refs = dict.fromkeys(targets[other["target"]] for other in references[oid] if other["target"] in targets)
        described = {comment["name"]: comment["text"] or "" for comment in comments[oid]}
        typed = tuple(
            _column(column, physical[target][column["name"]], described.get(column["name"], ""))
            for column in columns[oid]
        )
        tables.append(_table(row, typed, indexes, tuple(refs), physical[target], oid in tracked))
    return Catalog(tuple(tables), physical, required, primary)


def _grouped(rows: Rows) -> dict[int, Rows]:
    found: dict[int, Rows] = defaultdict(list)
    for row in rows:
        found[row["object_id"]].append(row)
    return found


def _schema(row: Mapping[str, Any]) -> str:
    return "" if row["schema_name"] == DEFAULT_SCHEMA else str(row["schema_name"])


def _physical(row: Mapping[str, Any]) -> Physical:
    encrypted = row["encryption"] is not None
    return Physical(row["type_name"], row["max_length"], row["digits"], row["scale"], encrypted)


def _column(row: Mapping[str, Any], physical: Physical, comment: str) -> Column:
    type_ = physical.logical or LogicalType(Kind.STRING, large=True)
    return Column(row["name"], type_, bool(row["is_nullable"]), comment, physical.refused)


def _indexes(rows: Rows) -> list[tuple[bool, tuple[str, ...]]]:
    found: dict[tuple[int, bool], list[str]] = defaultdict(list)
    for row in rows:
        found[row["index_id"], bool(row["is_primary"])].append(row["name"])
    return [(is_primary, tuple(names)) for (_, is_primary), names in found.items()]


def _table(
    row: Mapping[str, Any],
    columns: tuple[Column, ...],
    indexes: Sequence[tuple[bool, tuple[str, ...]]],
    references: tuple[str, ...],
    physical: Mapping[str, Physical],
    tracked: bool,
) -> Table:
    key = best_key(indexes, {column.name for column in columns if _names_a_row(column)})
    tracked = tracked and (True, key) in indexes
    cursors = [] if row["kind"] == "V" else list(_cursors(columns, physical, tracked))
    default, *others = cursors or [FULL]
    return Table(row["name"], columns, key, default, _schema(row), references, tuple(others))


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
