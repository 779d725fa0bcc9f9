"""What models learn from: nothing that was recorded later, split by time, and labels that a plain computation gives."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import churn_oracles
import model_oracles
import pandas as pd
import pytest
from churn_worlds import dirty_world
from mart_worlds import random_world, stored
from test_against_pandas import comparable

from etl.models import catalog
from etl.publish.marts import build
from etl.warehouses.duckdb import DuckDbWarehouse
from generators import worlds
from schemas import churn, hopify

CUSTOMERS, MODELS = 250, ("churn", "ltv", "segments", "forecast")
KNOWN_BY = 6
"""The cut-off after which everything is erased, in months before the as-of day."""


def _built(path: Path, directory: Path) -> DuckDbWarehouse:
    warehouse = DuckDbWarehouse(path)
    for name in hopify.metadata.tables:
        source = warehouse.dialect.string(str(directory / f"{name}.parquet"))
        warehouse.run(f"CREATE TABLE raw.{name} AS SELECT * FROM read_parquet({source})")
    _rebuild(warehouse)
    return warehouse


def _rebuild(warehouse: DuckDbWarehouse, world: str = "hopify") -> None:
    models = catalog.models(world)
    queries = {name: query for model in models for name, query in catalog.examples(world, model).items()}
    build(warehouse, queries, lambda: None)


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("hopify")
    worlds.generate("hopify", f"parquet:{directory}", customers=CUSTOMERS)
    return directory


@pytest.fixture(scope="module")
def warehouse(generated: Path) -> Iterator[DuckDbWarehouse]:
    opened = _built(generated / "warehouse.duckdb", generated)
    yield opened
    opened.close()


def _frame(warehouse: DuckDbWarehouse, sql: str) -> pd.DataFrame:
    return warehouse.query(sql).to_pandas()


def _raw(warehouse: DuckDbWarehouse, name: str) -> pd.DataFrame:
    return _frame(warehouse, f"SELECT * FROM raw.{name}")


def _cutoff(warehouse: DuckDbWarehouse, months_back: int) -> date:
    found = _frame(
        warehouse, f"SELECT MAX(cutoff_date) AS d FROM marts.customer_snapshots WHERE months_back = {months_back}"
    )
    day = found["d"][0]
    assert isinstance(day, date)
    return day


def _erase(warehouse: DuckDbWarehouse, after: date, as_of: date) -> None:
    """Bring the raw tables to what they held at the end of a day, but for one customer who keeps the as-of day."""
    day = f"DATE '{after}'"
    keeper = "SELECT * REPLACE (0 AS customer_id, DATE '{as_of}' AS signed_up_on) FROM raw.customers LIMIT 1"
    for sql in (
        f"DELETE FROM raw.payments WHERE CAST(paid_at AS DATE) > {day} "
        f"OR order_id IN (SELECT order_id FROM raw.orders WHERE CAST(created_at AS DATE) > {day})",
        f"DELETE FROM raw.order_discounts WHERE order_id IN (SELECT order_id FROM raw.orders "
        f"WHERE CAST(created_at AS DATE) > {day} OR CAST(ordered_at AS DATE) > {day})",
        f"DELETE FROM raw.orders WHERE CAST(created_at AS DATE) > {day} OR CAST(ordered_at AS DATE) > {day}",
        f"DELETE FROM raw.support_tickets WHERE CAST(opened_at AS DATE) > {day}",
        "UPDATE raw.support_tickets SET closed_at = NULL, satisfaction = NULL, status = 'open' "
        f"WHERE CAST(closed_at AS DATE) > {day}",
        f"DELETE FROM raw.churn_events WHERE churned_on > {day}",
        f"DELETE FROM raw.subscriptions WHERE started_on > {day}",
        f"UPDATE raw.subscriptions SET ended_on = NULL, status = 'active' WHERE ended_on > {day}",
        f"DELETE FROM raw.customers WHERE signed_up_on > {day}",
        f"DELETE FROM raw.app_installs WHERE CAST(installed_at AS DATE) > {day}",
        f"UPDATE raw.app_installs SET removed_at = NULL WHERE CAST(removed_at AS DATE) > {day}",
        # A refund may be entered after the cut-off; until then the payment had succeeded.
        "UPDATE raw.payments SET status = 'succeeded' WHERE status = 'refunded'",
        "UPDATE raw.orders SET status = 'pending' WHERE status = 'cancelled'",
        f"INSERT INTO raw.customers {keeper.format(as_of=as_of)}",
    ):
        warehouse.run(sql)


def test_snapshots_do_not_change_when_everything_later_is_erased(generated: Path, tmp_path: Path) -> None:
    warehouse = _built(tmp_path / "erased.duckdb", generated)
    cut, as_of = _cutoff(warehouse, KNOWN_BY), _cutoff(warehouse, 0)
    until = (
        f"SELECT * FROM marts.customer_snapshots WHERE cutoff_date <= DATE '{cut}' ORDER BY cutoff_date, customer_id"
    )
    labels = (
        "SELECT customer_id, has_churned FROM marts.churn_examples "
        f"WHERE cutoff_date = DATE '{cut}' ORDER BY customer_id"
    )
    before, labelled = _frame(warehouse, until), _frame(warehouse, labels)
    _erase(warehouse, cut, as_of)
    _rebuild(warehouse)
    after, relabelled = _frame(warehouse, until), _frame(warehouse, labels)
    warehouse.close()
    pd.testing.assert_frame_equal(after, before)
    assert labelled["has_churned"].any(), "somebody left in the window, or the erasure proves nothing"
    assert not relabelled["has_churned"].any()


def test_no_training_window_reaches_into_the_test(warehouse: DuckDbWarehouse) -> None:
    for model, months in (("churn", 3), ("ltv", 12)):
        cutoffs = _frame(
            warehouse,
            "SELECT split, MIN(cutoff_date) AS first, MAX(cutoff_date) AS last "
            f"FROM marts.{model}_examples GROUP BY split",
        ).set_index("split")
        assert sorted(cutoffs.index) == ["score", "test", "train"]
        ends = pd.Timestamp(cutoffs.loc["train", "last"]) + pd.DateOffset(months=months)
        assert ends <= pd.Timestamp(cutoffs.loc["test", "first"])
        assert cutoffs.loc["test", "first"] == cutoffs.loc["test", "last"], "one row a customer in the test"


Small = tuple[str, dict[str, pd.DataFrame], DuckDbWarehouse]
ORACLES = {"hopify": model_oracles, "churn": churn_oracles}
SCHEMAS = {"hopify": hopify.metadata, "churn": churn.metadata}


@pytest.fixture(scope="module", params=[("hopify", 21), ("hopify", 22), ("churn", 5), ("churn", 6)], ids=str)
def small(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    """Years of a random world full of edges."""
    world, seed = request.param
    contents = random_world(seed, customers=30, days=1_100) if world == "hopify" else dirty_world(seed)
    schema = SCHEMAS[world]
    warehouse = stored(contents, tmp_path_factory.mktemp("examples") / "warehouse.duckdb", schema)
    _rebuild(warehouse, world)
    frames = {
        name: pd.DataFrame(rows, columns=[c.name for c in schema.tables[name].columns], dtype=object)
        for name, rows in contents.items()
    }
    yield world, frames, warehouse
    warehouse.close()


@pytest.mark.parametrize("name", ["customer_snapshots", *(f"{model}_examples" for model in MODELS)])
def test_mart_is_what_a_plain_computation_makes_of_the_rows(name: str, small: Small) -> None:
    world, frames, warehouse = small
    queries = {key: query for model in catalog.models(world) for key, query in catalog.examples(world, model).items()}
    if name not in queries:
        assert (world, name) == ("churn", "forecast_examples"), "its 18 months do not hold two seasons"
        return
    expected = getattr(ORACLES[world], name)(frames)
    columns = list(queries[name].columns)
    assert expected[0].keys() == set(columns), "every column is computed a second time"
    if "split" in columns:
        assert {row["split"] for row in expected} >= {"train", "score"}
    actual = warehouse.query(f"SELECT {', '.join(columns)} FROM marts.{name}").to_pylist()
    assert comparable(actual, columns) == comparable(expected, columns)


def test_the_series_is_whole_months_of_revenue(warehouse: DuckDbWarehouse) -> None:
    series = _frame(warehouse, "SELECT * FROM marts.forecast_examples ORDER BY month")
    payments = _raw(warehouse, "payments")
    kept = payments[payments["status"] == "succeeded"]
    expected = kept.groupby(pd.to_datetime(kept["paid_at"]).dt.to_period("M"))["amount"].sum().astype(float)
    months = pd.PeriodIndex(pd.to_datetime(series["month"]), freq="M")
    assert len(series) == 36
    assert series["revenue"].round(2).tolist() == expected.reindex(months).fillna(0.0).round(2).tolist()
