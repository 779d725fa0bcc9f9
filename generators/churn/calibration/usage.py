"""Daily usage: retention curves, lost logs, and what an active day looks like."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from duckdb import DuckDBPyConnection
from numpy.typing import NDArray

from generators.calibration import (
    Line,
    Unit,
    curve_tolerance,
    invariant,
    mean_tolerance,
    near,
    sum_tolerance,
    total,
    within,
)
from generators.churn.calibration import retention
from generators.churn.calibration.keys import repeated
from generators.churn.calibration.source import Columns, columns, in_window, plan_number, violations
from generators.churn.specification import BY_PLAN, MINUTES_CAP, REFERENCE_CUSTOMERS, REFERENCE_ROWS, Plan


def lines(connection: DuckDBPyConnection, asked: int) -> list[Line]:
    """The lines about table ``usage_daily``."""
    counts = _by_sessions(connection)
    rows = float(counts["n"].sum())
    found = [
        total(
            "usage_daily: rows",
            REFERENCE_ROWS["usage_daily"],
            rows,
            0.05,
            judged=asked == REFERENCE_CUSTOMERS,
        ),
        *_rules(connection),
        invariant("usage_daily: customer-days repeated", repeated(connection, "usage_daily", "usage_date", rows)),
        *retention.lines(connection),
    ]
    minutes = _by_minutes(connection)
    for number, plan in enumerate(BY_PLAN):
        found += _session_lines(plan, _of(counts, number))
        found += _minute_lines(plan, _of(minutes, number))
    return [*found, _correlation(connection)]


def _rules(connection: DuckDBPyConnection) -> list[Line]:
    beyond = " OR ".join(
        f"({plan_number()} = {i} AND ABS(t.usage_minutes - {plan.minutes}) <= {_reach(plan)} + 1e-9)"
        for i, plan in enumerate(BY_PLAN)
    )
    rules = {
        "orphans": "c.customer_id IS NOT NULL",
        "outside the window or before signup": in_window("t.usage_date"),
        "negative sessions or events": "t.sessions >= 0 AND t.feature_events >= 0",
        "minutes beyond 3 sigma of the plan's mean": beyond,
    }
    found = violations(connection, "usage_daily", rules)
    return [invariant(f"usage_daily: {rule}", count) for rule, count in found.items()]


def _by_sessions(connection: DuckDBPyConnection) -> Columns:
    return columns(
        connection,
        f"""SELECT {plan_number()} AS plan, sessions AS value, COUNT(*) AS n, SUM(feature_events) AS events
        FROM usage_daily LEFT JOIN customers c USING (customer_id) GROUP BY ALL ORDER BY ALL""",
    )


def _by_minutes(connection: DuckDBPyConnection) -> Columns:
    return columns(
        connection,
        f"""SELECT {plan_number()} AS plan, usage_minutes AS value, COUNT(*) AS n
        FROM usage_daily LEFT JOIN customers c USING (customer_id) GROUP BY ALL ORDER BY ALL""",
    )


def _of(found: Columns, plan: int) -> Columns:
    chosen = (found["plan"] == plan) & ~np.isnan(found["value"])
    return {name: values[chosen] for name, values in found.items()}


def _session_lines(plan: Plan, found: Columns) -> list[Line]:
    n = float(found["n"].sum())
    sessions = float(np.dot(found["value"], found["n"]))
    expected = np.array([_poisson_up_to(plan.sessions, int(value)) for value in found["value"]])
    per_session = plan.events
    return [
        near(
            f"usage_daily: sessions a day, {plan.name}",
            plan.sessions,
            sessions / n if n else None,
            sum_tolerance(n * plan.sessions, 1) / n if n else 0,
            unit=Unit.NUMBER,
        ),
        near(
            f"usage_daily: sessions' distance from Poisson, {plan.name}",
            0,
            _distance(found["n"], expected),
            curve_tolerance(n),
        ),
        near(
            f"usage_daily: feature events a session, {plan.name}",
            per_session,
            float(np.nansum(found["events"])) / sessions if sessions > 0 else None,
            sum_tolerance(sessions * per_session, 1) / sessions if sessions > 0 else 0,
            unit=Unit.NUMBER,
        ),
    ]


def _minute_lines(plan: Plan, found: Columns) -> list[Line]:
    n = float(found["n"].sum())
    normal = NormalDist(plan.minutes, plan.minutes_deviation)
    # Minutes are rounded to one digit, so a value stands for all that round down to it.
    expected = np.array(
        [1.0 if value >= plan.minutes + _reach(plan) - 1e-9 else normal.cdf(value + 0.05) for value in found["value"]]
    )
    return [
        near(
            f"usage_daily: minutes a day, {plan.name}",
            plan.minutes,
            float(np.dot(found["value"], found["n"])) / n if n else None,
            mean_tolerance(plan.minutes_deviation, _reach(plan), n),
            unit=Unit.NUMBER,
        ),
        near(
            f"usage_daily: minutes' distance from capped normal, {plan.name}",
            0,
            _distance(found["n"], expected),
            curve_tolerance(n),
        ),
    ]


def _correlation(connection: DuckDBPyConnection) -> Line:
    found = columns(connection, "SELECT CORR(sessions, feature_events) AS r, COUNT(*) AS n FROM usage_daily")
    r, n = float(found["r"][0]), float(found["n"][0])
    # Six standard errors, which are at most 1/sqrt(n) for a correlation.
    return within(
        "usage_daily: correlation of sessions and feature events",
        0.5,
        1.0,
        None if math.isnan(r) else r,
        6 / math.sqrt(max(n, 1)),
        unit=Unit.NUMBER,
    )


def _distance(counts: NDArray[np.float64], expected: NDArray[np.float64]) -> float | None:
    """The largest gap between the cumulated ``counts`` and the distribution function at the same values."""
    if not len(counts):
        return None
    return float(np.abs(np.cumsum(counts) / counts.sum() - expected).max())


def _poisson_up_to(mean: float, value: int) -> float:
    return sum(math.exp(-mean + k * math.log(mean) - math.lgamma(k + 1)) for k in range(value + 1))


def _reach(plan: Plan) -> float:
    """The furthest a day's minutes may lie from the plan's mean."""
    return MINUTES_CAP * plan.minutes_deviation
