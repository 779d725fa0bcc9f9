"""What every DAG has to be, whatever it does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from airflow_world import DAG_IDS, DAGS

# Reads every file as the DAG processor does, after Airflow itself has been imported. Processor time,
# so that whatever else runs on the machine does not count.
_TIMED = """
import json, runpy, sys, time
import httpx, airflow.sdk.exceptions, airflow.sdk.api.client
from airflow.sdk import *
from airflow.providers.standard.decorators import python
Asset(name="any", uri="any://asset")  # makes Airflow load its providers
sys.path.append(sys.argv[1])
seconds = {}
for file in sys.argv[2:]:
    for name in [name for name in sys.modules if name.partition(".")[0] in ("etl", "etl_common")]:
        del sys.modules[name]
    started = time.process_time()
    runpy.run_path(file)
    seconds[file] = time.process_time() - started
loaded = [name for name in ("duckdb", "pyarrow", "generators", "altair") if name in sys.modules]
print(json.dumps({"seconds": seconds, "loaded": loaded}))
"""


def test_every_file_is_read_without_an_error(dagbag: Any) -> None:
    assert not dagbag.import_errors
    assert sorted(dagbag.dags) == list(DAG_IDS)


@pytest.mark.parametrize("dag_id", DAG_IDS)
def test_a_dag_says_what_it_is(dagbag: Any, dag_id: str) -> None:
    dag = dagbag.dags[dag_id]
    assert "etl" in dag.tags
    assert dag.description
    assert dag.doc_md
    assert dag.dag_display_name != dag_id
    assert not dag.catchup
    assert dag.max_active_runs == 1
    assert dag.on_failure_callback
    assert dag.deadline


@pytest.mark.parametrize("dag_id", DAG_IDS)
def test_a_dag_has_no_cycle(dagbag: Any, dag_id: str) -> None:
    dagbag.dags[dag_id].check_cycle()


@pytest.mark.parametrize("dag_id", DAG_IDS)
def test_every_task_is_owned_limited_and_documented(dagbag: Any, dag_id: str) -> None:
    for task in dagbag.dags[dag_id].tasks:
        assert task.owner == "data-engineering"
        assert task.execution_timeout
        assert task.retries
        assert task.retry_policy
        assert task.doc_md, task.task_id
        # Announcing and refusing open nothing, so they need not wait for whoever does.
        assert task.pool == ("default_pool" if task.task_id in ("asked", "publish") else "etl_warehouse")


def test_the_gate_waits_for_every_check_and_the_announcement_for_the_gate(dagbag: Any) -> None:
    dag = dagbag.dags["warehouse_sync"]
    assert dag.get_task("orphans").upstream_task_ids == {"table.check"}
    assert dag.get_task("gate").upstream_task_ids == {"plan", "table.check", "orphans"}
    assert dag.get_task("publish").upstream_task_ids == {"gate", "table.check", "orphans"}


def test_the_marts_start_on_the_announcement_alone(dagbag: Any) -> None:
    (published,) = dagbag.dags["warehouse_sync"].get_task("publish").outlets
    assert dagbag.dags["warehouse_marts"].schedule == [published]


def test_the_simulation_is_off_unless_configured(dagbag: Any) -> None:
    assert dagbag.dags["source_simulation"].schedule is None


def test_reading_a_file_is_quick_and_loads_no_engine() -> None:
    files = [str(DAGS / f"{dag_id}.py") for dag_id in DAG_IDS]
    ran = subprocess.run([sys.executable, "-c", _TIMED, str(DAGS), *files], capture_output=True, text=True, check=True)  # noqa: S603
    found = json.loads(ran.stdout.splitlines()[-1])
    assert found["loaded"] == []
    assert max(found["seconds"].values()) < 1, found["seconds"]


def test_no_idiom_of_older_airflows() -> None:
    ruff = Path(sys.executable).with_name("ruff")
    ran = subprocess.run(  # noqa: S603
        [ruff, "check", "--select", "AIR", "--preview", DAGS], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout
