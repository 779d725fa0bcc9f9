"""Two sides over Arrow tables, compared without any database beside the scratch one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from etl.scratch import Scratch
from etl.verify.differences import Difference, Judge
from etl.verify.locate import Located, locate
from etl.verify.rowsum import StreamSide
from schemas.table import Table

Row = tuple[Any, ...]


def arrow(table: Table, rows: Iterable[Row]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(table.columns)
    arrays = [pa.array(values, c.type.arrow) for values, c in zip(columns, table.columns, strict=True)]
    return pa.table(arrays, schema=table.arrow)


def side_of(scratch: Scratch, table: Table, rows: pa.Table) -> StreamSide:
    def by_key(keys: pa.Table) -> list[pa.RecordBatch]:
        wanted = set(zip(*(keys[name].to_pylist() for name in table.key), strict=True))
        found = zip(*(rows[name].to_pylist() for name in table.key), strict=True)
        return rows.filter(pa.array([key in wanted for key in found], pa.bool_())).to_batches()

    return StreamSide(scratch, table, rows.to_batches, by_key).add_all()


def located_and_described(table: Table, source: pa.Table, warehouse: pa.Table) -> tuple[Located, list[Difference]]:
    scratch = Scratch()
    try:
        sides = side_of(scratch, table, source), side_of(scratch, table, warehouse)
        located = locate(scratch, table, *sides)
        return located, list(Judge(scratch, table).judge(located, *sides).shown)
    finally:
        scratch.close()
