"""Sync and marts with BigQuery as the warehouse, through the official client: an emulator where there is one."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from airflow_world import Run, states
from support.bigquery import emulator

from etl import tasks
from etl.config import load
from etl.session import open_session

pytestmark = pytest.mark.thorough


@pytest.fixture
def bigquery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An etl.toml with the health world as source and datasets of its own in the emulator."""
    from generators import health

    emulator()
    health.generate(tmp_path / "health.db", customers=50)
    file = tmp_path / "etl.toml"
    file.write_text(
        f'source = {{ url = "sqlite:///{tmp_path}/health.db" }}\n'
        f'warehouse = {{ url = "bigquery://local/dags{uuid.uuid4().hex[:8]}?location=EU" }}\n'
        'publish = { world = "health" }\nsync = { range_rows = 60 }\n'
    )
    monkeypatch.setenv("ETL_CONFIG", str(file))
    monkeypatch.setenv("ETL_DAGS_DASHBOARD", str(tmp_path / "dashboard.html"))
    return file


def test_a_day_on_bigquery(run: Run, bigquery: Path) -> None:
    assert states(run("warehouse_sync")) == {
        "plan": {"success": 1},
        "ranges": {"success": 1},
        "load": {"success": 2},
        "table.sync": {"success": 3},
        "table.check": {"success": 3},
        "orphans": {"success": 1},
        "gate": {"success": 1},
        "publish": {"success": 1},
    }
    assert states(run("warehouse_marts")) == {"marts": {"success": 1}, "dashboard": {"success": 1}}
    config = load(bigquery, {})
    assert tasks.check_table(config, "day06_customers")["rows"] == 50
    with open_session(config) as session:
        marts = session.warehouse.tables("marts")
        assert "day06_mrr_summary" in marts
        assert session.warehouse.query(
            f"SELECT COUNT(*) AS n FROM {session.warehouse.relation('marts', 'day06_mrr_summary')}"
        )["n"][0].as_py()


KEY = {"type": "service_account", "client_email": "etl@my-project"}


@pytest.mark.parametrize(
    ("extra", "credentials"),
    [
        ({"key_path": "/secrets/etl.json"}, "/secrets/etl.json"),
        ({"keyfile_dict": KEY}, json.dumps(KEY)),
        ({"keyfile_dict": json.dumps(KEY)}, json.dumps(KEY)),
        ({}, None),
    ],
    ids=["file", "key", "key as text", "the worker's own account"],
)
def test_a_connection_says_project_place_and_credentials(
    extra: dict[str, Any], credentials: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As docs/airflow.md has it."""
    from etl_common import configuration

    (tmp_path / "etl.toml").write_text("")
    said = {"project": "my-project", "location": "EU", **extra}
    connection = {"conn_type": "google_cloud_platform", "schema": "shop", "extra": said}
    monkeypatch.setenv("ETL_CONFIG", str(tmp_path / "etl.toml"))
    monkeypatch.setenv("AIRFLOW_CONN_ETL_WAREHOUSE", json.dumps(connection))
    found = configuration().warehouse
    assert found.url == "bigquery://my-project/shop?location=EU"
    assert (found.credentials and found.credentials.get_secret_value()) == credentials
