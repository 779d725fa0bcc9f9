"""The invariants, each with the number of rows that break it."""

from __future__ import annotations

from duckdb import DuckDBPyConnection

from generators.calibration import Line, exactly, invariant
from generators.found import one
from generators.hopify.invariants import invariants


def lines(connection: DuckDBPyConnection) -> list[Line]:
    """One line a rule; DuckDB reads PostgreSQL's spelling of all of them."""
    broken = {
        name: one(connection, f"SELECT COUNT(*) FROM ({query}) AS offending")
        for name, query in invariants("postgresql").items()
    }
    state = one(connection, "SELECT COUNT(*) FROM world_state")
    return [exactly("rows of world_state", 1, state), *(invariant(name, count) for name, count in broken.items())]
