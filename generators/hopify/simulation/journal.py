"""Every change of a day goes through here: it is written to the database and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, Table, and_, bindparam

from schemas.hopify import metadata

CHUNK = 1_000
"""Values bound in one statement: SQL Server takes 2,100."""

KINDS = ("inserted", "updated", "deleted", "silent")


class Journal:
    """Writes to ``connection`` and counts rows by table and kind of change.

    ``silent`` are updates that leave ``updated_at`` alone; they are not counted among ``updated``.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.counts: Counter[tuple[str, str]] = Counter()

    def insert(self, batches: Mapping[str, pa.RecordBatch]) -> None:
        """Insert every batch, in the order given."""
        for table, rows in batches.items():
            self.add(metadata.tables[table], rows.to_pylist())

    def add(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows given as values by column."""
        if rows:
            self._connection.execute(table.insert(), rows)
            self.counts[table.name, "inserted"] += len(rows)

    def update(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Update rows, each given by its primary key with the same changed columns; silent without ``updated_at``."""
        if not rows:
            return
        key = [column.name for column in table.primary_key.columns]
        changed = [name for name in rows[0] if name not in key]
        statement = (
            table.update()
            .where(and_(*(table.c[name] == bindparam(f"key_{name}") for name in key)))
            .values({name: bindparam(f"new_{name}") for name in changed})
        )
        bound = [
            {f"key_{name}": row[name] for name in key} | {f"new_{name}": row[name] for name in changed} for row in rows
        ]
        self._connection.execute(statement, bound)
        self.counts[table.name, "updated" if "updated_at" in changed else "silent"] += len(rows)

    def delete(self, table: Table, column: str, values: Sequence[int]) -> None:
        """Delete the rows whose ``column`` is one of ``values``."""
        for some in chunks(values):
            deleted = self._connection.execute(table.delete().where(table.c[column].in_(some)))
            self.counts[table.name, "deleted"] += deleted.rowcount


def chunks(values: Sequence[int]) -> Iterator[Sequence[int]]:
    """``values`` in pieces that fit one statement."""
    for first in range(0, len(values), CHUNK):
        yield values[first : first + CHUNK]


def by_table(counts: Mapping[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    """Counts as a table of tables: every table of the world, every kind of change."""
    return {table: {kind: counts.get((table, kind), 0) for kind in KINDS} for table in metadata.tables}
