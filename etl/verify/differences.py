"""Located rows, compared cell by cell and named: table, key, kind, column, both values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from etl.scratch import Scratch
from etl.verify.locate import Located
from etl.verify.rowsum import Side
from schemas.table import Table

Row = tuple[str | None, ...]

SHOWN = 1_000
"""How many differences of one comparison are named; all are counted."""

_KEYS_AT_ONCE = 20_000


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


@dataclass(frozen=True, slots=True)
class Judged:
    """Differences, all counted and the first ``SHOWN`` named; apart from those that are only pending."""

    counts: dict[DifferenceKind, int]
    pending: int
    shown: tuple[Difference, ...] = ()
    shown_pending: tuple[Difference, ...] = ()


EQUAL = Judged(dict.fromkeys(DifferenceKind, 0), 0)


class Judge:
    """Tells what differs from what is pending; ``waits`` if all of it is, else by the highest cursor seen."""

    def __init__(self, scratch: Scratch, table: Table, seen: str | None = None, *, waits: bool = False) -> None:
        self._scratch, self._table, self._seen, self._waits = scratch, table, seen, waits

    def judge(self, located: Located, source: Side, warehouse: Side) -> Judged:
        """Count every difference by its kind and name the first ones; memory does not grow with their cells."""
        if not self._table.key:
            return self._judge_keyless(located)
        kinds = self._kinds(located)
        waiting = self._waiting(kinds, source)
        pending, remaining = kinds.filter(waiting), kinds.filter(pc.invert(waiting))
        shown, shown_pending = (self._described(part, source, warehouse) for part in (remaining, pending))
        return Judged(_counted(remaining["etl_kind"]), pending.num_rows, shown, shown_pending)

    def _kinds(self, located: Located) -> pa.Table:
        """The distinct keys in order, and what differs about each: ``etl_kind``."""
        keys = self._scratch.dialect.columns(self._table.key)
        cases = (("MIN", ">", DifferenceKind.MISSING), ("MAX", "<", DifferenceKind.EXTRA))
        whens = " ".join(f"WHEN {least}(etl_surplus) {sign} 0 THEN '{kind}'" for least, sign, kind in cases)
        with self._scratch.holding(located=located.rows):
            return self._scratch.query(
                f"SELECT {keys}, CASE {whens} ELSE '{DifferenceKind.CHANGED}' END AS etl_kind "
                f"FROM located GROUP BY {keys} ORDER BY {keys}"
            )

    def _waiting(self, kinds: pa.Table, source: Side) -> pa.ChunkedArray:
        """Which of the keys are only pending."""
        if self._waits or self._seen is None or not self._table.cursor.column:
            return pa.chunked_array([pa.array([self._waits] * kinds.num_rows, pa.bool_())])
        starts = range(0, kinds.num_rows, _KEYS_AT_ONCE)
        waiting = [self._moved(kinds.slice(start, _KEYS_AT_ONCE), source) for start in starts]
        return pa.chunked_array(waiting, pa.bool_())

    def _moved(self, kinds: pa.Table, source: Side) -> pa.Array:
        """Which of these keys have a row in the source whose cursor is past the highest one seen."""
        ours = kinds.filter(pc.not_equal(kinds["etl_kind"], DifferenceKind.EXTRA)).select(list(self._table.key))
        if not ours.num_rows:
            return pa.array([False] * kinds.num_rows, pa.bool_())
        rows = source.rows(ours).select([*self._table.key, self._table.cursor.column])
        moved = set()
        for *key, cursor in zip(*(column.to_pylist() for column in rows.columns), strict=True):
            if moved_after(_shown(cursor), self._seen):
                moved.add(tuple(key))
        keys = zip(*(kinds[name].to_pylist() for name in self._table.key), strict=True)
        return pa.array([key in moved for key in keys], pa.bool_())

    def _described(self, kinds: pa.Table, source: Side, warehouse: Side) -> tuple[Difference, ...]:
        keys = kinds.select(list(self._table.key)).slice(0, SHOWN)
        return tuple(describe(self._scratch, self._table, keys, source, warehouse)) if keys.num_rows else ()

    def _judge_keyless(self, located: Located) -> Judged:
        surplus = located.rows["etl_surplus"]
        missing = pc.sum(pc.greater(surplus, 0)).as_py() or 0
        shown = tuple(_keyless(self._table, located.rows.slice(0, SHOWN)))
        if self._waits:
            return Judged(EQUAL.counts, located.rows.num_rows, (), shown)
        extra = located.rows.num_rows - missing
        counts = EQUAL.counts | {DifferenceKind.MISSING: missing, DifferenceKind.EXTRA: extra}
        return Judged(counts, 0, shown)


def _counted(kinds: pa.ChunkedArray) -> dict[DifferenceKind, int]:
    counted = {entry["values"]: entry["counts"] for entry in pc.value_counts(kinds).to_pylist()}
    return {kind: counted.get(kind.value, 0) for kind in DifferenceKind}


def moved_after(cursor: str | None, seen: str | None) -> bool:
    """Whether a source row's cursor is past the highest one seen; what is neither number nor instant is not."""
    if cursor is None or seen is None:
        return False
    if cursor.startswith("0x") and seen.startswith("0x"):
        return cursor > seen  # row versions, all of one length
    with suppress(ValueError):
        return int(cursor) > int(seen)
    with suppress(ValueError, TypeError):
        return datetime.fromisoformat(cursor) > datetime.fromisoformat(seen)
    return False


def describe(scratch: Scratch, table: Table, keys: pa.Table, source: Side, warehouse: Side) -> list[Difference]:
    """Name the differences of rows with these keys, which are fetched from both sides."""
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


def _keyless(table: Table, rows: pa.Table) -> Iterator[Difference]:
    """One difference for each content of which one side has more rows."""
    for row in rows.to_pylist():
        surplus = row["etl_surplus"]
        kind = DifferenceKind.MISSING if surplus > 0 else DifferenceKind.EXTRA
        shown = {column.name: _shown(row[column.name]) for column in table.columns}
        cells = tuple(
            CellDifference(name, value if surplus > 0 else None, None if surplus > 0 else value)
            for name, value in shown.items()
        )
        yield Difference(table.target, {}, kind, cells, max(surplus, 0), max(-surplus, 0))
