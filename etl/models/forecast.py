"""How much is going to be paid in the months to come: a trend with seasons, beside three naive forecasts.

Judged by a backtest over rolling origins (Tashman, 2000, https://doi.org/10.1016/S0169-2070(00)00065-0):
at each origin only the months before it are known. Intervals are the errors of earlier origins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

from etl.models.evaluation import DRAWS, Floats, Measure, compared, share, verdict
from etl.models.features import require
from etl.models.report import PERCENT, Outcome
from etl.publish import charts
from etl.publish.figures import Figure, money, month

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


def fit(examples: pd.DataFrame, seed: int) -> Outcome:
    """Backtest, then forecast the months after the last; raises ``ConfigError`` for too few months."""
    require("forecast", "complete months", len(examples), KNOWN + HORIZON)
    revenue = examples["revenue"].to_numpy(dtype=float)
    require("forecast", "months with revenue", int((revenue > 0).sum()), KNOWN)
    test = backtest(revenue)
    name, best = min(test.baselines.items(), key=lambda item: test.error(item[1]))
    measures = _measures(test, seed)
    primary = next(m for m in measures if m.name == _named(name))
    predictions = _ahead(list(examples["month"]), revenue)
    return Outcome(
        model="forecast",
        title="Revenue forecast",
        verdict=verdict(primary, f"{name!r}, the best of three naive forecasts", "error"),
        facts=_facts(test),
        primary=primary,
        measures=measures,
        figures=[
            _history(examples, predictions),
            _by_horizon(test, name, best),
            _backtested(examples, test),
        ],
        predictions=predictions,
    )


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
    """The interval at an origin, from the relative errors of earlier origins that were known by then.

    The forecast for origin i, h + 1 months ahead, is known to be wrong from origin i + h + 1 on.
    """
    low, high = np.full(HORIZON, np.nan), np.full(HORIZON, np.nan)
    for h in range(HORIZON):
        known = [(i, g) for i in range(row) for g in range(HORIZON) if g <= h + 1 and i + g + 1 <= row]
        errors = np.array([np.log1p(actual[i, g]) - np.log1p(model[i, g]) for i, g in known])
        errors = errors[np.isfinite(errors)]
        if len(errors) >= _LEAST_ERRORS:
            reach = np.quantile(np.abs(errors), min(1.0, COVERAGE * (1 + 1 / len(errors))))
            low[h], high[h] = np.expm1(np.log1p(model[row, h]) + np.array([-reach, reach]))
    return np.maximum(low, 0.0), high


def _ahead(months: list[date], revenue: Floats) -> pd.DataFrame:
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


def _measures(test: Backtest, seed: int) -> list[Measure]:
    """The model against each baseline; the bootstrap draws origins, whose months hang together."""
    random = np.random.default_rng(seed)
    drawn = [random.integers(0, len(test.origins), len(test.origins)) for _ in range(DRAWS)]
    models = np.array([test.error(test.model, rows) for rows in drawn])
    return [
        compared(
            _named(name),
            (test.error(test.model), models),
            (test.error(forecast), np.array([test.error(forecast, rows) for rows in drawn])),
            higher=False,
            form=PERCENT,
        )
        for name, forecast in test.baselines.items()
    ]


def _named(baseline: str) -> str:
    return f"error beside {baseline}"


def coverage(test: Backtest) -> tuple[int, int]:
    """How many of the months that had an interval lay within it."""
    judged = np.isfinite(test.actual) & np.isfinite(test.low)
    within = judged & (test.actual >= test.low) & (test.actual <= test.high)
    return int(within.sum()), int(judged.sum())


def _facts(test: Backtest) -> list[str]:
    within, judged = coverage(test)
    seen = share(within, judged)
    return [
        f"Judged at {len(test.origins)} origins, up to {HORIZON} months ahead, by the sum of absolute errors as a "
        "share of what came.",
        f"Of {judged} months {seen.value:.0%} lay within the {COVERAGE:.0%} interval "
        f"(as independent months would: {seen.low:.0%} to {seen.high:.0%}; they are not).",
    ]


def _history(examples: pd.DataFrame, predictions: pd.DataFrame) -> Figure:
    future = [
        {"month": row["month"], "expected": row["predicted_revenue"], "low": row["lower_80"], "high": row["upper_80"]}
        for row in predictions.to_dict("records")
    ]
    # One data set for all layers: Vega-Lite parses the dates of a second one twice, and loses them.
    past = [{"month": m, "revenue": r} for m, r in zip(examples["month"], examples["revenue"], strict=True)]
    base = charts.base([*past, *future], "month")
    at = charts.tips(("month:T", "Month", "%B %Y"))
    came = charts.tips(("revenue:Q", "Revenue", ",.0f"))
    told = charts.tips(("expected:Q", "Expected", ",.0f"), ("low:Q", "From", ",.0f"), ("high:Q", "To", ",.0f"))
    spec = alt.layer(
        base.mark_area(opacity=0.25).encode(x=charts.months(), y=charts.amounts("low"), y2="high:Q"),
        base.mark_line().encode(x=charts.months(), y=charts.amounts("revenue"), tooltip=[*at, *came]),
        base.mark_line(strokeDash=[5, 3], point=True).encode(
            x=charts.months(), y=charts.amounts("expected"), tooltip=[*at, *told]
        ),
    )
    last = predictions.iloc[-1]
    return Figure(
        "forecast",
        f"{money(last['predicted_revenue'])} expected for {month(last['month'])}",
        f"Revenue by month, the next {HORIZON} dashed, with their {COVERAGE:.0%} interval",
        charts.spec(spec),
        ("Month", "Expected", "From", "To"),
        [(month(r["month"]), *(money(r[key]) for key in ("expected", "low", "high"))) for r in future],
        wide=True,
    )


def _by_horizon(test: Backtest, name: str, best: Floats) -> Figure:
    rows = []
    for by, forecast in (("model", test.model), (name, best)):
        for h in range(HORIZON):
            held = np.isfinite(test.actual[:, h])
            error = np.abs(forecast[held, h] - test.actual[held, h]).sum() / (test.actual[held, h].sum() or 1.0)
            rows.append({"by": by, "ahead": h + 1, "error": float(error)})
    first, last = rows[0]["error"], rows[HORIZON - 1]["error"]
    spec = (
        charts.base(rows)
        .mark_line(point=True)
        .encode(
            x=alt.X("ahead:O", title="months ahead", axis=alt.Axis(labelAngle=0)),
            y=charts.shares("error"),
            color=charts.colours("by", ["model", name]),
            tooltip=charts.tips(("by:N", "By", ""), ("ahead:O", "Months ahead", ""), ("error:Q", "Error", ".1%")),
        )
    )
    return Figure(
        "horizon",
        f"Off by {first:.0%} one month ahead, by {last:.0%} after {HORIZON}",
        "Sum of absolute errors as a share of what came, by months ahead",
        charts.spec(spec),
        ("By", "Months ahead", "Error"),
        [(str(r["by"]), str(r["ahead"]), f"{r['error']:.1%}") for r in rows],
    )


def _backtested(examples: pd.DataFrame, test: Backtest) -> Figure:
    months = list(examples["month"])
    rows = [
        {"month": months[origin], "actual": test.actual[i, 0], "told": test.model[i, 0],
         "low": test.low[i, 0], "high": test.high[i, 0]}
        for i, origin in enumerate(test.origins)
    ]  # fmt: skip
    base = charts.base(rows, "month")
    tips = charts.tips(
        ("month:T", "Month", "%B %Y"), ("actual:Q", "Came", ",.0f"), ("told:Q", "Foretold", ",.0f"),
        ("low:Q", "From", ",.0f"), ("high:Q", "To", ",.0f"),
    )  # fmt: skip
    spec = alt.layer(
        base.mark_area(opacity=0.25).encode(x=charts.months(), y=charts.amounts("low"), y2="high:Q"),
        base.mark_line(strokeDash=[5, 3]).encode(x=charts.months(), y=charts.amounts("told"), tooltip=tips),
        base.mark_point(size=50, opacity=1).encode(x=charts.months(), y=charts.amounts("actual"), tooltip=tips),
    )
    inside = sum(row["low"] <= row["actual"] <= row["high"] for row in rows)
    return Figure(
        "backtest",
        f"{inside} of {len(rows)} months lay within what was foretold a month ahead",
        f"One month ahead: dashed what was foretold with its {COVERAGE:.0%} interval, points what came",
        charts.spec(spec),
        ("Month", "Came", "Foretold", "From", "To"),
        [(month(r["month"]), *(money(r[key]) for key in ("actual", "told", "low", "high"))) for r in rows],
    )


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
