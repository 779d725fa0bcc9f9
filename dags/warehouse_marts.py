"""The marts, built when every table they read has been proven, and the dashboard over them.

Starts on the asset `warehouse_raw`, whose event says what was proven. `marts` asks the gate by itself
before it builds and again before it publishes, so that a run started by hand is as safe. Marts are
built aside, tested, and published together in one transaction, or not at all.
"""

from __future__ import annotations

from airflow.sdk import dag, task
from airflow.sdk.exceptions import AirflowSkipException
from etl_common import (
    BEFORE_THE_NEXT_SYNC,
    DAG_DEFAULTS,
    LONG_TASK,
    TABLES,
    WAREHOUSE_POOL,
    configuration,
    dashboard_file,
)

from etl import tasks


@task(pool=WAREHOUSE_POOL, priority_weight=BEFORE_THE_NEXT_SYNC, execution_timeout=LONG_TASK)
def marts() -> list[tasks.Built]:
    """Build, test and publish every mart, if the gate is open."""
    return tasks.build_marts(configuration())


@task(pool=WAREHOUSE_POOL, priority_weight=BEFORE_THE_NEXT_SYNC)
def dashboard() -> str:
    """Write the dashboard over the published marts, if the world has one."""
    drawn = tasks.draw_dashboard(configuration(), dashboard_file())
    if drawn is None:
        raise AirflowSkipException("this world has no dashboard")
    return drawn


@dag(
    schedule=[TABLES],
    dag_display_name="Warehouse: marts and dashboard",
    description="Builds the marts on proven tables and draws the dashboard",
    tags=["etl", "marts"],
    doc_md=__doc__,
    **DAG_DEFAULTS,
)
def warehouse_marts() -> None:
    marts() >> dashboard()


warehouse_marts()
