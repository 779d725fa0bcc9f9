"""What is paid, and what will be paid again next month."""

from __future__ import annotations

from etl.publish import charts
from etl.publish.figures import Figure, Reader, Row, count, money, month, nothing, percent, short
from etl.publish.hopify.period import Period
from schemas.hopify import SEGMENTS

_GAINS = {"New": "new_mrr", "Expansion": "expansion_mrr", "Back again": "reactivated_mrr"}
_LOSSES = {"Contraction": "contraction_mrr", "Left": "churned_mrr"}


def recurring(read: Reader, time: Period) -> Figure:
    """What moved monthly recurring revenue, by month."""
    subtitle = "Monthly recurring revenue (MRR) won (up) and lost (down) between the ends of two months"
    rows = read(f"SELECT * FROM marts.mrr_waterfall WHERE {time.shown} ORDER BY month")
    if not rows:
        return nothing("recurring", "No recurring revenue yet", subtitle)
    kinds = _GAINS | _LOSSES
    long = [
        {"month": row["month"], "kind": kind, "movement": row[column], "mrr": row["mrr_end"], "place": place}
        for row in rows
        for place, (kind, column) in enumerate(kinds.items())
    ]
    chart = (
        charts.base(long, "month")
        .mark_bar()
        .encode(
            x=charts.binned(),
            y=charts.amounts("movement"),
            color=charts.movement("kind", up=tuple(_GAINS), down=tuple(_LOSSES)),
            order="place:Q",
            tooltip=charts.tips(
                ("month:T", "Month", "%B %Y"),
                ("kind:N", "Movement", ""),
                ("movement:Q", "MRR", "+,.2f"),
                ("mrr:Q", "MRR at the month's end", ",.2f"),
            ),
        )
    )
    return Figure(
        "recurring",
        _recurring_title(rows[-1]),
        subtitle,
        charts.spec(chart),
        ("Month", "Start", *kinds, "End", "Net retention", "Gross retention"),
        [_recurring_row(row, list(kinds.values())) for row in reversed(rows)],
    )


def _recurring_title(now: Row) -> str:
    verb = "grew" if now["net_mrr"] >= 0 else "shrank"
    return (
        f"Recurring revenue {verb} by {short(abs(now['net_mrr']))} to {short(now['mrr_end'])} in {month(now['month'])}"
    )


def _recurring_row(row: Row, columns: list[str]) -> tuple[str, ...]:
    amounts = [money(row[column]) for column in ("mrr_start", *columns, "mrr_end")]
    retained = [percent(row[column], 1) for column in ("net_revenue_retention", "gross_revenue_retention")]
    return (month(row["month"]), *amounts, *retained)


def by_segment(read: Reader, time: Period) -> Figure:
    """Succeeded payments by month and segment."""
    subtitle = "Payments that succeeded, by month and the customer's segment"
    rows = read(f"SELECT * FROM marts.revenue_by_month WHERE {time.shown} ORDER BY month, segment")
    if not rows:
        return nothing("revenue", "No revenue yet", subtitle)
    chart = (
        charts.base(rows, "month")
        .mark_bar()
        .encode(
            x=charts.binned(),
            y=charts.amounts("revenue"),
            color=charts.colours("segment", SEGMENTS),
            tooltip=charts.tips(
                ("month:T", "Month", "%B %Y"),
                ("segment:N", "Segment", ""),
                ("revenue:Q", "Revenue", ",.2f"),
                ("orders:Q", "Orders", ","),
                ("paying_customers:Q", "Customers paying", ","),
                ("arppu:Q", "A customer paying", ",.2f"),
            ),
        )
    )
    return Figure(
        "revenue",
        _segment_title(read, time),
        subtitle,
        charts.spec(chart),
        ("Month", "Segment", "Orders", "Revenue", "Discounts", "Refunds", "Customers paying", "A customer paying"),
        [_segment_row(row) for row in reversed(rows)],
    )


def _segment_title(read: Reader, time: Period) -> str:
    year = read(
        f"SELECT segment, SUM(revenue) AS revenue FROM marts.revenue_by_month WHERE {time.year} "
        "GROUP BY segment ORDER BY revenue DESC, segment"
    )
    total = sum(row["revenue"] for row in year)
    if not total:
        return "No revenue in the last twelve months"
    share = percent(float(year[0]["revenue"] / total))
    return f"{year[0]['segment']} customers bring {share} of the last twelve months' revenue of {short(total)}"


def _segment_row(row: Row) -> tuple[str, ...]:
    return (
        month(row["month"]),
        row["segment"],
        count(row["orders"]),
        money(row["revenue"], 2),
        money(row["discounts"], 2),
        money(row["refunds"], 2),
        count(row["paying_customers"]),
        money(row["arppu"], 2),
    )
