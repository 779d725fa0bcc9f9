"""The churn world's staging and features: GoogleSQL, mended as promised, and blind to the label's window."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import churn_oracles
import duckdb
import mart_reference as reference
import pandas as pd
import pytest
from churn_worlds import dirty_world
from mart_worlds import World, stored
from test_against_pandas import comparable

from etl.publish.marts import build
from etl.publish.queries import Query, chosen, load, render
from etl.publish.translate import translate
from etl.warehouses.duckdb import DuckDbWarehouse
from generators.churn import batches
from generators.churn.specification import LAST_DAY
from schemas.churn import metadata
from schemas.mappings import ddl_type

WORLD = "churn"
CUSTOMERS = 1_000
CUTOFF = LAST_DAY - timedelta(60)
CHURN = load(WORLD)


class _Dialect:
    sqlglot = "duckdb"


class _Target:
    """As much of a warehouse as rendering needs."""

    dialect = _Dialect()

    def namespace(self, room: str) -> str:
        return f'"{room}"'

    def soft_tables(self) -> frozenset[str]:
        return frozenset()


@pytest.fixture(scope="module")
def template() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA raw; CREATE SCHEMA marts")
        for table, batch in batches(CUSTOMERS, 42, 0).items():
            connection.register("batch", batch)
            connection.execute(f"CREATE TABLE raw.{table} AS FROM batch")
        connection.execute("BEGIN")
        yield connection


@pytest.fixture
def raw(template: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """The raw tables, which a test may spoil; what it does is undone."""
    yield template
    template.execute("ROLLBACK")
    template.execute("BEGIN")


def _build(connection: duckdb.DuckDBPyConnection) -> None:
    for name, query in CHURN.items():
        connection.execute(f"CREATE OR REPLACE TABLE marts.{name} AS {render(query, _Target())}")


def _rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    return connection.execute(sql).fetchall()


def _quality(connection: duckdb.DuckDBPyConnection) -> dict[str, tuple[int, int]]:
    """Removed and mended rows by table."""
    found = _rows(connection, "SELECT table_name, removed_rows, mended_rows FROM marts.staging_quality")
    return {table: (removed, mended) for table, removed, mended in found}


def _stored() -> dict[str, dict[str, str]]:
    tables = {
        f"raw.{table.name}": {c.name: ddl_type("bigquery", c.type.logical) for c in table.columns}  # type: ignore[attr-defined]
        for table in metadata.sorted_tables
    }
    return tables | {f"marts.{name}": query.header.types for name, query in CHURN.items()}


@pytest.mark.parametrize("query", CHURN.values(), ids=CHURN)
def test_query_and_its_tests_are_googlesql_with_the_columns_of_the_header(query: Query) -> None:
    declared = [(name, reference.kind(type_)) for name, type_ in query.header.types.items()]
    assert reference.output(query.text, _stored()) == declared
    assert query.tests
    for sql in query.tests.values():
        reference.output(sql, _stored())


def test_the_generated_world_needs_no_removal_and_passes_every_test(raw: duckdb.DuckDBPyConnection) -> None:
    _build(raw)
    for query in CHURN.values():
        for name, sql in query.tests.items():
            assert _rows(raw, translate(sql, _Target())) == [], name
    carried = _rows(raw, "SELECT COUNT(*) FROM raw.usage_daily WHERE sessions = 0 AND usage_minutes > 0")[0][0]
    assert carried > 0
    assert _quality(raw) == {
        "customers": (0, 0), "usage_daily": (0, carried), "billing": (0, 0), "support": (0, 0),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("spoil", "table", "removed", "mended"),
    [
        ("INSERT INTO raw.customers SELECT customer_id, DATE '2025-12-31', plan, region FROM raw.customers LIMIT 3",
         "customers", 3, 0),
        ("UPDATE raw.customers SET plan = ' free' WHERE rowid IN (SELECT MIN(rowid) FROM raw.customers "
         "WHERE plan = 'Free')", "customers", 0, 1),
        ("UPDATE raw.customers SET region = NULL WHERE rowid = 3", "customers", 0, 1),
        ("INSERT INTO raw.usage_daily SELECT * FROM raw.usage_daily LIMIT 5", "usage_daily", 5, None),
        ("INSERT INTO raw.usage_daily VALUES (-1, DATE '2025-01-01', 1, 1, 1)", "usage_daily", 1, None),
        ("UPDATE raw.usage_daily SET usage_minutes = -1 WHERE rowid = 5", "usage_daily", 1, None),
        ("INSERT INTO raw.billing VALUES (-1, DATE '2025-01-01', 1, 'paid')", "billing", 1, 0),
        ("INSERT INTO raw.billing SELECT customer_id, DATE '2025-12-31', 0, 'paid' FROM raw.customers "
         "WHERE plan = 'Pro' LIMIT 4", "billing", 4, 0),
        ("INSERT INTO raw.billing SELECT customer_id, DATE '2025-12-31', 9, 'paid' FROM raw.customers "
         "WHERE plan = 'Free' LIMIT 4", "billing", 4, 0),
        ("UPDATE raw.billing SET payment_status = 'PAID ' WHERE rowid = 5", "billing", 0, 1),
        ("UPDATE raw.support SET priority = 'High' WHERE rowid = 5", "support", 0, 1),
        ("UPDATE raw.support SET category = 'gossip' WHERE rowid = 5", "support", 1, 0),
        ("INSERT INTO raw.support SELECT * FROM raw.support LIMIT 2", "support", 2, 0),
    ],
)  # fmt: skip
def test_staging_removes_and_mends_what_its_notes_say(
    raw: duckdb.DuckDBPyConnection, spoil: str, table: str, removed: int, mended: int | None
) -> None:
    raw.execute(spoil)
    _build(raw)
    found_removed, found_mended = _quality(raw)[table]
    assert found_removed == removed
    assert mended is None or found_mended == mended


def test_minutes_of_a_day_end_with_the_day(raw: duckdb.DuckDBPyConnection) -> None:
    raw.execute("UPDATE raw.usage_daily SET usage_minutes = 5000 WHERE rowid = 5")
    _build(raw)
    assert _rows(raw, "SELECT MAX(usage_minutes), BOOL_OR(is_mended) FROM marts.staging_usage_daily") == [
        (1440.0, True)
    ]


def test_features_know_nothing_of_the_labels_window(raw: duckdb.DuckDBPyConnection) -> None:
    """Everything after the cut-off is turned upside down, but for the last day, which dates the cut-off."""
    features = "SELECT * EXCLUDE (has_churned) FROM marts.churn_features ORDER BY customer_id"
    _build(raw)
    before, labels = _rows(raw, features), _rows(raw, "SELECT COUNT(*) FROM marts.churn_features WHERE has_churned")
    raw.execute(f"""
        DELETE FROM raw.usage_daily WHERE usage_date > DATE '{CUTOFF}' AND usage_date < DATE '{LAST_DAY}';
        UPDATE raw.usage_daily SET sessions = 99, feature_events = 999 WHERE usage_date = DATE '{LAST_DAY}';
        UPDATE raw.billing SET payment_status = 'failed' WHERE bill_date > DATE '{CUTOFF}';
        DELETE FROM raw.support WHERE ticket_date > DATE '{CUTOFF}'""")
    _build(raw)
    assert _rows(raw, features) == before
    assert _rows(raw, "SELECT COUNT(*) FROM marts.churn_features WHERE has_churned") > labels


def test_features_of_one_customer_by_hand(raw: duckdb.DuckDBPyConnection) -> None:
    for table in metadata.sorted_tables:
        raw.execute(f"DELETE FROM raw.{table.name}")
    raw.execute("""
        INSERT INTO raw.customers VALUES
            (1, DATE '2025-01-01', 'Pro', 'EU'), (2, DATE '2025-06-01', 'Free', 'NA'),
            (3, DATE '2025-11-20', 'Pro', 'NA');
        INSERT INTO raw.usage_daily VALUES
            (1, DATE '2025-01-02', 4, 100, 8), (1, DATE '2025-09-30', 2, 50, 4), (1, DATE '2025-10-20', 0, 10, 0),
            (1, DATE '2025-11-10', 9, 90, 9), (3, DATE '2025-12-31', 1, 10, 1);
        INSERT INTO raw.billing VALUES
            (1, DATE '2025-01-14', 49, 'paid'), (1, DATE '2025-10-01', 49, 'failed'),
            (1, DATE '2025-12-01', 49, 'late');
        INSERT INTO raw.support VALUES
            (1, 1, DATE '2025-10-31', 'technical', 'high'), (2, 1, DATE '2025-02-01', 'billing', 'low'),
            (3, 2, DATE '2025-12-01', 'billing', 'low')""")
    _build(raw)
    raw_rows = raw.sql("SELECT * FROM marts.churn_features ORDER BY customer_id").to_arrow_table().to_pylist()
    assert [row["customer_id"] for row in raw_rows] == [1, 2]
    first, second = raw_rows
    assert first["cutoff_date"] == date(2025, 11, 1)
    expected = {
        "tenure_days": 304, "active_days": 3, "active_days_30": 1, "active_days_previous_30": 1, "active_days_trend": 0,
        "days_since_use": 12, "sessions_30": 1, "usage_minutes_30": 10.0, "feature_events_30": 0, "bills": 2,
        "late_share": 0.0, "failed_share": 0.5, "failed_bills_90": 1, "tickets": 2, "tickets_90": 1,
        "urgent_share": 0.5, "technical_share": 0.5, "days_since_ticket": 1, "is_at_risk": True, "has_churned": False,
    }  # fmt: skip
    assert {name: first[name] for name in expected} == expected
    assert first["minutes_per_active_day"] == pytest.approx(160 / 3)
    assert first["events_per_session"] == pytest.approx(12 / 7)
    assert first["active_share"] == pytest.approx(3 / 305)
    assert second["days_since_use"] is None
    assert second["tickets"] == 0
    assert not second["is_at_risk"]
    assert second["has_churned"]


@pytest.fixture(scope="module", params=["generated", 1, 2, 3])
def stored_world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[World, DuckDbWarehouse]]:
    """A generated world and dirty ones, with every mart built through the product's own build."""
    generated = request.param == "generated"
    contents = (
        {name: batch.to_pylist() for name, batch in batches(120, 42, 0).items()}
        if generated
        else dirty_world(request.param)
    )
    warehouse = stored(contents, tmp_path_factory.mktemp("churn") / "warehouse.duckdb", metadata)
    build(warehouse, CHURN, lambda: None)
    yield contents, warehouse
    warehouse.close()


def test_mart_is_what_a_plain_computation_makes_of_the_rows(
    mart: str, stored_world: tuple[World, DuckDbWarehouse]
) -> None:
    contents, warehouse = stored_world
    frames = {
        name: pd.DataFrame(rows, columns=[c.name for c in metadata.tables[name].columns], dtype=object)
        for name, rows in contents.items()
    }
    expected = getattr(churn_oracles, mart)(frames)
    assert expected, "an empty mart proves nothing"
    columns = list(CHURN[mart].columns)
    actual = warehouse.query(f"SELECT {', '.join(columns)} FROM marts.{mart}").to_pylist()
    assert comparable(actual, columns) == comparable(expected, columns)


def test_duckdb_returns_what_the_reference_returns(mart: str, tmp_path: Path) -> None:
    contents = dirty_world(4, customers=12)
    warehouse = stored(contents, tmp_path / "warehouse.duckdb", metadata)
    queries = chosen(CHURN, [mart])
    build(warehouse, queries, lambda: None)
    reference.check_evaluated(CHURN[mart], _stored(), contents, warehouse)
    reference.check_stored_types(CHURN[mart], warehouse)
    warehouse.close()


@pytest.fixture
def empty(raw: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """The raw tables without any row."""
    for table in metadata.sorted_tables:
        raw.execute(f"DELETE FROM raw.{table.name}")
    return raw


def test_of_repetitions_that_are_alike_the_same_is_always_kept(empty: duckdb.DuckDBPyConnection) -> None:
    """Whatever the order in which they come: the most minutes, sessions, events; the highest amount; the first text."""
    empty.execute("""
        INSERT INTO raw.customers VALUES
            (1, DATE '2024-01-31', 'Pro', 'EU'), (1, DATE '2024-01-31', 'PRO', 'eu'),
            (1, DATE '2024-01-31', 'Pro', 'eu'), (1, DATE '2024-01-31', 'Pro', 'NA'),
            (1, DATE '2024-01-31', 'Enterprise', 'gone');
        INSERT INTO raw.usage_daily VALUES
            (1, DATE '2024-02-29', 3, 60, 1), (1, DATE '2024-02-29', 1, 60, 9), (1, DATE '2024-02-29', 3, 60, 2),
            (1, DATE '2024-02-29', 9, 59, 9);
        INSERT INTO raw.billing VALUES
            (1, DATE '2024-02-19', 49, 'paid'), (1, DATE '2024-02-19', 49, 'failed'),
            (1, DATE '2024-02-19', 48, 'failed'),
            (1, DATE '2024-03-10', 49, 'late'), (1, DATE '2024-03-30', 49, ' paid');
        INSERT INTO raw.support VALUES
            (1, 1, DATE '2024-02-29', 'technical', 'low'), (1, 1, DATE '2024-02-29', 'technical', 'high'),
            (1, 1, DATE '2024-02-29', 'Technical', 'low'), (1, 1, DATE '2024-02-29', 'Technical', 'high')""")
    _build(empty)
    assert _rows(empty, "SELECT plan, region, is_mended FROM marts.staging_customers") == [
        ("Enterprise", "unknown", True)
    ]
    assert _rows(empty, "SELECT sessions, usage_minutes, feature_events FROM marts.staging_usage_daily") == [(3, 60, 2)]
    assert _rows(
        empty,
        "SELECT amount, payment_status, bill_number, days_since_previous, is_after_gap, is_mended "
        "FROM marts.staging_billing "
        "ORDER BY bill_date",
    ) == [
        (49, "failed", 1, 19, False, False),
        (49, "late", 2, 20, True, False),
        (49, "paid", 3, 20, True, True),
    ]
    assert _rows(empty, "SELECT category, priority, is_mended FROM marts.staging_support") == [
        ("technical", "high", True)
    ]
    empty.execute("DELETE FROM raw.customers WHERE plan = 'Enterprise'")
    _build(empty)
    # Capitals come first: 'PRO' before 'Pro', and of two of these 'EU' before 'eu'.
    assert _rows(empty, "SELECT plan, region, is_mended FROM marts.staging_customers") == [("Pro", "EU", True)]
    empty.execute("DELETE FROM raw.customers WHERE plan = 'PRO'")
    _build(empty)
    assert _rows(empty, "SELECT plan, region, is_mended FROM marts.staging_customers") == [("Pro", "EU", False)]


@pytest.mark.parametrize(
    ("days", "backs"),
    [
        (0, [0]),  # nobody had signed up 60 days before
        (59, [0]),
        (60, [0, 60]),
        (119, [0, 60]),
        (179, [0, 60]),
        (180, [0, 60, 120]),
        (1859, list(range(0, 1800, 60))),
        (1860, list(range(0, 1801, 60))),
        (2500, list(range(0, 1801, 60))),
    ],
)
def test_cut_offs_go_back_by_60_days(empty: duckdb.DuckDBPyConnection, days: int, backs: list[int]) -> None:
    empty.execute(f"""
        INSERT INTO raw.customers VALUES (1, DATE '2024-02-29' - {days}, 'Free', 'EU');
        INSERT INTO raw.usage_daily SELECT DISTINCT 1, DATE '2024-02-29' - d, 1, 1, 1
            FROM (VALUES (0), ({days})) AS ends(d)""")
    _build(empty)
    found = _rows(empty, "SELECT days_back, cutoff_date FROM marts.customer_snapshots ORDER BY 1")
    assert found == [(back, date(2024, 2, 29) - timedelta(back)) for back in backs]
    assert _rows(empty, "SELECT has_churned, days_since_use FROM marts.churn_features") == (
        [(False, days - 60)] if days >= 60 else []
    )


def test_use_on_the_cut_off_day_is_no_use_after_it(empty: duckdb.DuckDBPyConnection) -> None:
    empty.execute("""
        INSERT INTO raw.customers VALUES
            (1, DATE '2024-01-01', 'Free', 'EU'), (2, DATE '2024-01-01', 'Free', 'EU'),
            (3, DATE '2024-01-01', 'Pro', 'EU');
        INSERT INTO raw.usage_daily VALUES
            (1, DATE '2024-03-01', 1, 1, 1), (2, DATE '2024-03-02', 1, 1, 1), (3, DATE '2024-04-30', 1, 1, 1)""")
    _build(empty)
    assert _rows(empty, "SELECT customer_id, days_since_use, has_churned FROM marts.churn_features ORDER BY 1") == [
        (1, 0, True), (2, None, False), (3, None, False),
    ]  # fmt: skip


def test_gaps_of_seven_days_are_gaps(empty: duckdb.DuckDBPyConnection) -> None:
    empty.execute("""
        INSERT INTO raw.customers VALUES
            (1, DATE '2023-12-25', 'Free', 'EU'), (2, DATE '2024-02-24', 'Free', 'EU'),
            (3, DATE '2024-02-23', 'Free', 'EU'), (4, DATE '2024-03-01', 'Free', 'EU');
        INSERT INTO raw.usage_daily VALUES
            (1, DATE '2024-01-01', 1, 1, 1), (1, DATE '2024-01-08', 1, 1, 1), (1, DATE '2024-01-16', 1, 1, 1),
            (1, DATE '2024-02-22', 1, 1, 1), (4, DATE '2024-03-01', 1, 1, 1)""")
    _build(empty)
    assert _rows(empty, "SELECT * FROM marts.staging_gaps ORDER BY 1, 2") == [
        (1, date(2023, 12, 25), date(2023, 12, 31), 7, "before first use"),
        (1, date(2024, 1, 9), date(2024, 1, 15), 7, "between uses"),
        (1, date(2024, 1, 17), date(2024, 2, 21), 36, "between uses"),
        (1, date(2024, 2, 23), date(2024, 3, 1), 8, "since last use"),
        (2, date(2024, 2, 24), date(2024, 3, 1), 7, "never used"),
        (3, date(2024, 2, 23), date(2024, 3, 1), 8, "never used"),
    ]
    assert _rows(empty, "SELECT gaps FROM marts.staging_quality WHERE table_name = 'usage_daily'") == [(6,)]


def test_an_empty_world_has_no_features(empty: duckdb.DuckDBPyConnection) -> None:
    _build(empty)
    assert _rows(empty, "SELECT COUNT(*) FROM marts.churn_features") == [(0,)]
    assert set(_quality(empty).values()) == {(0, 0)}
