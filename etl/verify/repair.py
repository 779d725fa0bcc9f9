"""Bringing the warehouse to the source for exactly the rows that were located."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from etl.dialects.base import WORDS
from etl.errors import StoppedTableError
from etl.ledger import Ledger, Load
from etl.scratch import Scratch
from etl.verify.differences import located_keys
from etl.verify.keeping import Keeper
from etl.verify.locate import Located
from etl.verify.rowsum import Selection, Side
from etl.warehouses.base import Warehouse, staging_name
from schemas import types
from schemas.table import Column, Table


@dataclass(frozen=True, slots=True)
class Repair:
    """Which rows a repair deletes, by key or for a table without one by words, and which it inserts."""

    keys: pa.Table
    rows: pa.Table
    deletes: int
    """By how many rows the warehouse would shrink, at the most."""


def plan_repair(scratch: Scratch, table: Table, located: Located, source: Side) -> Repair:
    """Read the source's rows for what was located, from the snapshot in which it was located."""
    if table.key:
        keys = located_keys(table, located)
        rows = source.rows(keys)
    else:
        keys = located.rows.select(WORDS)
        rows = _rows_hashed(scratch, table, keys, source)
    return Repair(keys, rows, max(keys.num_rows - rows.num_rows, 0))


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
            f"table {table.name}: {deletes:,} of the warehouse's {rows:,} rows are gone from the source",
            "if that is right, call once with ETL_SYNC_MAX_DELETE_SHARE=1",
        )


def apply_repair(warehouse: Warehouse, ledger: Ledger, table: Table, repair: Repair, load: Load) -> None:
    """Delete and insert, in one transaction with ``load``; doubled rows vanish too."""
    keys_name, rows_name = (staging_name(table.target, role) for role in ("keys", "rows"))
    key = table.key_columns or tuple(Column(word, types.INT) for word in WORDS)
    warehouse.stage(keys_name, key, repair.keys)
    warehouse.stage(rows_name, table.columns, repair.rows)
    target, keys, rows = (warehouse.relation("raw", name) for name in (table.target, keys_name, rows_name))
    dialect, keeper = warehouse.dialect, Keeper(warehouse, ledger, table)
    delete = keeper.delete(keys, load, rows) if table.key else [dialect.delete_hashed(target, keys, table.columns)]
    insert = dialect.insert_from(target, rows, [column.name for column in table.columns])
    newest = ledger.still_newest(table.target, load.load_no - 1)
    kept = keeper.versions(load, keys)
    warehouse.commit([newest, *delete, insert, *kept, ledger.statement(load)])
    warehouse.drop(keys_name)
    warehouse.drop(rows_name)


def _rows_hashed(scratch: Scratch, table: Table, words: pa.Table, source: Side) -> pa.Table:
    """The source's rows with these words, every copy of each."""
    names = [column.name for column in table.columns]
    first = tuple(sorted(set(words[WORDS[0]].to_pylist())))
    members = source.members(names, Selection(first_words=first))
    matched = " AND ".join(f"m.{word} = k.{word}" for word in WORDS)
    with scratch.holding(members=members, wanted=words):
        rows = scratch.query(
            f"SELECT {scratch.dialect.columns(names)} FROM members AS m "
            f"WHERE EXISTS (SELECT 1 FROM wanted AS k WHERE {matched})"
        )
    return rows.cast(table.arrow)
