"""Predictions into the warehouse: staged, then built, tested and published like any other mart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pyarrow as pa

from etl.publish.marts import build
from etl.publish.queries import Query
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


@contextmanager
def staged_rows(warehouse: Warehouse, mart: Query, rows: pa.Table) -> Iterator[str]:
    """A staging table with the columns of the mart's header, for as long as the context lasts."""
    columns = [Column(column, _TYPES[type_]) for column, type_ in mart.header.types.items()]
    schema = pa.schema([(column.name, column.type.arrow) for column in columns])
    name = staging_name(mart.name)
    try:
        warehouse.stage(name, columns, rows.select(schema.names).cast(schema))
        yield name
    finally:
        warehouse.drop(name)


@contextmanager
def staged_query(warehouse: Warehouse, mart: Query, sql: str) -> Iterator[str]:
    """A staging table of a query in the warehouse's own SQL, for as long as the context lasts."""
    name = staging_name(mart.name)
    try:
        warehouse.alter([f"CREATE TABLE {warehouse.relation('raw', name)} AS\n{sql}"])
        yield name
    finally:
        warehouse.drop(name)


def publish(warehouse: Warehouse, mart: Query, staged: str, gate: Callable[[], None]) -> None:
    """Make the mart of a staging table.

    Raises what ``gate`` raises, and ``MartError`` for a test that finds rows; nothing is published then.
    """
    columns = ", ".join(f"`{name}`" for name in mart.columns)
    build(
        warehouse, {mart.name: Query(mart.name, mart.world, f"SELECT {columns} FROM raw.`{staged}`", mart.header)}, gate
    )
