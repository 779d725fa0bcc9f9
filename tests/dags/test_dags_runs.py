"""The course of a day: synced, proven, announced, built; and a day on which the copy was tampered with."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from airflow_world import Run, states, write_config


def announcements() -> list[dict[str, Any]]:
    """What was announced so far."""
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session

    with create_session() as session:
        return [event.extra for event in session.query(AssetEvent).order_by(AssetEvent.id)]


@dataclass(frozen=True)
class Day:
    """A world after a sync and its marts."""

    directory: Path
    sync: Any
    marts: Any
    announced: list[dict[str, Any]]


@pytest.fixture(scope="module")
def day(run: Run, tiny_world: Path, module_environment: pytest.MonkeyPatch) -> Day:
    module_environment.setenv("ETL_CONFIG", str(write_config(tiny_world)))
    module_environment.setenv("ETL_DAGS_DASHBOARD", str(tiny_world / "dashboard.html"))
    before = len(announcements())  # other modules may have run on the same metadata
    sync, marts = run("warehouse_sync"), run("warehouse_marts")
    return Day(tiny_world, sync, marts, announcements()[before:])


def test_every_table_is_synced_checked_and_announced(day: Day) -> None:
    from schemas.hopify import metadata

    count = len(metadata.tables)
    assert states(day.sync) == {
        "plan": {"success": 1},
        "ranges": {"success": 1},
        "load": {"skipped": 1},
        "table.sync": {"success": count},
        "table.check": {"success": count},
        "orphans": {"success": 1},
        "gate": {"success": 1},
        "publish": {"success": 1},
    }
    (event,) = day.announced
    assert event["tables"].keys() == metadata.tables.keys()
    assert event["orphans"] == {}
    assert event["tables"]["customers"]["rows"] == 50
    assert len(event["tables"]["customers"]["hash"]) == 32


def test_mapped_tasks_carry_their_tables_names_children_first(day: Day) -> None:
    labels = {i.map_index: i.rendered_map_index for i in day.sync.get_task_instances() if i.task_id == "table.sync"}
    order = [labels[index] for index in sorted(labels)]
    assert order.index("order_items") < order.index("orders") < order.index("customers")


def test_the_marts_and_the_dashboard_follow(day: Day) -> None:
    assert states(day.marts) == {"marts": {"success": 1}, "dashboard": {"success": 1}}
    assert "<html" in (day.directory / "dashboard.html").read_text("utf-8")


@pytest.fixture
def tampered(day: Day, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the warehouse in which one cell differs, synced without repair, one other table beside it."""
    warehouse = tmp_path / "warehouse.duckdb"
    shutil.copy(day.directory / "warehouse.duckdb", warehouse)
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("UPDATE raw.customers SET email = email || '!' WHERE rowid = 0")
        connection.execute("CREATE TABLE marts_before AS SELECT * FROM marts.mrr_waterfall")
    monkeypatch.setenv("ETL_WAREHOUSE_URL", f"duckdb:///{warehouse}")
    monkeypatch.setenv("ETL_CONFIG", str(write_config(day.directory, only=("customers", "products"), repair=False)))
    return warehouse


def test_a_copy_that_differs_shuts_the_gate_and_nothing_is_published(day: Day, tampered: Path, run: Run) -> None:
    ended = run("warehouse_sync")
    assert ended.state == "failed"
    assert states(ended) == {
        "plan": {"success": 1},
        "ranges": {"success": 1},
        "load": {"skipped": 1},
        "table.sync": {"success": 2},
        "table.check": {"success": 1, "failed": 1},
        "orphans": {"upstream_failed": 1},
        "gate": {"failed": 1},
        "publish": {"upstream_failed": 1},
    }
    # Wrong data is not tried again.
    assert {i.try_number for i in ended.get_task_instances() if i.state == "failed"} == {1}
    assert announcements()[-1] == day.announced[-1]

    marts = run("warehouse_marts")
    assert states(marts) == {"marts": {"failed": 1}, "dashboard": {"upstream_failed": 1}}
    with duckdb.connect(str(tampered), read_only=True) as connection:
        same = "SELECT COUNT(*) FROM (FROM marts.mrr_waterfall EXCEPT FROM marts_before)"
        assert connection.execute(same).fetchone() == (0,)
        assert connection.execute(
            "SELECT COUNT(*) FROM duckdb_tables() WHERE table_name LIKE '%\\_\\_building' ESCAPE '\\'"
        ).fetchone() == (0,)


def test_the_next_sync_with_repair_opens_the_gate_again(day: Day, tampered: Path, run: Run) -> None:
    write_config(day.directory, only=("customers", "products"))
    ended = run("warehouse_sync")
    assert ended.state == "success"
    assert announcements()[-1]["tables"]["customers"] == {
        **day.announced[0]["tables"]["customers"],
        **{key: announcements()[-1]["tables"]["customers"][key] for key in ("load_id", "checked_at")},
    }


def test_a_table_that_cannot_be_synced_stops_the_announcement_but_not_the_others(
    world: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from etl import errors, tasks

    take_ranges = tasks.take_ranges

    def stops_at_plans(config: Any, table: str, ranges: list[tasks.Range]) -> tasks.Moved:
        if table == "plans":
            raise errors.StoppedTableError("too many rows would be deleted")
        return take_ranges(config, table, ranges)

    monkeypatch.setattr(tasks, "take_ranges", stops_at_plans)
    write_config(world, only=("plans", "products"))
    before = announcements()
    assert states(run("warehouse_sync")) == {
        "plan": {"success": 1},
        "ranges": {"success": 1},
        "load": {"skipped": 1},
        "table.sync": {"success": 1, "failed": 1},
        "table.check": {"success": 1, "upstream_failed": 1},
        "orphans": {"upstream_failed": 1},
        "gate": {"failed": 1},
        "publish": {"upstream_failed": 1},
    }
    assert announcements() == before


def test_a_large_table_is_loaded_by_ranges_and_then_proven(
    world: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ETL_SYNC_RANGE_ROWS", "100")
    write_config(world, only=("payments", "products"))
    ended = run("warehouse_sync")
    count = states(ended)["load"]["success"]
    assert ended.state == "success"
    assert count > 1
    labels = {i.map_index: i.rendered_map_index for i in ended.get_task_instances() if i.task_id == "load"}
    assert labels == {number: f"payments {number + 1} of {count}" for number in range(count)}
    with duckdb.connect(str(world / "warehouse.duckdb"), read_only=True) as connection:
        kinds = connection.execute("SELECT table_name, kind FROM etl.loads ORDER BY load_no, 1").fetchall()
        tables = connection.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'raw'").fetchall()
    assert kinds[:2] == [("payments", "full"), ("products", "full")]
    assert sorted(tables) == [("payments",), ("products",)]


def test_a_range_that_fails_stops_its_own_table_only(world: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from etl import errors, tasks

    load_range = tasks.load_range

    def fails_at_the_second(config: Any, part: tasks.Range) -> tasks.Range:
        if part["number"] == 2:
            raise errors.StoppedTableError("not this one")
        return load_range(config, part)

    monkeypatch.setattr(tasks, "load_range", fails_at_the_second)
    monkeypatch.setenv("ETL_SYNC_RANGE_ROWS", "100")
    write_config(world, only=("payments", "products"))
    found = states(run("warehouse_sync"))
    assert found["load"]["failed"] == 1
    assert found["table.sync"] == {"success": 1, "failed": 1}
    assert found["table.check"] == {"success": 1, "upstream_failed": 1}
    assert found["gate"] == {"failed": 1}
    assert found["publish"] == {"upstream_failed": 1}


def test_a_source_that_is_not_there_fails_the_plan_and_nothing_else_is_tried(world: Path, run: Run) -> None:
    (world / "hopify.db").unlink()
    ended = run("warehouse_sync")
    assert ended.state == "failed"
    assert states(ended)["gate"] == {"upstream_failed": 1}
    assert not (world / "warehouse.duckdb").exists()
