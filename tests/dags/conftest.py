"""An Airflow of the tests' own: a home in a temporary directory with its own metadata, and a tiny world to sync.

Airflow reads its settings when it is first imported, so they are set when this file is.
"""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from airflow_world import DAGS, Run, write_config

HOME = Path(tempfile.mkdtemp(prefix="etl-airflow-"))
atexit.register(shutil.rmtree, HOME, ignore_errors=True)

os.environ |= {
    "AIRFLOW_HOME": str(HOME),
    "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{HOME}/airflow.db",
    "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(HOME / "logs"),
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
}
sys.path.append(str(DAGS))

_HANDLERS, _LEVEL = logging.root.handlers[:], logging.root.level


@pytest.fixture(scope="module", autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Airflow writes every log to the standard output of when it was imported, which pytest closes."""
    yield
    logging.root.handlers[:] = _HANDLERS
    logging.root.setLevel(_LEVEL)


@pytest.fixture(scope="session")
def dagbag() -> Any:
    """The DAGs, over a metadata database made anew with the pool that they use."""
    from airflow.dag_processing.dagbag import DagBag
    from airflow.models.pool import Pool
    from airflow.utils.db import initdb

    initdb()
    Pool.create_or_update_pool("etl_warehouse", slots=1, description="", include_deferred=False)
    return DagBag(str(DAGS))


@pytest.fixture(scope="session")
def run(dagbag: Any) -> Run:
    """Runs a DAG to its end in this process, with parameters if it takes any, and returns its run."""

    from airflow.dag_processing.dagbag import DagBag

    def run_dag(dag_id: str, **parameters: Any) -> Any:
        # Read anew, as a worker does: a run leaves its parameters in the DAG.
        dag = DagBag(str(DAGS / f"{dag_id}.py")).dags[dag_id]
        for task in dag.tasks:
            task.retry_delay = timedelta()
        # dag.test() looks deadlines up by an identifier that they have only under a scheduler, and calls
        # back without the run's parameters.
        with patch.object(dag, "deadline", []), patch.object(dag, "has_on_failure_callback", new=False):
            return dag.test(run_conf=parameters)

    return run_dag


@pytest.fixture(scope="session")
def tiny_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a source of 50 customers and the etl.toml for it; for reading only."""
    from generators import hopify

    directory = tmp_path_factory.mktemp("world")
    hopify.generate(f"sqlite:///{directory}/hopify.db", customers=50)
    write_config(directory)
    return directory


@pytest.fixture
def world(tiny_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it that a test may change, which the DAGs are configured with."""
    shutil.copy(tiny_world / "hopify.db", tmp_path)
    write_config(tmp_path)
    monkeypatch.setenv("ETL_CONFIG", str(tmp_path / "etl.toml"))
    return tmp_path


@pytest.fixture(scope="module")
def module_environment() -> Iterator[pytest.MonkeyPatch]:
    """Changes of the environment that last for a module."""
    with pytest.MonkeyPatch.context() as patch:
        yield patch
