"""What tables a PostgreSQL database has, read from pg_catalog: four queries whatever the number of tables.

https://www.postgresql.org/docs/current/catalogs.html
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from etl.sources.conventions import best_key, updated_at
from etl.sources.postgres_types import Physical
from schemas.table import FULL, Column, Cursor, CursorKind, ForeignKey, Table

Rows = list[dict[str, Any]]
Query = Callable[[str], Rows]

_RELATIONS = """
SELECT c.oid::bigint AS oid, n.nspname::text AS schema, c.relname::text AS name,
       COALESCE(n.nspname = current_schema(), false) AS is_default,
       c.relkind = 'r' AND EXISTS (SELECT FROM pg_catalog.pg_inherits WHERE inhparent = c.oid) AS is_parent
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
  AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
ORDER BY 2, 3"""
# A domain is what it is made of, which may be another domain.
_COLUMNS = """
WITH RECURSIVE based (oid, base, modifier) AS (
  SELECT oid, oid, -1 FROM pg_catalog.pg_type WHERE typtype <> 'd'
  UNION ALL
  SELECT d.oid, b.base, CASE WHEN d.typtypmod >= 0 THEN d.typtypmod ELSE b.modifier END
  FROM pg_catalog.pg_type d JOIN based b ON b.oid = d.typbasetype WHERE d.typtype = 'd'
)
SELECT a.attrelid::bigint AS oid, a.attname::text AS name, a.attnotnull AS required, t.typname::text AS type,
       pg_catalog.format_type(a.atttypid, a.atttypmod) AS declared, t.typcategory::text AS category,
       (CASE WHEN t.oid = a.atttypid THEN a.atttypmod ELSE b.modifier END)::bigint AS modifier,
       COALESCE(pg_catalog.col_description(a.attrelid, a.attnum), '')::text AS comment
FROM pg_catalog.pg_attribute a JOIN based b ON b.oid = a.atttypid JOIN pg_catalog.pg_type t ON t.oid = b.base
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
ORDER BY a.attrelid, a.attnum"""
# Deferrable, partial and expression indexes do not name a row at every moment.
_KEYS = """
SELECT i.indrelid::bigint AS oid, i.indexrelid::bigint AS index, i.indisprimary AS is_primary, a.attname::text AS name
FROM pg_catalog.pg_index i
CROSS JOIN LATERAL unnest(i.indkey[0:i.indnkeyatts - 1]) WITH ORDINALITY AS k(attnum, position)
JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
WHERE i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
ORDER BY 1, 2, k.position"""
# A partition's own copy of a key has the key it comes from as its parent.
_REFERENCES = """
SELECT f.conrelid::bigint AS oid, f.confrelid::bigint AS target, f.oid::bigint AS id,
       a.attname::text AS name, b.attname::text AS other
FROM pg_catalog.pg_constraint f
CROSS JOIN LATERAL unnest(f.conkey, f.confkey) WITH ORDINALITY AS k(attnum, other, position)
JOIN pg_catalog.pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.attnum
JOIN pg_catalog.pg_attribute b ON b.attrelid = f.confrelid AND b.attnum = k.other
WHERE f.contype = 'f' AND f.conparentid = 0 ORDER BY 1, 2, 3, k.position"""
# TRUNCATE and whatever rewrites a table give it another file, in which an older snapshot sees no row
# (https://www.postgresql.org/docs/current/mvcc-caveats.html). pg_class is read in the snapshot, the
# function sees what is there now; a table's partitions and what a view reads, heirs with it, belong to it.
# A relation without a file of its own (a view, a system catalog) has the number 0.
INTACT = """
WITH RECURSIVE member (oid) AS (
  SELECT CAST(pg_catalog.to_regclass({name}) AS oid)
  UNION
  SELECT part.oid FROM member JOIN (
    SELECT inhparent AS whole, inhrelid AS oid FROM pg_catalog.pg_inherits
    UNION ALL
    SELECT r.ev_class, d.refobjid FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class v ON v.oid = r.ev_class
    JOIN pg_catalog.pg_depend d ON d.objid = r.oid AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
    WHERE v.relkind = 'v' AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
  ) AS part ON part.whole = member.oid
)
SELECT COALESCE(bool_and(
  c.oid IS NOT NULL AND c.relfilenode IN (0, COALESCE(pg_catalog.pg_relation_filenode(c.oid), 0))), false) AS intact
FROM member LEFT JOIN pg_catalog.pg_class c ON c.oid = member.oid"""


@dataclass(frozen=True, slots=True)
class Catalog:
    """The tables, and by their names in the warehouse what the rest of the toolkit need not know of them."""

    tables: tuple[Table, ...] = ()
    physical: Mapping[str, Mapping[str, Physical]] = field(default_factory=dict)
    """Each column's type."""
    parents: frozenset[str] = frozenset()
    """Tables that others inherit from; a query of one gives the rows of its heirs too, which are tables themselves."""


def catalog(query: Query) -> Catalog:
    """Every table and view outside the system's own schemas."""
    columns, keys, references = (_grouped(query(sql)) for sql in (_COLUMNS, _KEYS, _REFERENCES))
    relations = {row["oid"]: row for row in query(_RELATIONS) if columns[row["oid"]]}
    targets = {oid: _table(row, {}, (), (), ()).target for oid, row in relations.items()}
    physical = {oid: {row["name"]: _physical(row) for row in columns[oid]} for oid in relations}
    return Catalog(
        tuple(
            _table(row, physical[oid], columns[oid], keys[oid], _foreign_keys(references[oid], targets))
            for oid, row in relations.items()
        ),
        {targets[oid]: types for oid, types in physical.items()},
        frozenset(targets[oid] for oid, row in relations.items() if row["is_parent"]),
    )


def _grouped(rows: Rows) -> dict[int, Rows]:
    found: dict[int, Rows] = defaultdict(list)
    for row in rows:
        found[row["oid"]].append(row)
    return found


def _table(
    row: dict[str, Any],
    physical: Mapping[str, Physical],
    rows: Iterable[dict[str, Any]],
    keys: Iterable[dict[str, Any]],
    foreign: Sequence[ForeignKey],
) -> Table:
    columns = [_column(column, physical[column["name"]]) for column in rows]
    return Table(
        row["name"],
        tuple(columns),
        best_key(_indexes(keys), {column.name for column in columns if not column.nullable}),
        updated_at(columns) or FULL,
        "" if row["is_default"] else row["schema"],
        tuple(dict.fromkeys(key.parent for key in foreign)),
        tuple(Cursor(CursorKind.ROWVERSION, name) for name, type_ in physical.items() if type_.name == "xid8"),
        tuple(foreign),
    )


def _foreign_keys(rows: Rows, targets: Mapping[int, str]) -> list[ForeignKey]:
    """The keys that point at tables known by ``targets``, which gives their names in the warehouse."""
    found: dict[tuple[int, int], Rows] = defaultdict(list)
    for row in rows:
        found[row["target"], row["id"]].append(row)
    return [
        ForeignKey(tuple(row["name"] for row in key), targets[target], tuple(row["other"] for row in key))
        for (target, _), key in found.items()
        if target in targets
    ]


def _physical(row: dict[str, Any]) -> Physical:
    return Physical(row["type"], row["declared"], row["category"], row["modifier"])


def _column(row: dict[str, Any], physical: Physical) -> Column:
    return Column(row["name"], physical.logical, not row["required"], row["comment"], physical.refused)


def _indexes(rows: Iterable[dict[str, Any]]) -> list[tuple[bool, tuple[str, ...]]]:
    """Each unique index, as whether it is the primary key and its columns."""
    found: dict[tuple[bool, int], list[str]] = defaultdict(list)
    for row in rows:
        found[row["is_primary"], row["index"]].append(row["name"])
    return [(primary, tuple(names)) for (primary, _), names in found.items()]
