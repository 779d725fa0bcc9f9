"""GoogleSQL's reference implementation, a WebAssembly build of the real parser and evaluator."""

from __future__ import annotations

import contextlib
import fcntl
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest
import wasmtime
import zetasql.core.wasm_client
from zetasql.api import Analyzer, CatalogBuilder, PreparedQuery, TableBuilder
from zetasql.types import AnalyzerOptions, LanguageOptions, SimpleCatalog, TypeKind, ZetaSQLBuiltinFunctionOptions

KINDS = {
    "INT64": TypeKind.TYPE_INT64,
    "STRING": TypeKind.TYPE_STRING,
    "BOOL": TypeKind.TYPE_BOOL,
    "DATE": TypeKind.TYPE_DATE,
    "DATETIME": TypeKind.TYPE_DATETIME,
    "TIMESTAMP": TypeKind.TYPE_TIMESTAMP,
    "TIME": TypeKind.TYPE_TIME,
    "FLOAT64": TypeKind.TYPE_DOUBLE,
    "BYTES": TypeKind.TYPE_BYTES,
    "NUMERIC": TypeKind.TYPE_NUMERIC,
    "BIGNUMERIC": TypeKind.TYPE_BIGNUMERIC,
}


class _CachingConfig(wasmtime.Config):
    """Compiling takes 15 s; wasmtime keeps the result if asked to."""

    def __init__(self) -> None:
        super().__init__()
        with contextlib.suppress(wasmtime.WasmtimeError):
            self.cache = True


@cache
def language() -> LanguageOptions:
    """Every released feature and statement, once the implementation has started: one process at a time compiles."""
    with (
        pytest.MonkeyPatch.context() as patch,
        Path(tempfile.gettempdir(), "zetasql-compile.lock").open("a") as lock,
    ):
        patch.setattr(zetasql.core.wasm_client, "Config", _CachingConfig)
        fcntl.flock(lock, fcntl.LOCK_EX)
        options = LanguageOptions.maximum_features()
    options.supported_statement_kinds = []
    return options


def rows(sql: str) -> list[tuple[str | None, ...]]:
    """What a query, all of whose columns are STRING, returns."""
    prepared = (
        PreparedQuery.builder()
        .set_sql(sql)
        .set_analyzer_options(AnalyzerOptions(language_options=language()))
        .set_catalog(_catalog({}))
        .prepare()
    )
    result = prepared.execute().content.table_data
    return [tuple(cell.string_value for cell in row.cell) for row in (result.row if result else [])]


def analyze(sql: str, tables: Mapping[str, Mapping[str, str]]) -> None:
    """Resolve a statement against tables of column and type; raises what the analyzer objects to."""
    Analyzer(AnalyzerOptions(language_options=language()), _catalog(tables)).analyze_statement(sql)


def _catalog(tables: Mapping[str, Mapping[str, str]]) -> SimpleCatalog:
    builder = CatalogBuilder("warehouse")
    for name, columns in tables.items():
        table = TableBuilder(name)
        for column, type_ in columns.items():
            table.add_column(column, KINDS[type_.partition("(")[0]])
        builder.add_table(table.build())
    return builder.with_builtin_functions(ZetaSQLBuiltinFunctionOptions(language_options=language())).build()
