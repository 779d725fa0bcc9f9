"""The health world's marts: GoogleSQL, equal to plain computations, and right at the edges."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import health_oracles
import mart_reference as reference
import pandas as pd
import pytest
from health_worlds import random_health
from mart_worlds import World, stored, world_of
from test_against_pandas import comparable

from etl.publish.errors import MartError
from etl.publish.marts import build
from etl.publish.queries import load
from etl.warehouses.duckdb import DuckDbWarehouse
from generators.health.batches import batches
from schemas.health import metadata

WORLD = "health"
HEALTH = load(WORLD)
D = Decimal
Marts = Callable[..., Callable[[str], list[dict[str, Any]]]]


@pytest.fixture(scope="module", params=[(500, 42), (0, 1), "edges 1", "edges 2"], ids=str)
def built(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[World, DuckDbWarehouse]]:
    edges = isinstance(request.param, str)
    contents = (
        random_health(int(request.param.split()[1]))
        if edges
        else {name: batch.to_pylist() for name, batch in batches(*request.param).items()}
    )
    warehouse = stored(contents, tmp_path_factory.mktemp("health") / "warehouse.duckdb", metadata)
    build(warehouse, HEALTH, lambda: None)
    yield contents, warehouse
    warehouse.close()


def test_query_and_its_tests_are_googlesql_with_the_columns_of_the_header(mart: str) -> None:
    reference.check_declared(HEALTH[mart], reference.tables(HEALTH, metadata))


def test_mart_is_what_a_plain_computation_makes_of_the_rows(mart: str, built: tuple[World, DuckDbWarehouse]) -> None:
    contents, warehouse = built
    frames = {
        name: pd.DataFrame(rows, columns=[c.name for c in metadata.tables[name].columns], dtype=object)
        for name, rows in contents.items()
    }
    expected = getattr(health_oracles, mart)(frames)
    if contents["day06_customers"] or mart in ("assumptions", "months", "mrr_movements", "day06_mrr_summary"):
        assert expected, "an empty mart proves nothing"
    else:
        assert warehouse.query(f"SELECT * FROM marts.{mart}").num_rows == 0 == len(expected)
        return
    columns = list(HEALTH[mart].columns)
    assert expected[0].keys() == set(columns), "every column is computed a second time"
    actual = warehouse.query(f"SELECT {', '.join(columns)} FROM marts.{mart}").to_pylist()
    assert comparable(actual, columns) == comparable(expected, columns)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, DuckDbWarehouse]]:
    contents = random_health(3, customers=20)
    warehouse = stored(contents, tmp_path_factory.mktemp("small") / "warehouse.duckdb", metadata)
    build(warehouse, HEALTH, lambda: None)
    yield contents, warehouse
    warehouse.close()


def test_duckdb_returns_what_the_reference_returns(mart: str, small: tuple[World, DuckDbWarehouse]) -> None:
    contents, warehouse = small
    reference.check_evaluated(HEALTH[mart], reference.tables(HEALTH, metadata), contents, warehouse)
    reference.check_stored_types(HEALTH[mart], warehouse)


@pytest.fixture
def marts(tmp_path: Path) -> Iterator[Marts]:
    """Builds the marts of a hand-made world and returns a function that reads them."""
    opened: list[DuckDbWarehouse] = []

    def built(**tables: Any) -> Callable[[str], list[dict[str, Any]]]:
        contents = world_of(metadata, {f"day06_{name}": rows for name, rows in tables.items()})
        warehouse = stored(contents, tmp_path / "warehouse.duckdb", metadata)
        opened.append(warehouse)
        build(warehouse, HEALTH, lambda: None)
        return lambda sql: warehouse.query(sql).to_pylist()

    yield built
    for warehouse in opened:
        warehouse.close()


def customer(key: str, signup: date, mrr: str, status: str = "active", tier: str = "Starter") -> dict[str, Any]:
    return {
        "customer_id": key,
        "email": f"{key}@x.com",
        "signup_date": signup,
        "plan_tier": tier,
        "mrr_current": D(mrr),
        "status": status,
    }


def subscription(
    key: str, owner: str, start: date, end: date | None, mrr: str, tier: str = "Starter"
) -> dict[str, Any]:
    return {
        "subscription_id": key,
        "customer_id": owner,
        "start_date": start,
        "end_date": end,
        "mrr": D(mrr),
        "plan_tier": tier,
    }


def movement(
    month: date, new: str = "0", expansion: str = "0", contraction: str = "0", churn: str = "0"
) -> dict[str, Any]:
    parts = {"new_mrr": D(new), "expansion_mrr": D(expansion), "contraction_mrr": D(contraction), "churn_mrr": D(churn)}
    net = D(new) + D(expansion) - D(contraction) - D(churn)
    return {"month": month, **parts, "net_mrr": net}


JAN, FEB, MAR = date(2024, 1, 1), date(2024, 2, 1), date(2024, 3, 1)


def test_nothing_at_all(marts: Marts) -> None:
    read = marts()
    found = {name: read(f"SELECT * FROM marts.{name}") for name in HEALTH}
    assert len(found.pop("assumptions")) == 1, "what is assumed does not depend on the data"
    assert found == {name: [] for name in HEALTH if name != "assumptions"}


def test_a_life_through_every_movement(marts: Marts) -> None:
    """Up in the leap month, down on the last day of March, gone on the last day of April."""
    april = date(2024, 4, 1)
    read = marts(
        customers=[customer("a", date(2024, 1, 31), "40.00", "churned")],
        subscriptions=[
            subscription("s1", "a", date(2024, 1, 31), date(2024, 2, 28), "50.00"),
            subscription("s2", "a", date(2024, 2, 29), date(2024, 3, 30), "250.00", "Pro"),
            subscription("s3", "a", date(2024, 3, 31), date(2024, 4, 30), "40.00"),
        ],
        mrr_movements=[
            movement(JAN, new="50"),
            movement(FEB, expansion="200"),
            movement(MAR, contraction="210"),
            movement(april, churn="40"),
        ],
    )
    rows = read(
        "SELECT starting_mrr, net_mrr, ending_mrr, active_customers, net_revenue_retention, gross_revenue_retention "
        "FROM marts.day06_mrr_summary ORDER BY month"
    )
    assert [tuple(row.values()) for row in rows] == [
        (D("0.00"), D("50.00"), D("50.00"), 1, None, None),
        (D("50.00"), D("200.00"), D("250.00"), 1, 5.0, 1.0),
        (D("250.00"), D("-210.00"), D("40.00"), 1, 0.16, 0.16),
        (D("40.00"), D("-40.00"), D("0.00"), 0, 0.0, 0.0),
    ]
    curve = read(
        "SELECT months_since, eligible_customers, retained_customers, retained_mrr, revenue_retention "
        "FROM marts.day06_retention_curves ORDER BY months_since"
    )
    # Looked at on 31 January, 29 February, 31 March and 30 April, which is the last day covered.
    assert [tuple(row.values()) for row in curve] == [
        (0, 1, 1, D("50.00"), 1.0),
        (1, 1, 1, D("250.00"), 5.0),
        (2, 1, 1, D("40.00"), 0.8),
        (3, 1, 1, D("40.00"), 0.8),
    ]
    assert read("SELECT upgrades, downgrades, mrr, score, health FROM marts.day06_customer_health") == [
        {"upgrades": 1, "downgrades": 1, "mrr": D("0.00"), "score": 0.0, "health": "churned"}
    ]


def test_churn_on_the_signup_day(marts: Marts) -> None:
    day = date(2024, 2, 29)
    read = marts(
        customers=[customer("a", day, "30.00", "churned")],
        subscriptions=[subscription("s", "a", day, day, "30.00")],
        mrr_movements=[movement(FEB, new="30", churn="30")],
    )
    assert read("SELECT starting_mrr, net_mrr, ending_mrr, active_customers FROM marts.day06_mrr_summary") == [
        {"starting_mrr": D("0.00"), "net_mrr": D("0.00"), "ending_mrr": D("0.00"), "active_customers": 0}
    ]
    assert read(
        "SELECT churned_customers, churned_within_a_month, average_days_to_churn FROM marts.day06_churn_by_cohort"
    ) == [{"churned_customers": 1, "churned_within_a_month": 1, "average_days_to_churn": 1.0}]
    assert read("SELECT months_since, retention FROM marts.day06_retention_curves") == [
        {"months_since": 0, "retention": 1.0}
    ]


def test_only_customers_whose_day_has_come_count(marts: Marts) -> None:
    """The data ends on 29 February: a month after 29 January has come, a month after 30 January has too, clipped."""
    starts = {"a": date(2024, 1, 1), "b": date(2024, 1, 29), "c": date(2024, 1, 31), "d": date(2024, 2, 1)}
    read = marts(
        customers=[customer(key, day, "10.00") for key, day in starts.items()],
        subscriptions=[subscription(f"s{key}", key, day, None, "10.00") for key, day in starts.items()],
        mrr_movements=[movement(JAN, new="30"), movement(FEB, new="10")],
    )
    rows = read(
        "SELECT signup_month, months_since, eligible_customers, is_complete FROM marts.day06_retention_curves "
        "ORDER BY 1, 2"
    )
    assert [tuple(row.values()) for row in rows] == [(JAN, 0, 3, True), (JAN, 1, 3, True), (FEB, 0, 1, True)]


def test_score_by_hand(marts: Marts) -> None:
    """A year and more on the same price: 40 + 15, and all 30 for a value of more than three times its cost."""
    start = date(2023, 1, 1)
    months = [date(2023, month, 1) for month in range(1, 13)]
    read = marts(
        customers=[customer("a", start, "100.00")],
        subscriptions=[subscription("s", "a", start, None, "100.00")],
        mrr_movements=[movement(month, new="100" if month == start else "0") for month in months],
    )
    row = read("SELECT * FROM marts.day06_customer_health")[0]
    lived = 365 / (365.25 / 12)
    assert row["tenure_months"] == pytest.approx(lived)
    assert (row["cac"], row["expected_months"]) == (1200.0, 60.0)
    assert row["ltv"] == pytest.approx(100 * lived + 6000)
    assert row["score"] == pytest.approx(40 * lived / 12 + 15 + 30)
    assert row["health"] == "healthy"


def test_a_stored_movement_that_is_a_cent_off_fails_the_build(marts: Marts) -> None:
    with pytest.raises(MartError, match="mrr_movements fails its test equal_to_the_generated_table_to_the_cent"):
        marts(
            customers=[customer("a", date(2024, 1, 5), "10.00")],
            subscriptions=[subscription("s", "a", date(2024, 1, 5), None, "10.00")],
            mrr_movements=[movement(JAN, new="10.01")],
        )


def test_a_customer_who_never_subscribed_and_one_who_pays_nothing(marts: Marts) -> None:
    """Alone in its month each: nothing to divide by, nobody lost, nothing healthy."""
    read = marts(
        customers=[customer("a", date(2024, 1, 31), "0.00"), customer("b", date(2024, 2, 29), "0.00", tier="Pro")],
        subscriptions=[subscription("s", "b", date(2024, 2, 29), None, "0.00", "Pro")],
        mrr_movements=[movement(JAN), movement(FEB)],
    )
    assert read(
        "SELECT signup_month, churned_customers, active_customers, average_days_to_churn, churned_mrr, remaining_mrr "
        "FROM marts.day06_churn_by_cohort ORDER BY 1"
    ) == [
        {"signup_month": month, "churned_customers": 0, "active_customers": active, "average_days_to_churn": None,
         "churned_mrr": D("0.00"), "remaining_mrr": D("0.00")}
        for month, active in ((JAN, 0), (FEB, 1))
    ]  # fmt: skip
    curve = read("SELECT * FROM marts.day06_retention_curves ORDER BY signup_month, months_since")
    assert [(row["eligible_customers"], row["retained_customers"], row["retention"]) for row in curve] == [
        (1, 0, 0.0), (1, 0, 0.0), (1, 1, 1.0),
    ]  # fmt: skip
    assert {(row["starting_mrr"], row["retained_mrr"], row["revenue_retention"]) for row in curve} == {
        (D("0.00"), D("0.00"), None)
    }
    summary = read("SELECT ending_mrr, active_customers, net_revenue_retention FROM marts.day06_mrr_summary ORDER BY 2")
    assert [tuple(row.values()) for row in summary] == [(D("0.00"), 0, None), (D("0.00"), 1, None)]
    rows = {row["customer_id"]: row for row in read("SELECT * FROM marts.day06_customer_health")}
    none = {"status": "none", "health": "none", "first_mrr": D("0.00"), "mrr": D("0.00"), "upgrades": 0, "revenue": 0.0}
    assert {name: rows["a"][name] for name in none} == none
    assert (rows["a"]["ltv"], rows["a"]["cac"], rows["a"]["ltv_to_cac"], rows["a"]["score"]) == (0.0, None, None, 0.0)
    assert (rows["b"]["ltv"], rows["b"]["cac"], rows["b"]["ltv_to_cac"]) == (0.0, 0.0, None)
    # A day of tenure and half the points for an unchanged price; none for a value without a cost.
    assert rows["b"]["score"] == pytest.approx(40 / 365.25 + 15)


def test_two_subscriptions_of_one_day_follow_by_their_ends_and_then_their_ids(marts: Marts) -> None:
    day = date(2024, 1, 31)
    read = marts(
        customers=[customer("a", day, "20.00"), customer("b", day, "5.00", "churned")],
        subscriptions=[
            subscription("s1", "a", day, None, "20.00"),
            subscription("s2", "a", day, day, "10.00"),
            subscription("s4", "b", day, day, "5.00"),
            subscription("s3", "b", day, day, "5.00"),
        ],
        mrr_movements=[movement(JAN, new="15", expansion="10", churn="5")],
    )
    assert [
        tuple(row.values())
        for row in read("SELECT subscription_id, kind, churned_on FROM marts.subscription_steps ORDER BY 1")
    ] == [("s1", "expansion", None), ("s2", "new", None), ("s3", "new", None), ("s4", "expansion", day)]
    assert read("SELECT upgrades, downgrades FROM marts.day06_customer_health ORDER BY customer_id") == [
        {"upgrades": 1, "downgrades": 0}, {"upgrades": 0, "downgrades": 0},
    ]  # fmt: skip


def test_who_comes_and_goes_within_a_month_is_in_no_retention(marts: Marts) -> None:
    """Of 10.00 at the start all is kept; 30.00 that came and went would make it less than nothing."""
    read = marts(
        customers=[customer("a", JAN, "10.00"), customer("b", FEB, "30.00", "churned")],
        subscriptions=[
            subscription("s1", "a", JAN, None, "10.00"),
            subscription("s2", "b", FEB, date(2024, 2, 28), "30.00"),
        ],
        mrr_movements=[movement(JAN, new="10"), movement(FEB, new="30", churn="30")],
    )
    row = read("SELECT * FROM marts.day06_mrr_summary WHERE month = '2024-02-01'")[0]
    assert (row["new_mrr"], row["churn_mrr"], row["net_mrr"]) == (D("30.00"), D("-30.00"), D("0.00"))
    assert (row["net_revenue_retention"], row["gross_revenue_retention"]) == (1.0, 1.0)


@pytest.mark.parametrize(("left_on", "within"), [(date(2024, 2, 28), 1), (date(2024, 2, 29), 0), (date(2024, 3, 1), 0)])
def test_a_month_after_the_last_of_january(marts: Marts, left_on: date, within: int) -> None:
    start = date(2024, 1, 31)
    churn = {date(left_on.year, left_on.month, 1): "9"}
    read = marts(
        customers=[customer("a", start, "9.00", "churned")],
        subscriptions=[subscription("s", "a", start, left_on, "9.00")],
        mrr_movements=[
            movement(month, new="9" if month == JAN else "0", churn=churn.get(month, "0"))
            for month in (JAN, FEB, MAR)
            if month <= left_on
        ],
    )
    assert read("SELECT churned_within_a_month FROM marts.day06_churn_by_cohort") == [
        {"churned_within_a_month": within}
    ]


@pytest.mark.parametrize(
    ("tables", "first", "last"),
    [
        ({"customers": [customer("a", date(2024, 2, 29), "1"), customer("b", date(2023, 12, 31), "1")]},
         date(2023, 12, 1), date(2024, 2, 29)),
        ({"subscriptions": [subscription("s", "a", date(2024, 1, 31), date(2024, 3, 1), "1"),
                            subscription("t", "b", date(2024, 2, 1), None, "1")]}, JAN, date(2024, 3, 31)),
        ({"subscriptions": [subscription("s", "a", date(2024, 1, 31), date(2024, 2, 1), "1"),
                            subscription("t", "b", date(2024, 3, 1), None, "1")]}, JAN, date(2024, 3, 31)),
        ({"mrr_movements": [movement(MAR), movement(JAN)]}, JAN, date(2024, 3, 31)),
    ],
)  # fmt: skip
def test_every_table_tells_which_months_there_are(tmp_path: Path, tables: Any, first: date, last: date) -> None:
    contents = world_of(metadata, {f"day06_{name}": rows for name, rows in tables.items()})
    warehouse = stored(contents, tmp_path / "warehouse.duckdb", metadata)
    build(warehouse, {"months": HEALTH["months"]}, lambda: None)
    found = warehouse.query("SELECT MIN(month) AS first, MAX(last_day) AS last, MAX(as_of) AS as_of FROM marts.months")
    warehouse.close()
    assert found.to_pylist() == [{"first": first, "last": last, "as_of": last}]
