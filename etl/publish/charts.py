"""Charts as Vega-Lite specifications without colours: the page gives those, for light and for dark.

Months travel as ``2025-12-01`` and are parsed as local dates by a format; a bare ISO date would be
read as UTC midnight, which west of Greenwich is the month before
(https://vega.github.io/vega-lite/docs/format.html).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import altair as alt

HEIGHT = 280
# The page puts its theme's colours in the place of these names.
GAIN, LOSS, QUIET = "@gain", "@loss", "@quiet"
_DAY = "date:'%Y-%m-%d'"


def data(rows: Iterable[dict[str, Any]], *days: str) -> alt.InlineData:
    """Rows as inline data; the columns named in ``days`` are dates."""
    values = [{name: _plain(value) for name, value in row.items()} for row in rows]
    return alt.InlineData(values=values, format={"parse": dict.fromkeys(days, _DAY)})


def base(rows: Iterable[dict[str, Any]], *days: str) -> alt.Chart:
    """An empty chart of the rows."""
    return alt.Chart(data(rows, *days))


def spec(chart: Any, height: int = HEIGHT) -> dict[str, Any]:
    """The finished specification, as wide as its place on the page."""
    found: dict[str, Any] = chart.properties(width="container", height=height).to_dict()
    found.pop("config", None)
    found.pop("$schema", None)
    return found


def months(field: str = "month") -> alt.X:
    """The horizontal axis of months."""
    return alt.X(f"{field}:T", title=None, axis=alt.Axis(format="%b %Y", labelOverlap="greedy", tickCount=8))


def binned(field: str = "month") -> alt.X:
    """The horizontal axis of months for bars, one month wide each; where the last one ends is no month's place."""
    label = "datum.value < domain('x')[1] ? timeFormat(datum.value, '%b %Y') : ''"
    axis = alt.Axis(labelExpr=label, labelOverlap="greedy", tickCount=8, grid=False)
    return alt.X(f"yearmonth({field}):T", title=None, axis=axis)


def numbers() -> alt.Axis:
    """An axis of amounts, ``4.5M``; formatted one by one, as Vega would give all of them the prefix of the largest."""
    return alt.Axis(labelExpr="format(datum.value, abs(datum.value) < 1000 ? ',' : '~s')", tickCount=5)


def amounts(field: str) -> alt.Y:
    """The vertical axis of amounts."""
    return alt.Y(f"{field}:Q", title=None, axis=numbers())


def across(field: str, *, zero: bool = True) -> alt.X:
    """The horizontal axis of amounts."""
    return alt.X(f"{field}:Q", title=None, axis=numbers(), scale=alt.Scale(zero=zero))


def shares(field: str, *, zero: bool = True) -> alt.Y:
    """The vertical axis of shares, ``45%``."""
    return alt.Y(f"{field}:Q", title=None, axis=alt.Axis(format=".0%", tickCount=5), scale=alt.Scale(zero=zero))


def portions(field: str) -> alt.X:
    """The horizontal axis of shares that may well be above 1."""
    axis = alt.Axis(format=".0%", tickCount=6)
    return alt.X(f"{field}:Q", title=None, axis=axis, scale=alt.Scale(zero=False, nice=True))


def legend() -> alt.Legend:
    """A legend above the chart, in several rows where the page is narrow."""
    return alt.Legend(orient="top", columns=alt.ExprRef("width < 420 ? 3 : 6"))


def colours(field: str, order: Sequence[str]) -> alt.Color:
    """Colour by a few named groups, in this order, with the legend above the chart."""
    return alt.Color(f"{field}:N", title=None, scale=alt.Scale(domain=list(order)), legend=legend())


def movement(field: str, up: Sequence[str], down: Sequence[str]) -> alt.Color:
    """Colour by movement: gains in the gains' tones, losses in the losses'."""
    names = [*up, *down]
    # The heaviest loss, which comes last, has the strongest tone.
    tones = [f"{GAIN}{i}" for i in range(len(up))] + [f"{LOSS}{i}" for i in reversed(range(len(down)))]
    return alt.Color(f"{field}:N", title=None, scale=alt.Scale(domain=names, range=tones), legend=legend())


def verdicts(field: str, good: str, bad: str) -> alt.Color:
    """Colour by whether something is good or bad, which its shape should say as well."""
    return alt.Color(
        f"{field}:N", title=None, scale=alt.Scale(domain=[good, bad], range=[f"{GAIN}0", f"{LOSS}0"]), legend=legend()
    )


def marks(field: str, good: str, bad: str) -> alt.Shape:
    """The shape that says the same as ``verdicts``, for whoever cannot tell the colours apart."""
    return alt.Shape(
        f"{field}:N",
        title=None,
        scale=alt.Scale(domain=[good, bad], range=["circle", "diamond"]),
        legend=legend(),
    )


def labels(named: dict[Any, str]) -> str:
    """A label expression that shows each value of an axis under another name."""
    shown = {str(value): name for value, name in named.items()}
    return f"({json.dumps(shown)})[datum.value]"


def tips(*fields: tuple[str, str, str]) -> list[alt.Tooltip]:
    """Tooltip lines from ``(field with type, label, format)``."""
    return [alt.Tooltip(name, title=label, format=form or alt.Undefined) for name, label, form in fields]


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else value
