"""Which parts of a target a merge has to look at, as constants: nothing else keeps BigQuery from reading all of it.

https://cloud.google.com/bigquery/docs/using-dml-with-partitioned-tables#pruning_partitions_when_using_a_merge_statement
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from etl.ranges import Range, Ranges
from etl.warehouses.base import Warehouse
from etl.warehouses.bigquery.layout import Stored
from schemas.table import Column, Table
from schemas.types import Kind

MOST = 400
"""More partitions than that make a predicate longer than what it saves."""


def staged_range(warehouse: Warehouse, table: Table, stored: Stored, target: str, staged: str) -> str:
    """A predicate over ``etl_t`` that holds for every row a merge may change; empty if it may be anywhere.

    A row whose partition value has changed lies where it was before: so beside the partitions of the
    staged rows come those in which their keys are now, or rows would be doubled.
    """
    if not stored.partition or not table.key:
        return ""
    column = next((column for column in table.columns if column.name == stored.partition), None)
    if column is None or column.type.kind is Kind.INT:
        return ""
    found = warehouse.query(starts_sql(warehouse, table, column, target, staged))["etl_start"].to_pylist()
    return "" if len(found) > MOST else predicate(warehouse, column, found)


def starts_sql(warehouse: Warehouse, table: Table, column: Column, target: str, staged: str) -> str:
    """A query of the first day of every month in which rows with the staged keys are, or will be."""
    dialect = warehouse.dialect
    start = dialect.partition_start(f"etl_t.{dialect.quote(column.name)}", column.type.kind, 0)
    matched = " AND ".join(f"etl_t.{q} = etl_s.{q}" for q in map(dialect.quote, table.key))
    return (
        f"SELECT DISTINCT {start} AS etl_start FROM {staged} AS etl_t "
        f"UNION DISTINCT SELECT DISTINCT {start} AS etl_start FROM {target} AS etl_t "
        f"WHERE EXISTS (SELECT 1 FROM {staged} AS etl_s WHERE {matched})"
    )


def predicate(warehouse: Warehouse, column: Column, starts: Sequence[Any]) -> str:
    """Months as ranges of constants, neighbours joined, and NULL if it is among them."""
    days = sorted(_day(start) for start in starts if start is not None)
    ranges = [Range(str(day), str(day), _next_month(day)) for day in days]
    nulls = [Range("null", null=True)] if None in starts else []
    condition = Ranges(column, (*ranges, *nulls)).condition(warehouse.dialect)
    quoted = warehouse.dialect.quote(column.name)
    return condition.replace(quoted, f"etl_t.{quoted}")


def _day(value: date | datetime) -> date:
    return value.date() if isinstance(value, datetime) else value


def _next_month(day: date) -> str | None:
    """The first day of the next month; there is none after the last one."""
    return (
        None if (day.year, day.month) == (9999, 12) else str((day.replace(day=1) + timedelta(days=32)).replace(day=1))
    )
