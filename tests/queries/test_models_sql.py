"""The models' SQL: GoogleSQL with the columns it promises, from examples to predictions."""

from __future__ import annotations

import re

import mart_reference as reference
import pytest
from support import bigquery_ml
from support import bigquery_ml_rules as rules

from etl.models import bigquery, catalog
from etl.publish.queries import Query, load
from schemas import churn, hopify
from schemas.mappings import ddl_type

MODELS = [(world, model) for world in ("hopify", "churn") for model in catalog.models(world)]
SOURCES = {"hopify": hopify.metadata, "churn": churn.metadata}


def stored(world: str) -> dict[str, dict[str, str]]:
    """The types of every table of the world: raw, its marts, and those of its models."""
    raw = {
        f"raw.{table.name}": {c.name: ddl_type("bigquery", c.type.logical) for c in table.columns}  # type: ignore[attr-defined]
        for table in SOURCES[world].sorted_tables
    }
    marts = dict(load(world))
    for model in catalog.models(world):
        marts |= catalog.examples(world, model) | {f"{model}_predictions": catalog.predictions(world, model)}
    return raw | {f"marts.{name}": query.header.types for name, query in marts.items()}


STORED = {world: stored(world) for world in SOURCES}


def declared(query: Query) -> list[tuple[str, object]]:
    return [(name, reference.kind(type_)) for name, type_ in query.header.types.items()]


def own(world: str) -> dict[str, Query]:
    """The queries that only models need."""
    found = {name: q for model in catalog.models(world) for name, q in catalog.examples(world, model).items()}
    return {name: query for name, query in found.items() if name not in load(world)}


def test_models_of_each_world() -> None:
    assert catalog.models("hopify") == ["churn", "forecast", "ltv", "segments"]
    assert catalog.models("churn") == ["churn", "ltv", "segments"]
    assert catalog.models("health") == []


@pytest.mark.parametrize(("world", "name"), [(world, name) for world in SOURCES for name in own(world)])
def test_examples_are_googlesql_with_the_columns_of_their_header(world: str, name: str) -> None:
    query = own(world)[name]
    assert reference.output(query.text, bigquery_ml.used(query.text, STORED[world])) == declared(query)
    assert query.tests
    for sql in query.tests.values():
        reference.output(sql, bigquery_ml.used(sql, STORED[world]))


@pytest.mark.parametrize(("world", "model"), MODELS)
def test_a_model_is_created_from_columns_of_its_examples(world: str, model: str) -> None:
    columns = {name for name, _ in bigquery_ml.analyze(catalog.statement(world, model, "create"), STORED[world], model)}
    known = set(STORED[world][f"marts.{model}_examples"])
    if model in catalog.LABELLED:
        known |= STORED[world][f"marts.{catalog.FEATURES}"].keys()
        assert len(columns) > 20
    assert columns <= known
    assert columns.isdisjoint(("customer_id", "cutoff_date", "split", "days_back", "months_back", "is_subscribed"))


@pytest.mark.parametrize(("world", "model"), MODELS)
def test_evaluation_is_googlesql(world: str, model: str) -> None:
    assert bigquery_ml.analyze(catalog.statement(world, model, "evaluate"), STORED[world], model)


@pytest.mark.parametrize(("world", "model"), MODELS)
def test_predictions_have_the_columns_of_their_header(world: str, model: str) -> None:
    mart = catalog.predictions(world, model)
    assert bigquery_ml.analyze(mart.text, STORED[world], model) == declared(mart)
    assert mart.tests
    for sql in mart.tests.values():
        reference.output(sql, bigquery_ml.used(sql, STORED[world]))


@pytest.mark.parametrize(("world", "model"), MODELS)
def test_an_invented_column_is_noticed(world: str, model: str) -> None:
    """The analyzer looks at what is within the ML functions' brackets, too."""
    text = catalog.predictions(world, model).text
    column = {"churn": "prob", "ltv": "predicted_value", "forecast": "forecast_value", "segments": "CENTROID_ID"}[model]
    spoiled = re.sub(rf"\b{column}\b", "no_such_column", text)
    with pytest.raises(Exception, match="no_such_column"):
        bigquery_ml.analyze(spoiled, STORED[world], model)


@pytest.mark.parametrize(("world", "model"), MODELS)
def test_a_model_has_the_options_of_its_type(world: str, model: str) -> None:
    assert rules.broken_options(catalog.statement(world, model, "create")) == []


@pytest.mark.parametrize(("world", "model"), MODELS)
def test_functions_are_called_as_documented(world: str, model: str) -> None:
    given = rules.options(catalog.statement(world, model, "create"))
    for text in (catalog.statement(world, model, "evaluate"), catalog.predictions(world, model).text):
        assert list(rules.calls(text)), "no ML function is called"
        assert rules.broken_calls(text, given["model_type"], given) == []


@pytest.mark.parametrize(("world", "model"), MODELS)
def test_a_model_is_given_the_columns_it_learned_from(world: str, model: str) -> None:
    """ML.PREDICT matches columns by name; those of the TRANSFORM clause are made from them."""
    create = catalog.statement(world, model, "create")
    given = rules.options(create)
    columns = outputs(rules.features(create), world)
    learned = dict(columns)
    assert len(learned) == len(columns)
    label = given.get("input_label_cols", [])
    assert set(label) <= learned.keys()
    named = {given.get(name) for name in ("time_series_timestamp_col", "time_series_data_col")} - {None}
    assert named <= learned.keys()
    for text, wanted in (
        (catalog.predictions(world, model).text, learned.keys() - set(label)),
        (catalog.statement(world, model, "evaluate"), learned.keys()),
    ):
        for call in rules.calls(text):
            if call.rows:
                offered = dict(outputs(call.rows.removeprefix("(").removesuffix(")"), world))
                assert {name: offered.get(name) for name in wanted} == {name: learned[name] for name in wanted}


def outputs(sql: str, world: str) -> list[tuple[str, object]]:
    return reference.output(sql, bigquery_ml.used(sql, STORED[world]))


@pytest.mark.parametrize(
    ("model", "old", "new", "expected"),
    [
        ("churn", "'LOGISTIC_REG'", "'LOGISTIC'", ["model_type LOGISTIC"]),
        ("churn", "l2_reg = 1.0", "l2_reg = 'much'", ["l2_reg = 'much'"]),
        ("churn", "l2_reg = 1.0", "max_tree_depth = 3", ["LOGISTIC_REG has no max_tree_depth"]),
        ("churn", "'NO_SPLIT'", "'NONE'", ["data_split_method = 'NONE'"]),
        ("churn", "'NO_SPLIT'", "'CUSTOM'", ["CUSTOM without data_split_col"]),
        ("ltv", "max_tree_depth = 5", "max_depth = 5", ["BOOSTED_TREE_REGRESSOR has no max_depth"]),
        ("segments", "'KMEANS++'", "'KMEANS2'", ["kmeans_init_method = 'KMEANS2'"]),
        ("segments", "num_clusters = 4", "num_clusters = 4.5", ["num_clusters = 4.5"]),
        ("segments", "standardize_features", "enable_global_explain", ["KMEANS has no enable_global_explain"]),
        ("forecast", "time_series_data_col", "data_col", ["no time_series_data_col", "ARIMA_PLUS has no data_col"]),
        ("forecast", "['YEARLY']", "['ANNUAL']", ["seasonalities = ['ANNUAL']"]),
        ("forecast", "'MONTHLY'", "'MONTH'", ["data_frequency = 'MONTH'"]),
    ],
)
def test_an_option_that_is_not_documented_is_noticed(model: str, old: str, new: str, expected: list[str]) -> None:
    create = catalog.statement("hopify", model, "create")
    assert create.count(old) == 1
    assert rules.broken_options(create.replace(old, new)) == expected


@pytest.mark.parametrize(
    ("sql", "kind", "expected"),
    [
        ("ML.PREDICT(MODEL m, TABLE t, STRUCT(0.5 AS threshold))", "LOGISTIC_REG", []),
        ("ML.PREDICT(MODEL m, TABLE t, STRUCT(0.5 AS cutoff))", "LOGISTIC_REG", ["ML.PREDICT cutoff = 0.5"]),
        ("ML.PREDICT(MODEL m, TABLE t, STRUCT(2 AS threshold))", "LOGISTIC_REG", ["ML.PREDICT threshold = 2"]),
        ("ML.PREDICT(MODEL m)", "KMEANS", ["ML.PREDICT takes rows"]),
        ("ML.PREDICT(MODEL m, TABLE t)", "ARIMA_PLUS", ["ML.PREDICT is not for ARIMA_PLUS"]),
        ("ML.FORECAST(MODEL m, STRUCT(7 AS horizon))", "ARIMA_PLUS", ["ML.FORECAST goes beyond the model's horizon"]),
        ("ML.FORECAST(MODEL m, STRUCT(1.0 AS confidence_level))", "ARIMA_PLUS", ["ML.FORECAST confidence_level = 1.0"]),
        ("ML.ARIMA_EVALUATE(MODEL m, TABLE t)", "ARIMA_PLUS", ["ML.ARIMA_EVALUATE takes no rows"]),
        ("ML.ARIMA_EVALUATE(MODEL m)", "KMEANS", ["ML.ARIMA_EVALUATE is not for KMEANS"]),
        ("ML.EVALUATE(MODEL m, (SELECT 1), STRUCT(3 AS horizon))", "KMEANS", ["ML.EVALUATE horizon = 3"]),
        ("ML.GUESS(MODEL m)", "KMEANS", ["ML.GUESS is not for KMEANS"]),
    ],
)
def test_an_argument_that_is_not_documented_is_noticed(sql: str, kind: str, expected: list[str]) -> None:
    assert rules.broken_calls(f"SELECT * FROM {sql}", kind, {"horizon": 6}) == expected


class _BigQuery:
    """As much of a BigQuery warehouse as names need."""

    class dialect:  # noqa: N801
        sqlglot = "bigquery"

    def relation(self, room: str, name: str) -> str:
        return f"`my-project.shop_{room}.{name}`"


@pytest.mark.parametrize(("world", "model"), MODELS)
def test_every_name_is_resolved_for_bigquery(world: str, model: str) -> None:
    text = bigquery.statements(_BigQuery(), world, model)  # type: ignore[arg-type]
    code = "\n".join(line.partition("--")[0] for line in text.splitlines())
    assert not re.findall(r"\b(?:raw|marts)\.\w+", code)
    assert f"CREATE OR REPLACE MODEL `my-project.shop_marts.{model}_model`" in code
    assert f"CREATE OR REPLACE TABLE `my-project.shop_marts.{model}_predictions` AS" in code
    made = [f"`my-project.shop_marts.{name}`" for name in catalog.examples(world, model)]
    assert [code.index(f"CREATE OR REPLACE TABLE {name} AS") for name in made] == sorted(
        code.index(f"CREATE OR REPLACE TABLE {name} AS") for name in made
    )
