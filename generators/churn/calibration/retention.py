"""Retention curves by plan, and the share of logs that were lost."""

from __future__ import annotations

import numpy as np
from duckdb import DuckDBPyConnection
from numpy.typing import NDArray

from generators.calibration import Line, near, share_tolerance, sum_tolerance, within
from generators.churn.calibration.source import columns, plan_number
from generators.churn.specification import BY_PLAN, DAYS, LAST_DAY, LOST_LOGS, Plan, expected_active_days, retention

_KEPT = 1 - sum(LOST_LOGS) / 2
# The share kept differs by day; over the days of the window its mean lies this far off at most.
_KEPT_TOLERANCE = sum_tolerance(DAYS * (LOST_LOGS[1] - LOST_LOGS[0]) ** 2 / 12, LOST_LOGS[1] - LOST_LOGS[0]) / DAYS / 2
_SPAN = 30
_STARTS = (0, 90, 180, 360)

Ages = NDArray[np.float64]


def lines(connection: DuckDBPyConnection) -> list[Line]:
    """By plan: retention on day 0, and over 30 days from each of some later days; then the logs lost."""
    tenure, logged = _tenures(connection), _logged(connection)
    curves = [
        _curve(plan, tenure[number], logged[number], start) for number, plan in enumerate(BY_PLAN) for start in _STARTS
    ]
    return [*curves, _lost_logs(tenure, logged)]


def _curve(plan: Plan, tenure: Ages, logged: Ages, start: int) -> Line:
    """One point of one plan's curve.

    ``tenure`` holds customers by days of tenure (index 1 to DAYS), ``logged`` usage rows by days
    since signup. The share is the logged customer-days over those there could have been, over the
    share of logs kept. Customers are independent and their days are not, so the sample's size is
    counted in customers.
    """
    ages = np.arange(start, start + _SPAN)
    # Customers whose tenure reaches beyond each age, and how long each stays within the span.
    reach = tenure[::-1].cumsum()[::-1]
    exposed = np.array([reach[age + 1] for age in ages])
    stays = np.clip(np.arange(DAYS + 1) - start, 0, _SPAN)
    days, squares = float(np.dot(stays, tenure)), float(np.dot(stays**2, tenure))
    curve = retention(plan, ages)
    share = float(np.dot(curve, exposed)) / days if days else float(curve.mean())
    found = float(logged[start : start + _SPAN].sum()) / days / _KEPT if days else None
    sample = days**2 / squares if days else 0.0
    tolerance = share_tolerance(share * _KEPT, sample) / _KEPT + share * _KEPT_TOLERANCE / _KEPT
    if start:
        return near(f"retention: {plan.name}, days {start} to {start + _SPAN - 1}", share, found, tolerance)
    # The curve's level, with the decay over the first days taken out.
    level = plan.retention / share
    return near(
        f"retention: {plan.name}, base", plan.retention, None if found is None else found * level, tolerance * level
    )


def _lost_logs(tenure: Ages, logged: Ages) -> Line:
    """The share of active days without a log: the rows there are beside those the curves predict.

    The variance is that of independent days within an exponential lifetime, scaled by an
    engagement whose square has the mean 1.054.
    """
    days = np.arange(DAYS + 1)
    expected, variance = 0.0, 0.0
    for number, plan in enumerate(BY_PLAN):
        active = expected_active_days(plan, days)
        x = days / plan.decay_days
        lifetime_squared = 2 * plan.decay_days**2 * (1 - np.exp(-x) * (1 + x)) + 2 * active / plan.retention
        expected += float(np.dot(active, tenure[number]))
        variance += float(np.dot(active + 1.054 * plan.retention**2 * lifetime_squared, tenure[number]))
    measure = "usage_daily: logs lost, against the retention curves"
    if not expected:
        return within(measure, *LOST_LOGS, None)
    tolerance = sum_tolerance(variance, DAYS) / expected
    return within(measure, *LOST_LOGS, 1 - float(logged.sum()) / expected, tolerance)


def _tenures(connection: DuckDBPyConnection) -> Ages:
    """Customers by plan and days of tenure, of shape (plans, DAYS + 1)."""
    found = columns(
        connection,
        f"""SELECT {plan_number()} AS plan, DATE '{LAST_DAY}' - c.signup_date + 1 AS days, COUNT(*) AS n
        FROM customers c GROUP BY ALL""",
    )
    return _grid(found["plan"], found["days"], found["n"])


def _logged(connection: DuckDBPyConnection) -> Ages:
    """Usage rows by plan and days since signup, of shape (plans, DAYS + 1)."""
    found = columns(
        connection,
        f"""SELECT {plan_number()} AS plan, t.usage_date - c.signup_date AS days, COUNT(*) AS n
        FROM usage_daily t JOIN customers c USING (customer_id) GROUP BY ALL""",
    )
    return _grid(found["plan"], found["days"], found["n"])


def _grid(plan: Ages, days: Ages, n: Ages) -> Ages:
    """Counts by plan and day; days outside the window, which an invariant reports, are left out."""
    grid = np.zeros((len(BY_PLAN), DAYS + 1))
    inside = ~np.isnan(plan) & (days >= 0) & (days <= DAYS)
    np.add.at(grid, (plan[inside].astype(int), days[inside].astype(int)), n[inside])
    return grid
