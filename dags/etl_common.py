"""What the DAGs share: schedules, pools, limits, retries, who is told, and where the configuration comes from.

Everything that differs between installations is an environment variable or an Airflow connection;
docs/airflow.md lists them.
"""

from __future__ import annotations

import json
import logging
import os
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import httpx
from airflow.sdk import (
    Asset,
    Connection,
    DeadlineAlert,
    DeadlineReference,
    ExceptionRetryPolicy,
    RetryAction,
    RetryRule,
    SyncCallback,
    Variable,
)
from airflow.sdk.exceptions import AirflowNotFoundException, AirflowRuntimeError, AirflowTaskTimeout

from etl.errors import SourceError, WarehouseError

if TYPE_CHECKING:
    from etl.config import Config

log = logging.getLogger(__name__)

SYNC_SCHEDULE = os.environ.get("ETL_DAGS_SYNC_SCHEDULE", "@hourly")
SIMULATION_SCHEDULE = os.environ.get("ETL_DAGS_SIMULATION_SCHEDULE") or None

WAREHOUSE_POOL = "etl_warehouse"
"""Who opens the warehouse. One slot for DuckDB: one process opens its file, and a second would wait in a worker."""
SOURCE_POOL = "etl_source"
"""Who reads the source of a warehouse that takes several at once: as many slots as the source can bear."""


def sync_pool(environment: Mapping[str, str]) -> str:
    """The pool of tasks that open both: the one-slot pool while the warehouse is, or may be, a DuckDB file.

    Reading a DAG asks no database, so of a connection kept in Airflow's only ``ETL_DAGS_SYNC_POOL`` can tell.
    """
    if given := environment.get("ETL_DAGS_SYNC_POOL"):
        return given
    named = environment.get("AIRFLOW_CONN_ETL_WAREHOUSE") or environment.get("ETL_WAREHOUSE_URL")
    file = Path(environment.get("ETL_CONFIG", ""))
    if not named and file.is_file():
        with suppress(ValueError):  # the tasks say what is wrong with it
            named = str(tomllib.loads(file.read_text("utf-8")).get("warehouse"))
    return SOURCE_POOL if "bigquery" in (named or "") else WAREHOUSE_POOL


SYNC_POOL = sync_pool(os.environ)

BEFORE_THE_NEXT_SYNC = 100
"""The weight of tasks that would else wait in a one-slot pool for every table of the sync that begins meanwhile."""

TABLES = Asset(name="warehouse_raw", uri="etl://warehouse/raw")
"""Every table in raw, proven equal to the source; its events carry rows and hash of each."""

# No retry for data or a configuration that is wrong: it would be just as wrong in a minute.
_RETRIES = ExceptionRetryPolicy(
    rules=[
        RetryRule(
            # The last two: a task over its time, and an API server that did not answer.
            exception=[SourceError, WarehouseError, OSError, AirflowTaskTimeout, AirflowRuntimeError],
            action=RetryAction.RETRY,
        )
    ],
    default=RetryAction.FAIL,
)

TASK_DEFAULTS: dict[str, Any] = {
    "owner": "data-engineering",
    "retries": 2,
    "retry_delay": timedelta(minutes=1),
    "retry_policy": _RETRIES,
    # Longer than the ten minutes for which a DuckDB file in use is waited for.
    "execution_timeout": timedelta(minutes=15),
}
LONG_TASK = timedelta(hours=6)
LATE_AFTER = timedelta(minutes=float(os.environ.get("ETL_DAGS_LATE_MINUTES") or 480))


def dashboard_file() -> Path:
    """Where the dashboard is written."""
    return Path(os.environ.get("ETL_DAGS_DASHBOARD", "data/dashboard.html"))


def configuration() -> Config:
    """The configuration a task runs with; a connection stands above the environment, that above the file.

    The file is named by ``ETL_CONFIG`` or by the Variable ``etl_config``. Raises ``ConfigError``.
    """
    from etl.config import load  # noqa: PLC0415  # a third of a second that reading a DAG can do without

    file = os.environ.get("ETL_CONFIG") or Variable.get("etl_config", default=None)
    given = dict(os.environ)
    for role in ("source", "warehouse"):
        given |= _from_connection(role)
    return load(Path(file) if file else None, given)


def _from_connection(role: str) -> dict[str, str]:
    """What connection ``etl_<role>`` says, as the variables that configure it; empty if there is none."""
    try:
        connection = Connection.get(f"etl_{role}")
    except AirflowNotFoundException:
        return {}
    variables = {f"ETL_{role.upper()}_URL": url_of(connection)}
    if connection.password:
        variables[f"ETL_{role.upper()}_PASSWORD"] = connection.password
    key = connection.extra_dejson.get("keyfile_dict") or connection.extra_dejson.get("key_path")
    if role == "warehouse" and key:
        variables["ETL_WAREHOUSE_CREDENTIALS"] = key if isinstance(key, str) else json.dumps(key)
    return variables


def url_of(connection: Connection) -> str:
    """The engine's URL that a connection describes, without its password.

    For an engine that is a file, the path is the connection's host or schema; Google's has the project
    and, optionally, the location in its extra fields, and the datasets' prefix as its schema.
    """
    if connection.conn_type in ("google_cloud_platform", "bigquery"):
        extra = connection.extra_dejson
        project, location = extra.get("project", connection.host or ""), extra.get("location", "")
        return f"bigquery://{project}/{connection.schema or 'etl'}{f'?location={location}' if location else ''}"
    scheme = {"postgres": "postgresql"}.get(connection.conn_type, connection.conn_type)
    if scheme in ("sqlite", "duckdb"):
        return f"{scheme}:///{quote(connection.schema or connection.host or '')}"
    login = f"{quote(connection.login, safe='')}@" if connection.login else ""
    port = f":{connection.port}" if connection.port else ""
    extra = f"?{urlencode(connection.extra_dejson)}" if connection.extra_dejson else ""
    return f"{scheme}://{login}{connection.host or ''}{port}/{quote(connection.schema or '')}{extra}"


def tell_failure(context: dict[str, Any]) -> None:
    """Tell that a run has failed, once a run however many of its tasks did."""
    _tell(f"{context['dag'].dag_id} failed: run {context['run_id']}, {context.get('reason') or 'no reason given'}")


def tell_late(context: dict[str, Any]) -> None:
    """Tell that a run has not ended in time."""
    run = context["dag_run"]
    _tell(f"{run['dag_id']} has not ended within {LATE_AFTER}: run {run['dag_run_id']}")


def _tell(text: str) -> None:
    """Log a message, and post it to the chat webhook in the password of connection ``etl_notify``, if there is one."""
    log.error(text)
    try:
        webhook = Connection.get("etl_notify").password
    except AirflowNotFoundException:
        return
    httpx.post(webhook, json={"text": text}, timeout=10).raise_for_status()


DAG_DEFAULTS: dict[str, Any] = {
    "start_date": datetime(2026, 1, 1, tzinfo=UTC),
    "catchup": False,
    "max_active_runs": 1,
    "default_args": TASK_DEFAULTS,
    "on_failure_callback": tell_failure,
    "deadline": DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT, interval=LATE_AFTER, callback=SyncCallback(tell_late)
    ),
}
