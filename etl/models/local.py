"""The local twin: examples from the warehouse, a model in this process, predictions back as a mart."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pyarrow as pa

from etl.config import Config
from etl.errors import ConfigError
from etl.ledger import Ledger
from etl.models import catalog, predictions
from etl.models.gate import guarded
from etl.publish.queries import Query
from etl.publish.refresh import refresh
from etl.records import new_id
from etl.warehouses.base import Warehouse

try:
    import pandas as pd
    from threadpoolctl import threadpool_limits

    from etl.models import churn, forecast, ltv, segments
    from etl.models.report import Outcome
except ImportError as error:
    raise ConfigError(
        f"{error.name or 'a library'} is not installed, and models need it",
        "install it with: pip install 'multi-warehouse-etl[models]'",
    ) from error

FITS: Mapping[str, Callable[[pd.DataFrame, int], Outcome]] = {
    "churn": churn.fit,
    "ltv": ltv.fit,
    "forecast": forecast.fit,
    "segments": segments.fit,
}


def train(warehouse: Warehouse, ledger: Ledger, config: Config, model: str, seed: int) -> Outcome:
    """Build the examples through the gate, fit, judge, and publish ``marts.<model>_predictions``.

    Raises ``ConfigError`` for a model that the world does not have or that has too little to learn
    from, ``GateShutError`` while a table is not proven, and ``MartError`` for a mart that fails its tests.
    """
    world = config.publish.world
    queries = catalog.examples(world, model)
    run_id = new_id()
    tables = catalog.tables(queries.values())
    with guarded(ledger, queries.values(), config.sync, model, run_id) as gate, warehouse.whole(tables):
        refresh(warehouse, ledger, queries, gate, run_id)
        mart = catalog.predictions(world, model)
        frame = read(warehouse, queries, model)
        # One thread: the order in which several add floats is nobody's promise, and the same seed gives the same model.
        with threadpool_limits(1):
            outcome = FITS[model](frame, seed)
        rows = pa.Table.from_pandas(outcome.predictions, preserve_index=False)
        with predictions.staged_rows(warehouse, mart, rows) as staged:
            predictions.publish(warehouse, mart, staged, gate)
    return outcome


def read(warehouse: Warehouse, queries: Mapping[str, Query], model: str) -> pd.DataFrame:
    """A model's examples with their features, in an order that is always the same, which that of a table is not."""
    examples = queries[f"{model}_examples"]
    columns, relation = list(examples.columns), warehouse.relation("marts", examples.name)
    if model in catalog.LABELLED:
        columns += [name for name in queries[catalog.FEATURES].columns if name not in examples.columns]
        relation += f" INNER JOIN {warehouse.relation('marts', catalog.FEATURES)} USING (customer_id, cutoff_date)"
    keys = [name for name in ("month", "cutoff_date", "customer_id") if name in columns]
    names, order = warehouse.dialect.columns(columns), warehouse.dialect.columns(keys)
    frame: pd.DataFrame = warehouse.query(f"SELECT {names} FROM {relation} ORDER BY {order}").to_pandas()
    return frame
