"""Marts: built aside, tested, published together or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from etl.errors import GateShutError
from etl.publish.errors import MartError, QueryError
from etl.publish.header import parse
from etl.publish.marts import build, creation
from etl.publish.queries import Query
from etl.warehouses.duckdb import DuckDbWarehouse


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[DuckDbWarehouse]:
    warehouse = DuckDbWarehouse(tmp_path / "warehouse.duckdb")
    warehouse.commit(["CREATE TABLE raw.numbers AS SELECT * FROM range(3) AS numbers(n)"])
    yield warehouse
    warehouse.close()


def mart(name: str, sql: str, test: str = "SELECT 1 FROM raw.numbers WHERE n < 0") -> Query:
    text = f"-- question: q?\n-- grain: one row\n-- columns:\n--   n INT64: n\n-- tests:\n--   holds: {test}\n{sql}"
    return Query(name, "test", text, parse(text, name))


def marts(*queries: Query) -> dict[str, Query]:
    return {query.name: query for query in queries}


BASE = mart("base", "SELECT n + 1 AS n FROM raw.numbers")
TOTAL = mart("total", "SELECT SUM(n) AS n FROM marts.base", "SELECT * FROM marts.total WHERE n != 6")
NEW_BASE = mart("base", "SELECT n + 10 AS n FROM raw.numbers")


def contents(warehouse: DuckDbWarehouse) -> dict[str, list[int]]:
    """Everything in the marts' room, leftovers included."""
    return {
        name: sorted(warehouse.query(f'SELECT n FROM marts."{name}"')["n"].to_pylist())
        for name in warehouse.tables("marts")
    }


def test_marts_are_built_in_order_and_published(warehouse: DuckDbWarehouse) -> None:
    calls: list[dict[str, list[int]]] = []
    results = build(warehouse, marts(TOTAL, BASE), lambda: calls.append(contents(warehouse)))
    assert [(result.name, result.rows, result.tests) for result in results] == [("base", 3, 1), ("total", 1, 1)]
    assert contents(warehouse) == {"base": [1, 2, 3], "total": [6]}
    assert calls == [{"base__building": [1, 2, 3], "total__building": [6]}], "the gate is asked just before publishing"


def test_building_again_replaces(warehouse: DuckDbWarehouse) -> None:
    build(warehouse, marts(BASE, TOTAL), lambda: None)
    warehouse.commit(["INSERT INTO raw.numbers VALUES (0)"])
    build(warehouse, marts(BASE), lambda: None)
    assert contents(warehouse) == {"base": [1, 1, 2, 3], "total": [6]}


def test_a_failing_test_publishes_nothing(warehouse: DuckDbWarehouse) -> None:
    build(warehouse, marts(BASE, TOTAL), lambda: None)
    published = contents(warehouse)
    with pytest.raises(MartError, match="mart total fails its test holds, first rows: n=33") as caught:
        build(warehouse, marts(NEW_BASE, TOTAL), lambda: None)
    assert "nothing was published" in caught.value.remedy
    assert contents(warehouse) == published


def test_a_shut_gate_publishes_nothing(warehouse: DuckDbWarehouse) -> None:
    build(warehouse, marts(BASE), lambda: None)

    def gate() -> None:
        raise GateShutError("the gate is shut")

    with pytest.raises(GateShutError):
        build(warehouse, marts(NEW_BASE), gate)
    assert contents(warehouse) == {"base": [1, 2, 3]}


def test_a_query_that_fails_names_its_file(warehouse: DuckDbWarehouse) -> None:
    with pytest.raises(MartError, match=r"queries/test/bad.sql failed: .*no_such_column"):
        build(warehouse, marts(mart("bad", "SELECT no_such_column AS n FROM raw.numbers")), lambda: None)
    assert contents(warehouse) == {}


def test_a_test_that_cannot_run_is_named(warehouse: DuckDbWarehouse) -> None:
    broken = mart("base", "SELECT n FROM raw.numbers", "SELECT no_such_column FROM marts.base")
    with pytest.raises(MartError, match=r"test holds of queries/test/base.sql failed"):
        build(warehouse, marts(broken), lambda: None)
    assert contents(warehouse) == {}


def test_a_query_that_is_no_sql_is_refused_before_anything_is_built(warehouse: DuckDbWarehouse) -> None:
    with pytest.raises(QueryError, match=r"queries/test/bad.sql is not GoogleSQL"):
        build(warehouse, marts(BASE, mart("bad", "SELECT (1 AS n")), lambda: None)
    assert contents(warehouse) == {}


def test_what_a_killed_run_left_is_removed(warehouse: DuckDbWarehouse) -> None:
    leftover = mart("gone", "SELECT n FROM raw.numbers")
    warehouse.commit([creation(warehouse, leftover, frozenset()), creation(warehouse, BASE, frozenset())])
    build(warehouse, marts(BASE), lambda: None)
    assert contents(warehouse) == {"base": [1, 2, 3]}


def test_missing_columns_of_the_header_are_an_error(warehouse: DuckDbWarehouse) -> None:
    with pytest.raises(MartError, match=r"queries/test/base.sql failed"):
        build(warehouse, marts(mart("base", "SELECT n AS m FROM raw.numbers")), lambda: None)
