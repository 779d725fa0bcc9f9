"""Every query is GoogleSQL, and DuckDB returns for it what GoogleSQL's reference implementation returns."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import mart_reference as reference
import pytest
from mart_worlds import World, random_world, stored, world

from etl.publish.marts import build
from etl.publish.queries import Query
from etl.warehouses.duckdb import DuckDbWarehouse


@pytest.fixture(scope="module", params=["empty", 1])
def built(
    request: pytest.FixtureRequest, queries: dict[str, Query], tmp_path_factory: pytest.TempPathFactory
) -> tuple[World, DuckDbWarehouse]:
    contents = world() if request.param == "empty" else random_world(request.param)
    warehouse = stored(contents, tmp_path_factory.mktemp("marts") / "warehouse.duckdb")
    build(warehouse, queries, lambda: None)
    return contents, warehouse


def test_query_is_googlesql_with_the_columns_of_its_header(mart: str, queries: dict[str, Query]) -> None:
    query = queries[mart]
    declared = [(name, reference.kind(type_)) for name, type_ in query.header.types.items()]
    assert reference.output(query.text, reference.tables(queries)) == declared


def test_tests_are_googlesql(mart: str, queries: dict[str, Query]) -> None:
    assert queries[mart].tests, "a mart without a test can be wrong in silence"
    for sql in queries[mart].tests.values():
        reference.output(sql, reference.tables(queries))


def test_duckdb_returns_what_the_reference_returns(
    mart: str, queries: dict[str, Query], built: tuple[World, DuckDbWarehouse]
) -> None:
    contents, warehouse = built
    query = queries[mart]
    rows = {f"raw.{name}": rows for name, rows in contents.items()}
    rows |= {f"marts.{name}": warehouse.query(f"SELECT * FROM marts.{name}").to_pylist() for name in query.needs}
    expected = reference.evaluate(query.text, reference.tables(queries), rows)
    actual = warehouse.query(f"SELECT * FROM marts.{mart}").to_pylist()
    types = query.header.types
    assert _sorted([_plain(row, types) for row in actual]) == _sorted([_from_json(row, types) for row in expected])


def test_duckdb_has_the_types_of_the_header(
    mart: str, queries: dict[str, Query], built: tuple[World, DuckDbWarehouse]
) -> None:
    physical = {"INT64": "BIGINT", "FLOAT64": "DOUBLE", "STRING": "VARCHAR", "BOOL": "BOOLEAN", "DATE": "DATE"}
    declared = {
        name: physical.get(type_) or type_.replace("NUMERIC", "DECIMAL").replace(" ", "")
        for name, type_ in queries[mart].header.types.items()
    }
    assert built[1].columns("marts", mart) == declared


def _plain(row: dict[str, Any], types: dict[str, str]) -> dict[str, Any]:
    return {name: _rounded(value) for name, value in row.items() if name in types}


def _from_json(row: dict[str, Any], types: dict[str, str]) -> dict[str, Any]:
    return {name: _rounded(None if row[name] is None else _read(row[name], type_)) for name, type_ in types.items()}


def _read(value: Any, type_: str) -> Any:
    if type_.startswith("NUMERIC"):
        return Decimal(value)
    return {"DATE": date.fromisoformat, "FLOAT64": float}.get(type_, lambda same: same)(value)


def _rounded(value: Any) -> Any:
    """The order in which floats are added is nobody's promise; twelve digits are."""
    return float(f"{value:.12g}") if isinstance(value, float) else value


def _sorted(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: [(value is not None, str(value)) for value in row.values()])
