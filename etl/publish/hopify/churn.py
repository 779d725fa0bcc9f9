"""Who leaves, and why."""

from __future__ import annotations

import altair as alt

from etl.publish import charts
from etl.publish.figures import NONE, Figure, Reader, Row, count, money, month, nothing, percent, words
from etl.publish.hopify.period import Period
from schemas.hopify import SEGMENTS


def by_cohort(read: Reader, time: Period) -> Figure:
    """The share of each signup month that has left so far, by segment."""
    subtitle = "Share of each signup month's customers who have left at least once so far, by segment"
    rows = read(
        "SELECT * FROM marts.churn_by_cohort "
        f"WHERE signup_month <= DATE '{time.last.isoformat()}' ORDER BY signup_month, segment"
    )
    if not rows:
        return nothing("churn", "No customers to lose yet", subtitle)
    chart = (
        charts.base(rows, "signup_month")
        .mark_line(point=True)
        .encode(
            x=charts.months("signup_month"),
            y=charts.shares("churn_rate"),
            color=charts.colours("segment", SEGMENTS),
            tooltip=charts.tips(
                ("signup_month:T", "Signed up", "%B %Y"),
                ("segment:N", "Segment", ""),
                ("churn_rate:Q", "Left so far", ".1%"),
                ("churned_customers:Q", "Customers", ","),
                ("customers:Q", "Of", ","),
                ("main_reason:N", "Main reason", ""),
            ),
        )
    )
    return Figure(
        "churn",
        _cohort_title(rows),
        subtitle,
        charts.spec(chart),
        ("Signed up", "Segment", "Customers", "Left", "Back again", "Share", "Mean days", "Main reason"),
        [_cohort_row(row) for row in reversed(rows)],
    )


def _cohort_title(rows: list[Row]) -> str:
    totals = {
        segment: [
            sum(row[column] for row in rows if row["segment"] == segment)
            for column in ("churned_customers", "customers")
        ]
        for segment in {row["segment"] for row in rows}
    }
    shares = {segment: left / all_ for segment, (left, all_) in totals.items()}
    most = max(sorted(shares), key=lambda segment: shares[segment])
    if not shares[most]:
        return "No customer has left yet"
    return f"{most} customers leave most often: {percent(shares[most])} of them have so far"


def _cohort_row(row: Row) -> tuple[str, ...]:
    days = row["average_days_to_churn"]
    return (
        month(row["signup_month"]),
        row["segment"],
        count(row["customers"]),
        count(row["churned_customers"]),
        count(row["returned_customers"]),
        percent(row["churn_rate"], 1),
        money(days),
        words(row["main_reason"]) if row["main_reason"] else NONE,
    )


def reasons(read: Reader, time: Period) -> Figure:
    """Cancelled subscriptions of the last twelve months by reason and segment."""
    subtitle = "Cancelled subscriptions of the last twelve months, by reason and segment"
    rows = read(
        "SELECT reason, segment, SUM(churn_events) AS churn_events, SUM(lost_mrr) AS lost_mrr, "
        "SUM(SUM(churn_events)) OVER (PARTITION BY reason) AS all_segments "
        f"FROM marts.churn_reasons WHERE {time.year} GROUP BY reason, segment "
        "ORDER BY all_segments DESC, reason, segment"
    )
    if not rows:
        return nothing("reasons", "Nobody has left in the last twelve months", subtitle)
    shown = [{**row, "reason": words(row["reason"])} for row in rows]
    chart = (
        charts.base(shown)
        .mark_bar()
        .encode(
            x=charts.across("churn_events"),
            y=alt.Y("reason:N", title=None, sort=list(dict.fromkeys(row["reason"] for row in shown))),
            color=charts.colours("segment", SEGMENTS),
            tooltip=charts.tips(
                ("reason:N", "Reason", ""),
                ("segment:N", "Segment", ""),
                ("churn_events:Q", "Subscriptions", ","),
                ("lost_mrr:Q", "MRR lost", ",.2f"),
            ),
        )
    )
    share = shown[0]["all_segments"] / sum(row["churn_events"] for row in shown)
    return Figure(
        "reasons",
        f"“{shown[0]['reason']}” is the most frequent reason to leave, given by {percent(share)}",
        subtitle,
        charts.spec(chart),
        ("Reason", "Segment", "Subscriptions", "MRR lost"),
        [(row["reason"], row["segment"], count(row["churn_events"]), money(row["lost_mrr"], 2)) for row in shown],
    )
