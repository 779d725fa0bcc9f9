"""What came of a model: its verdict first, then measures, charts and predictions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from etl.models.evaluation import Floats, Interval, Measure, deciles, mean, ranked, share
from etl.publish import charts
from etl.publish.figures import Board, Figure, Headline, words

PERCENT = ".1%"
_COSTS = alt.Axis(labelExpr="format(datum.value, abs(datum.value) < 1000 ? '~g' : '~s')", tickCount=5)
_FARTHEST = 1.0
"""The gain beyond which the chart of gains is cut off, so that one measure does not hide the others."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A model that was fitted and judged.

    ``verdict`` is one sentence, ``facts`` say on what it rests. ``predictions`` has the columns that
    the header of the model's predictions names.
    """

    model: str
    title: str
    verdict: str
    facts: Sequence[str]
    primary: Measure
    measures: Sequence[Measure]
    figures: Sequence[Figure]
    predictions: pd.DataFrame

    def rows(self) -> list[tuple[str, str, str, str]]:
        """The measures as text: name, model, baseline, difference, each with its interval."""
        return [
            (m.name, _ranged(m.model, m.form), _ranged(m.baseline, m.form), _ranged(m.difference, m.form))
            for m in self.measures
        ]

    def board(self) -> Board:
        """The report as a page, the verdict above everything."""
        headlines = [
            Headline(
                f"{m.name[:1].upper()}{m.name[1:]}",
                f"{m.model.value:{m.form}}",
                f"baseline {m.baseline.value:{m.form}}",
                True if m.better else False if m.worse else None,
            )
            for m in self.measures[:4]
        ]
        period = " ".join([self.verdict, *self.facts])
        figures = sorted([improvement(self), *self.figures], key=lambda figure: not figure.wide)
        return Board(self.title, period, headlines, figures, sort="report")


def improvement(outcome: Outcome) -> Figure:
    """Each measure's gain over the baseline with its interval."""
    better = sum(m.better for m in outcome.measures)
    rows: list[dict[str, Any]] = [
        {
            "measure": m.name,
            "gain": m.gain.value,
            "low": m.gain.low,
            "high": m.gain.high,
            "text": f"{_ranged(m.model, m.form)} against {_ranged(m.baseline, m.form)}",
        }
        for m in outcome.measures
        if np.isfinite([m.gain.value, m.gain.low, m.gain.high]).all()
    ]
    y = alt.Y("measure:N", title=None, sort=None, axis=alt.Axis(labelLimit=240))
    axis = alt.Axis(labelExpr="datum.value ? format(datum.value, '+.0%') : '0%'", tickCount=5)
    reach = [
        min((max(row["low"], -_FARTHEST) for row in rows), default=0),
        max((row["high"] for row in rows), default=0),
    ]
    scale = alt.Scale(domain=[min(reach[0], 0), max(min(reach[1], _FARTHEST), 0)], clamp=True, nice=True)
    tips = charts.tips(("measure:N", "Measure", ""), ("gain:Q", "Gain", "+.1%"), ("text:N", "Values", ""))
    base = charts.base(rows)
    spec = alt.layer(
        base.mark_rule(strokeWidth=2).encode(
            x=alt.X("low:Q", title=None, axis=axis, scale=scale), x2="high:Q", y=y, tooltip=tips
        ),
        base.mark_point(size=80, opacity=1).encode(x="gain:Q", y=y, tooltip=tips),
        charts.base([{"gain": 0}]).mark_rule(strokeDash=[4, 3]).encode(x="gain:Q"),
    )
    return Figure(
        "improvement",
        f"Better than the baseline in {better} of {len(outcome.measures)} measures",
        "Gain over the baseline, positive is better, with 95% intervals; one across 0 may be chance; cut at ±100%",
        charts.spec(spec, 40 + 36 * len(rows)) if rows else None,
        ("Measure", "Model", "Baseline", "Difference (95% interval)"),
        outcome.rows(),
    )


def calibration(actual: Floats, predicted: Floats, *, form: str, unit: str, rate: bool) -> Figure:
    """Mean prediction and outcome by tenth of predictions; with ``rate`` outcomes are 0 or 1."""
    rows = []
    for part in deciles(predicted):
        seen = share(int(actual[part].sum()), len(part)) if rate else mean(actual[part])
        rows.append(
            {
                "predicted": float(predicted[part].mean()),
                "observed": seen.value,
                "low": seen.low,
                "high": seen.high,
                "n": len(part),
            }
        )
    most = max(max(row["predicted"], row["high"]) for row in rows)
    axis = alt.Axis(format=PERCENT if rate else "~s", tickCount=5)
    x = alt.X("predicted:Q", title=f"predicted {unit}", axis=axis)
    y = alt.Y("observed:Q", title=f"observed {unit}", axis=axis)
    tips = charts.tips(
        ("predicted:Q", "Predicted", form),
        ("observed:Q", "Observed", form),
        ("low:Q", "From", form),
        ("high:Q", "To", form),
        ("n:Q", "Rows", ","),
    )
    base = charts.base(rows)
    diagonal = charts.base([{"predicted": 0.0, "observed": 0.0}, {"predicted": most, "observed": most}])
    spec = alt.layer(
        diagonal.mark_line(strokeDash=[4, 3], color=charts.QUIET).encode(x=x, y=y),
        base.mark_rule().encode(x=x, y=alt.Y("low:Q"), y2="high:Q"),
        base.mark_point(size=60, opacity=1).encode(x=x, y=y, tooltip=tips),
    )
    total, told = float(actual.mean()), float(predicted.mean())
    return Figure(
        "calibration",
        f"On average {told:{form}} was predicted and {total:{form}} came",
        "Tenths of the test's rows by their prediction, with 95% intervals; on the dashed line both are equal",
        charts.spec(spec),
        ("Mean prediction", "Mean outcome", "From", "To", "Rows"),
        [
            (
                f"{r['predicted']:{form}}",
                f"{r['observed']:{form}}",
                f"{r['low']:{form}}",
                f"{r['high']:{form}}",
                f"{r['n']:,}",
            )
            for r in rows
        ],
    )


def gains(actual: Floats, model: Floats, baseline: Floats, what: str) -> Figure:
    """How much of the outcome the highest predictions hold, by the share of rows taken."""
    shares = np.linspace(0, 1, 21)
    rows = [
        {"by": name, "taken": float(taken), "held": held}
        for name, predicted in (("model", model), ("baseline", baseline))
        for taken, held in zip(shares, _held(actual, predicted, shares), strict=True)
    ]
    tenth, fifth = _held(actual, model, np.array([0.1, 0.2]))
    spec = (
        charts.base(rows)
        .mark_line(point=True)
        .encode(
            x=alt.X("taken:Q", title="share of customers, highest prediction first", axis=alt.Axis(format=".0%")),
            y=alt.Y("held:Q", title=None, axis=alt.Axis(format=".0%")),
            color=charts.colours("by", ["model", "baseline"]),
            tooltip=charts.tips(("by:N", "By", ""), ("taken:Q", "Customers", ".0%"), ("held:Q", "Held", ".1%")),
        )
    )
    return Figure(
        "gains",
        f"The first tenth holds {tenth:.0%} of {what}, the first fifth {fifth:.0%}",
        f"Share of {what} by share of the test's customers, sorted by prediction",
        charts.spec(spec),
        ("Customers", "Model", "Baseline"),
        [
            (f"{taken:.0%}", f"{m:.1%}", f"{b:.1%}")
            for taken, m, b in zip(shares, _held(actual, model, shares), _held(actual, baseline, shares), strict=True)
        ],
    )


def importances(names: Sequence[str], means: Floats, deviations: Floats, metric: str, shown: int = 12) -> Figure:
    """What shuffling a column costs on the test, the costliest first."""
    order = np.argsort(-means, kind="stable")[:shown]
    rows = [
        {
            "feature": named(names[i]),
            "cost": float(means[i]),
            "low": float(means[i] - deviations[i]),
            "high": float(means[i] + deviations[i]),
        }
        for i in order
    ]
    x = alt.X("cost:Q", title=None, axis=_COSTS)
    y = alt.Y("feature:N", title=None, sort=None)
    base = charts.base(rows)
    tips = charts.tips(("feature:N", "Column", ""), ("cost:Q", "Cost", ".3~g"))
    spec = alt.layer(
        base.mark_bar().encode(x=x, y=y, tooltip=tips),
        base.mark_rule(strokeWidth=2).encode(x="low:Q", x2="high:Q", y=y),
    )
    return Figure(
        "importances",
        f"{rows[0]['feature']} and {rows[1]['feature']} tell the most",
        f"Rise of the test's {metric} when one column is shuffled, with its standard deviation",
        charts.spec(spec, 60 + 22 * len(rows)),
        ("Column", "Cost", "Standard deviation"),
        [(named(names[i]), f"{means[i]:.4g}", f"{deviations[i]:.2g}") for i in order],
    )


def named(column: str) -> str:
    """A column's name as people write it: ``MRR``, ``Tickets, last 90 days``."""
    window = re.fullmatch(r"(.+?)_(previous_)?(\d+)", column)
    if window:
        return f"{named(window[1])}, {'previous' if window[2] else 'last'} {window[3]} days"
    return words(column).replace("Mrr", "MRR")


def _held(actual: Floats, predicted: Floats, shares: Floats) -> list[float]:
    total = actual.sum() or 1.0
    held = np.concatenate([[0.0], np.cumsum(ranked(actual, predicted))]) / total
    return [float(held[round(share_ * len(actual))]) for share_ in shares]


def _ranged(value: Interval, form: str) -> str:
    return f"{value.value:{form}} ({value.low:{form}} to {value.high:{form}})"
