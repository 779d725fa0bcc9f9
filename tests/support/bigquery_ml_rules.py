"""What BigQuery documents about models' options and the ML functions' arguments, as rules statements keep or break.

Only what the statements here use is in the tables: model types with all of their options, functions with all of
the fields of their last argument. Values that depend on the data (labels, features) are judged by the analyzer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.tokens import Token, TokenType

Rule = Callable[[Any], bool]


def _int(low: int = 0) -> Rule:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= low


def _float(low: float = 0.0, below: float = float("inf")) -> Rule:
    return lambda value: isinstance(value, int | float) and not isinstance(value, bool) and low <= value < below


def _one_of(*values: str) -> Rule:
    return lambda value: isinstance(value, str) and value.upper() in values


def _some_of(*values: str) -> Rule:
    return lambda value: isinstance(value, list) and bool(value) and all(_one_of(*values)(one) for one in value)


def _bool(value: Any) -> bool:
    return isinstance(value, bool)


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_text, value))


_REGISTRY: dict[str, Rule] = {
    "model_registry": _one_of("VERTEX_AI"),
    "vertex_ai_model_id": _text,
    "vertex_ai_model_version_aliases": _texts,
    "kms_key_name": _text,
}
_TUNING: dict[str, Rule] = {
    "num_trials": _int(1),
    "max_parallel_trials": _int(1),
    "hparam_tuning_algorithm": _one_of("VIZIER_DEFAULT", "RANDOM_SEARCH", "GRID_SEARCH"),
    "hparam_tuning_objectives": _texts,
}
_SUPERVISED: dict[str, Rule] = {
    "input_label_cols": lambda value: _texts(value) and len(value) == 1,
    "data_split_method": _one_of("AUTO_SPLIT", "RANDOM", "CUSTOM", "SEQ", "NO_SPLIT"),
    "data_split_eval_fraction": _float(0, 1),
    "data_split_test_fraction": _float(0, 1),
    "data_split_col": _text,
    "max_iterations": _int(1),
    "early_stop": _bool,
    "min_rel_progress": _float(),
    "l1_reg": _float(),
    "l2_reg": _float(),
    "learn_rate": _float(),
    "enable_global_explain": _bool,
    "auto_class_weights": _bool,
    "class_weights": lambda value: isinstance(value, list),
}
_GLM: dict[str, Rule] = {
    # https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-create-glm
    "optimize_strategy": _one_of("AUTO_STRATEGY", "BATCH_GRADIENT_DESCENT", "NORMAL_EQUATION"),
    "learn_rate_strategy": _one_of("LINE_SEARCH", "CONSTANT"),
    "ls_init_learn_rate": _float(),
    "calculate_p_values": _bool,
    "fit_intercept": _bool,
    "category_encoding_method": _one_of("ONE_HOT_ENCODING", "DUMMY_ENCODING"),
    "warm_start": _bool,
}
_TREES: dict[str, Rule] = {
    # https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-create-boosted-tree
    "approx_global_feature_contrib": _bool,
    "category_encoding_method": _one_of("ONE_HOT_ENCODING", "TARGET_ENCODING", "LABEL_ENCODING"),
    "booster_type": _one_of("GBTREE", "DART"),
    "dart_normalize_type": _one_of("TREE", "FOREST"),
    "num_parallel_tree": _int(1),
    "max_tree_depth": _int(1),
    "dropout": _float(0, 1.000001),
    "tree_method": _one_of("AUTO", "EXACT", "APPROX", "HIST"),
    "min_tree_child_weight": _int(),
    "colsample_bytree": _float(0, 1.000001),
    "colsample_bylevel": _float(0, 1.000001),
    "colsample_bynode": _float(0, 1.000001),
    "min_split_loss": _float(),
    "subsample": _float(0, 1.000001),
    "instance_weight_col": _text,
    "xgboost_version": _one_of("0.9", "1.1"),
}
_KMEANS: dict[str, Rule] = {
    # https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-create-kmeans
    "num_clusters": lambda value: _int(1)(value) and value <= 100,
    "kmeans_init_method": _one_of("RANDOM", "KMEANS++", "CUSTOM"),
    "kmeans_init_col": _text,
    "distance_type": _one_of("EUCLIDEAN", "COSINE"),
    "standardize_features": _bool,
    "max_iterations": _int(1),
    "early_stop": _bool,
    "min_rel_progress": _float(),
    "warm_start": _bool,
}
_ARIMA: dict[str, Rule] = {
    # https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-create-time-series
    "time_series_timestamp_col": _text,
    "time_series_data_col": _text,
    "time_series_id_col": lambda value: _text(value) or _texts(value),
    "horizon": lambda value: _int(1)(value) and value <= 10_000,
    "auto_arima": _bool,
    "auto_arima_max_order": _int(1),
    "auto_arima_min_order": _int(),
    "non_seasonal_order": lambda value: isinstance(value, list) and len(value) == 3,
    "data_frequency": _one_of(
        "AUTO_FREQUENCY", "PER_MINUTE", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "QUARTERLY", "YEARLY"
    ),
    "include_drift": _bool,
    "holiday_region": lambda value: _text(value) or _texts(value),
    "clean_spikes_and_dips": _bool,
    "adjust_step_changes": _bool,
    "time_series_length_fraction": _float(0, 1.000001),
    "min_time_series_length": _int(1),
    "max_time_series_length": _int(1),
    "trend_smoothing_window_size": _int(1),
    "decompose_time_series": _bool,
    "forecast_limit_lower_bound": _float(float("-inf")),
    "forecast_limit_upper_bound": _float(float("-inf")),
    "seasonalities": _some_of("NO_SEASONALITY", "AUTO", "DAILY", "WEEKLY", "MONTHLY", "QUARTERLY", "YEARLY"),
    "hierarchical_time_series_cols": _texts,
    "kms_key_name": _text,
}
OPTIONS: dict[str, dict[str, Rule]] = {
    "LOGISTIC_REG": {**_SUPERVISED, **_TUNING, **_REGISTRY, **_GLM},
    "LINEAR_REG": {**_SUPERVISED, **_TUNING, **_REGISTRY, **_GLM},
    "BOOSTED_TREE_CLASSIFIER": {**_SUPERVISED, **_TUNING, **_REGISTRY, **_TREES},
    "BOOSTED_TREE_REGRESSOR": {**_SUPERVISED, **_TUNING, **_REGISTRY, **_TREES},
    "KMEANS": {**_KMEANS, **_TUNING, **_REGISTRY},
    "ARIMA_PLUS": _ARIMA,
}
"""By model type the options there are, each with what its value may be."""
REQUIRED = {"ARIMA_PLUS": {"time_series_timestamp_col", "time_series_data_col"}}
_SERIES = {"ARIMA_PLUS"}
_OTHERS = OPTIONS.keys() - _SERIES


@dataclass(frozen=True, slots=True)
class Function:
    """For which model types a function is, whether it is given rows, and the fields of the struct at its end."""

    models: frozenset[str]
    rows: bool | None
    fields: Mapping[str, Rule]


FUNCTIONS: dict[str, Sequence[Function]] = {
    # https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-predict
    "PREDICT": (
        Function(
            frozenset(_OTHERS),
            True,
            {"threshold": _float(0, 1.000001), "keep_original_columns": _bool, "trial_id": _int(1)},
        ),
    ),
    # https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-evaluate
    "EVALUATE": (
        Function(frozenset(_OTHERS), None, {"threshold": _float(0, 1.000001), "trial_id": _int(1)}),
        Function(
            frozenset(_SERIES),
            None,
            {"perform_aggregation": _bool, "horizon": _int(1), "confidence_level": _float(0, 1)},
        ),
    ),
    # https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-arima-evaluate
    "ARIMA_EVALUATE": (Function(frozenset(_SERIES), False, {"show_all_candidate_models": _bool}),),
    # https://cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-forecast
    "FORECAST": (Function(frozenset(_SERIES), False, {"horizon": _int(1), "confidence_level": _float(0, 1)}),),
}


def options(create: str) -> dict[str, Any]:
    """The options of a CREATE MODEL statement, by name in small letters."""
    tokens = sqlglot.tokenize(create, read="bigquery")
    start = next(i for i, token in enumerate(tokens) if token.text.upper() == "OPTIONS")
    inner = create[tokens[start + 1].end + 1 : tokens[_closing(tokens, start + 1)].start]
    parsed = sqlglot.parse_one(f"SELECT {inner}", read="bigquery").expressions
    assert all(isinstance(one, exp.EQ) for one in parsed), inner
    return {one.this.name.lower(): _value(one.expression) for one in parsed}


def broken_options(create: str) -> list[str]:
    """What a CREATE MODEL statement has other than documented; nothing if all is right."""
    given = options(create)
    kind = str(given.pop("model_type", "")).upper()
    if kind not in OPTIONS:
        return [f"model_type {kind or 'missing'}"]
    found = [f"no {name}" for name in sorted(REQUIRED.get(kind, set()) - given.keys())]
    for name, value in given.items():
        rule = OPTIONS[kind].get(name)
        if rule is None:
            found.append(f"{kind} has no {name}")
        elif not rule(value):
            found.append(f"{name} = {value!r}")
    split, transformed = given.get("data_split_method"), " TRANSFORM" in f" {create.upper()}"
    if split in ("CUSTOM", "SEQ") and "data_split_col" not in given:
        found.append(f"{split} without data_split_col")
    if kind == "ARIMA_PLUS" and transformed:
        # https://cloud.google.com/bigquery/docs/bigqueryml-transform
        found.append("ARIMA_PLUS takes no TRANSFORM")
    return found


@dataclass(frozen=True, slots=True)
class Call:
    """A call of an ML function: its name, the text of the rows it is given if any, and its struct's fields."""

    name: str
    rows: str
    fields: Mapping[str, Any]


def calls(sql: str) -> Iterator[Call]:
    """Every call of an ML function in a statement."""
    tokens = sqlglot.tokenize(sql, read="bigquery")
    for i in range(len(tokens) - 3):
        if tokens[i].text.upper() == "ML" and tokens[i + 1].token_type is TokenType.DOT:
            texts = list(_arguments(sql, tokens, i + 3))
            assert texts[0].upper().startswith("MODEL "), texts[0]
            struct = next((text for text in texts[1:] if text.upper().startswith("STRUCT")), "")
            rows = next((text for text in texts[1:] if not text.upper().startswith("STRUCT")), "")
            yield Call(tokens[i + 2].text.upper(), rows, _fields(struct))


def broken_calls(sql: str, kind: str, given: Mapping[str, Any]) -> list[str]:
    """What the calls of ML functions on a model of type ``kind``, made with ``given``, have other than documented."""
    found: list[str] = []
    for call in calls(sql):
        function = next((one for one in FUNCTIONS.get(call.name, ()) if kind in one.models), None)
        if function is None:
            found.append(f"ML.{call.name} is not for {kind}")
            continue
        if function.rows is not None and function.rows != bool(call.rows):
            found.append(f"ML.{call.name} takes {'' if function.rows else 'no '}rows")
        for name, value in call.fields.items():
            rule = function.fields.get(name)
            if rule is None or not rule(value):
                found.append(f"ML.{call.name} {name} = {value!r}")
        if call.fields.get("horizon", 0) > given.get("horizon", 1_000) and kind in _SERIES:
            found.append(f"ML.{call.name} goes beyond the model's horizon")
    return found


def features(create: str) -> str:
    """The query that a CREATE MODEL statement learns from."""
    tokens = sqlglot.tokenize(create, read="bigquery")
    start = next(i for i, token in enumerate(tokens) if token.text.upper() == "OPTIONS")
    as_ = tokens[_closing(tokens, start + 1) + 1]
    assert as_.text.upper() == "AS"
    return create[as_.end + 1 :]


def _arguments(sql: str, tokens: Sequence[Token], opening: int) -> Iterator[str]:
    closing, depth, start = _closing(tokens, opening), 0, tokens[opening].end + 1
    for token in tokens[opening + 1 : closing + 1]:
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(token.text, 0)
        if (token.text == "," and depth == 0) or token is tokens[closing]:
            yield sql[start : token.start].strip()
            start = token.end + 1


def _closing(tokens: Sequence[Token], opening: int) -> int:
    depth = 0
    for i in range(opening, len(tokens)):
        depth += {"(": 1, ")": -1}.get(tokens[i].text, 0)
        if depth == 0:
            return i
    raise AssertionError("a bracket is not closed")


def _fields(struct: str) -> dict[str, Any]:
    if not struct:
        return {}
    (parsed,) = sqlglot.parse_one(f"SELECT {struct}", read="bigquery").expressions
    # sqlglot reads ``6 AS horizon`` within STRUCT as a name and what it is.
    return {one.this.name.lower(): _value(one.expression) for one in parsed.expressions}


def _value(node: exp.Expr) -> Any:
    if isinstance(node, exp.Array):
        return [_value(one) for one in node.expressions]
    if isinstance(node, exp.Boolean):
        return bool(node.this)
    if isinstance(node, exp.Neg):
        return -_value(node.this)
    assert isinstance(node, exp.Literal), node.sql()
    if node.is_string:
        return node.this
    return int(node.this) if node.this.isdigit() else float(node.this)
