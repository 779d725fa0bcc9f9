"""How demand, load and loyalty move with the calendar and with age: pure functions of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from generators.hopify.columns import Floats
from generators.hopify.days import month_index

SIGNUP_SEASON = np.array([1.08, 1.0, 1.06, 1.0, 0.97, 0.86, 0.74, 0.78, 1.05, 1.10, 1.38, 1.16])
ORDER_SEASON = np.array([0.97, 0.96, 1.02, 1.0, 0.98, 0.93, 0.84, 0.86, 1.02, 1.05, 1.22, 1.15])
TICKET_SEASON = np.array([1.08, 1.0, 1.0, 0.99, 0.98, 0.95, 0.92, 0.92, 1.02, 1.03, 1.08, 1.05])
ORDER_WEEK = np.array([1.12, 1.20, 1.20, 1.15, 1.05, 0.66, 0.62])
TICKET_WEEK = np.array([1.40, 1.30, 1.22, 1.18, 1.08, 0.44, 0.38])
GROWTH = 1.028
"""Signups of a month over those of the month before, season aside."""


def growth(months: Any) -> Floats:
    """Signups relative to month 0: compound growth while the world is generated, level afterwards."""
    return GROWTH ** np.minimum(np.asarray(months, np.float64), 36.0)


def signup_season(months: Any) -> Floats:
    """Holiday spike in November, dip in summer; 1 is an ordinary month."""
    return SIGNUP_SEASON[np.asarray(months, np.int64) % 12]


def order_weight(days: Any) -> Floats:
    """Orders expected on each day number relative to an ordinary day."""
    numbers = np.asarray(days, np.int64)
    weight: Floats = ORDER_SEASON[month_index(numbers) % 12] * ORDER_WEEK[_weekday(numbers)] * _holiday(numbers)
    return weight


def ticket_weight(days: Any) -> Floats:
    """Tickets expected on each day number relative to an ordinary day."""
    numbers = np.asarray(days, np.int64)
    weight: Floats = TICKET_SEASON[month_index(numbers) % 12] * TICKET_WEEK[_weekday(numbers)]
    return weight


def tenure_decay(age_months: Any) -> Floats:
    """Churn risk by age relative to the segment's base: high for newcomers, low for the settled."""
    return 0.5 + 1.3 * np.exp(-np.asarray(age_months, np.float64) / 5.0)


def settling_in(age_months: Any) -> Floats:
    """Tickets by age relative to later life: newcomers ask more."""
    return 1.0 + 1.2 * np.exp(-np.asarray(age_months, np.float64) / 1.5)


def _weekday(numbers: Any) -> Any:
    """0 is Monday; 1970-01-01 was a Thursday."""
    return (numbers + 3) % 7


def _holiday(numbers: Any) -> Floats:
    """Black Friday's week sells; Christmas and New Year do not."""
    dates = np.asarray(numbers, np.int64).astype("datetime64[D]")
    month = month_index(numbers) % 12 + 1
    day = (dates - dates.astype("datetime64[M]")).astype(np.int64) + 1
    sale = (month == 11) & (day >= 23) & (day <= 30)
    closed = (month == 12) & (day >= 24) & (day <= 26) | (month == 1) & (day == 1)
    return np.where(sale, 1.9, np.where(closed, 0.45, 1.0))
