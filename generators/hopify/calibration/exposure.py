"""How long customers were active: what every rate of the world is a rate of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from duckdb import DuckDBPyConnection

from generators.found import columns, row
from generators.hopify.columns import Floats, Ints
from generators.hopify.days import END, START
from schemas.hopify import SEGMENTS

DAYS_A_MONTH = 30.4375
_GENERATED = END // 86_400_000_000 - START
SPANS = """
SELECT s.customer_id, c.segment, c.signed_up_on, s.started_on,
    LEAST(COALESCE(s.ended_on, w.last_day + 1), w.last_day + 1) AS ended_on
FROM subscriptions s JOIN customers c USING (customer_id), world w
"""


@dataclass(frozen=True, slots=True)
class Clusters:
    """Months that the customers of a segment were active: how many customers, Σ, Σ of squares and the most."""

    customers: float
    months: float
    squares: float
    longest: float


@dataclass(frozen=True, slots=True)
class Exposure:
    """``days`` are the world's day numbers, ``active[segment, day]`` the customers active on each.

    ``seed`` is the world's, and ``generated`` whether no day was simulated yet.
    """

    seed: int
    generated: bool
    days: Ints
    active: Floats
    clusters: tuple[Clusters, ...]

    @property
    def months(self) -> Floats:
        """Months of activity by segment."""
        total: Floats = self.active.sum(axis=1) / DAYS_A_MONTH
        return total


def segment_number(column: str) -> str:
    """SQL: the place of the segment in ``schemas.hopify.SEGMENTS``."""
    return f"CASE {column} {' '.join(f'WHEN {name!r} THEN {i}' for i, name in enumerate(SEGMENTS))} END"


def measured(connection: DuckDBPyConnection) -> Exposure:
    """Measure the subscriptions in ``connection``; leaves a view ``spans`` and a one-row table ``world`` there.

    Spans that an invariant reports (unknown customers, days outside the world) are left out.
    """
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE world AS SELECT
        COALESCE(MAX(seed), 0) AS seed,
        DATE '1970-01-01' + {START} AS first_day,
        COALESCE(MAX(last_day), DATE '1970-01-01' + {START + _GENERATED - 1}) AS last_day FROM world_state;
        CREATE OR REPLACE TEMP VIEW spans AS {SPANS}"""
    )
    state = row(connection, f"SELECT last_day - first_day + 1 AS days FROM world WHERE {START} IS NOT NULL")
    length = int(state["days"] or _GENERATED)
    ((seed,),) = connection.execute("SELECT seed FROM world").fetchall()
    return Exposure(
        seed=int(seed),
        generated=length <= _GENERATED,
        days=START + np.arange(length),
        active=_active(connection, length),
        clusters=tuple(_clusters(connection, number) for number in range(len(SEGMENTS))),
    )


def _active(connection: DuckDBPyConnection, length: int) -> Floats:
    found = columns(
        connection,
        f"""SELECT {segment_number("segment")} AS segment, day - w.first_day AS day, SUM(n) AS n FROM (
            SELECT segment, started_on AS day, 1 AS n FROM spans
            UNION ALL SELECT segment, ended_on, -1 FROM spans), world w GROUP BY ALL""",
    )
    steps = np.zeros((len(SEGMENTS), length + 1))
    inside = ~np.isnan(found["segment"]) & (found["day"] >= 0) & (found["day"] <= length)
    np.add.at(steps, (found["segment"][inside].astype(int), found["day"][inside].astype(int)), found["n"][inside])
    active: Floats = np.maximum(steps.cumsum(axis=1)[:, :length], 0.0)
    return active


def _clusters(connection: DuckDBPyConnection, segment: int) -> Clusters:
    found = row(
        connection,
        f"""SELECT COUNT(*) AS customers, SUM(t) AS months, SUM(t * t) AS squares, MAX(t) AS longest FROM (
            SELECT GREATEST(SUM(ended_on - started_on), 0) / {DAYS_A_MONTH} AS t FROM spans
            WHERE segment = '{SEGMENTS[segment]}' GROUP BY customer_id)""",
    )
    return Clusters(*(found[name] or 0.0 for name in ("customers", "months", "squares", "longest")))
