"""Forecasts of the months to come, and a backtest of them over rolling origins.

At each origin only the months before it are known (Tashman, 2000,
https://doi.org/10.1016/S0169-2070(00)00065-0); intervals are the errors of earlier origins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

from etl.models.evaluation import Floats

HORIZON = 6
"""Months ahead."""
WARM_UP, KNOWN = 18, 24
"""Months known at the first origin whose errors make intervals, and at the first that is judged."""
COVERAGE = 0.8
_HARMONICS = 2
_YEAR = 12
_LEAST_ERRORS = 6

Forecaster = Callable[[Floats], Floats]


def trend_and_season(known: Floats) -> Floats:
    """Ridge regression of log revenue on a straight and a slowing trend and two harmonics of the year."""
    model = Ridge(alpha=0.3).fit(_clock(0, len(known)), np.log1p(known))
    ahead: Floats = np.expm1(model.predict(_clock(len(known), len(known) + HORIZON)))
    return np.maximum(ahead, 0.0)


def naive(known: Floats) -> Floats:
    """The last month's value."""
    return np.repeat(known[-1], HORIZON)


def seasonal_naive(known: Floats) -> Floats:
    """The same month's value of a year before."""
    return known[-_YEAR:][:HORIZON]


def seasonal_growth(known: Floats) -> Floats:
    """The same month's value of a year before, grown as the last quarter grew over its year."""
    before = known[-_YEAR - 3 : -_YEAR].sum()
    return seasonal_naive(known) * (known[-3:].sum() / before if before else 1.0)


BASELINES: Mapping[str, Forecaster] = {
    "last month": naive,
    "a year before": seasonal_naive,
    "a year before with growth": seasonal_growth,
}


@dataclass(frozen=True, slots=True)
class Backtest:
    """Forecasts at every origin: row i is the origin with ``origins[i]`` known months, column h is h + 1 months ahead.

    Cells beyond the last month are NaN. ``low`` and ``high`` are the model's interval.
    """

    origins: Sequence[int]
    actual: Floats
    model: Floats
    baselines: Mapping[str, Floats]
    low: Floats
    high: Floats

    def error(self, forecast: Floats, rows: NDArray[np.intp] | None = None) -> float:
        """Absolute errors as a share of what came, over these origins."""
        chosen = slice(None) if rows is None else rows
        total = np.nansum(self.actual[chosen])
        return float(np.nansum(np.abs(forecast[chosen] - self.actual[chosen])) / total) if total else float("nan")


def backtest(revenue: Floats) -> Backtest:
    """Every forecaster at every origin from ``KNOWN`` months on."""
    warm = list(range(WARM_UP, len(revenue)))
    actual = np.array([_padded(revenue[origin : origin + HORIZON]) for origin in warm])
    model = np.array([trend_and_season(revenue[:origin]) for origin in warm])
    ranges = [_interval(actual, model, row) for row in range(len(warm))]
    judged = slice(KNOWN - WARM_UP, None)
    return Backtest(
        warm[judged],
        actual[judged],
        model[judged],
        {name: np.array([of(revenue[:origin]) for origin in warm[judged]]) for name, of in BASELINES.items()},
        np.array([low for low, _ in ranges[judged]]),
        np.array([high for _, high in ranges[judged]]),
    )


def _interval(actual: Floats, model: Floats, row: int) -> tuple[Floats, Floats]:
    """The interval at an origin, from the relative errors of earlier origins as many months ahead, known by then.

    The forecast for origin i, h + 1 months ahead, is known to be wrong from origin i + h + 1 on. Errors of other
    horizons are left out: those of shorter ones are smaller, and intervals far ahead would be too narrow.
    """
    low, high = np.full(HORIZON, np.nan), np.full(HORIZON, np.nan)
    for h in range(HORIZON):
        known = slice(0, max(0, row - h))
        errors = np.log1p(actual[known, h]) - np.log1p(model[known, h])
        errors = errors[np.isfinite(errors)]
        if len(errors) >= _LEAST_ERRORS:
            reach = np.quantile(np.abs(errors), min(1.0, COVERAGE * (1 + 1 / len(errors))))
            low[h], high[h] = np.expm1(np.log1p(model[row, h]) + np.array([-reach, reach]))
    return np.maximum(low, 0.0), high


def ahead(months: Sequence[date], revenue: Floats) -> pd.DataFrame:
    """The months after the last with their forecasts and intervals, as the predictions' columns."""
    warm = list(range(WARM_UP, len(revenue) + 1))
    actual = np.array([_padded(revenue[origin : origin + HORIZON]) for origin in warm])
    model = np.array([trend_and_season(revenue[:origin]) for origin in warm])
    low, high = _interval(actual, model, len(warm) - 1)
    return pd.DataFrame(
        {
            "month": [_later(months[-1], h + 1) for h in range(HORIZON)],
            "predicted_revenue": model[-1],
            "lower_80": low,
            "upper_80": high,
        }
    )


def coverage(test: Backtest) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """By months ahead, how many months lay within their interval, and how many had one."""
    judged = np.isfinite(test.actual) & np.isfinite(test.low)
    within = judged & (test.actual >= test.low) & (test.actual <= test.high)
    return within.sum(axis=0), judged.sum(axis=0)


def _clock(start: int, end: int) -> Floats:
    """Trend and season of months ``start`` to ``end``, one row each."""
    t = np.arange(start, end, dtype=float)
    waves = [wave(2 * np.pi * k * t / _YEAR) for k in range(1, _HARMONICS + 1) for wave in (np.sin, np.cos)]
    return np.column_stack([t / _YEAR, np.log1p(t), *waves])


def _padded(values: Floats) -> Floats:
    return np.concatenate([values, np.full(HORIZON - len(values), np.nan)])


def _later(day: date, months: int) -> date:
    years, at = divmod(day.month - 1 + months, _YEAR)
    return date(day.year + years, at + 1, 1)
