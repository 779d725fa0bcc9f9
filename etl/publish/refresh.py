"""Bringing marts up to date: what would be the same again is left, the rest is built and written down."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from etl.dialects.base import Statement
from etl.ledger import Ledger
from etl.publish.freshness import inputs, unchanged
from etl.publish.gate import Gate
from etl.publish.marts import MartResult, build
from etl.publish.months import Months
from etl.publish.queries import Query
from etl.records import MartBuild, new_id
from etl.warehouses.base import Warehouse


def refresh(
    warehouse: Warehouse,
    ledger: Ledger,
    queries: Mapping[str, Query],
    gate: Gate,
    run_id: str,
    *,
    full: bool = False,
) -> list[MartResult]:
    """Bring the marts of ``queries``, given in building order with all they need, up to date.

    ``gate`` has passed the tables that they read. Marts that would be the same again are left as they are,
    and of those that can be built by months the months that would be, unless ``full``. Builds are committed
    with their marts. Raises what :func:`etl.publish.marts.build` raises.
    """
    made_of = inputs(queries, gate.passed)
    builds = {} if full else ledger.newest_builds()
    fresh = unchanged(made_of, builds, frozenset(warehouse.tables("marts")))
    stale = {name: query for name, query in queries.items() if name not in fresh}
    before = _made_of(warehouse, {name: builds[name] for name in stale if name in builds})
    built = build(warehouse, stale, gate, before, _recording(ledger, made_of, run_id))
    kept = {name: MartResult(name, b.rows, b.tests, 0.0, is_built=False) for name, b in fresh.items()}
    by_name = kept | {result.name: result for result in built}
    return [by_name[name] for name in queries]


def _made_of(warehouse: Warehouse, builds: Mapping[str, MartBuild]) -> dict[str, Months]:
    """What those marts were made of that are still as they were published, as far as their number of rows tells."""
    found = {name: months for name, build in builds.items() if (months := Months.read(build.months))}
    held = frozenset(warehouse.tables("marts"))
    return {
        name: months for name, months in found.items() if name in held and _rows(warehouse, name) == builds[name].rows
    }


def _rows(warehouse: Warehouse, mart: str) -> int:
    rows = warehouse.query(f"SELECT COUNT(*) AS n FROM {warehouse.relation('marts', mart)}")
    return int(rows["n"][0].as_py())


def _recording(
    ledger: Ledger, made_of: Mapping[str, str], run_id: str
) -> Callable[[Sequence[MartResult]], Sequence[Statement]]:
    """What makes the statements that write builds down."""

    def record(results: Sequence[MartResult]) -> list[Statement]:
        return [
            ledger.statement(
                MartBuild(
                    r.name,
                    new_id(),
                    run_id,
                    made_of[r.name],
                    r.rows,
                    r.tests,
                    months=r.months.as_json() if r.months else None,
                )
            )
            for r in results
        ]

    return record
