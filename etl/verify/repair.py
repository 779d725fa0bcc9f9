"""Bringing the warehouse to the source for exactly the rows that were located."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from etl.dialects.base import Statement
from etl.ledger import Ledger, Load
from etl.sources.base import Snapshot
from etl.verify.differences import located_keys
from etl.verify.locate import Located
from etl.warehouses.base import STAGING, Warehouse
from schemas.table import Table


@dataclass(frozen=True, slots=True)
class Repair:
    """What a repair would do: which keys it deletes and which of the source's rows it inserts."""

    keys: pa.Table
    rows: pa.Table
    deletes: int
    """How many warehouse rows would be gone afterwards without another taking their key."""


def plan_repair(snapshot: Snapshot, table: Table, located: Located) -> Repair:
    """Read the source's rows for the located keys, from the snapshot in which they were located."""
    keys = located_keys(table, located)
    rows = pa.Table.from_batches(snapshot.read_keys(table, keys), table.arrow)
    return Repair(keys, rows, max(keys.num_rows - rows.num_rows, 0))


def apply_repair(warehouse: Warehouse, ledger: Ledger, table: Table, repair: Repair, load: Load) -> None:
    """Delete the keys and insert the rows, in one transaction with ``load``; doubled keys vanish too."""
    keys_name, rows_name = (f"{STAGING}{table.target}__{role}" for role in ("keys", "rows"))
    keyed = Table(keys_name, table.key_columns)
    _stage(warehouse, keys_name, keyed, repair.keys)
    _stage(warehouse, rows_name, table, repair.rows)
    target = warehouse.relation("raw", table.target)
    names = [column.name for column in table.columns]
    keys, rows = (warehouse.relation("raw", name) for name in (keys_name, rows_name))
    statements: list[Statement | str] = [
        ledger.still_newest(table.target, load.load_no - 1),
        warehouse.dialect.delete_matching(target, keys, table.key),
        warehouse.dialect.insert_from(target, rows, names),
        ledger.statement(load),
    ]
    warehouse.commit(statements)
    warehouse.drop(keys_name)
    warehouse.drop(rows_name)


def _stage(warehouse: Warehouse, name: str, table: Table, rows: pa.Table) -> None:
    warehouse.create(name, {column.name: warehouse.dialect.ddl(column.type) for column in table.columns})
    warehouse.append(name, table, rows.to_batches())
