"""Rows of a copy whose parent is not in the copy: what tables synced at different instants can leave.

Each copy is equal to its own snapshot. Children are synced before their parents, so a parent's copy
is not older than its children's, and a child's row is an orphan only if its parent was deleted
between the two snapshots, if a table was retried later than its parents, or if it is one in the
source too: not every database enforces every key. The first two are gone after the next sync.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from etl.warehouses.base import Warehouse
from schemas.table import ForeignKey, Table


@dataclass(frozen=True, slots=True)
class Orphans:
    """How many rows of ``child`` name by a foreign key a row of its parent that is not there."""

    child: str
    key: ForeignKey
    rows: int

    def __str__(self) -> str:
        columns, parents = ", ".join(self.key.columns), ", ".join(self.key.parent_columns)
        return f"{self.child}({columns}) → {self.key.parent}({parents})"


def count_orphans(warehouse: Warehouse, tables: Sequence[Table]) -> list[Orphans]:
    """Count the orphans of every foreign key between those of ``tables`` that have a copy.

    Values are compared as they are: where the source compares text without regard to case, what it
    takes for a parent need not be one here. Raises ``WarehouseError``.
    """
    keys = list(_countable(tables, set(warehouse.tables("raw"))))
    if not keys:
        return []
    with warehouse.whole({name for child, key in keys for name in (child, key.parent)}):
        counted = warehouse.query(orphans_sql(warehouse, keys)).to_pylist()
    rows = {row["position"]: int(row["orphans"]) for row in counted}
    return [Orphans(child, key, rows[position]) for position, (child, key) in enumerate(keys)]


def orphans_sql(warehouse: Warehouse, keys: Sequence[tuple[str, ForeignKey]]) -> str:
    """One query for ``position, orphans`` of each of the keys, given with its child's name."""
    quote = warehouse.dialect.quote
    parts = []
    for position, (child, key) in enumerate(keys):
        pairs = zip(key.columns, key.parent_columns, strict=True)
        same = " AND ".join(f"etl_p.{quote(parent)} = etl_c.{quote(column)}" for column, parent in pairs)
        given = " AND ".join(f"etl_c.{quote(column)} IS NOT NULL" for column in key.columns)
        parts.append(
            f"SELECT {position} AS position, COUNT(*) AS orphans FROM {warehouse.relation('raw', child)} AS etl_c "
            f"WHERE {given} AND NOT EXISTS "
            f"(SELECT 1 FROM {warehouse.relation('raw', key.parent)} AS etl_p WHERE {same})"
        )
    return "\nUNION ALL\n".join(parts)


def _countable(tables: Sequence[Table], copied: Collection[str]) -> Iterator[tuple[str, ForeignKey]]:
    """The keys whose both ends are copied, in columns of the same kind."""
    known = {table.target: table for table in tables if table.target in copied}
    for child in known.values():
        for key in child.foreign_keys:
            parent = known.get(key.parent)
            if parent and _kinds(child, key.columns) == _kinds(parent, key.parent_columns):
                yield child.target, key


def _kinds(table: Table, columns: Sequence[str]) -> list[str]:
    """What kind of value each column holds; empty of a column that the table does not have."""
    kinds = {column.name: column.type.kind.value for column in table.columns}
    return [kinds.get(name, "") for name in columns]
