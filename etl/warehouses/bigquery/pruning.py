"""Which parts of a target a statement has to look at, as constants: nothing else keeps BigQuery from reading all of it.

https://cloud.google.com/bigquery/docs/using-dml-with-partitioned-tables#pruning_partitions_when_using_a_merge_statement
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from etl.dialects.googlesql import GoogleSqlDialect
from etl.ranges import Bound, Range, Ranges
from etl.warehouses.bigquery.layout import Stored
from schemas.table import Column, Table
from schemas.types import Kind

MOST = 400
"""More ranges than that make a predicate longer than what it saves; one range then spans them all."""

WORTH_BYTES = 100 << 20
"""To ask where rows are is a query too, for which 10 MB are charged at the least: smaller tables are read as a whole.

https://cloud.google.com/bigquery/pricing#on_demand_pricing
"""


@dataclass(frozen=True, slots=True)
class Division:
    """How a table is divided: by hours, days, months or years of a column, or by runs of ``size`` integers."""

    column: Column
    unit: str = ""
    size: int = 0

    def start(self, dialect: GoogleSqlDialect, x: str) -> str:
        """The lowest value of the part that ``x`` lies in, as an expression."""
        if self.column.type.kind is Kind.INT:
            return dialect.partition_start(x, Kind.INT, self.size)
        return dialect.time_start(x, self.column.type.kind, self.unit)

    def end(self, start: Any) -> Bound | None:
        """The value past the part that begins with ``start``; None for the last one there is."""
        if self.column.type.kind is Kind.INT:
            return start + self.size if start + self.size < 2**63 else None
        return _bound(_following(self.unit, start))


def division_of(stored: Stored, table: Table) -> Division | None:
    """How the stored table is divided, if by one of its columns."""
    column = next((column for column in table.columns if column.name == stored.partition), None)
    if column is None or (column.type.kind is Kind.INT) is not stored.unit.isdigit():
        return None
    return Division(column, size=int(stored.unit)) if stored.unit.isdigit() else Division(column, stored.unit.lower())


def starts_sql(dialect: GoogleSqlDialect, by: Division, table: Table, target: str, keys: str, *, staged: bool) -> str:
    """A query of ``etl_start``, the lowest value of every part in which rows with these keys are.

    A row whose partition value has changed lies where it was before: so with ``staged``, beside the parts
    of the rows in ``keys`` come those in which their keys are now, or rows would be doubled. What is part
    of the key cannot have changed, and the target need not be asked.
    """
    start = by.start(dialect, f"etl_t.{dialect.quote(by.column.name)}")
    matched = " AND ".join(f"etl_t.{q} = etl_k.{q}" for q in map(dialect.quote, table.key))
    given = f"SELECT DISTINCT {start} AS etl_start FROM {keys} AS etl_t"
    held = (
        f"SELECT DISTINCT {start} AS etl_start FROM {target} AS etl_t "
        f"WHERE EXISTS (SELECT 1 FROM {keys} AS etl_k WHERE {matched})"
    )
    if by.column.name in table.key:
        return given
    return f"{given} UNION DISTINCT {held}" if staged else held


def predicate(dialect: GoogleSqlDialect, by: Division, starts: Sequence[Any]) -> str:
    """Parts as ranges of constants over ``etl_t``, neighbours joined, and NULL if it is among them."""
    known = sorted(start for start in starts if start is not None)
    ranges = [Range(str(start), _bound(start), by.end(start)) for start in known]
    if len(ranges) > MOST:
        ranges = [Range("all", ranges[0].low, ranges[-1].high)]
    nulls = [Range("null", null=True)] if None in starts else []
    condition = Ranges(by.column, (*ranges, *nulls)).condition(dialect)
    quoted = dialect.quote(by.column.name)
    return condition.replace(quoted, f"etl_t.{quoted}")


def _following(unit: str, start: date) -> date | None:
    """The beginning of the next hour, day, month or year."""
    steps: dict[str, Callable[[], date]] = {
        "hour": lambda: start + timedelta(hours=1),
        "day": lambda: start + timedelta(days=1),
        "month": lambda: (start.replace(day=1) + timedelta(days=32)).replace(day=1),
        "year": lambda: start.replace(year=start.year + 1),
    }
    try:
        return steps[unit]()
    except (OverflowError, ValueError):
        return None


def _bound(value: Any) -> Bound | None:
    return value if value is None or isinstance(value, int) else str(value)
