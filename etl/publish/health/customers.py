"""Who stays, who leaves, and how those who stay are doing."""

from __future__ import annotations

from typing import Any

import altair as alt

from etl.publish import charts
from etl.publish.figures import Figure, Reader, Row, count, money, month, nothing, percent
from schemas.health import TIERS

_HEALTHS = {
    "healthy": "Healthy",
    "stable": "Stable",
    "at risk": "At risk",
    "churned": "Churned",
    "none": "Never subscribed",
}
_ACTIVE = ("healthy", "stable", "at risk")


def curve(read: Reader) -> Figure:
    """The share of all customers still there n months after their signup."""
    subtitle = "Share of customers still there n months after signing up, of those whose day has come"
    rows = read(
        "SELECT months_since, SUM(eligible_customers) AS eligible, SUM(retained_customers) AS retained, "
        "SUM(retained_customers) / SUM(eligible_customers) AS retention FROM marts.day06_retention_curves "
        "GROUP BY months_since ORDER BY months_since"
    )
    if not rows:
        return nothing("curve", "No customers yet", subtitle)
    chart = charts.base(rows).encode(
        x=alt.X("months_since:Q", title="Months since signup", axis=alt.Axis(tickMinStep=1, grid=False)),
        y=charts.shares("retention"),
        tooltip=charts.tips(
            ("months_since:Q", "Months later", ""),
            ("retention:Q", "Still there", ".1%"),
            ("retained:Q", "Customers", ","),
            ("eligible:Q", "Of", ","),
        ),
    )
    year = next((row for row in rows if row["months_since"] == 12), rows[-1])
    return Figure(
        "curve",
        f"{percent(year['retention'])} of customers are still there {year['months_since']} months after signing up",
        subtitle,
        charts.spec(chart.mark_line(point=True)),
        ("Months later", "Customers", "Still there", "Share"),
        [
            (str(r["months_since"]), count(r["eligible"]), count(r["retained"]), percent(r["retention"], 1))
            for r in rows
        ],
    )


def churn(read: Reader) -> Figure:
    """The share of each signup month that has left so far."""
    subtitle = "Share of each signup month's customers who have left so far"
    rows = read("SELECT * FROM marts.day06_churn_by_cohort ORDER BY signup_month")
    if not rows:
        return nothing("churn", "No customers to lose yet", subtitle)
    chart = (
        charts.base(rows, "signup_month")
        .mark_bar()
        .encode(
            x=charts.binned("signup_month"),
            y=charts.shares("churn_rate"),
            tooltip=charts.tips(
                ("signup_month:T", "Signed up", "%B %Y"),
                ("churn_rate:Q", "Left so far", ".1%"),
                ("churned_customers:Q", "Customers", ","),
                ("customers:Q", "Of", ","),
            ),
        )
    )
    left, lived, people = (
        sum(row[name] for row in rows) for name in ("churned_customers", "customer_months", "customers")
    )
    columns = (
        "Signed up",
        "Customers",
        "Left",
        "Share",
        "Within a month",
        "Mean days",
        "MRR lost",
        "MRR left",
        "A month",
    )
    return Figure(
        "churn",
        f"{percent(left / people)} of all customers have left, {percent(left / lived, 1)} in a month on average",
        subtitle,
        charts.spec(chart),
        columns,
        [_churn_row(row) for row in reversed(rows)],
    )


def _churn_row(row: Row) -> tuple[str, ...]:
    return (
        month(row["signup_month"]),
        count(row["customers"]),
        count(row["churned_customers"]),
        percent(row["churn_rate"], 1),
        count(row["churned_within_a_month"]),
        money(row["average_days_to_churn"]),
        money(row["churned_mrr"], 2),
        money(row["remaining_mrr"], 2),
        percent(row["monthly_churn_rate"], 1),
    )


def cohorts(read: Reader) -> Figure:
    """Retention by signup month, as a heat map."""
    subtitle = "Share of each signup month's customers still there n months after their own signup"
    rows = read("SELECT * FROM marts.day06_retention_curves WHERE is_complete ORDER BY signup_month, months_since")
    if not rows:
        return nothing("retention", "No whole month of retention yet", subtitle)
    found: dict[Any, dict[int, Row]] = {}
    for row in rows:
        found.setdefault(row["signup_month"], {})[row["months_since"]] = row
    shown = [n for n in (0, 1, 2, 3, 6, 9, 12, 18, 24) if any(n in cells for cells in found.values())]
    return Figure(
        "retention",
        _spread(found),
        subtitle,
        charts.spec(_heat_map(rows), height=max(120, 14 * len(found))),
        ("Signed up", "Customers", *(f"Month {n}" for n in shown)),
        [
            (
                month(cohort),
                count(next(iter(cells.values()))["cohort_size"]),
                *(percent(cells[n]["retention"]) if n in cells else "" for n in shown),
            )
            for cohort, cells in found.items()
        ],
        wide=True,
    )


def _spread(cohorts: dict[Any, dict[int, Row]]) -> str:
    """How far apart the cohorts are after a year, or after as long as one of them was seen whole."""
    months = 12 if any(12 in cells for cells in cohorts.values()) else max(max(cells) for cells in cohorts.values())
    shares = [cells[months]["retention"] for cells in cohorts.values() if months in cells]
    low, high = percent(min(shares)), percent(max(shares))
    apart = low if low == high else f"{low} to {high}"
    return f"After {months} months {apart} of a signup month's customers are still there"


def _heat_map(rows: list[Row]) -> Any:
    return (
        charts.base(rows, "signup_month")
        .mark_rect()
        .encode(
            x=alt.X("months_since:O", title="Months since signup", axis=alt.Axis(labelAngle=0, labelOverlap=True)),
            y=alt.Y("yearmonth(signup_month):O", title=None, axis=alt.Axis(format="%b %Y", labelOverlap=True)),
            color=alt.Color(
                "retention:Q",
                title="Still there",
                scale=alt.Scale(zero=False, nice=True),
                legend=alt.Legend(orient="top", format=".0%", gradientLength=180),
            ),
            tooltip=charts.tips(
                ("signup_month:T", "Signed up", "%B %Y"),
                ("months_since:O", "Months later", ""),
                ("retention:Q", "Still there", ".1%"),
                ("retained_customers:Q", "Customers", ","),
                ("revenue_retention:Q", "Of their first revenue", ".1%"),
            ),
        )
    )


def scores(read: Reader) -> Figure:
    """How many customers are doing how well, by plan."""
    subtitle = (
        "Active customers by health score: healthy from 70 of 100, stable from 40, at risk below; and who has left"
    )
    rows = read(
        "SELECT health, plan_tier, COUNT(*) AS customers, SUM(mrr) AS mrr, AVG(score) AS score, AVG(ltv) AS ltv, "
        "AVG(cac) AS cac FROM marts.day06_customer_health GROUP BY health, plan_tier ORDER BY plan_tier, health"
    )
    if not rows:
        return nothing("scores", "No customers yet", subtitle)
    chart = (
        charts.base([{**row, "health": _HEALTHS[row["health"]]} for row in rows])
        .mark_bar()
        .encode(
            x=charts.across("customers"),
            y=alt.Y("health:N", title=None, sort=list(_HEALTHS.values())),
            color=charts.colours("plan_tier", TIERS),
            tooltip=charts.tips(
                ("health:N", "Health", ""),
                ("plan_tier:N", "Plan", ""),
                ("customers:Q", "Customers", ","),
                ("mrr:Q", "MRR", ",.2f"),
                ("score:Q", "Mean score", ".0f"),
            ),
        )
    )
    by_health = {health: [row for row in rows if row["health"] == health] for health in _HEALTHS}
    risk = sum(row["mrr"] for row in by_health["at risk"])
    active = sum(row["customers"] for health in _ACTIVE for row in by_health[health])
    healthy = sum(row["customers"] for row in by_health["healthy"])
    share = percent(healthy / active) if active else "None"
    return Figure(
        "scores",
        f"{share} of active customers are healthy; {money(risk)} of monthly revenue is at risk",
        subtitle,
        charts.spec(chart, height=180),
        ("Health", "Plan", "Customers", "MRR", "Mean score", "Mean LTV", "Mean CAC, assumed"),
        [
            (
                _HEALTHS[row["health"]],
                row["plan_tier"],
                count(row["customers"]),
                money(row["mrr"], 2),
                money(row["score"], 1),
                money(row["ltv"], 2),
                money(row["cac"], 2),
            )
            for health in _HEALTHS
            for row in by_health[health]
        ],
        wide=True,
    )
