"""A table's rows brought again by hand, and what cannot be brought."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest
from airflow_world import Run, states, write_config

from etl import tasks
from etl.config import load


@pytest.fixture
def lost(world: Path) -> Path:
    """A warehouse that has lost product 7 and three payments, and does not know."""
    config = load(write_config(world, only=("payments", "products")), {})
    for table in tasks.plan(config):
        tasks.sync_table(config, table)
    with duckdb.connect(str(world / "warehouse.duckdb")) as connection:
        connection.execute("DELETE FROM raw.products WHERE product_id = 7")
        connection.execute("DELETE FROM raw.payments WHERE payment_id IN (3, 4, 5)")
    return world


def _count(world: Path, where: str) -> int:
    with duckdb.connect(str(world / "warehouse.duckdb"), read_only=True) as connection:
        row = connection.execute(f"SELECT COUNT(*) FROM raw.{where}").fetchone()
    assert row is not None
    return int(row[0])


def test_a_key_and_a_range_are_brought_again_and_the_table_is_proven(run: Run, lost: Path) -> None:
    ended = run("warehouse_backfill", table="products", keys=["7"])
    assert states(ended) == {"asked": {"success": 1}, "backfill": {"success": 1}}
    assert _count(lost, "products WHERE product_id = 7") == 1

    ended = run("warehouse_backfill", table="payments", **{"from": "3", "to": "4", "column": "payment_id"})
    assert ended.state == "success"
    # What the range leaves out, the sync that ends every backfill has found.
    assert _count(lost, "payments WHERE payment_id IN (3, 4, 5)") == 3
    proof = tasks.check_table(load(lost / "etl.toml", {}), "payments")
    assert proof["rows"] == _count(lost, "payments")


@pytest.mark.parametrize(
    ("wanted", "refused_by"),
    [
        ({"table": "products"}, "asked"),
        ({"table": "produce", "all": True}, "backfill"),
        ({"table": "products", "from": "9", "to": "8", "column": "product_id"}, "backfill"),
    ],
)
def test_what_cannot_be_meant_is_refused_once_and_changes_nothing(
    run: Run, lost: Path, wanted: dict[str, Any], refused_by: str
) -> None:
    ended = run("warehouse_backfill", **wanted)
    assert states(ended)[refused_by] == {"failed": 1}
    assert ended.get_task_instance(refused_by).try_number == 1
    assert _count(lost, "products WHERE product_id = 7") == 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "table"),
        ({"table": ""}, "table"),
        ({"table": 7}, "table"),
        ({"table": "products", "keys": "7"}, "keys"),
        ({"table": "products", "from": 3}, "from"),
    ],
)
def test_parameters_of_the_wrong_type_make_no_run(run: Run, given: dict[str, Any], message: str) -> None:
    with pytest.raises(Exception, match=f"Invalid input for param {message}"):
        run("warehouse_backfill", **given)


def test_every_parameter_says_what_it_is(dagbag: Any) -> None:
    params = dagbag.dags["warehouse_backfill"].params
    assert list(params) == ["table", "from", "to", "column", "keys", "all"]
    for name in params:
        assert params.get_param(name).description
        assert params.get_param(name).schema["title"]
