"""BigQuery ML: a model's statements with the warehouse's names in them, printed or run.

Nothing here could be run against BigQuery itself: emulators accept CREATE MODEL without effect and
refuse the ML functions. The tests hold every statement against GoogleSQL's analyzer.
"""

from __future__ import annotations

import itertools
from typing import Any

import sqlglot

from etl.config import Config
from etl.errors import ConfigError
from etl.ledger import Ledger
from etl.models import catalog, predictions
from etl.models.gate import guarded
from etl.publish.queries import Query
from etl.publish.refresh import refresh
from etl.records import new_id
from etl.warehouses.base import ROOMS, Warehouse

_LANGUAGE = "bigquery"


def resolved(sql: str, warehouse: Warehouse) -> str:
    """The GoogleSQL with ``raw.x`` and ``marts.x`` as BigQuery's own names; as it is on another warehouse.

    Replaced in the text, so that comments and layout stay.
    """
    if warehouse.dialect.sqlglot != _LANGUAGE:
        return sql
    tokens = sqlglot.tokenize(sql, read=_LANGUAGE)
    for room, dot, name in reversed(list(zip(tokens, tokens[1:], tokens[2:], strict=False))):
        if room.text in ROOMS and dot.text == ".":
            sql = sql[: room.start] + warehouse.relation(room.text, name.text) + sql[name.end + 1 :]
    return sql


def statements(warehouse: Warehouse, world: str, model: str) -> str:
    """Everything that makes, judges and uses a model on BigQuery, in order; raises ``ConfigError``."""
    texts = [
        *map(_table, catalog.examples(world, model).values()),
        catalog.statement(world, model, "create"),
        catalog.statement(world, model, "evaluate"),
        _table(catalog.predictions(world, model)),
    ]
    return "\n\n".join(f"{resolved(text, warehouse).rstrip()};" for text in texts)


def train(warehouse: Warehouse, ledger: Ledger, config: Config, model: str) -> dict[str, Any]:
    """Build the examples, create the model, publish its predictions; returns what ML.EVALUATE found.

    Raises ``ConfigError`` on another warehouse, and what :func:`etl.models.local.train` raises.
    """
    world = config.publish.world
    queries = catalog.examples(world, model)
    if warehouse.dialect.sqlglot != _LANGUAGE:
        raise ConfigError(
            "BigQuery ML runs on BigQuery only", "leave out --engine, or set warehouse.url to bigquery://…"
        )
    run_id = new_id()
    tables = catalog.tables(queries.values())
    with guarded(ledger, queries.values(), config.sync, model, run_id) as gate, warehouse.whole(tables):
        refresh(warehouse, ledger, queries, gate, run_id)
        warehouse.run(resolved(catalog.statement(world, model, "create"), warehouse))
        judged = warehouse.query(resolved(catalog.statement(world, model, "evaluate"), warehouse)).to_pylist()
        mart = catalog.predictions(world, model)
        with predictions.staged_query(warehouse, mart, resolved(mart.text, warehouse)) as staged:
            predictions.publish(warehouse, mart, staged, gate)
    return judged[0] if judged else {}


def _table(query: Query) -> str:
    """The statement that makes a mart, its header cut down to the question."""
    body = itertools.dropwhile(lambda line: line.startswith("--"), query.text.splitlines())
    return "\n".join([f"-- {query.header.question}", f"CREATE OR REPLACE TABLE marts.{query.name} AS", *body])
