"""Recurring revenue by month."""

from __future__ import annotations

from etl.publish import charts
from etl.publish.figures import Figure, Row, count, money, month, percent, short

_GAINS = {"New": "new_mrr", "Expansion": "expansion_mrr"}
_LOSSES = {"Contraction": "contraction_mrr", "Left": "churn_mrr"}


def waterfall(rows: list[Row]) -> Figure:
    """What moved monthly recurring revenue, by month."""
    kinds = _GAINS | _LOSSES
    long = [
        {"month": row["month"], "kind": kind, "movement": row[column], "mrr": row["ending_mrr"], "place": place}
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
    now = rows[-1]
    verb = "grew" if now["net_mrr"] >= 0 else "shrank"
    return Figure(
        "waterfall",
        f"Recurring revenue {verb} by {short(abs(now['net_mrr']))} in {month(now['month'])}",
        "Monthly recurring revenue (MRR) won (up) and lost (down) in each month",
        charts.spec(chart),
        ("Month", "Start", *kinds, "End", "Net retention", "Gross retention"),
        [
            (
                month(row["month"]),
                *(money(row[column], 2) for column in ("starting_mrr", *kinds.values(), "ending_mrr")),
                percent(row["net_revenue_retention"], 1),
                percent(row["gross_revenue_retention"], 1),
            )
            for row in reversed(rows)
        ],
    )


def recurring(rows: list[Row]) -> Figure:
    """Monthly recurring revenue at each month's end."""
    chart = charts.base(rows, "month").encode(
        x=charts.months(),
        y=charts.amounts("ending_mrr"),
        tooltip=charts.tips(
            ("month:T", "Month", "%B %Y"), ("ending_mrr:Q", "MRR", ",.2f"), ("active_customers:Q", "Customers", ",")
        ),
    )
    layers = (
        chart.mark_area(opacity=0.15, tooltip=True) + chart.mark_line() + chart.mark_rule(strokeWidth=18, opacity=0)
    )
    now = rows[-1]
    return Figure(
        "recurring",
        f"{count(now['active_customers'])} customers pay {short(now['ending_mrr'])} a month by {month(now['month'])}",
        "Monthly recurring revenue at each month's end",
        charts.spec(layers),
        ("Month", "MRR", "Customers"),
        [(month(row["month"]), money(row["ending_mrr"], 2), count(row["active_customers"])) for row in reversed(rows)],
    )
