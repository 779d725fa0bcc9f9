"""Predictions into the warehouse: staged, built aside, tested, and published through the gate."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from etl.publish import translate
from etl.publish.errors import MartError
from etl.publish.marts import remove_unfinished
from etl.publish.queries import Query
from etl.publish.translate import BUILDING
from etl.warehouses.base import Warehouse, staging_name
from schemas import types
from schemas.table import Column
from schemas.types import LogicalType

_TYPES: dict[str, LogicalType] = {
    "INT64": types.INT,
    "FLOAT64": types.FLOAT,
    "STRING": types.STRING,
    "BOOL": types.BOOL,
    "DATE": types.DATE,
}


def stage(warehouse: Warehouse, mart: Query, rows: pa.Table) -> str:
    """Put predictions with the columns of the mart's header into a staging table, and return its name."""
    name = staging_name(mart.name)
    columns = [Column(column, _TYPES[type_]) for column, type_ in mart.header.types.items()]
    schema = pa.schema([(column.name, column.type.arrow) for column in columns])
    warehouse.stage(name, columns, rows.select(schema.names).cast(schema))
    return name


def publish(warehouse: Warehouse, mart: Query, select: str, gate: Callable[[], object]) -> int:
    """Build the mart from a query in the warehouse's SQL, test and publish it; returns its rows.

    Raises what ``gate`` raises, and ``MartError`` for a test that finds rows; nothing is published then.
    """
    aside = warehouse.relation("marts", mart.name + BUILDING)
    remove_unfinished(warehouse)
    try:
        warehouse.alter([f"CREATE TABLE {aside} AS\n{select}"])
        for name in mart.tests:
            _check(warehouse, mart, name)
        rows = warehouse.query(f"SELECT COUNT(*) AS n FROM {aside}")
        gate()
        warehouse.publish({mart.name: mart.name + BUILDING})
    except BaseException:
        remove_unfinished(warehouse)
        raise
    return int(rows["n"][0].as_py())


def _check(warehouse: Warehouse, mart: Query, test: str) -> None:
    where = f"test {test} of {mart.where}"
    sql = translate.translate(mart.tests[test], warehouse, where, building=frozenset([mart.name]))
    offending = warehouse.query(f"SELECT * FROM (\n{sql}\n) AS offending LIMIT 1").to_pylist()
    if offending:
        raise MartError(
            f"mart {mart.name} fails its test {test}, first row: {offending[0]}",
            "this is a fault of the model; nothing was published",
        )
