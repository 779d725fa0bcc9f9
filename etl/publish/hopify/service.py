"""How well support keeps its promise."""

from __future__ import annotations

from etl.publish import charts
from etl.publish.figures import Figure, Reader, Row, count, money, month, nothing, percent
from etl.publish.hopify.period import Period
from schemas.hopify import SEGMENTS


def within_sla(read: Reader, time: Period) -> Figure:
    """The share of support cases closed within their service level, by month and segment."""
    subtitle = "Share of support cases closed within 8 h (urgent), 24 h (high), 72 h (medium) or 120 h (low)"
    rows = read(f"SELECT * FROM marts.support_load WHERE {time.shown} AND tickets > 0 ORDER BY month, segment")
    if not rows:
        return nothing("support", "No support cases yet", subtitle)
    chart = (
        charts.base([row for row in rows if row["sla_share"] is not None], "month")
        .mark_line(point=True)
        .encode(
            x=charts.months(),
            y=charts.shares("sla_share", zero=False),
            color=charts.colours("segment", SEGMENTS),
            tooltip=charts.tips(
                ("month:T", "Month", "%B %Y"),
                ("segment:N", "Segment", ""),
                ("sla_share:Q", "Within the service level", ".1%"),
                ("tickets:Q", "Cases", ","),
                ("median_resolution_hours:Q", "Median hours", ".1f"),
            ),
        )
    )
    return Figure(
        "support",
        _title(read, time),
        subtitle,
        charts.spec(chart),
        ("Month", "Segment", "Cases", "Closed", "Within the level", "Median hours", "Mean hours", "Satisfaction"),
        [_row(row) for row in reversed(rows)],
    )


def _title(read: Reader, time: Period) -> str:
    year = read(
        f"SELECT SUM(within_sla_tickets) AS in_time, SUM(due_tickets) AS due FROM marts.support_load WHERE {time.year}"
    )[0]
    if not year["due"]:
        return "No support case was due in the last twelve months"
    return f"{percent(float(year['in_time'] / year['due']))} of the last year's support cases kept the service level"


def _row(row: Row) -> tuple[str, ...]:
    return (
        month(row["month"]),
        row["segment"],
        count(row["tickets"]),
        count(row["closed_tickets"]),
        percent(row["sla_share"], 1),
        money(row["median_resolution_hours"], 1),
        money(row["average_resolution_hours"], 1),
        money(row["average_satisfaction"], 1),
    )
