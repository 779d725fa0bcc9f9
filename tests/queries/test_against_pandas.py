"""Every mart against an independent computation, on worlds full of edges and on a generated one."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

import kpi_oracles
import mart_oracles
import pandas as pd
import pytest
import sqlalchemy as sa
import trade_oracles
from mart_worlds import World, random_world, stored

from etl.publish.marts import build
from etl.publish.queries import Query
from etl.warehouses.duckdb import DuckDbWarehouse
from generators.hopify import generate
from schemas import hopify

Built = tuple[dict[str, pd.DataFrame], DuckDbWarehouse]


@pytest.fixture(scope="module", params=["generated", 11, 12])
def built(
    request: pytest.FixtureRequest, queries: dict[str, Query], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Built]:
    directory = tmp_path_factory.mktemp("marts")
    contents = _generated(directory) if request.param == "generated" else random_world(request.param, customers=60)
    warehouse = stored(contents, directory / "warehouse.duckdb")
    build(warehouse, queries, lambda: None)
    yield {name: _frame(name, rows) for name, rows in contents.items()}, warehouse
    warehouse.close()


def test_mart_is_what_pandas_makes_of_the_rows(mart: str, queries: dict[str, Query], built: Built) -> None:
    frames, warehouse = built
    module = next(module for module in (mart_oracles, kpi_oracles, trade_oracles) if mart in vars(module))
    expected = getattr(module, mart)(frames)
    assert expected, "an empty mart proves nothing"
    columns = list(queries[mart].columns)
    assert expected[0].keys() == set(columns), "every column is computed a second time"
    actual = warehouse.query(f"SELECT {', '.join(columns)} FROM marts.{mart}").to_pylist()
    assert comparable(actual, columns) == comparable(expected, columns)


@pytest.mark.parametrize("built", ["generated"], indirect=True)
def test_every_benchmark_of_the_csv_has_its_actual_value(built: Built) -> None:
    with files("generators.hopify").joinpath("benchmarks.csv").open(encoding="utf-8") as text:
        targets = {(row["segment"], row["metric_name"], row["target_period"]) for row in csv.DictReader(text)}
    rows = built[1].query("SELECT * FROM marts.benchmark_actuals").to_pylist()
    assert {(row["segment"], row["metric_name"], row["target_period"]) for row in rows} == targets
    assert [row for row in rows if row["actual"] is None or row["actual_year_before"] is None] == []


def _generated(directory: Path) -> World:
    url = f"sqlite:///{directory / 'hopify.db'}"
    generate(url, customers=250)
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        contents = {
            table.name: [dict(row._mapping) for row in connection.execute(sa.select(table))]
            for table in hopify.metadata.sorted_tables
        }
    engine.dispose()
    for customer in contents["customers"]:
        customer["public_id"] = str(customer["public_id"]).upper()
    return contents


def _frame(name: str, rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=[column.name for column in hopify.metadata.tables[name].columns], dtype=object)


def comparable(rows: list[dict[str, Any]], columns: list[str]) -> list[tuple[Any, ...]]:
    """Rows in one order; floats to ten digits, as nobody promises the order in which they are added."""
    found = [tuple(_plain(row[column]) for column in columns) for row in rows]
    return sorted(found, key=lambda row: tuple((value is not None, str(value)) for value in row))


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.10g}")
    return value.quantize(Decimal("0.01")) if isinstance(value, Decimal) else value
