"""GoogleSQL by its reference implementation: analysed against a catalog, and evaluated on rows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from functools import cache
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy import MetaData
from support.googlesql import KINDS, language
from zetasql.api import Analyzer, CatalogBuilder, PreparedQuery, TableBuilder
from zetasql.types import (
    AnalyzerOptions,
    SimpleCatalog,
    TableContent,
    TableData,
    TypeKind,
    Value,
    ZetaSQLBuiltinFunctionOptions,
)

from etl.publish.queries import Query
from etl.warehouses.base import Warehouse
from schemas.hopify import metadata
from schemas.mappings import ddl_type

_EPOCH = date(1970, 1, 1).toordinal()


@cache
def options() -> AnalyzerOptions:
    return AnalyzerOptions(language_options=language(), default_timezone="UTC")


def tables(queries: Mapping[str, Query], schema: MetaData = metadata) -> dict[str, dict[str, str]]:
    """Column → GoogleSQL type of every ``raw.x`` of the schema and ``marts.x`` of the headers."""
    raw = {
        f"raw.{table.name}": {c.name: ddl_type("bigquery", c.type.logical) for c in table.columns}  # type: ignore[attr-defined]
        for table in schema.sorted_tables
    }
    return raw | {f"marts.{name}": query.header.types for name, query in queries.items()}


def check_declared(query: Query, stored: Mapping[str, Mapping[str, str]]) -> None:
    """Assert that the query is GoogleSQL with the columns of its header, and that its tests are GoogleSQL."""
    declared = [(name, kind(type_)) for name, type_ in query.header.types.items()]
    assert output(query.text, stored) == declared
    assert query.tests, "a mart without a test can be wrong in silence"
    for sql in query.tests.values():
        output(sql, stored)


def check_evaluated(
    query: Query, stored: Mapping[str, Mapping[str, str]], raw: Mapping[str, Any], warehouse: Warehouse
) -> None:
    """Assert that the published mart is what the reference makes of the raw rows and the published marts."""
    rows = {f"raw.{name}": rows for name, rows in raw.items()}
    rows |= {f"marts.{name}": warehouse.query(f"SELECT * FROM marts.{name}").to_pylist() for name in query.needs}
    expected = evaluate(query.text, stored, rows)
    actual = warehouse.query(f"SELECT * FROM marts.{query.name}").to_pylist()
    types = query.header.types
    assert _sorted([_plain(row, types) for row in actual]) == _sorted([_from_json(row, types) for row in expected])


def check_stored_types(query: Query, warehouse: Warehouse) -> None:
    """Assert that DuckDB keeps the mart in the types of its header."""
    physical = {"INT64": "BIGINT", "FLOAT64": "DOUBLE", "STRING": "VARCHAR", "BOOL": "BOOLEAN", "DATE": "DATE"}
    declared = {
        name: physical.get(type_) or type_.replace("NUMERIC", "DECIMAL").replace(" ", "")
        for name, type_ in query.header.types.items()
    }
    assert warehouse.columns("marts", query.name) == declared


def kind(type_: str) -> TypeKind:
    """The analyzer's kind of a GoogleSQL type; parameters are dropped, as SQL itself does in expressions."""
    return KINDS[type_.partition("(")[0]]


def output(sql: str, stored: Mapping[str, Mapping[str, str]]) -> list[tuple[str, TypeKind]]:
    """Names and kinds of a query's columns; raises the analyzer's error for invalid GoogleSQL."""
    statement = Analyzer(options(), _catalog(stored)).analyze_statement(_flat(sql))
    return [(column.name, column.column.type.type_kind) for column in statement.output_column_list]


def evaluate(
    sql: str, stored: Mapping[str, Mapping[str, str]], rows: Mapping[str, Sequence[Mapping[str, Any]]]
) -> list[dict[str, Any]]:
    """The rows a query returns, as JSON values: NUMERIC and DATE come as text."""
    content = {
        name.replace(".", "__"): _content(columns, rows.get(name, []))
        for name, columns in stored.items()
        if _used(sql, name)
    }
    prepared = (
        PreparedQuery.builder()
        .set_sql(f"SELECT TO_JSON_STRING(result) FROM (\n{_flat(sql)}\n) AS result")
        .set_analyzer_options(options())
        .set_catalog(_catalog({name: columns for name, columns in stored.items() if _used(sql, name)}))
        .set_table_content(content)
        .prepare()
    )
    result = prepared.execute().content.table_data
    return [json.loads(row.cell[0].string_value) for row in (result.row if result else [])]


def _flat(sql: str) -> str:
    """Rooms joined to names: the evaluator finds rows of top-level tables only."""
    return re.sub(r"\b(raw|marts)\.(?=\w)", r"\1__", sql)


def _used(sql: str, name: str) -> bool:
    return re.search(rf"\b{re.escape(name)}\b", sql) is not None


def _catalog(stored: Mapping[str, Mapping[str, str]]) -> SimpleCatalog:
    builder = CatalogBuilder("warehouse")
    for name, columns in stored.items():
        table = TableBuilder(name.replace(".", "__"))
        for column, type_ in columns.items():
            table.add_column(column, kind(type_))
        builder.add_table(table.build())
    return builder.with_builtin_functions(ZetaSQLBuiltinFunctionOptions(language_options=language())).build()


def _content(columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> TableContent:
    cells = [TableData.Row(cell=[_value(row[column]) for column in columns]) for row in rows]
    return TableContent(table_data=TableData(row=cells))


def _value(value: Any) -> Value:
    if isinstance(value, datetime) and value.tzinfo:
        instant = Timestamp()
        instant.FromDatetime(value)
        return Value(timestamp_value=instant)
    return Value() if value is None else Value(**{_FIELDS[type(value)]: _WRITE.get(type(value), lambda v: v)(value)})


def _numeric(value: Decimal) -> bytes:
    """Billionths as the shortest little-endian two's complement (zetasql/public/numeric_value.h)."""
    billionths = int(value.scaleb(9))
    return billionths.to_bytes(billionths.bit_length() // 8 + 1, "little", signed=True)


def _datetime(value: datetime) -> Value.Datetime:
    """Bit fields of year, month, day, hour, minute, second (zetasql/public/civil_time.h)."""
    packed = value.year
    for part, bits in ((value.month, 4), (value.day, 5), (value.hour, 5), (value.minute, 6), (value.second, 6)):
        packed = packed << bits | part
    return Value.Datetime(bit_field_datetime_seconds=packed, nanos=value.microsecond * 1000)


def _time(value: time) -> int:
    """Bit fields of hour, minute, second and nanosecond (zetasql/public/civil_time.h)."""
    return ((value.hour << 6 | value.minute) << 6 | value.second) << 30 | value.microsecond * 1000


_FIELDS = {
    bool: "bool_value",
    int: "int64_value",
    float: "double_value",
    str: "string_value",
    bytes: "bytes_value",
    Decimal: "numeric_value",
    date: "date_value",
    datetime: "datetime_value",
    time: "time_value",
}
_WRITE: dict[type, Callable[[Any], Any]] = {
    Decimal: _numeric,
    date: lambda value: value.toordinal() - _EPOCH,
    datetime: _datetime,
    time: _time,
}


def _plain(row: dict[str, Any], types: dict[str, str]) -> dict[str, Any]:
    return {name: _rounded(value) for name, value in row.items() if name in types}


def _from_json(row: dict[str, Any], types: dict[str, str]) -> dict[str, Any]:
    return {name: _rounded(None if row[name] is None else _read(row[name], type_)) for name, type_ in types.items()}


def _read(value: Any, type_: str) -> Any:
    if type_.startswith("NUMERIC"):
        return Decimal(value)
    return {"DATE": date.fromisoformat, "FLOAT64": float}.get(type_, lambda same: same)(value)


def _rounded(value: Any) -> Any:
    """The order in which floats are added is nobody's promise; twelve digits are."""
    return float(f"{value:.12g}") if isinstance(value, float) else value


def _sorted(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: [(value is not None, str(value)) for value in row.values()])
