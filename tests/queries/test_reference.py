"""Every query is GoogleSQL, and DuckDB returns for it what GoogleSQL's reference implementation returns."""

from __future__ import annotations

import mart_reference as reference
import pytest
from mart_worlds import World, random_world, stored, world

from etl.publish.marts import build
from etl.publish.queries import Query
from etl.warehouses.duckdb import DuckDbWarehouse

Built = tuple[World, DuckDbWarehouse]


@pytest.fixture(scope="module", params=["empty", 1])
def built(request: pytest.FixtureRequest, queries: dict[str, Query], tmp_path_factory: pytest.TempPathFactory) -> Built:
    contents = world() if request.param == "empty" else random_world(request.param)
    warehouse = stored(contents, tmp_path_factory.mktemp("marts") / "warehouse.duckdb")
    build(warehouse, queries, lambda: None)
    return contents, warehouse


def test_query_and_its_tests_are_googlesql_with_the_columns_of_the_header(mart: str, queries: dict[str, Query]) -> None:
    reference.check_declared(queries[mart], reference.tables(queries))


def test_duckdb_returns_what_the_reference_returns(mart: str, queries: dict[str, Query], built: Built) -> None:
    contents, warehouse = built
    reference.check_evaluated(queries[mart], reference.tables(queries), contents, warehouse)


def test_duckdb_has_the_types_of_the_header(mart: str, queries: dict[str, Query], built: Built) -> None:
    reference.check_stored_types(queries[mart], built[1])
