"""One more day in the generated world that is the source: new, changed, late and erased rows.

For trying the toolkit out. It has no schedule unless `ETL_DAGS_SIMULATION_SCHEDULE` gives one, and
refuses a source that `etl generate` did not make.
"""

from __future__ import annotations

from airflow.sdk import dag, task
from etl_common import DAG_DEFAULTS, SIMULATION_SCHEDULE, SYNC_POOL, configuration

from etl import tasks


@task(multiple_outputs=False, pool=SYNC_POOL)
def advance() -> dict[str, dict[str, int]]:
    """Advance the world by a day."""
    return tasks.advance(configuration())


@dag(
    schedule=SIMULATION_SCHEDULE,
    dag_display_name="Demo source: simulate a day",
    description="Advances the generated source by a day; off unless configured",
    tags=["etl", "demo"],
    doc_md=__doc__,
    **DAG_DEFAULTS,
)
def source_simulation() -> None:
    advance()


source_simulation()
