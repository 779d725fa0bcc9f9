"""Marts: built aside, tested, and published all together or not at all.

What readers see changes only in the last transaction. Until then every mart stands beside its
published namesake as ``<name>__building``, and its tests read it there.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from etl.dialects.base import Layout
from etl.errors import WarehouseError
from etl.publish import translate
from etl.publish.errors import MartError
from etl.publish.header import Header
from etl.publish.queries import Query, ordered, render
from etl.publish.translate import BUILDING
from etl.warehouses.base import Warehouse
from schemas import types
from schemas.table import Column
from schemas.types import LogicalType

log = logging.getLogger(__name__)

_SHOWN_ROWS = 5
_TYPES = {
    "INT64": types.INT,
    "STRING": types.STRING,
    "BOOL": types.BOOL,
    "DATE": types.DATE,
    "DATETIME": types.DATETIME,
    "TIMESTAMP": types.TIMESTAMP,
    "TIME": types.TIME,
    "FLOAT64": types.FLOAT,
    "BYTES": types.BYTES,
}


@dataclass(frozen=True, slots=True)
class MartResult:
    """A published mart: its rows, the tests it passed, and the seconds building and testing took.

    One that is not ``is_built`` was left as it is, because it would be the same again.
    """

    name: str
    rows: int
    tests: int
    seconds: float
    is_built: bool = True


def build(warehouse: Warehouse, queries: Mapping[str, Query], gate: Callable[[], None]) -> list[MartResult]:
    """Build, test and publish the marts of ``queries``, each after those it reads.

    Marts they read that are not among them are read as published. ``gate`` is called right before
    publishing and raises if what the marts were built from is no longer proven. Raises whatever it
    raises, :class:`QueryError` for a query that cannot be translated, and :class:`MartError` for one
    that fails or whose test returns rows; nothing is published then, and nothing is left behind.
    """
    in_order = ordered(queries.values(), published=warehouse.tables("marts"))
    remove_unfinished(warehouse)
    try:
        results = [_built(warehouse, query, frozenset(in_order)) for query in in_order.values()]
        gate()
        warehouse.publish({name: name + BUILDING for name in in_order})
    except BaseException:
        remove_unfinished(warehouse)
        raise
    return results


def remove_unfinished(warehouse: Warehouse) -> None:
    """Drop what a killed run left under construction."""
    leftovers = [name for name in warehouse.tables("marts") if name.endswith(BUILDING)]
    if leftovers:
        warehouse.alter([f"DROP TABLE IF EXISTS {warehouse.relation('marts', name)}" for name in leftovers])


def creation(warehouse: Warehouse, query: Query, building: frozenset[str]) -> str:
    """The statement that builds a mart aside, reading the marts in ``building`` where they are built."""
    aside = warehouse.relation("marts", query.name + BUILDING)
    return warehouse.dialect.create_as(aside, render(query, warehouse, building), layout(query.header))


def layout(header: Header) -> Layout:
    """How the header says the mart is to be stored and described."""
    columns = tuple(Column(name, _type_of(header.types[name]), comment=text) for name, text in header.columns.items())
    return Layout(
        partition=next((column for column in columns if column.name == header.partition), None),
        cluster=header.cluster,
        description=f"{header.question} {header.grain[:1].upper()}{header.grain[1:]}.",
        columns=columns,
    )


def _type_of(spelled: str) -> LogicalType:
    """The logical type of a GoogleSQL type; NUMERIC without parameters has its full width."""
    name, _, parameters = spelled.partition("(")
    if name not in ("NUMERIC", "BIGNUMERIC"):
        return _TYPES[name]
    precision, _, scale = parameters.rstrip(")").partition(",")
    return types.decimal(int(precision or 38), int(scale or (0 if precision else 9)))


def _built(warehouse: Warehouse, query: Query, building: frozenset[str]) -> MartResult:
    started = time.monotonic()
    statement = creation(warehouse, query, building)
    try:
        warehouse.alter([statement])
    except WarehouseError as error:
        raise MartError(f"{query.where} failed: {error.message}", "correct the query; nothing was published") from error
    for name in query.tests:
        _check(warehouse, query, name, building)
    rows = warehouse.query(f"SELECT COUNT(*) AS n FROM {warehouse.relation('marts', query.name + BUILDING)}")
    result = MartResult(query.name, int(rows["n"][0].as_py()), len(query.tests), time.monotonic() - started)
    log.debug("mart %s: %d rows, %d tests passed", result.name, result.rows, result.tests)
    return result


def _check(warehouse: Warehouse, query: Query, test: str, building: frozenset[str]) -> None:
    where = f"test {test} of {query.where}"
    sql = translate.translate(query.tests[test], warehouse, where, building=building)
    try:
        offending = warehouse.query(f"SELECT * FROM (\n{sql}\n) AS offending LIMIT {_SHOWN_ROWS}").to_pylist()
    except WarehouseError as error:
        raise MartError(f"{where} failed: {error.message}", "correct the test; nothing was published") from error
    if offending:
        rows = "; ".join(", ".join(f"{column}={value}" for column, value in row.items()) for row in offending)
        raise MartError(
            f"mart {query.name} fails its test {test}, first rows: {rows}",
            "look for the cause in the source data or in the query; nothing was published",
        )
