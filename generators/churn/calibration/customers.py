"""Customers: plans, regions and signups."""

from __future__ import annotations

import numpy as np
from duckdb import DuckDBPyConnection

from generators.calibration import Line, curve_tolerance, exactly, invariant, near, share_tolerance
from generators.churn.calibration.source import columns, one_of, row
from generators.churn.specification import DAYS, FIRST_DAY, LAST_DAY, PLAN_SHARES, REGION_SHARES
from schemas.churn import PLANS, REGIONS


def lines(connection: DuckDBPyConnection, asked: int) -> list[Line]:
    """The lines about table ``customers``."""
    found = row(
        connection,
        f"""SELECT COUNT(*) AS n, COUNT(*) - COUNT(DISTINCT customer_id) AS repeated,
        COUNT(*) FILTER (WHERE (signup_date BETWEEN DATE '{FIRST_DAY}' AND DATE '{LAST_DAY}') IS NOT TRUE) AS outside,
        COUNT(*) FILTER (WHERE ({one_of("plan", PLANS)} AND {one_of("region", REGIONS)}) IS NOT TRUE) AS unknown
        FROM customers""",
    )
    n = found["n"] or 0.0
    return [
        exactly("customers", asked, n),
        invariant("customers: ids missing or repeated", found["repeated"] or 0),
        invariant("customers: signups outside the 18 months", found["outside"] or 0),
        invariant("customers: unknown plan or region", found["unknown"] or 0),
        *shares(connection, "customers", "plan", dict(zip(PLANS, PLAN_SHARES, strict=True)), n),
        *shares(connection, "customers", "region", dict(zip(REGIONS, REGION_SHARES, strict=True)), n),
        _evenness(connection, n),
    ]


def shares(
    connection: DuckDBPyConnection, table: str, column: str, expected: dict[str, float], sample: float
) -> list[Line]:
    """A line a value of ``column``: its share of the rows, with the tolerance of ``sample`` independent rows."""
    counts = dict(connection.execute(f"SELECT {column}, COUNT(*) FROM {table} GROUP BY ALL").fetchall())
    total = sum(counts.values())
    return [
        near(
            f"{table}: {column} {value}",
            share,
            counts.get(value, 0) / total if total else None,
            share_tolerance(share, sample),
        )
        for value, share in expected.items()
    ]


def _evenness(connection: DuckDBPyConnection, n: float) -> Line:
    """How far the distribution of signups is from one that is even over the window, at its worst day."""
    found = columns(
        connection,
        f"""SELECT signup_date - DATE '{FIRST_DAY}' AS day, COUNT(*) AS n FROM customers
        WHERE signup_date BETWEEN DATE '{FIRST_DAY}' AND DATE '{LAST_DAY}' GROUP BY ALL ORDER BY ALL""",
    )
    counts = np.zeros(DAYS)
    counts[found["day"].astype(int)] = found["n"]
    distance = np.abs(np.cumsum(counts) / max(n, 1) - np.arange(1, DAYS + 1) / DAYS).max()
    return near("customers: signups' distance from even", 0, float(distance) if n else None, curve_tolerance(n))
