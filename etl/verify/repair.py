"""Bringing the warehouse to the source for exactly the rows that were located."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from etl.dialects.base import WORDS
from etl.errors import StoppedTableError, WarehouseError
from etl.ledger import Ledger
from etl.records import Load
from etl.scratch import Scratch
from etl.verify.differences import located_keys
from etl.verify.keeping import Keeper
from etl.verify.locate import Located
from etl.verify.rowsum import Selection, Side
from etl.warehouses.base import Warehouse, staging_name
from schemas import types
from schemas.table import Column, Table

_KEYS_AT_ONCE = 50_000
_WORDS_AT_ONCE = 1_000
"""How many words are named in a query; for more, all rows are looked at."""


@dataclass(frozen=True, slots=True)
class Repair:
    """Which rows a repair deletes, by key or for a table without one by words, and which it inserts.

    ``rows`` are read from the snapshot in which the keys were located, some at a time.
    """

    keys: pa.Table
    rows: Callable[[], Iterable[pa.Table]]


def plan_repair(scratch: Scratch, table: Table, located: Located, source: Side) -> Repair:
    """What is to be deleted, and where the source's rows for it come from."""
    if not table.key:
        words = located.rows.select(WORDS)
        return Repair(words, lambda: _rows_hashed(scratch, table, words, source))
    keys = located_keys(table, located)
    return Repair(keys, lambda: (source.rows(some) for some in _slices(keys)))


def _slices(keys: pa.Table) -> Iterator[pa.Table]:
    for start in range(0, keys.num_rows, _KEYS_AT_ONCE):
        yield keys.slice(start, _KEYS_AT_ONCE)


def vanished(table: Table, located: Located) -> int:
    """How many located rows the warehouse alone has: by key, or for a table without one by their number."""
    surplus = located.rows["etl_surplus"]
    if not table.key:
        return max(-int(sum(surplus.to_pylist())), 0)
    sides = (pc.greater(surplus, 0), pc.less(surplus, 0))
    ours, theirs = (located_keys(table, Located(located.rows.filter(side), 0)) for side in sides)
    rows: int = theirs.join(ours, list(table.key), join_type="left anti").num_rows
    return rows


def refuse_mass_deletion(table: Table, deletes: int, rows: int, max_share: float) -> None:
    """Raise ``StoppedTableError`` if more than ``max_share`` of the warehouse's ``rows`` would vanish."""
    if deletes > max_share * rows:
        raise StoppedTableError(
            f"table {table.target}: {deletes:,} of the warehouse's {rows:,} rows are gone from the source",
            "if that is right, call once with ETL_SYNC_MAX_DELETE_SHARE=1",
        )


def apply_repair(
    warehouse: Warehouse,
    ledger: Ledger,
    table: Table,
    repair: Repair,
    load: Load,
    guard: Callable[[int], None],
    touched: Callable[[str, str], str | None] = lambda _rows, _keys: None,
) -> Load:
    """Delete and insert, in one transaction with the load, which is returned as it was written.

    Doubled rows vanish too. ``guard`` is told by how many rows the warehouse would shrink at the most,
    and raises if those are too many. ``touched`` is asked, for the names of the staged rows and keys,
    which partitions these are in.
    """
    keys_name, rows_name = (staging_name(table.target, role) for role in ("keys", "rows"))
    key = table.key_columns or tuple(Column(word, types.INT) for word in WORDS)
    try:
        warehouse.stage(keys_name, key, repair.keys)
        rows = _staged(warehouse, rows_name, table, repair.rows())
        guard(max(repair.keys.num_rows - rows, 0))
        load = replace(load, extracted=rows, changed=repair.keys.num_rows)
        if table.key:
            load = replace(load, touched=touched(rows_name, keys_name))
        _exchange(warehouse, ledger, table, keys_name, rows_name, load)
    finally:
        with suppress(WarehouseError):
            warehouse.drop(keys_name)
            warehouse.drop(rows_name)
    return load


def _staged(warehouse: Warehouse, name: str, table: Table, chunks: Iterable[pa.Table]) -> int:
    """Rows into a staging table, some at a time; how many there were."""
    warehouse.create(name, {column.name: warehouse.dialect.ddl(column.type) for column in table.columns})
    rows = sum(warehouse.append(name, table, chunk.to_batches()) for chunk in chunks)
    warehouse.flush(name)
    return rows


def _exchange(warehouse: Warehouse, ledger: Ledger, table: Table, keys_name: str, rows_name: str, load: Load) -> None:
    target, keys, rows = (warehouse.relation("raw", name) for name in (table.target, keys_name, rows_name))
    dialect, keeper = warehouse.dialect, Keeper(warehouse, ledger, table)
    delete = keeper.delete(keys, load, rows) if table.key else [dialect.delete_hashed(target, keys, table.columns)]
    insert = dialect.insert_from(target, rows, [column.name for column in table.columns])
    newest = ledger.still_newest(table.target, load.load_no - 1)
    kept = keeper.versions(load, keys)
    warehouse.commit([newest, *delete, insert, *kept, ledger.statement(load)])


def _rows_hashed(scratch: Scratch, table: Table, words: pa.Table, source: Side) -> Iterator[pa.Table]:
    """The source's rows with these words, every copy of each, some at a time."""
    names = [column.name for column in table.columns]
    matched = " AND ".join(f"m.{word} = k.{word}" for word in WORDS)
    for members in _likely(scratch, table, words, source):
        with scratch.holding(members=members, wanted=words):
            rows = scratch.query(
                f"SELECT {scratch.dialect.columns(names)} FROM members AS m "
                f"WHERE EXISTS (SELECT 1 FROM wanted AS k WHERE {matched})"
            )
        if rows.num_rows:
            yield rows.cast(table.arrow)


def _likely(scratch: Scratch, table: Table, words: pa.Table, source: Side) -> Iterator[pa.Table]:
    """Rows and their words, those with the wanted words among them: as named to the side if they are few, else all."""
    names = [column.name for column in table.columns]
    if words.num_rows <= _WORDS_AT_ONCE:
        yield from source.members(names, Selection(first_words=tuple(sorted(set(words[WORDS[0]].to_pylist())))))
        return
    hashes = scratch.dialect.hashes(table.columns, names, "chunk")
    for chunk in source.scan():
        with scratch.holding(chunk=chunk):
            yield scratch.query(hashes)
