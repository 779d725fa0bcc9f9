"""The worlds by name: any of them into any target, and what was written judged against its specification."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import pyarrow as pa
from duckdb import DuckDBPyConnection
from sqlalchemy import MetaData

import generators.churn.calibration
import generators.churn.parquet
import generators.health.calibration
import generators.hopify.calibration
import generators.hopify.generation
from generators.calibration import Report
from generators.churn.specification import REFERENCE_CUSTOMERS
from generators.errors import GeneratorError
from generators.found import one
from generators.health import batches as health_batches
from generators.health import core as health_core
from generators.loading import Progress, load
from generators.readers import open_reader
from schemas import churn, health, hopify

Batches = Callable[[int, int, int], Iterator[tuple[str, pa.RecordBatch]]]
Judge = Callable[[DuckDBPyConnection, int], Report]


@dataclass(frozen=True, slots=True)
class World:
    """A synthetic database with a specification.

    ``customers`` is the size the specification is written for. ``batches(customers, seed,
    workers)`` gives every row in logical Arrow types, parents before children, the same for any
    number of workers, and raises ``GeneratorError`` for numbers out of range. ``judge(connection,
    customers)`` compares stored rows, invariants among them, with the specification. ``asked`` is
    SQL for the number of customers that stored rows were made for.
    """

    name: str
    metadata: MetaData
    customers: int
    batches: Batches
    judge: Judge
    asked: str


def _health_batches(customers: int, seed: int, workers: int) -> Iterator[tuple[str, pa.RecordBatch]]:
    """The health world is one sequence of draws, so one worker makes all of it."""
    if workers < 1:
        raise GeneratorError(f"{workers} workers make no rows. Ask for 1 or more.")
    return iter(health_batches.batches(customers, seed).items())


def _judge_health(connection: DuckDBPyConnection, customers: int) -> Report:
    return generators.health.calibration.report(lambda table: connection.table(table).to_arrow_table(), customers)


WORLDS: Mapping[str, World] = MappingProxyType(
    {
        world.name: world
        for world in (
            World(
                "hopify",
                hopify.metadata,
                generators.hopify.generation.CUSTOMERS,
                generators.hopify.generation.batches,
                generators.hopify.calibration.report,
                "SELECT MAX(customers) FROM world_state",
            ),
            World(
                "churn",
                churn.metadata,
                REFERENCE_CUSTOMERS,
                generators.churn.parquet.world_batches,
                generators.churn.calibration.report,
                "SELECT COUNT(*) FROM customers",
            ),
            World(
                "health",
                health.metadata,
                health_core.CUSTOMERS,
                _health_batches,
                _judge_health,
                "SELECT COUNT(*) FROM day06_customers",
            ),
        )
    }
)


def world(name: str) -> World:
    """The world called ``name``; raises ``GeneratorError`` for one that is not known."""
    if name not in WORLDS:
        raise GeneratorError(f"There is no world {name!r}. The worlds are {', '.join(WORLDS)}.")
    return WORLDS[name]


def generate(
    name: str,
    to: str,
    *,
    customers: int | None = None,
    seed: int = 42,
    workers: int = 1,
    replace: bool = False,
    progress: Progress | None = None,
) -> dict[str, int]:
    """Create the tables of the world ``name`` at the URL ``to`` and fill them; the number of rows by table.

    ``customers`` is the specification's own number if not given; ``progress(table, rows)`` is
    called after every batch written. Raises ``GeneratorError`` for an unknown world, numbers out
    of range, a target that has the tables unless ``replace``, and one that cannot be written.
    """
    of = world(name)
    made = of.batches(of.customers if customers is None else customers, seed, workers)
    return load(to, of.metadata, made, replace=replace, progress=progress)


def check(name: str, at: str, *, customers: int | None = None) -> Report:
    """Judge what is stored at the URL ``at`` as the world ``name`` of ``customers`` customers.

    Where no number is given, rows are judged as the world of the size they say they are. Raises
    ``GeneratorError`` for an unknown world and for rows that cannot be read as its own.
    """
    of = world(name)
    with open_reader(at, of.metadata) as connection:
        if customers is None:
            customers = int(one(connection, of.asked) or 0)
        return of.judge(connection, customers)
