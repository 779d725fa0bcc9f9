"""Every table to the source's state, proven, and announced only when all of them are.

`plan` lists the tables, children before the parents they refer to. `ranges` cuts those that are large
and have never been loaded into ranges, of which `load` stages one a task. Of each table, `sync` takes its
ranges if it has any, moves what changed and proves the copy against the snapshot it was read from, and
`check` reads that proof from the ledger. Tables have a snapshot each, so `orphans` counts the rows
whose parent has not come along. `gate` asks the ledger once more about all tables, also when one
failed, so that its log always has the whole picture; its first line names every table with its rows.
`publish` announces counts, hashes and orphans as an event of the asset `warehouse_raw`, on which
`warehouse_marts` starts; it needs the gate and every check.

A run takes whatever the source holds when it runs and looks at no date, so that runs that overlap,
are late, are repeated or are made by `airflow backfill create` do no harm.
"""

from __future__ import annotations

from collections.abc import Iterator

from airflow.sdk import Metadata, TriggerRule, dag, task, task_group
from etl_common import DAG_DEFAULTS, LONG_TASK, SYNC_POOL, SYNC_SCHEDULE, TABLES, WAREHOUSE_POOL, configuration

from etl import tasks

TABLE_LABEL = "{{ task.op_kwargs['name'] }}"
RANGE_LABEL = "{% set part = task.op_kwargs['part'] %}{{ part.table }} {{ part.number }} of {{ part.of }}"


@task(pool=SYNC_POOL)
def plan() -> list[str]:
    """List the source's tables, children first."""
    return tasks.plan(configuration())


@task(pool=SYNC_POOL)
def ranges(names: list[str]) -> list[tasks.Range]:
    """Cut large tables that have never been loaded into ranges."""
    return tasks.plan_ranges(configuration(), *names)


# A mapped task shows no docstring, only what it is given.
@task(
    multiple_outputs=False,
    pool=SYNC_POOL,
    execution_timeout=LONG_TASK,
    map_index_template=RANGE_LABEL,
    doc_md="Stage one range of a large table.",
)
def load(part: tasks.Range) -> tasks.Range:
    """Stage one range of a large table."""
    return tasks.load_range(configuration(), part)


# Ranges are skipped where there are none, and one that failed stops its own table only.
@task(
    multiple_outputs=False,
    pool=SYNC_POOL,
    execution_timeout=LONG_TASK,
    map_index_template=TABLE_LABEL,
    trigger_rule=TriggerRule.ALL_DONE,
)
def sync(name: str, parts: list[tasks.Range]) -> tasks.Moved:
    """Take the table's ranges, move what changed in it, and prove it."""
    return tasks.take_ranges(configuration(), name, [part for part in parts if part["table"] == name])


@task(multiple_outputs=False, pool=WAREHOUSE_POOL, map_index_template=TABLE_LABEL)
def check(name: str) -> tasks.Proof:
    """Fail unless the table's newest check is equal and names its newest load."""
    return tasks.check_table(configuration(), name)


@task(multiple_outputs=False, pool=WAREHOUSE_POOL)
def orphans() -> dict[str, int]:
    """Count the rows whose parent has not come along, by foreign key."""
    return tasks.count_orphans(configuration())


@task(multiple_outputs=False, pool=WAREHOUSE_POOL, trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS)
def gate(names: list[str]) -> dict[str, tasks.Proof]:
    """Fail unless every table is proven."""
    return tasks.pass_gate(configuration(), names)


@task(outlets=[TABLES])
def publish(proofs: dict[str, tasks.Proof], orphaned: dict[str, int]) -> Iterator[Metadata]:
    """Announce what was proven."""
    yield Metadata(TABLES, extra={"tables": proofs, "orphans": orphaned})


@dag(
    schedule=SYNC_SCHEDULE,
    dag_display_name="Warehouse: sync and prove",
    description="Moves what changed in every table, proves the copies, and opens the gate",
    tags=["etl", "warehouse"],
    doc_md=__doc__,
    **DAG_DEFAULTS,
)
def warehouse_sync() -> None:
    names = plan()
    parts = ranges(names)
    loaded = load.expand(part=parts)

    @task_group
    def table(name: str) -> None:
        """One table: moved, then proven."""
        loaded >> sync(name=name, parts=parts) >> check(name=name)

    tables = table.expand(name=names)
    counted, passed = orphans(), gate(names)
    tables >> counted >> passed
    tables >> [passed, publish(passed, counted)]


warehouse_sync()
