"""Who stops using the product, and what was to be seen before."""

from __future__ import annotations

from typing import Any

import altair as alt

from etl.publish import charts
from etl.publish.churn.usage import PLANS
from etl.publish.figures import Figure, Reader, Row, count, nothing, percent

_AT_RISK = (
    "Of customers who used the product in the 60 days before the cut-off, the share without any use in 60 days after"
)
_STEPS = ((0, "0"), (1, "1\N{EN DASH}3"), (4, "4\N{EN DASH}7"), (8, "8\N{EN DASH}14"), (15, "15 or more"))


def by_plan(read: Reader) -> Figure:
    """Churn by plan and region."""
    rows = read(
        "SELECT plan, region, COUNT(*) AS people, COUNTIF(has_churned) AS churned FROM marts.churn_features "
        "WHERE is_at_risk GROUP BY plan, region ORDER BY plan, region"
    )
    plans = [_sum(plan, [row for row in rows if row["plan"] == plan]) for plan in PLANS]
    plans = [row for row in plans if row["people"]]
    if not plans:
        return nothing("plans", "Nobody has been at risk yet", _AT_RISK)
    most, least = max(plans, key=_share), min(plans, key=_share)
    return Figure(
        "plans",
        f"{percent(_share(most))} of customers on {most['name']} stop using it, "
        f"{percent(_share(least))} of those on {least['name']}",
        f"{_AT_RISK}, by plan",
        charts.spec(_bars(plans), height=180),
        ("Plan", "Region", "At risk", "Churned", "Share"),
        [(row["plan"], row["region"], *_numbers(row)) for row in rows],
    )


def by_activity(read: Reader) -> Figure:
    """Churn by days of use in the month before."""
    cases = " ".join(f"WHEN active_days_30 >= {low} THEN {low}" for low, _ in reversed(_STEPS))
    rows = read(
        f"SELECT CASE {cases} END AS low, COUNT(*) AS people, COUNTIF(has_churned) AS churned "
        "FROM marts.churn_features WHERE is_at_risk GROUP BY low ORDER BY low"
    )
    names = dict(_STEPS)
    shown = [{**row, "name": names[row["low"]]} for row in rows]
    if not shown:
        return nothing("activity", "Nobody has been at risk yet", _AT_RISK)
    idle = shown[0]
    who = "without use" if idle["low"] == 0 else f"with {idle['name']} days of use"
    return Figure(
        "activity",
        f"Of those {who} in the 30 days before, {percent(_share(idle))} stop altogether",
        f"{_AT_RISK}, by days of use in the 30 days before it",
        charts.spec(_bars(shown), height=200),
        ("Days of use", "At risk", "Churned", "Share"),
        [(row["name"], *_numbers(row)) for row in shown],
    )


def _bars(rows: list[Row]) -> Any:
    shown = [{**row, "share": _share(row), "label": percent(_share(row), 1)} for row in rows]
    bars = charts.base(shown).encode(
        x=alt.X("share:Q", title=None, axis=alt.Axis(format=".0%", tickCount=5)),
        y=alt.Y("name:N", title=None, sort=[row["name"] for row in rows]),
        tooltip=charts.tips(
            ("name:N", "Group", ""),
            ("share:Q", "Churned", ".1%"),
            ("churned:Q", "Customers", ","),
            ("people:Q", "Of", ","),
        ),
    )
    return bars.mark_bar() + bars.mark_text(align="left", dx=5).encode(text="label:N")


def _sum(name: str, rows: list[Row]) -> Row:
    return {"name": name, "people": sum(r["people"] for r in rows), "churned": sum(r["churned"] for r in rows)}


def _share(row: Row) -> float:
    return float(row["churned"] / row["people"])


def _numbers(row: Row) -> tuple[str, str, str]:
    return count(row["people"]), count(row["churned"]), percent(_share(row), 1)
