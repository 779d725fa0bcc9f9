"""The functions behind the tasks, without a scheduler."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from airflow_world import write_config

from etl import tasks
from etl.config import Config, load
from etl.errors import ConfigError, DifferenceError, GateShutError


@pytest.fixture
def config(world: Path) -> Config:
    return load(write_config(world, only=("plans", "products"), repair=False), {})


def test_the_gates_first_line_names_every_table_with_its_rows(config: Config, caplog: pytest.LogCaptureFixture) -> None:
    for table in tasks.plan(config):
        tasks.sync_table(config, table)
    with caplog.at_level(logging.INFO, "etl.tasks"):
        caplog.clear()
        proofs = tasks.pass_gate(config, ["plans", "products"])
    assert caplog.messages == ["gate open, 2 of 2 tables pass: plans 9 = 9; products 60 = 60"]
    assert {name: proof["rows"] for name, proof in proofs.items()} == {"plans": 9, "products": 60}


def test_a_shut_gate_names_the_table_and_the_reason_first(config: Config, caplog: pytest.LogCaptureFixture) -> None:
    tasks.sync_table(config, "plans")
    caplog.clear()
    caplog.set_level(logging.INFO, "etl.tasks")
    with pytest.raises(GateShutError, match="products has not been synced"):
        tasks.pass_gate(config, ["plans", "products"])
    assert caplog.messages[0] == ("gate shut, 1 of 2 tables pass: plans 9 = 9; products (has not been synced)")


def test_a_table_without_a_check_is_not_proven(config: Config) -> None:
    tasks.sync_table(config, "plans")
    with pytest.raises(DifferenceError, match="products has not been synced"):
        tasks.check_table(config, "products")


def test_orphans_are_of_children_synced_before_their_parents_lost_rows(
    world: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = load(write_config(world, only=("customers", "support_tickets")), {})
    for table in tasks.plan(config):
        tasks.sync_table(config, table)
    assert tasks.count_orphans(config) == {}
    with sqlite3.connect(world / "hopify.db") as source:
        (gone,) = source.execute("SELECT customer_id FROM support_tickets LIMIT 1").fetchone()
        source.execute("DELETE FROM support_tickets WHERE customer_id = ?", [gone])
        lost = source.execute("SELECT changes()").fetchone()[0]
        source.execute("DELETE FROM customers WHERE customer_id = ?", [gone])
    source.close()
    tasks.sync_table(config, "customers")
    assert tasks.count_orphans(config) == {"support_tickets(customer_id) → customers(customer_id)": lost}
    assert f"{lost} rows without their parent" in caplog.text
    tasks.sync_table(config, "support_tickets")
    assert tasks.count_orphans(config) == {}


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({}, "of a range, of keys, or of everything"),
        ({"low": "1", "keys": ["7"]}, "of a range, of keys, or of everything"),
        ({"low": "1", "everything": True}, "of a range, of keys, or of everything"),
        ({"keys": ["7"], "column": "id"}, "--column belongs to a range"),
    ],
)
def test_a_backfill_that_cannot_be_meant_is_refused(wanted: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        tasks.asked("customers", **wanted)


def test_a_source_without_tables_is_said_to_have_none(world: Path) -> None:
    with pytest.raises(ConfigError, match="no table to sync"):
        tasks.plan(load(write_config(world, only=("none of them",)), {}))


def test_only_a_generated_world_is_advanced(world: Path) -> None:
    (world / "hopify.db").unlink()
    with pytest.raises(ConfigError, match="no hopify world"):
        tasks.advance(load(world / "etl.toml", {}))
