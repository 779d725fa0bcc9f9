"""Single customers."""

from __future__ import annotations

import altair as alt

from etl.publish import charts
from etl.publish.figures import Figure, Reader, money, month, nothing, percent


def largest(read: Reader) -> Figure:
    """The ten customers who have paid most."""
    subtitle = "Succeeded payments of all time of the ten customers who have paid most"
    rows = read(
        "SELECT customer_id, company_name, segment, signup_month, revenue, mrr, SUM(revenue) OVER () AS all_revenue "
        "FROM marts.customer_value WHERE revenue > 0 "
        "QUALIFY ROW_NUMBER() OVER (ORDER BY revenue DESC, customer_id) <= 10 ORDER BY revenue DESC, customer_id"
    )
    if not rows:
        return nothing("largest", "Nobody has paid yet", subtitle)
    share = float(sum(row["revenue"] for row in rows)) / float(rows[0]["all_revenue"])
    # Two customers may have the same name, so the bars are told apart by their keys.
    named = {row["customer_id"]: row["company_name"] for row in rows}
    chart = charts.base(rows, "signup_month").encode(
        x=charts.across("revenue"),
        y=alt.Y("customer_id:N", title=None, sort=list(named), axis=alt.Axis(labelExpr=charts.labels(named))),
        tooltip=charts.tips(
            ("company_name:N", "Customer", ""),
            ("segment:N", "Segment", ""),
            ("revenue:Q", "Paid so far", ",.2f"),
            ("mrr:Q", "MRR", ",.2f"),
            ("signup_month:T", "Signed up", "%B %Y"),
        ),
    )
    return Figure(
        "largest",
        f"The ten customers who paid most brought {percent(share, 1)} of all revenue",
        subtitle,
        charts.spec(chart.mark_bar()),
        ("Customer", "Segment", "Paid so far", "MRR", "Signed up"),
        [
            (
                row["company_name"],
                row["segment"],
                money(row["revenue"], 2),
                money(row["mrr"], 2),
                month(row["signup_month"]),
            )
            for row in rows
        ],
    )
