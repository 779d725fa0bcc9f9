"""GoogleSQL by its reference implementation: analysed against a catalog, and evaluated on rows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any

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
from schemas.hopify import metadata
from schemas.mappings import ddl_type

_EPOCH = date(1970, 1, 1).toordinal()


@cache
def options() -> AnalyzerOptions:
    return AnalyzerOptions(language_options=language())


def tables(queries: Mapping[str, Query]) -> dict[str, dict[str, str]]:
    """Column → GoogleSQL type of every ``raw.x`` of the schema and ``marts.x`` of the headers."""
    raw = {
        f"raw.{table.name}": {c.name: ddl_type("bigquery", c.type.logical) for c in table.columns}  # type: ignore[attr-defined]
        for table in metadata.sorted_tables
    }
    return raw | {f"marts.{name}": query.header.types for name, query in queries.items()}


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


_FIELDS = {
    bool: "bool_value",
    int: "int64_value",
    float: "double_value",
    str: "string_value",
    bytes: "bytes_value",
    Decimal: "numeric_value",
    date: "date_value",
    datetime: "datetime_value",
}
_WRITE: dict[type, Callable[[Any], Any]] = {
    Decimal: _numeric,
    date: lambda value: value.toordinal() - _EPOCH,
    datetime: _datetime,
}
