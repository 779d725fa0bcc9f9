"""Marts: built aside, tested, and published all together or not at all.

What readers see changes only in the last transaction. Until then every mart stands beside its
published namesake as ``<name>__building``, and its tests read it there; of a mart that is built by months,
only the months that have changed stand there, and tests read the others as published.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import pyarrow as pa

from etl.dialects.base import Layout, Statement
from etl.dialects.googlesql import GoogleSqlDialect
from etl.errors import WarehouseError
from etl.publish import translate
from etl.publish.errors import MartError
from etl.publish.header import Header
from etl.publish.months import Months, condition, measured, narrowed
from etl.publish.queries import Query, ordered, render
from etl.publish.translate import BUILDING
from etl.warehouses.base import Warehouse
from schemas import types
from schemas.table import Column
from schemas.types import LogicalType

log = logging.getLogger(__name__)

GOOGLESQL = GoogleSqlDialect()
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

    One that is not ``is_built`` was left as it is, because it would be the same again. ``months`` is what
    one was made of that can be built by months; ``renewed`` how many of them were, None if all.
    """

    name: str
    rows: int
    tests: int
    seconds: float
    is_built: bool = True
    months: Months | None = None
    renewed: int | None = None

    @property
    def extent(self) -> str:
        """How much of it was built, in words."""
        if not self.is_built:
            return "unchanged"
        if self.renewed is None or self.months is None:
            return "all of it"
        return f"{self.renewed} of {len(self.months.digests)} months"


def nothing_else(results: Sequence[MartResult]) -> Sequence[Statement]:
    """No statements to be committed with the marts."""
    del results
    return ()


def build(
    warehouse: Warehouse,
    queries: Mapping[str, Query],
    gate: Callable[[], None],
    before: Mapping[str, Months] = MappingProxyType({}),
    record: Callable[[Sequence[MartResult]], Sequence[Statement]] = nothing_else,
) -> list[MartResult]:
    """Build, test and publish the marts of ``queries``, each after those it reads.

    Marts they read that are not among them are read as published. ``before`` says what published marts
    were made of: of these, only months that have changed are built. ``gate`` is called right before
    publishing and raises if what the marts were built from is no longer proven. What ``record`` returns is
    committed with the marts. Raises whatever these raise, :class:`QueryError` for a query that cannot be
    translated, and :class:`MartError` for one that fails or whose test returns rows; nothing is published
    then, and nothing is left behind.
    """
    in_order = ordered(queries.values(), published=warehouse.tables("marts"))
    remove_unfinished(warehouse)
    builder = _Builder(warehouse, before)
    try:
        results = [builder.built(query) for query in in_order.values()]
        gate()
        builder.publish(record(results))
    except BaseException:
        remove_unfinished(warehouse)
        raise
    return results


def remove_unfinished(warehouse: Warehouse) -> None:
    """Drop what a killed run left under construction."""
    leftovers = [name for name in warehouse.tables("marts") if name.endswith(BUILDING)]
    if leftovers:
        warehouse.alter([f"DROP TABLE IF EXISTS {warehouse.relation('marts', name)}" for name in leftovers])


def creation(
    warehouse: Warehouse,
    query: Query,
    building: frozenset[str],
    renewed: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """The statement that builds a mart aside, reading the marts in ``building`` where they are built."""
    aside = warehouse.relation("marts", query.name + BUILDING)
    return warehouse.dialect.create_as(aside, render(query, warehouse, building, renewed), layout(query.header))


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


class _Builder:
    """Builds marts aside one after the other: ``renewed`` maps those built in part to the condition of that part."""

    def __init__(self, warehouse: Warehouse, before: Mapping[str, Months]) -> None:
        self._warehouse, self._before = warehouse, before
        self._building: frozenset[str] = frozenset()
        self._renewed: dict[str, str] = {}
        self._replaced: dict[str, str] = {}

    def built(self, query: Query) -> MartResult:
        """Build a mart aside, or as much of it as has changed, and test it."""
        started = time.monotonic()
        months, changed = self._build(query)
        for name in query.tests:
            self._check(query, name)
        counted = self._query(f"SELECT COUNT(*) AS n FROM marts.{query.name}", query.where)
        result = MartResult(
            query.name,
            int(counted["n"][0].as_py()),
            len(query.tests),
            time.monotonic() - started,
            is_built=query.name in self._building,
            months=months,
            renewed=None if changed is None else len(changed),
        )
        log.debug("mart %s: %d rows, %d tests passed", result.name, result.rows, result.tests)
        return result

    def publish(self, statements: Sequence[Statement]) -> None:
        """Put everything that was built in its place, and commit the statements with it."""
        built = {name: name + BUILDING for name in sorted(self._building)}
        self._warehouse.publish(built, self._replaced, statements)

    def _build(self, query: Query) -> tuple[Months | None, frozenset[str] | None]:
        """What the mart is made of, and the months that were built; None for all."""
        try:
            months = measured(query, self._warehouse, self._building, self._renewed)
            changed = months.changed(self._before.get(query.name)) if months else None
            if changed != frozenset():
                self._create(query, changed)
        except WarehouseError as error:
            raise MartError(
                f"{query.where} failed: {error.message}", "correct the query; nothing was published"
            ) from error
        return months, changed

    def _create(self, query: Query, months: frozenset[str] | None) -> None:
        part = query
        if months is not None:
            part = narrowed(query, condition(query, months, GOOGLESQL))
            self._renewed[query.name] = condition(query, months, GOOGLESQL)
            self._replaced[query.name] = condition(query, months, self._warehouse.dialect)
        self._warehouse.alter([creation(self._warehouse, part, self._building, self._renewed)])
        if months is not None:
            self._refuse_other_months(query)
        self._building |= {query.name}

    def _refuse_other_months(self, query: Query) -> None:
        """Raise :class:`MartError` if some months' inputs gave rows of other months, which would be there twice."""
        aside = self._warehouse.relation("marts", query.name + BUILDING)
        other = f"SELECT COUNT(*) AS n FROM {aside} WHERE ({self._replaced[query.name]}) IS NOT TRUE"
        if self._warehouse.query(other)["n"][0].as_py():
            raise MartError(
                f"{query.where} is built by months, but its inputs of some months give rows of others",
                "leave out 'incremental:'; nothing was published",
            )

    def _check(self, query: Query, test: str) -> None:
        where = f"test {test} of {query.where}"
        try:
            offending = self._query(query.tests[test], where, _SHOWN_ROWS).to_pylist()
        except WarehouseError as error:
            raise MartError(f"{where} failed: {error.message}", "correct the test; nothing was published") from error
        if offending:
            rows = "; ".join(", ".join(f"{column}={value}" for column, value in row.items()) for row in offending)
            raise MartError(
                f"mart {query.name} fails its test {test}, first rows: {rows}",
                "look for the cause in the source data or in the query; nothing was published",
            )

    def _query(self, sql: str, where: str, rows: int = 1) -> pa.Table:
        """The first rows of a query, in GoogleSQL, over the marts as they are going to be."""
        sql = translate.translate(sql, self._warehouse, where, building=self._building, renewed=self._renewed)
        return self._warehouse.query(f"SELECT * FROM (\n{sql}\n) AS offending LIMIT {rows}")
