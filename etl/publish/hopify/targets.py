"""What the company aims at, and where it is."""

from __future__ import annotations

from typing import Any

import altair as alt

from etl.publish import charts
from etl.publish.figures import NONE, Figure, Reader, Row, count, month, nothing, percent, words
from etl.publish.hopify.period import Period

_SHARES = ("payment_success_rate", "logo_churn_rate", "nrr", "visitor_to_lead_rate", "lead_to_mql_rate")
_NAMES = {
    "mrr": "MRR",
    "arpu": "Revenue a customer",
    "nrr": "Net revenue retention",
    "mqls": "Qualified leads",
    "lead_to_mql_rate": "Leads that qualify",
    "visitor_to_lead_rate": "Visitors to leads",
    "customer_ltv": "Customer value",
    "ticket_resolution_hours": "Hours to resolution",
    "first_response_minutes": "Minutes to response",
}


def benchmarks(read: Reader) -> Figure:
    """Every target of the whole company beside its actual value; the segments' are in the table."""
    rows = read(
        "SELECT * FROM marts.benchmark_actuals WHERE actual IS NOT NULL AND attainment IS NOT NULL "
        "ORDER BY segment != 'all', segment, metric_name, target_period"
    )
    if not rows:
        return nothing("targets", "No targets to compare with yet", "Actual values as shares of their targets")
    subtitle = (
        f"Actual values of the whole company as shares of their targets, {month(rows[0]['month'])}; "
        "\N{DOWNWARDS ARROW}: less is better, and the target the most allowed"
    )
    company = [_shown(row) for row in rows if row["segment"] == "all"]
    shown = company or [_shown(row) for row in rows]
    met = sum(row["is_met"] for row in rows)
    return Figure(
        "targets",
        f"{met} of {len(rows)} targets are met",
        subtitle,
        charts.spec(_dots(shown), height=max(120, 24 * len({row["name"] for row in shown}))),
        ("Measure", "Period", "Segment", "Target", "Actual", "A year before", "Of the target", "Met"),
        [_row(row) for row in rows],
        wide=True,
    )


def _shown(row: Row) -> Row:
    name = _NAMES.get(row["metric_name"], words(row["metric_name"]))
    period = "" if row["target_period"] == "monthly" else f", {row['target_period']}"
    less = " \N{DOWNWARDS ARROW}" if row["is_less_better"] else ""
    return {
        "name": f"{name}{period}{less}",
        "attainment": row["attainment"],
        "state": "Met" if row["is_met"] else "Missed",
        "actual": _amount(row["metric_name"], row["actual"]),
        "target": _amount(row["metric_name"], float(row["target_value"])),
    }


def _dots(rows: list[Row]) -> Any:
    chart = charts.base(rows).encode(y=alt.Y("name:N", title=None, sort="ascending", axis=alt.Axis(labelLimit=190)))
    target = charts.base([{"at": 1}]).mark_rule(strokeWidth=2).encode(x=alt.X("at:Q"))
    lines = chart.mark_rule().encode(x=charts.portions("attainment"), x2=alt.X2(datum=1))
    dots = chart.mark_point(filled=True, size=110, opacity=1).encode(
        x=charts.portions("attainment"),
        color=charts.verdicts("state", good="Met", bad="Missed"),
        shape=charts.marks("state", good="Met", bad="Missed"),
        tooltip=charts.tips(
            ("name:N", "Measure", ""),
            ("actual:N", "Actual", ""),
            ("target:N", "Target", ""),
            ("attainment:Q", "Of the target", ".1%"),
            ("state:N", "Result", ""),
        ),
    )
    return target + lines + dots


def _row(row: Row) -> tuple[str, ...]:
    name, before = row["metric_name"], row["actual_year_before"]
    return (
        _NAMES.get(name, words(name)),
        row["target_period"],
        row["segment"],
        _amount(name, float(row["target_value"])),
        _amount(name, row["actual"]),
        NONE if before is None else _amount(name, before),
        percent(row["attainment"], 1),
        "yes" if row["is_met"] else "no",
    )


def _amount(name: str, value: float) -> str:
    if name in _SHARES:
        return percent(value, 1)
    return count(round(value)) if value >= 1000 else f"{value:,.2f}"


def retention(read: Reader, time: Period) -> Figure:
    """Net and gross revenue retention over twelve months."""
    subtitle = "What customers of a year before pay now: with their upgrades (net), and none counted for more (gross)"
    rows = read(
        "SELECT * FROM marts.revenue_retention "
        f"WHERE {time.shown} AND net_retention_year IS NOT NULL ORDER BY month, segment"
    )
    company = [row for row in rows if row["segment"] == "all"]
    if not company:
        return nothing("nrr", "Not a year of recurring revenue yet", subtitle)
    kinds = {"Net": "net_retention_year", "Gross": "gross_retention_year"}
    long = [
        {"month": row["month"], "kind": kind, "share": row[column]} for row in company for kind, column in kinds.items()
    ]
    chart = charts.base(long, "month").encode(
        x=charts.months(),
        y=charts.shares("share", zero=False),
        color=charts.colours("kind", tuple(kinds)),
        tooltip=charts.tips(
            ("month:T", "Month", "%B %Y"), ("kind:N", "Retention", ""), ("share:Q", "Of the revenue then", ".1%")
        ),
    )
    now = company[-1]
    return Figure(
        "nrr",
        f"Customers of a year ago pay {percent(now['net_retention_year'])} of what they paid then",
        subtitle,
        charts.spec(chart.mark_line(point=True)),
        ("Month", "Segment", "Net", "Gross", "Customers kept", "Of", "Net, one month", "Gross, one month"),
        [
            (
                month(row["month"]),
                row["segment"],
                percent(row["net_retention_year"], 1),
                percent(row["gross_retention_year"], 1),
                percent(row["logo_retention_year"], 1),
                count(row["customers_year_before"]),
                percent(row["net_retention_month"], 1),
                percent(row["gross_retention_month"], 1),
            )
            for row in reversed(rows)
        ],
    )
