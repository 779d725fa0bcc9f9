"""Marts: built aside, tested, and published all together or not at all.

What readers see changes only in the last transaction. Until then every mart stands beside its
published namesake as ``<name>__building``, and its tests read it there.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from etl.errors import WarehouseError
from etl.publish import translate
from etl.publish.errors import MartError
from etl.publish.queries import Query, ordered, render
from etl.publish.translate import BUILDING
from etl.warehouses.base import Warehouse

log = logging.getLogger(__name__)

_SHOWN_ROWS = 5


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
    return f"CREATE TABLE {aside} AS\n{render(query, warehouse, building)}"


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
