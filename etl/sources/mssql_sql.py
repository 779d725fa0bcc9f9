"""The queries a SQL Server source asks, as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from etl.dialects.tsql import TsqlDialect
from etl.sources.mssql_catalog import DEFAULT_SCHEMA
from etl.sources.mssql_types import Physical, Reading
from schemas.table import Column, Table
from schemas.types import Kind

DIALECT = TsqlDialect()
# No clock on Earth is ahead of UTC by more, and an instant without zone does not say which it is.
_NOW = "DATEADD(hour, 14, SYSUTCDATETIME())"
_NOW_WITH_ZONE = "SYSDATETIMEOFFSET()"
_INT_DIGITS = 2**31
_DATED = ("date", "datetime", "datetime2", "smalldatetime", "datetimeoffset")


def relation(table: Table) -> str:
    """The table's qualified name; always qualified, since a user's default schema need not be dbo."""
    return DIALECT.qualify(table.schema or DEFAULT_SCHEMA, table.name)


def select(readings: Iterable[str], source: str, where: str) -> str:
    """Expressions, named by their place: names are long, and batches are read by place."""
    listed = ", ".join(f"{sql} AS c{i}" for i, sql in enumerate(readings))
    return f"SELECT {listed} FROM {source}" + (f" WHERE {where}" if where else "")


def every(*conditions: str) -> str:
    """All of the conditions that are not empty."""
    return " AND ".join(f"({condition})" for condition in conditions if condition)


def short(readings: Sequence[Reading]) -> str:
    """True of the rows whose long values all fit into a row; empty if none can be long."""
    return " AND ".join(f"ISNULL({one.size}, 0) <= {one.limit}" for one in readings if one.whole)


def long(readings: Sequence[Reading]) -> str:
    """True of the other rows."""
    return " OR ".join(f"ISNULL({one.size}, 0) > {one.limit}" for one in readings if one.whole)


def longest(readings: Sequence[Reading], source: str, where: str) -> str:
    """How many rows have a long value, and the bytes of the longest such row."""
    total = " + ".join(f"CAST(ISNULL({one.size}, 0) AS bigint)" for one in readings if one.whole)
    return f"SELECT COUNT_BIG(*) AS n, MAX({total}) AS widest FROM {source} WHERE {every(where, long(readings))}"


def counts(predicates: Iterable[str], source: str) -> str:
    """Of how many rows each of the predicates is true; NULL where there is no row."""
    sums = (f"SUM(CAST(CASE WHEN {predicate} THEN 1 ELSE 0 END AS bigint))" for predicate in predicates)
    return f"SELECT {', '.join(f'{one} AS n{i}' for i, one in enumerate(sums))} FROM {source}"


def as_text(x: str, physical: Physical) -> str:
    """A cursor's value as text that ``from_text`` reads back to the same value."""
    if physical.name == "datetime":
        # Alone, an older server would show it without seconds.
        x = f"CAST({x} AS datetime2(3))"
    if physical.name == "smalldatetime":
        x = f"CAST({x} AS datetime2(0))"
    return f"CAST({x} AS varchar(40))"


def iso(text: str | None, physical: Physical) -> str | None:
    """The text with a T, without which the old types read it by the login's language."""
    if text is None or physical.name not in _DATED:
        return text
    date, _, rest = text.partition(" ")
    return f"{date}T{rest.replace(' ', '')}" if rest else date


def from_text(text: str, physical: Physical) -> str:
    """The value of a text that ``as_text`` gave, in the column's own type: another would round ticks away."""
    return f"CAST({DIALECT.string(text)} AS {physical.ddl})"


def reach(table: Table, column: str, physical: Physical) -> str:
    """The column's highest value, and whether it lies in the future."""
    x = f"MAX({DIALECT.quote(column)})"
    future = f"CASE WHEN {x} > {_now(physical)} THEN 1 ELSE 0 END" if physical.name in _DATED else "0"
    return f"SELECT {as_text(x, physical)} AS seen, {future} AS future FROM {relation(table)}"


def reach_by_now(table: Table, column: str, physical: Physical) -> str:
    """The column's highest value that does not lie in the future."""
    x = DIALECT.quote(column)
    return f"SELECT {as_text(f'MAX({x})', physical)} AS fence FROM {relation(table)} WHERE {x} <= {_now(physical)}"


def _now(physical: Physical) -> str:
    return _NOW_WITH_ZONE if physical.name == "datetimeoffset" else _NOW


def at_least(column: Column, low: str) -> str:
    """Rows at or past a cursor's value, and those without one; ``low`` is in T-SQL."""
    x = f"t.{DIALECT.quote(column.name)}"
    return f"{x} >= {low}" + (f" OR {x} IS NULL" if column.nullable else "")


def newest_version(table: Table) -> str:
    """The highest row version; no row for a table without one."""
    x = DIALECT.quote(table.cursor.column)
    known = f"{relation(table)} WHERE {x} IS NOT NULL"
    return f"SELECT TOP (1) CAST({x} AS binary(8)) AS seen FROM {known} ORDER BY {x} DESC"


def version(text: str) -> str:
    """A row version out of its text; the column itself must not be cast, or its index would not be used."""
    return f"CAST({text} AS binary(8))"


def keyed(table: Table, physical: Mapping[str, Physical], keys: pa.Table) -> str:
    """The table, called t, joined with key values."""
    columns = [(column, physical[column.name]) for column in table.key_columns]
    values = zip(*(keys[column.name].to_pylist() for column, _ in columns), strict=True)
    rows = ", ".join(
        f"({', '.join(_constant(value, own) for value, (_, own) in zip(row, columns, strict=True))})" for row in values
    )
    names = ", ".join(f"k{i}" for i in range(len(columns)))
    same = " AND ".join(_same(f"t.{DIALECT.quote(c.name)}", f"k.k{i}", own) for i, (c, own) in enumerate(columns))
    return f"(VALUES {rows}) AS k({names}) JOIN {relation(table)} AS t ON {same}"


def _constant(value: Any, physical: Physical) -> str:
    if isinstance(value, int) and abs(value) < _INT_DIGITS:
        return str(int(value))  # of a bit too
    if isinstance(value, bytes):
        return f"CAST(0x{value.hex()} AS {physical.ddl})"
    text = DIALECT.string(value.isoformat() if isinstance(value, datetime) else str(value))
    if physical.name in ("char", "varchar") and physical.collation and not str(value).isascii():
        # Else it would pass through the code page of the database, which need not be that of the column.
        text = f"{text} COLLATE {physical.collation}"
    return f"CAST({text} AS {physical.ddl})"


def _same(x: str, k: str, physical: Physical) -> str:
    """Whether a column has this value: by its index first, then to the last byte, as collations do not look."""
    logical = physical.logical
    if logical is None:
        return f"{x} = {k}"
    if logical.kind is Kind.STRING:
        return f"{x} = {k} AND {_bytes(x, physical)} = {_bytes(k, physical)}"
    if physical.name == "varbinary":
        # Zeros at the end do not count in a comparison of binary values.
        return f"{x} = {k} AND DATALENGTH({x}) = DATALENGTH({k})"
    if logical.fraction > 6:
        # The value was floored to a microsecond, which has ten of these ticks.
        return f"{x} >= {k} AND {x} <= DATEADD(nanosecond, 900, {k})"
    return f"{x} = {k}"


def _bytes(x: str, physical: Physical) -> str:
    text = f"RTRIM({x})" if physical.name in ("char", "nchar") else x
    return f"CAST({text} AS varbinary(max))"


def changed(table: Table, primary: Sequence[str], since: str) -> str:
    """The rows, called t, that change tracking says were inserted or updated after version ``since``.

    https://learn.microsoft.com/en-us/sql/relational-databases/system-functions/changetable-transact-sql
    """
    return f"{_changes(table, since)} JOIN {relation(table)} AS t ON {_by_key(primary)}"


def deleted(table: Table, primary: Sequence[str], since: str, readings: Iterable[str]) -> str:
    """The keys, of which ``readings`` are over the changes called g, that are no longer there."""
    gone = f"t.{DIALECT.quote(primary[0])} IS NULL"
    return select(readings, f"{_changes(table, since)} LEFT JOIN {relation(table)} AS t ON {_by_key(primary)}", gone)


def tracking(table: Table) -> str:
    """The current version, and the lowest from which changes of the table are still known."""
    oid = f"OBJECT_ID({DIALECT.string(relation(table))})"
    return (
        "SELECT CHANGE_TRACKING_CURRENT_VERSION() AS current_version, "
        f"CHANGE_TRACKING_MIN_VALID_VERSION({oid}) AS least"
    )


def _changes(table: Table, since: str) -> str:
    return f"CHANGETABLE(CHANGES {relation(table)}, {int(since)}) AS g"


def _by_key(primary: Sequence[str]) -> str:
    return " AND ".join(f"t.{DIALECT.quote(name)} = g.{DIALECT.quote(name)}" for name in primary)
