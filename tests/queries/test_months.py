"""Marts built by months: whatever happens to the rows, building what has changed gives what building all gives."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import mart_reference as reference
import pyarrow as pa
import pytest
from mart_worlds import World, random_world, stored, table, world_of
from sqlalchemy import MetaData
from support import googlesql

from etl.dialects.googlesql import GoogleSqlDialect
from etl.publish import months
from etl.publish.errors import MartError, QueryError
from etl.publish.header import parse
from etl.publish.marts import MartResult, build
from etl.publish.months import Months, condition, measured, narrowed
from etl.publish.queries import Query, chosen, load, render
from etl.publish.translate import translate
from etl.warehouses.duckdb import DuckDbWarehouse
from schemas import churn, health, hopify

STEPS = 10
SCHEMAS: dict[str, MetaData] = {"hopify": hopify.metadata, "churn": churn.metadata, "health": health.metadata}
INCREMENTAL = [(world, name) for world in SCHEMAS for name, query in load(world).items() if query.header.incremental]


def random_usage(seed: int) -> World:
    """A churn world of few customers and days: repetitions, month ends and rows before the signup are common."""
    dice = random.Random(seed)  # noqa: S311
    first = date(2024, 1, 25)
    people = [
        {"customer_id": i, "signup_date": first + timedelta(dice.randint(0, 20)), "plan": "Pro", "region": "EU"}
        for i in range(12)
    ]
    usage = [
        {
            "customer_id": dice.randint(0, 13),
            "usage_date": first + timedelta(dice.randint(0, 70)),
            "sessions": dice.randint(-1, 4),
            "usage_minutes": dice.choice([0.0, 12.5, 1500.0, dice.random()]),
            "feature_events": dice.randint(0, 9),
        }
        for _ in range(120)
    ]
    return world_of(churn.metadata, {"customers": people, "usage_daily": usage})


WORLDS: dict[str, Callable[[int], World]] = {"hopify": random_world, "churn": random_usage}


class Changes:
    """Random changes of raw tables: rows inserted, late or not, changed (also into another month), and deleted."""

    def __init__(self, warehouse: DuckDbWarehouse, schema: MetaData, tables: Sequence[str], seed: int) -> None:
        self._warehouse, self._schema, self._tables = warehouse, schema, list(tables)
        self._random = random.Random(seed)  # noqa: S311

    def make(self, donor: World) -> None:
        name = self._random.choice(self._tables)
        self._random.choice([self._insert, self._change, self._delete])(name, donor)

    def _insert(self, name: str, donor: World) -> None:
        rows = self._random.sample(donor[name], min(3, len(donor[name])))
        target = table(name, self._schema)
        self._warehouse.append(name, target, pa.Table.from_pylist(rows, schema=target.arrow).to_batches())

    def _change(self, name: str, _donor: World) -> None:
        """One value of one row becomes that of another row."""
        column = self._random.choice([c.name for c in table(name, self._schema).columns])
        here, there = self._row(name), self._row(name)
        value = f"(SELECT {column} FROM raw.{name} WHERE rowid = {there})"
        self._warehouse.commit([f"UPDATE raw.{name} SET {column} = {value} WHERE rowid = {here}"])

    def _delete(self, name: str, _donor: World) -> None:
        self._warehouse.commit([f"DELETE FROM raw.{name} WHERE rowid = {self._row(name)}"])

    def _row(self, name: str) -> int:
        rows = self._warehouse.query(f"SELECT rowid AS r FROM raw.{name} ORDER BY r")["r"].to_pylist()
        return int(self._random.choice(rows)) if rows else -1


def rows_of(warehouse: DuckDbWarehouse, sql: str) -> list[str]:
    return sorted(map(str, warehouse.query(sql).to_pylist()))


def made_of(results: Sequence[MartResult]) -> dict[str, Months]:
    return {result.name: result.months for result in results if result.months}


@pytest.fixture(params=INCREMENTAL, ids="-".join)
def incremental(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[DuckDbWarehouse, dict[str, Query], Query]]:
    """A random world with one of its incremental marts, and what that needs."""
    world, name = request.param
    warehouse = stored(WORLDS[world](5), tmp_path / "warehouse.duckdb", SCHEMAS[world])
    queries = chosen(load(world), [name])
    yield warehouse, queries, queries[name]
    warehouse.close()


Mart = tuple[DuckDbWarehouse, dict[str, Query], Query]


def test_months_do_not_depend_on_one_another(incremental: Mart) -> None:
    """Each month of the whole is what the query makes of that month's inputs alone."""
    warehouse, queries, query = incremental
    assert_months_apart(warehouse, queries, query)


def assert_months_apart(warehouse: DuckDbWarehouse, queries: dict[str, Query], query: Query) -> None:
    digests = made_of(build(warehouse, queries, lambda: None))[query.name].digests
    assert len(digests) >= 3
    for month in digests:
        alone = render(narrowed(query, condition(query, [month], GoogleSqlDialect())), warehouse)
        whole = f"SELECT * FROM marts.{query.name} WHERE {condition(query, [month], warehouse.dialect)}"
        assert rows_of(warehouse, alone) == rows_of(warehouse, whole)


def test_building_what_has_changed_is_building_all(incremental: Mart) -> None:
    warehouse, queries, query = incremental
    schema = SCHEMAS[query.world]
    raw = sorted({name for q in queries.values() for name in q.tables if name in schema.tables})
    for seed in range(2):
        changes, before, partly = Changes(warehouse, schema, raw, seed), {}, 0
        for step in range(STEPS):
            results = build(warehouse, untested(queries), lambda: None, before)
            before = made_of(results)
            result = results[-1]
            assert result.name == query.name
            partly += result.renewed is not None and 0 < result.renewed < len(before[query.name].digests)
            assert rows_of(warehouse, f"SELECT * FROM marts.{query.name}") == rows_of(
                warehouse, render(query, warehouse)
            ), f"seed {seed}, step {step}"
            assert result.rows == len(warehouse.query(f"SELECT * FROM marts.{query.name}"))
            changes.make(WORLDS[query.world](100 * seed + step))
        assert partly >= STEPS // 4, "hardly anything was built in part"


def untested(queries: dict[str, Query]) -> dict[str, Query]:
    """The queries without their tests, which random changes break."""
    return {name: replace(query, header=replace(query.header, tests={})) for name, query in queries.items()}


@pytest.mark.parametrize(("world", "name"), INCREMENTAL)
def test_a_part_of_the_query_is_googlesql(world: str, name: str) -> None:
    queries = load(world)
    tables = reference.tables(queries, SCHEMAS[world])
    text = narrowed(queries[name], condition(queries[name], ["2024-02-01", "null"], GoogleSqlDialect())).text
    assert reference.output(text, tables) == reference.output(queries[name].text, tables)


class _BigQuery:
    """As much of a BigQuery warehouse as a translation needs."""

    dialect = GoogleSqlDialect()

    def namespace(self, room: str) -> str:
        return f"`{room}`"

    def soft_tables(self) -> frozenset[str]:
        return frozenset()


@pytest.mark.parametrize(("world", "name"), INCREMENTAL)
def test_what_bigquery_is_told_is_googlesql(world: str, name: str) -> None:
    queries, target = load(world), _BigQuery()
    query = queries[name]
    changed = condition(query, ["2024-01-01", "2024-02-01", "null"], target.dialect)
    stored_as = {f"{n.replace('.', '__')}": types for n, types in reference.tables(queries, SCHEMAS[world]).items()}

    def flat(sql: str) -> str:
        return re.sub(r"`(raw|marts)`\.`(\w+)`", r"\1__\2", sql)

    for clause in query.header.incremental:
        inputs = translate(months._alone(query, clause), target)
        googlesql.analyze(flat(months._digests(inputs, query.header.partition, target.dialect)), stored_as)
    googlesql.analyze(f"DELETE FROM marts__{name} WHERE {changed}", stored_as)
    building = stored_as | {f"marts__{name}__building": query.header.types}
    overlaid = translate(f"SELECT * FROM marts.{name}", target, building=frozenset({name}), renewed={name: changed})
    googlesql.analyze(flat(overlaid), building)


def test_months_side_by_side_are_one_range() -> None:
    query = made()
    wanted = condition(query, ["2024-01-01", "2023-12-01", "2024-03-01"], GoogleSqlDialect())
    assert wanted.count(">=") == wanted.count("<") == 2


HEADER = """\
-- question: q?
-- grain: one row a month
-- columns:
--   month DATE: first day
--   n INT64: sum
-- partition: month
-- incremental: here, there
"""
BODY = """\
WITH here AS (SELECT DATE_TRUNC(DATE(ordered_at), MONTH) AS month, order_id FROM raw.orders),
there AS (SELECT DATE_TRUNC(DATE(paid_at), MONTH) AS month, amount FROM raw.payments),
both_sides AS (
  SELECT month, COUNT(*) AS n FROM here GROUP BY month
  UNION ALL SELECT month, COUNT(*) FROM there GROUP BY month
)
SELECT month, SUM(n) AS n FROM both_sides GROUP BY month"""


def made(text: str = BODY, header: str = HEADER, name: str = "made") -> Query:
    return Query(name, "test", header + text, parse(header + text, name))


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[DuckDbWarehouse]:
    warehouse = stored(random_world(7), tmp_path / "warehouse.duckdb")
    yield warehouse
    warehouse.close()


def refreshed(warehouse: DuckDbWarehouse, before: dict[str, Months], *queries: Query) -> list[MartResult]:
    return build(warehouse, {query.name: query for query in queries}, lambda: None, before)


def contents(warehouse: DuckDbWarehouse, name: str = "made") -> dict[Any, int]:
    rows = warehouse.query(f"SELECT month, n FROM marts.{name}").to_pylist()
    return {row["month"]: row["n"] for row in rows}


def test_only_the_months_that_changed_are_built(warehouse: DuckDbWarehouse) -> None:
    first = refreshed(warehouse, {}, made())
    held = contents(warehouse)
    assert (first[0].is_built, first[0].renewed) == (True, None)
    again = refreshed(warehouse, made_of(first), made())
    assert (again[0].is_built, again[0].renewed) == (False, 0)
    # A published month that is wrong shows which months are built: it stays wrong as long as its inputs are the same.
    warehouse.commit(["UPDATE marts.made SET n = -1"])
    warehouse.commit(["UPDATE raw.orders SET ordered_at = TIMESTAMP '2024-02-29 12:00:00' WHERE order_id = 1"])
    moved = refreshed(warehouse, made_of(first), made())
    built = {month for month, n in contents(warehouse).items() if n != -1}
    assert date(2024, 2, 1) in built
    assert len(built) == moved[0].renewed == 2
    assert [first[0].extent, again[0].extent, moved[0].extent] == [
        "all of it",
        "unchanged",
        f"2 of {len(held)} months",
    ]
    assert built < held.keys()


def test_rows_without_a_month_are_a_month_of_their_own(warehouse: DuckDbWarehouse) -> None:
    before = made_of(refreshed(warehouse, {}, made()))
    warehouse.commit(["UPDATE raw.orders SET ordered_at = NULL WHERE order_id = 2"])
    results = refreshed(warehouse, before, made())
    assert results[0].renewed == 2
    assert contents(warehouse)[None] == 1
    before = made_of(results)
    warehouse.commit(["DELETE FROM raw.orders WHERE order_id = 2"])
    results = refreshed(warehouse, before, made())
    assert results[0].renewed == 1
    assert None not in contents(warehouse)
    assert contents(warehouse) == {
        row["month"]: row["n"] for row in warehouse.query(render(made(), warehouse)).to_pylist()
    }


def test_another_text_is_built_whole(warehouse: DuckDbWarehouse) -> None:
    before = made_of(refreshed(warehouse, {}, made()))
    results = refreshed(warehouse, before, made(BODY.replace("SUM(n)", "SUM(2 * n)")))
    assert results[0].renewed is None


def test_what_reads_it_reads_old_and_new_months(warehouse: DuckDbWarehouse) -> None:
    header = HEADER.replace("-- incremental: here, there\n", "")
    reader = made("SELECT made.month, n FROM marts.made", header, "reader")
    before = made_of(refreshed(warehouse, {}, made(), reader))
    warehouse.commit(["DELETE FROM raw.orders WHERE order_id <= 3"])
    results = refreshed(warehouse, before, made(), reader)
    assert results[0].renewed
    assert contents(warehouse, "reader") == contents(warehouse)


def test_a_failing_test_of_old_and_new_months_publishes_nothing(warehouse: DuckDbWarehouse) -> None:
    total = sum(row["n"] for row in warehouse.query(render(made(), warehouse)).to_pylist())
    header = HEADER + f"-- tests:\n--   total: SELECT SUM(n) AS n FROM marts.made HAVING SUM(n) != {total}\n"
    before = made_of(refreshed(warehouse, {}, made(header=header)))
    held = contents(warehouse)
    warehouse.commit(["DELETE FROM raw.orders WHERE order_id = 1"])
    with pytest.raises(MartError, match=f"mart made fails its test total, first rows: n={total - 1}"):
        refreshed(warehouse, before, made(header=header))
    assert contents(warehouse) == held
    assert warehouse.tables("marts") == ["made"]


MORE = BODY.replace("both_sides AS", "more AS (SELECT 1 AS n FROM raw.plans), both_sides AS")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (BODY + " UNION ALL SELECT month, visitors FROM raw.web_traffic", "reads raw.web_traffic beside here, there"),
        (MORE.replace("there GROUP", "there CROSS JOIN more GROUP"), "reads raw.plans beside here, there"),
        (BODY.replace("there AS (", "away AS (").replace("FROM there", "FROM away"), "no WITH clause 'there'"),
        (BODY.replace("FROM raw.payments", "FROM raw.payments CROSS JOIN here"), "clause there reads here"),
    ],
)
def test_inputs_beside_the_named_clauses_are_refused(warehouse: DuckDbWarehouse, body: str, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        refreshed(warehouse, {}, made(body))


def test_rows_of_other_months_than_were_to_be_built_are_refused(warehouse: DuckDbWarehouse) -> None:
    shifted = made(BODY.replace("SELECT month, SUM(n)", "SELECT DATE_ADD(month, INTERVAL 1 MONTH) AS month, SUM(n)"))
    before = made_of(refreshed(warehouse, {}, shifted))
    held = contents(warehouse)
    warehouse.commit(["DELETE FROM raw.orders WHERE order_id = 1"])
    with pytest.raises(MartError, match="its inputs of some months give rows of others"):
        refreshed(warehouse, before, shifted)
    assert contents(warehouse) == held


def test_a_mart_whose_months_depend_on_one_another_is_noticed(warehouse: DuckDbWarehouse) -> None:
    lying = made(BODY.replace("SUM(n) AS n", "SUM(SUM(n)) OVER (ORDER BY month) AS n"))
    with pytest.raises(AssertionError):
        assert_months_apart(warehouse, {"made": lying}, lying)


ALIKE = [
    ("'a'", "'b'", "0.0"),
    ("'ab'", "''", "0.0"),
    ("NULL", "'b'", "0.0"),
    ("'null'", "'b'", "0.0"),
    ("'a'", "'b'", "0.1::DOUBLE + 0.2::DOUBLE"),
    ("'a'", "'b'", "0.3"),
    ("'a\",\"'", "'b'", "0.0"),
    ("'a'", "'\",\"b'", "0.0"),
]


def test_a_digest_tells_values_apart_that_look_alike(warehouse: DuckDbWarehouse) -> None:
    query = made(
        "WITH here AS (SELECT * FROM raw.x) SELECT month, COUNT(*) AS n FROM here GROUP BY month",
        HEADER.replace("here, there", "here"),
    )
    rows = ", ".join(f"(DATE '2024-01-01' + INTERVAL {i} MONTH, {', '.join(values)})" for i, values in enumerate(ALIKE))
    warehouse.commit(
        [
            "CREATE TABLE raw.all_of_them (month DATE, a VARCHAR, b VARCHAR, c DOUBLE)",
            f"INSERT INTO raw.all_of_them VALUES {rows}",
        ]
    )
    found = set()
    for i in range(len(ALIKE)):
        only = f"SELECT * REPLACE (DATE '2024-01-01' AS month) FROM raw.all_of_them WHERE month(month) = {i + 1}"
        warehouse.commit([f"CREATE OR REPLACE VIEW raw.x AS {only}"])
        months = measured(query, warehouse, frozenset(), {})
        assert months
        found.add(months.digests["2024-01-01"])
    assert len(found) == len(ALIKE)


def test_digests_do_not_depend_on_the_order_of_rows_but_on_their_number(warehouse: DuckDbWarehouse) -> None:
    def digests() -> dict[str, str]:
        months = measured(made(), warehouse, frozenset(), {})
        assert months
        return dict(months.digests)

    before = digests()
    warehouse.commit(["CREATE OR REPLACE TABLE raw.orders AS SELECT * FROM raw.orders ORDER BY order_id DESC"])
    assert digests() == before
    warehouse.commit(["INSERT INTO raw.orders SELECT * FROM raw.orders WHERE order_id = 1"])
    assert len([month for month, digest in digests().items() if before[month] != digest]) == 1


def test_what_is_kept_is_read_back() -> None:
    months = Months("code", {"2024-01-01": "a", "null": "b"})
    assert Months.read(months.as_json()) == months
    assert Months.read(None) is None
