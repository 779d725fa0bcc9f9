"""Single customers."""

from __future__ import annotations

import altair as alt

from etl.publish import charts
from etl.publish.figures import Figure, Reader, money, month, nothing, percent


def largest(read: Reader) -> Figure:
    """The ten customers with the highest monthly price."""
    subtitle = "Monthly recurring revenue of the ten largest customers on the last day of the data"
    rows = read(
        "SELECT company_name, segment, mrr, revenue, signup_month, customer_id, "
        "SUM(mrr) OVER () AS all_mrr FROM marts.customer_value WHERE is_active "
        "QUALIFY ROW_NUMBER() OVER (ORDER BY mrr DESC, customer_id) <= 10 ORDER BY mrr DESC, customer_id"
    )
    if not rows or not rows[0]["all_mrr"]:
        return nothing("largest", "No paying customers yet", subtitle)
    share = float(sum(row["mrr"] for row in rows)) / float(rows[0]["all_mrr"])
    # Two customers may have the same name, so the bars are told apart by their keys.
    named = {row["customer_id"]: row["company_name"] for row in rows}
    chart = charts.base(rows, "signup_month").encode(
        x=charts.across("mrr"),
        y=alt.Y("customer_id:N", title=None, sort=list(named), axis=alt.Axis(labelExpr=charts.labels(named))),
        tooltip=charts.tips(
            ("company_name:N", "Customer", ""),
            ("segment:N", "Segment", ""),
            ("mrr:Q", "MRR", ",.2f"),
            ("revenue:Q", "Paid so far", ",.2f"),
            ("signup_month:T", "Signed up", "%B %Y"),
        ),
    )
    return Figure(
        "largest",
        f"The ten largest customers bring {percent(share, 1)} of recurring revenue",
        subtitle,
        charts.spec(chart.mark_bar()),
        ("Customer", "Segment", "MRR", "Paid so far", "Signed up"),
        [
            (
                row["company_name"],
                row["segment"],
                money(row["mrr"], 2),
                money(row["revenue"], 2),
                month(row["signup_month"]),
            )
            for row in rows
        ],
    )
