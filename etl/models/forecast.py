"""How much is going to be paid in the months to come: a trend with seasons, beside three naive forecasts."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from etl.models.backtest import COVERAGE, HORIZON, KNOWN, Backtest, ahead, backtest, coverage
from etl.models.evaluation import DRAWS, Floats, Measure, blocks, compared, share, verdict
from etl.models.features import require
from etl.models.report import PERCENT, Outcome
from etl.publish import charts
from etl.publish.figures import Figure, money, month


def fit(examples: pd.DataFrame, seed: int) -> Outcome:
    """Backtest, then forecast the months after the last; raises ``ConfigError`` for too few months."""
    require("forecast", "complete months", len(examples), KNOWN + HORIZON)
    revenue = examples["revenue"].to_numpy(dtype=float)
    require("forecast", "months with revenue", int((revenue > 0).sum()), KNOWN)
    test = backtest(revenue)
    name, best = min(test.baselines.items(), key=lambda item: test.error(item[1]))
    measures = _measures(test, seed)
    primary = next(m for m in measures if m.name == _named(name))
    predictions = ahead(list(examples["month"]), revenue)
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


def _measures(test: Backtest, seed: int) -> list[Measure]:
    """The model against each baseline.

    The bootstrap draws origins in runs of as many as share months, since their errors hang together.
    """
    random = np.random.default_rng(seed)
    drawn = [blocks(random, len(test.origins), HORIZON) for _ in range(DRAWS)]
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


def _facts(test: Backtest) -> list[str]:
    held, had = coverage(test)
    within, judged = int(held.sum()), int(had.sum())
    seen = share(within, judged)
    ahead = ", ".join(f"{h} of {n}" for h, n in zip(held, had, strict=True))
    return [
        f"Judged at {len(test.origins)} origins, up to {HORIZON} months ahead, by the sum of absolute errors as a "
        "share of what came.",
        f"Of {judged} months {seen.value:.0%} lay within the {COVERAGE:.0%} interval "
        f"(as independent months would: {seen.low:.0%} to {seen.high:.0%}; they are not); "
        f"1 to {HORIZON} months ahead: {ahead}.",
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
