"""A day under real processes: scheduler, DAG processor, API server, triggerer and their workers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import duckdb
import pytest
from airflow_world import DAG_IDS
from local_airflow import LocalAirflow, alive, local_airflow

pytestmark = pytest.mark.thorough

SECRETS = ("pa55-of-the-warehouse", "pa55-of-the-webhook")
TABLES = {"day06_customers", "day06_subscriptions", "day06_mrr_movements"}


@contextmanager
def _webhook() -> Iterator[tuple[str, list[str]]]:
    """A chat's webhook: its address, and what was posted to it."""
    posted: list[str] = []

    class Chat(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Chat)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/{SECRETS[1]}", posted
    finally:
        server.shutdown()
        server.server_close()


def _configure(directory: Path) -> Path:
    """A small world, and the etl.toml that says all but the warehouse."""
    from generators import health

    health.generate(directory / "health.db", customers=50)
    file = directory / "etl.toml"
    file.write_text(f'source = {{ url = "sqlite:///{directory}/health.db" }}\npublish = {{ world = "health" }}\n')
    return file


def _states(airflow: LocalAirflow, dag_id: str) -> Counter[tuple[str, str]]:
    run = airflow.ended_run(dag_id)
    instances = airflow.get(f"dags/{dag_id}/dagRuns/{run['dag_run_id']}/taskInstances")["task_instances"]
    return Counter((instance["task_id"], instance["state"]) for instance in instances)


def test_a_day_under_real_processes(tmp_path: Path) -> None:
    config, warehouse = _configure(tmp_path), tmp_path / "warehouse.duckdb"
    with _webhook() as (hook, posted):
        environment = {
            "AIRFLOW_CONN_ETL_NOTIFY": json.dumps({"conn_type": "http", "password": hook}),
            "AIRFLOW_CONN_ETL_WAREHOUSE": json.dumps(
                {"conn_type": "duckdb", "host": str(warehouse), "login": "etl", "password": SECRETS[0]}
            ),
            "ETL_DAGS_LATE_MINUTES": "0.2",
            "ETL_DAGS_SYNC_SCHEDULE": "@monthly",
            "ETL_SYNC_RANGE_ROWS": "60",  # subscriptions are more: they are loaded in two ranges
        }
        with local_airflow(tmp_path / "airflow", config, environment) as airflow:
            airflow.wait(lambda: airflow.dags() == set(DAG_IDS), "the DAGs")
            # A backfill without a table is refused when it is asked for, one of nothing as soon as it runs.
            asked = airflow.api.post("dags/warehouse_backfill/dagRuns", json={"logical_date": None})
            assert asked.status_code == 400
            assert "table" in asked.text
            wanted = {"logical_date": None, "conf": {"table": "day06_customers"}}
            airflow.api.post("dags/warehouse_backfill/dagRuns", json=wanted).raise_for_status()

            # The schedule's latest tick is run as soon as the DAG is known, and its event starts the marts.
            assert _states(airflow, "warehouse_sync") == {
                ("plan", "success"): 1,
                ("ranges", "success"): 1,
                ("load", "success"): 2,
                ("table.sync", "success"): 3,
                ("table.check", "success"): 3,
                ("orphans", "success"): 1,
                ("gate", "success"): 1,
                ("publish", "success"): 1,
            }
            assert _states(airflow, "warehouse_marts") == {("marts", "success"): 1, ("dashboard", "success"): 1}
            assert (tmp_path / "airflow/dashboard.html").is_file()
            assert airflow.ended_run("warehouse_sync")["run_type"] == "scheduled"
            marts = airflow.ended_run("warehouse_marts")
            assert (marts["run_type"], marts["state"]) == ("asset_triggered", "success")
            events = airflow.get(f"dags/warehouse_marts/dagRuns/{marts['dag_run_id']}/upstreamAssetEvents")
            (event,) = events["asset_events"]

            assert _states(airflow, "warehouse_backfill") == {
                ("asked", "failed"): 1,
                ("backfill", "upstream_failed"): 1,
            }
            airflow.wait(lambda: _told(posted, "warehouse_backfill failed"), "word of the failure")
            airflow.wait(lambda: _told(posted, "warehouse_sync has not ended within 0:00:12"), "word of the delay")

            started = airflow.processes()
            assert len(started) > 4
            assert airflow.stop() == 0
            assert [process for process in started + airflow.processes() if alive(process)] == []

    assert event["extra"]["orphans"] == {}
    assert event["extra"]["tables"].keys() == TABLES
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        proven = dict(connection.execute("SELECT table_name, source_hash FROM etl.checks WHERE equal").fetchall())
        assert connection.execute("SELECT COUNT(*) > 0 FROM marts.day06_mrr_summary").fetchone() == (True,)
    assert {name: proof["hash"] for name, proof in event["extra"]["tables"].items()} == proven
    for file in filter(Path.is_file, (tmp_path / "airflow").rglob("*")):
        assert not [secret for secret in SECRETS if secret.encode() in file.read_bytes()], file


def _told(posted: list[str], beginning: str) -> bool:
    return any(text.startswith(beginning) for text in posted)
