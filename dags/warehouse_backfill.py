"""Rows behind the cursor once more: of one table those of a range, those with some keys, or all of them.

Started by hand, with what to bring. `asked` refuses what cannot be meant before anything is waited
for. `backfill` works in slices, each compared with the source in a snapshot of its own and brought to
it, and then syncs and proves the table as ever. Started again with the same parameters after it was
stopped, it continues. The watermark stays where it is.

It may run beside `warehouse_sync`: whoever has a table's lease is waited for, and the gate shuts on
what has been loaded and not been proven. The marts follow with the next run of `warehouse_sync`.

This is for rows that a source has changed without moving its cursor, or that the copy has lost. For
what Airflow calls a backfill, runs for dates of the past, there is no need: a sync looks at no date.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param, dag, task
from etl_common import DAG_DEFAULTS, LONG_TASK, SYNC_POOL, configuration

from etl import tasks

_GIVEN = {"type": ["null", "string"], "minLength": 1}
PARAMS = {
    "table": Param(
        type="string",
        minLength=1,
        title="Table",
        description="Its name in the warehouse: orders, or sales__orders for one outside of the default schema.",
    ),
    "from": Param(None, **_GIVEN, title="From", description="The first value of the range, or its first day."),
    "to": Param(None, **_GIVEN, title="To", description="The last value of the range, or its last day, included."),
    "column": Param(None, **_GIVEN, title="Column", description="The range's column; if empty, the table's cursor."),
    "keys": Param(
        None,
        type=["null", "array"],
        items={"type": "string", "minLength": 1},
        title="Keys",
        description='Instead of a range: keys of single rows, one a line; those of several columns as 7,x or [7,"x"].',
    ),
    "all": Param(False, type="boolean", title="All", description="Instead of a range or keys: every row."),
}


@task(multiple_outputs=False)
def asked(params: dict[str, Any] | None = None) -> tasks.Asked:
    """Refuse parameters that contradict one another."""
    given = params or {}
    return tasks.asked(
        given["table"],
        low=given["from"],
        high=given["to"],
        column=given["column"] or "",
        keys=given["keys"] or (),
        everything=given["all"],
    )


@task(multiple_outputs=False, pool=SYNC_POOL, execution_timeout=LONG_TASK)
def backfill(wanted: tasks.Asked) -> tasks.Backfilled:
    """Bring the rows, and prove the table."""
    return tasks.backfill(configuration(), **wanted)


@dag(
    schedule=None,
    dag_display_name="Warehouse: backfill a table",
    description="Brings rows of one table again, by range or by key, and proves the table",
    tags=["etl", "warehouse"],
    params=PARAMS,
    doc_md=__doc__,
    **DAG_DEFAULTS,
)
def warehouse_backfill() -> None:
    backfill(asked())


warehouse_backfill()
