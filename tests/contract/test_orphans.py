"""Rows whose parent is not copied, by foreign key."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from support.warehouses import WarehouseEngine

from etl.verify.orphans import count_orphans
from etl.warehouses.base import Warehouse
from schemas import types
from schemas.table import Column, ForeignKey, Table
from schemas.types import LogicalType

ID = Column("id", types.INT, nullable=False)
PAIRS = Table("pairs", (Column("a", types.INT), Column("b b", types.STRING)), ("a", "b b"))
TREE = Table("tree", (ID, Column("up", types.INT)), ("id",), foreign_keys=(ForeignKey(("up",), "tree", ("id",)),))
LEAVES = Table(
    "leaves",
    (ID, Column("x", types.INT), Column("y", types.STRING), Column("tree", types.INT)),
    ("id",),
    foreign_keys=(ForeignKey(("x", "y"), "pairs", ("a", "b b")), ForeignKey(("tree",), "tree", ("id",))),
)


def _put(warehouse: Warehouse, table: Table, *rows: tuple[Any, ...]) -> None:
    columns = zip(*rows, strict=True)
    batch = pa.table([pa.array(c, t) for c, t in zip(columns, table.arrow.types, strict=True)], schema=table.arrow)
    warehouse.stage(table.name, table.columns, batch)


def test_orphans_are_counted_by_key_and_null_refers_to_nothing(warehouse: WarehouseEngine) -> None:
    with warehouse.opened() as opened:
        _put(opened, PAIRS, (1, "one"), (2, "two"))
        _put(opened, TREE, (1, None), (2, 1), (3, 9))
        _put(
            opened,
            LEAVES,
            (1, 1, "one", 1),
            (2, 1, "two", 2),  # a pair that is not there, of values that are
            (3, 7, None, 8),  # half a key refers to nothing
            (4, None, None, 8),
            (5, 2, "two", None),
        )
        found = count_orphans(opened, (LEAVES, TREE, PAIRS))
    assert {str(one): one.rows for one in found} == {
        "leaves(x, y) → pairs(a, b b)": 1,
        "leaves(tree) → tree(id)": 2,
        "tree(up) → tree(id)": 1,
    }


def test_a_key_to_a_table_that_is_not_copied_or_of_another_kind_is_not_counted(warehouse: WarehouseEngine) -> None:
    def child(name: str, type_: LogicalType, parent: str) -> Table:
        return Table(name, (Column("p", type_),), foreign_keys=(ForeignKey(("p",), parent, ("id",)),))

    parent, alone, other = Table("p", (ID,)), child("alone", types.INT, "gone"), child("other", types.STRING, "p")
    with warehouse.opened() as opened:
        _put(opened, parent, (1,))
        _put(opened, alone, (2,))
        _put(opened, other, ("x",))
        gone = Table("gone", (ID,))
        assert count_orphans(opened, (alone, other, parent, gone)) == []
