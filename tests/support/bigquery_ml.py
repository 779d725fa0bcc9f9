"""BigQuery ML for the GoogleSQL reference implementation, which knows CREATE MODEL and none of the ML functions.

They are declared here as the documentation describes what they take and return
(https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-predict), so that
everything around them is resolved: columns, types, arguments. What they would compute is not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from zetasql.api import Analyzer, CatalogBuilder, TableBuilder, TVFBuilder, TypeFactory
from zetasql.types import (
    AnalyzerOptions,
    FunctionArgumentType,
    FunctionArgumentTypeOptions,
    FunctionEnums,
    SignatureArgumentKind,
    SimpleCatalog,
    SimpleModel,
    TableValuedFunction,
    TypeKind,
    ZetaSQLBuiltinFunctionOptions,
)

from support.googlesql import KINDS, language

INT, FLOAT, TIMESTAMP, BOOL = (
    TypeKind.TYPE_INT64,
    TypeKind.TYPE_DOUBLE,
    TypeKind.TYPE_TIMESTAMP,
    TypeKind.TYPE_BOOL,
)
_types = TypeFactory()
_PROBABILITIES = _types.create_array_type(
    _types.create_struct_type([("label", _types.create_simple_type(BOOL)), ("prob", _types.create_simple_type(FLOAT))])
)
_NEAREST = _types.create_array_type(
    _types.create_struct_type(
        [("CENTROID_ID", _types.create_simple_type(INT)), ("DISTANCE", _types.create_simple_type(FLOAT))]
    )
)
PREDICTED: dict[str, list[tuple[str, Any]]] = {
    "churn": [("predicted_has_churned", BOOL), ("predicted_has_churned_probs", _PROBABILITIES)],
    "ltv": [("predicted_value", FLOAT)],
    "segments": [("CENTROID_ID", INT), ("NEAREST_CENTROIDS_DISTANCE", _NEAREST)],
    "forecast": [],
}
"""What ML.PREDICT puts beside the columns it is given, by model."""
_FORECAST = [
    ("forecast_timestamp", TIMESTAMP),
    ("forecast_value", FLOAT),
    ("standard_error", FLOAT),
    ("confidence_level", FLOAT),
    ("prediction_interval_lower_bound", FLOAT),
    ("prediction_interval_upper_bound", FLOAT),
]


def analyze(sql: str, stored: Mapping[str, Mapping[str, str]], model: str) -> list[tuple[str, TypeKind]]:
    """Names and kinds of the columns of a query, or of those a model is made from; raises what the analyzer finds."""
    options = AnalyzerOptions(language_options=language())
    statement = Analyzer(options, _catalog(used(sql, stored), stored, model)).analyze_statement(_flat(sql))
    return [(column.name, column.column.type.type_kind) for column in statement.output_column_list]


def _flat(sql: str) -> str:
    """Rooms and ``ML`` joined to names: the catalog has one level."""
    return re.sub(r"\b(raw|marts|ML)\.(?=\w)", r"\1__", sql)


def used(sql: str, stored: Mapping[str, Mapping[str, str]]) -> dict[str, Mapping[str, str]]:
    """The tables that the text names; describing the others takes time."""
    return {name: columns for name, columns in stored.items() if re.search(rf"\b{re.escape(name)}\b", sql)}


def _catalog(
    used: Mapping[str, Mapping[str, str]], stored: Mapping[str, Mapping[str, str]], model: str
) -> SimpleCatalog:
    builder = CatalogBuilder("warehouse")
    for name, columns in used.items():
        table = TableBuilder(name.replace(".", "__"))
        for column, type_ in columns.items():
            table.add_column(column, KINDS[type_.partition("(")[0]])
        builder.add_table(table.build())
    # All of a function's columns are declared: the analyzer can pass on those of a first argument only.
    given = [(name, KINDS[type_.partition("(")[0]]) for name, type_ in stored[f"marts.{model}_examples"].items()]
    for function in (
        _function("PREDICT", [*given, *PREDICTED[model]], takes_rows=True),
        _function("EVALUATE", [("measure", FLOAT)], takes_rows=True),
        _function("ARIMA_EVALUATE", [("AIC", FLOAT)]),
        _function("FORECAST", _FORECAST, takes_options=True),
    ):
        builder.add_table_valued_function(function)
    catalog = builder.with_builtin_functions(ZetaSQLBuiltinFunctionOptions(language_options=language())).build()
    catalog.model.append(SimpleModel(name=f"marts__{model}_model", input=[], output=[]))
    return catalog


def _function(
    name: str,
    columns: Sequence[tuple[str, Any]],
    *,
    takes_rows: bool = False,
    takes_options: bool = False,
) -> TableValuedFunction:
    function = TVFBuilder(f"ML__{name}").set_output_schema(list(columns)).build()
    kinds = [SignatureArgumentKind.ARG_TYPE_MODEL]
    kinds += [SignatureArgumentKind.ARG_TYPE_RELATION] if takes_rows else []
    kinds += [SignatureArgumentKind.ARG_STRUCT_ANY] if takes_options else []
    assert function.signature is not None
    function.signature.argument.extend(_argument(kind) for kind in kinds)
    return function


def _argument(kind: SignatureArgumentKind) -> FunctionArgumentType:
    required = FunctionArgumentTypeOptions(cardinality=FunctionEnums.ArgumentCardinality.REQUIRED)
    return FunctionArgumentType(kind=kind, num_occurrences=-1, options=required)
