"""What the churn world is to look like: every number of its specification, and what follows from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from schemas.churn import PLANS

FIRST_DAY = date(2024, 7, 1)
LAST_DAY = date(2025, 12, 31)
DAYS = (LAST_DAY - FIRST_DAY).days + 1
"""Days of the 18-month window, both ends included."""

REFERENCE_CUSTOMERS = 100_000
REFERENCE_ROWS: Mapping[str, int] = MappingProxyType(
    {"usage_daily": 4_000_000, "billing": 1_200_000, "support": 380_000}
)
"""The totals, stated for ``REFERENCE_CUSTOMERS``."""

PLAN_SHARES = (0.40, 0.35, 0.20, 0.05)
REGION_SHARES = (0.35, 0.30, 0.25, 0.10)
STATUS_SHARES = (0.75, 0.15, 0.10)
CATEGORY_SHARES = (0.25, 0.60, 0.15)
PRIORITY_SHARES = (0.55, 0.40, 0.05)

LOST_LOGS = (0.12, 0.18)
"""Share of usage logs lost, drawn anew for each day of the window."""

BILLING_GAPS = (12, 13, 14)
BILLING_GAP_SHARES = (0.25, 0.50, 0.25)

TICKETS_PER_DAY = 0.01382
"""Tickets a customer opens per day of tenure: 380,000 over the reference's days of tenure."""

DISCOUNTS = (0, 10, 20)
DISCOUNT_SHARES = (0.80, 0.15, 0.05)
"""Per cent off the price of the plan, for as long as the customer stays."""

MINUTES_CAP = 3.0
"""Standard deviations from the mean at which a day's minutes are capped."""

SESSION_MINUTES_CORRELATION = 0.6
"""Correlation of the two normal scores behind a day's sessions and its minutes."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One plan: ``retention`` is the share of customers active on day 0, decaying as exp(-day / ``decay_days``).

    ``sessions`` is the Poisson mean of a day's sessions, ``minutes`` and ``minutes_deviation`` the
    normal's of its minutes, ``events`` the Poisson mean of feature events a session; ``price`` is
    in cents a bill.
    """

    name: str
    retention: float
    decay_days: float
    sessions: float
    minutes: float
    minutes_deviation: float
    events: float
    price: int


_SPECIFIED = (
    Plan("Free", 0.22, 150.0, 2.5, 20.0, 6.0, 1.5, 0),
    Plan("Basic", 0.35, 200.0, 3.5, 35.0, 10.0, 2.0, 1_900),
    Plan("Pro", 0.50, 250.0, 5.0, 60.0, 17.0, 2.5, 4_900),
    Plan("Enterprise", 0.70, 350.0, 8.0, 90.0, 25.0, 3.0, 19_900),
)
BY_PLAN: tuple[Plan, ...] = tuple(next(plan for plan in _SPECIFIED if plan.name == name) for name in PLANS)
"""The plans in the order of ``schemas.churn.PLANS``, which is the order of every array by plan."""


def retention(plan: Plan, day: NDArray[np.int64] | NDArray[np.float64]) -> NDArray[np.float64]:
    """The probability that a customer of ``plan`` is active so many days after signup, before logs are lost."""
    curve: NDArray[np.float64] = plan.retention * np.exp(-np.asarray(day, np.float64) / plan.decay_days)
    return curve


def expected_active_days(plan: Plan, days: NDArray[np.int64]) -> NDArray[np.float64]:
    """Active days expected over the first ``days`` days, signup included: the curve's sum, a geometric series."""
    ratio = np.exp(-1 / plan.decay_days)
    total: NDArray[np.float64] = plan.retention * (1 - ratio ** np.asarray(days, np.float64)) / (1 - ratio)
    return total


def expected_usage_rows() -> float:
    """Rows of ``usage_daily`` expected for ``REFERENCE_CUSTOMERS`` signing up evenly over the window."""
    kept = 1 - sum(LOST_LOGS) / 2
    days = np.arange(1, DAYS + 1)
    per_plan = [float(expected_active_days(plan, days).mean()) for plan in BY_PLAN]
    return REFERENCE_CUSTOMERS * kept * float(np.dot(PLAN_SHARES, per_plan))
