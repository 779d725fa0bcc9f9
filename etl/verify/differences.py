"""Located rows, compared cell by cell and named: table, key, kind, column, both values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pyarrow as pa

from etl.scratch import Scratch
from etl.verify.locate import Located
from etl.verify.rowsum import Side
from schemas.table import Table

Row = tuple[str | None, ...]


class DifferenceKind(StrEnum):
    """Which side has a row, or whether both have it with other contents."""

    MISSING = "missing"
    EXTRA = "extra"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class CellDifference:
    """One column's two values, as text; None is NULL."""

    name: str
    source: str | None
    warehouse: str | None


@dataclass(frozen=True, slots=True)
class Difference:
    """One key's difference. ``source_rows`` and ``warehouse_rows`` count the rows that have this key.

    For a table without a key, ``key`` is empty and ``columns`` holds the row's content. ``cursor`` is
    the source row's cursor value, if it has one.
    """

    table: str
    key: dict[str, str | None]
    kind: DifferenceKind
    columns: tuple[CellDifference, ...]
    source_rows: int
    warehouse_rows: int
    cursor: str | None = None


def located_keys(table: Table, located: Located) -> pa.Table:
    """The distinct keys among located rows."""
    return located.rows.select(list(table.key)).group_by(list(table.key)).aggregate([])


def describe(scratch: Scratch, table: Table, located: Located, source: Side, warehouse: Side) -> list[Difference]:
    """Name every difference; rows with a located key are fetched from both sides, none else."""
    if not table.key:
        return list(_keyless(table, located))
    keys = located_keys(table, located)
    sides = [_by_key(scratch, table, side.rows(keys)) for side in (source, warehouse)]
    differences = []
    for key in sorted(sides[0].keys() | sides[1].keys(), key=_sortable):
        difference = _compare(table, key, sides[0].get(key, []), sides[1].get(key, []))
        if difference:
            differences.append(difference)
    return differences


def _sortable(key: Row) -> list[tuple[int, int, str]]:
    """Numbers by value, then texts; NULL last."""
    return [(2, 0, "") if part is None else _number_first(part) for part in key]


def _number_first(part: str) -> tuple[int, int, str]:
    digits = part.removeprefix("-")
    return (0, int(part), "") if digits.isascii() and digits.isdigit() else (1, 0, part)


@dataclass(frozen=True, slots=True)
class _Cells:
    """One row: what is compared (the rowsum's own text) and what is shown."""

    canonical: Row
    shown: Row


def _by_key(scratch: Scratch, table: Table, rows: pa.Table) -> dict[Row, list[_Cells]]:
    dialect = scratch.dialect
    cells = ", ".join(dialect.text(dialect.quote(c.name), c.type) + f" AS t{i}" for i, c in enumerate(table.columns))
    found: dict[Row, list[_Cells]] = defaultdict(list)
    key = [table.columns.index(column) for column in table.key_columns]
    # Several columns of 1,024 make a wide text, so the rows are taken in slices.
    for start in range(0, rows.num_rows, 50_000):
        part = rows.slice(start, 50_000)
        with scratch.holding(fetched=part):
            # Without insertion order kept, the shown values must come from the same query as the texts.
            shown = ", ".join(dialect.quote(c.name) + f" AS v{i}" for i, c in enumerate(table.columns))
            result = scratch.query(f"SELECT {cells}, {shown} FROM fetched")
        for row in zip(*(column.to_pylist() for column in result.columns), strict=True):
            canonical = row[: len(table.columns)]
            values = tuple(_shown(value) for value in row[len(table.columns) :])
            found[tuple(values[i] for i in key)].append(_Cells(canonical, values))
    return found


def _shown(value: Any) -> str | None:
    """A value as a person reads it: ISO dates, plain decimals, bytes in hex."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat(" ") if hasattr(value, "hour") and hasattr(value, "year") else str(value)


def _compare(table: Table, key: Row, source: list[_Cells], warehouse: list[_Cells]) -> Difference | None:
    source_only, warehouse_only = _unmatched(source, warehouse), _unmatched(warehouse, source)
    if not source_only and not warehouse_only:
        return None
    ours, theirs = (rows[0] if rows else None for rows in (source_only, warehouse_only))
    kind = DifferenceKind.CHANGED if ours and theirs else DifferenceKind.MISSING if ours else DifferenceKind.EXTRA
    named = dict(zip(table.key, key, strict=True))
    doubled = kind is not DifferenceKind.CHANGED and bool(source and warehouse)
    cells = _cells(table, *((source[0], warehouse[0]) if doubled else (ours, theirs)), doubled=doubled)
    return Difference(table.target, named, kind, cells, len(source), len(warehouse), _cursor(table, ours))


def _cursor(table: Table, row: _Cells | None) -> str | None:
    if row is None or not table.cursor.column:
        return None
    return row.shown[table.columns.index(table.column(table.cursor.column))]


def _unmatched(rows: Iterable[_Cells], others: Iterable[_Cells]) -> list[_Cells]:
    """The rows left after taking each of the others away once."""
    taken = [other.canonical for other in others]
    left = []
    for row in rows:
        if row.canonical in taken:
            taken.remove(row.canonical)
        else:
            left.append(row)
    return left


def _cells(
    table: Table, source: _Cells | None, warehouse: _Cells | None, *, doubled: bool
) -> tuple[CellDifference, ...]:
    """The cells that differ; all but the key's where a row is on one side only, or more often on one.

    Where the key is all there is, its own cells stand for the row.
    """
    hidden = () if len(table.key) == len(table.columns) else table.key
    differing = []
    for i, column in enumerate(table.columns):
        whole = doubled or not (source and warehouse)
        if column.name in hidden if whole else _same(source, warehouse, i):
            continue
        values = (side.shown[i] if side else None for side in (source, warehouse))
        differing.append(CellDifference(column.name, *values))
    return tuple(differing)


def _same(source: _Cells | None, warehouse: _Cells | None, i: int) -> bool:
    return source is not None and warehouse is not None and source.canonical[i] == warehouse.canonical[i]


def _keyless(table: Table, located: Located) -> Iterator[Difference]:
    """One difference for each content of which one side has more rows."""
    for row in located.rows.to_pylist():
        surplus = row["etl_surplus"]
        kind = DifferenceKind.MISSING if surplus > 0 else DifferenceKind.EXTRA
        shown = {column.name: _shown(row[column.name]) for column in table.columns}
        cells = tuple(
            CellDifference(name, value if surplus > 0 else None, None if surplus > 0 else value)
            for name, value in shown.items()
        )
        yield Difference(table.target, {}, kind, cells, max(surplus, 0), max(-surplus, 0))
