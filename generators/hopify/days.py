"""The world's calendar: 36 months that end on 2025-12-31, whatever day it is today."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np

from generators.hopify.columns import Floats, Ints

MONTHS = 36
EPOCH = date(1970, 1, 1)
FIRST_DAY = date(2023, 1, 1)
LAST_DAY = date(2025, 12, 31)

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - EPOCH).days


def as_date(number: int) -> date:
    """The date that is ``number`` days after 1970-01-01."""
    return EPOCH + timedelta(days=int(number))


def month_start(months: Any) -> Ints:
    """The first day of the world's months 0, 1, …, as day numbers; 36 is the month after the last."""
    calendar = np.datetime64("2023-01", "M") + np.asarray(months, np.int64)
    return calendar.astype("datetime64[D]").astype(np.int64)


def month_index(days: Any) -> Ints:
    """The world's month of each day number; 0 is January 2023."""
    calendar = np.asarray(days, np.int64).astype("datetime64[D]").astype("datetime64[M]")
    return calendar.astype(np.int64) - np.datetime64("2023-01", "M").astype(np.int64)


def time_of_day(rng: np.random.Generator, count: int) -> Ints:
    """Microseconds since midnight: mostly office hours somewhere in the world, never the last minute."""
    return (rng.beta(3.2, 2.8, count) * (DAY - MINUTE)).astype(np.int64)


def months_between(earlier: Any, later: Any) -> Floats:
    """Elapsed months of mean length from one array of day numbers to another."""
    return (np.asarray(later, np.float64) - np.asarray(earlier, np.float64)) / 30.4375


START = day_number(FIRST_DAY)
END = (day_number(LAST_DAY) + 1) * DAY
"""The instant at which the generated world ends; every instant in it is earlier."""
