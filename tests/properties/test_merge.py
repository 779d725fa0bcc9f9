"""The merge: a window replayed changes nothing, and what it leaves is what a model says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.warehouses.duckdb import DuckDbWarehouse
from schemas import types
from schemas.table import Column, Table

TABLE = Table(
    "t",
    (Column("v", types.STRING), Column("b", types.STRING), Column("a", types.INT)),
    key=("a", "b"),
)
Row = tuple[str | None, str, int]

rows = st.tuples(st.sampled_from([None, "", "x", "y"]), st.sampled_from(["p", "q"]), st.integers(0, 5))
windows = st.lists(rows, max_size=8, unique_by=lambda row: row[1:])


@pytest.fixture(scope="module")
def warehouse() -> Iterator[DuckDbWarehouse]:
    with TemporaryDirectory() as directory:
        opened = DuckDbWarehouse(Path(directory) / "w.duckdb")
        yield opened
        opened.close()


def fill(warehouse: DuckDbWarehouse, name: str, some: Iterable[Row]) -> None:
    warehouse.create(name, {column.name: warehouse.dialect.ddl(column.type) for column in TABLE.columns})
    columns = list(zip(*some, strict=True)) or [(), (), ()]
    batch = pa.table(
        [pa.array(values, c.type.arrow) for values, c in zip(columns, TABLE.columns, strict=True)], schema=TABLE.arrow
    )
    warehouse.append(name, TABLE, batch.to_batches())


def merge(warehouse: DuckDbWarehouse, window: list[Row]) -> None:
    fill(warehouse, "staged", window)
    target, staged = warehouse.relation("raw", "t"), warehouse.relation("raw", "staged")
    warehouse.commit([warehouse.dialect.merge(target, staged, [c.name for c in TABLE.columns], TABLE.key)])


def held(warehouse: DuckDbWarehouse) -> list[Row]:
    names = [column.name for column in TABLE.columns]
    found = warehouse.query(f"SELECT {', '.join(names)} FROM raw.t").to_pylist()
    return sorted((tuple(row[name] for name in names) for row in found), key=repr)


@settings(max_examples=60, deadline=None)
@given(windows, st.lists(windows, max_size=4), st.integers(1, 3))
def test_replayed_windows_leave_what_the_model_holds(
    warehouse: DuckDbWarehouse, first: list[Row], later: list[list[Row]], times: int
) -> None:
    fill(warehouse, "t", first)
    model = {row[1:]: row for row in first}
    for window in later:
        model.update({row[1:]: row for row in window})
        for _ in range(times):
            merge(warehouse, window)
            assert held(warehouse) == sorted(model.values(), key=repr)


def test_a_table_that_is_all_key_can_be_merged(warehouse: DuckDbWarehouse) -> None:
    warehouse.commit(
        [
            "CREATE OR REPLACE TABLE raw.links AS SELECT 1 AS a, 2 AS b",
            "CREATE OR REPLACE TABLE raw.more AS SELECT * FROM (VALUES (1, 2), (1, 3)) AS t(a, b)",
            warehouse.dialect.merge("raw.links", "raw.more", ["a", "b"], ["a", "b"]),
        ]
    )
    assert warehouse.query("SELECT COUNT(*) AS n FROM raw.links")["n"].to_pylist() == [2]
