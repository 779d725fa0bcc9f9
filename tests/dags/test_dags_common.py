"""Retries, connections, and who is told."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow_world import Run

from etl import errors
from etl.publish.errors import MartError


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (errors.SourceError("the server hung up"), True),
        (errors.WarehouseError("the file is open elsewhere"), True),
        (errors.LostRaceError("another run was first"), True),
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (errors.DifferenceError("1 difference"), False),
        (errors.GateShutError("the gate is shut"), False),
        (errors.StoppedTableError("too many deletes"), False),
        (errors.ConfigError("no source"), False),
        (MartError("a test failed"), False),
        (TypeError("a bug"), False),
    ],
)
def test_what_may_pass_is_tried_again_and_what_is_wrong_is_not(dagbag: Any, error: Exception, again: bool) -> None:
    policy = dagbag.dags["warehouse_sync"].get_task("gate").retry_policy
    assert policy.evaluate(error, 1, 3).action.value == ("retry" if again else "fail")


def test_a_task_over_its_time_is_tried_again(dagbag: Any) -> None:
    from airflow.sdk.exceptions import AirflowTaskTimeout

    policy = dagbag.dags["warehouse_sync"].get_task("gate").retry_policy
    assert policy.evaluate(AirflowTaskTimeout(), 1, 3).action.value == "retry"


def test_a_source_that_fails_once_does_not_fail_the_run(run: Run, world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from etl import tasks

    advance, calls = tasks.advance, []

    def fails_once(config: Any) -> Any:
        calls.append(config)
        if len(calls) == 1:
            raise errors.SourceError("the server hung up")
        return advance(config)

    monkeypatch.setattr(tasks, "advance", fails_once)
    ended = run("source_simulation")
    assert ended.state == "success"
    assert ended.get_task_instance("advance").try_number == 2


def test_a_source_that_is_no_world_is_refused_at_once(run: Run, world: Path) -> None:
    (world / "hopify.db").unlink()
    sqlite3.connect(world / "hopify.db").close()
    ended = run("source_simulation")
    assert ended.state == "failed"
    assert ended.get_task_instance("advance").try_number == 1


def test_a_connection_stands_above_the_file(run: Run, world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = world / "other.db"
    other.write_bytes((world / "hopify.db").read_bytes())
    monkeypatch.setenv("AIRFLOW_CONN_ETL_SOURCE", f"sqlite:///{other}")
    before = (world / "hopify.db").read_bytes()
    assert run("source_simulation").state == "success"
    assert (world / "hopify.db").read_bytes() == before
    assert other.read_bytes() != before


@pytest.mark.parametrize(
    ("uri", "url"),
    [
        ("sqlite:////srv/shop.db", "sqlite:////srv/shop.db"),
        ("duckdb:///data/warehouse.duckdb", "duckdb:///data/warehouse.duckdb"),
        ("mssql://reader:s3cret@db.example:1433/shop", "mssql://reader@db.example:1433/shop"),
        ("postgresql://re%40der:s3cret@db.example/shop", "postgresql://re%40der@db.example/shop"),
        ("bigquery://project/prefix?location=EU", "bigquery://project/prefix?location=EU"),
        ("google-cloud-platform:///shop?project=my-project&location=EU", "bigquery://my-project/shop?location=EU"),
    ],
)
def test_a_connection_as_a_url_without_its_password(dagbag: Any, uri: str, url: str) -> None:
    from airflow.sdk import Connection
    from etl_common import url_of

    assert url_of(Connection.from_uri(uri, "etl_source")) == url


def test_a_failed_run_and_a_late_one_are_told_to_the_webhook(dagbag: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import etl_common

    told: list[tuple[str, str]] = []

    class Answer:
        def raise_for_status(self) -> None:
            """It went well."""

    def post(url: str, *, json: dict[str, str], timeout: float) -> Answer:
        told.append((url, json["text"]))
        return Answer()

    monkeypatch.setattr(etl_common.httpx, "post", post)
    monkeypatch.setenv("AIRFLOW_CONN_ETL_NOTIFY", '{"conn_type": "http", "password": "https://chat.example/hook"}')
    etl_common.tell_failure({"dag": dagbag.dags["warehouse_sync"], "run_id": "r1", "reason": "task_failure"})
    etl_common.tell_late({"dag_run": {"dag_id": "warehouse_sync", "dag_run_id": "r2"}})
    assert timedelta(hours=8) == etl_common.LATE_AFTER
    assert told == [
        ("https://chat.example/hook", "warehouse_sync failed: run r1, task_failure"),
        ("https://chat.example/hook", "warehouse_sync has not ended within 8:00:00: run r2"),
    ]


@pytest.mark.parametrize(
    ("environment", "pool"),
    [
        ({}, "etl_warehouse"),
        ({"ETL_WAREHOUSE_URL": "duckdb:///data/warehouse.duckdb"}, "etl_warehouse"),
        ({"ETL_WAREHOUSE_URL": "bigquery://project/prefix"}, "etl_source"),
        ({"AIRFLOW_CONN_ETL_WAREHOUSE": '{"conn_type": "bigquery", "host": "project"}'}, "etl_source"),
        ({"AIRFLOW_CONN_ETL_WAREHOUSE": "duckdb:///w", "ETL_WAREHOUSE_URL": "bigquery://p/q"}, "etl_warehouse"),
        ({"ETL_WAREHOUSE_URL": "duckdb:///w", "ETL_DAGS_SYNC_POOL": "mine"}, "mine"),
    ],
)
def test_only_duckdb_takes_one_at_a_time(environment: dict[str, str], pool: str) -> None:
    from etl_common import sync_pool

    assert sync_pool(environment) == pool


def test_the_pool_by_what_the_file_says(tmp_path: Path) -> None:
    from etl_common import sync_pool

    file = tmp_path / "etl.toml"
    for text, pool in (
        ('warehouse = { url = "bigquery://project/prefix" }', "etl_source"),
        ('warehouse = { url = "duckdb:///w" }', "etl_warehouse"),
        ("broken =", "etl_warehouse"),
    ):
        file.write_text(text)
        assert sync_pool({"ETL_CONFIG": str(file)}) == pool


def test_a_password_is_in_no_log_of_a_run_that_fails(
    run: Run, world: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("adbc_driver_postgresql")
    # Nobody listens there, and the error says so.
    monkeypatch.setenv("AIRFLOW_CONN_ETL_SOURCE", "postgres://reader:pa55-of-the-source@127.0.0.1:1/shop")
    ended = run("warehouse_backfill", table="orders", all=True)
    assert ended.get_task_instance("backfill").state == "failed"
    logged = "".join(capfd.readouterr())
    assert "127.0.0.1" in logged
    assert "pa55-of-the-source" not in logged
