"""How many customers there are, who comes and who goes."""

from __future__ import annotations

from typing import Any

import altair as alt

from etl.publish import charts
from etl.publish.figures import Figure, Reader, Row, count, month, nothing, percent
from etl.publish.hopify.period import Period


def growth(read: Reader, time: Period) -> Figure:
    """Customers subscribed at each month's end."""
    subtitle = "Customers with a subscription on the last day of each month"
    rows = read(f"SELECT month, active_customers, signups FROM marts.customer_growth WHERE {time.shown} ORDER BY month")
    if not rows:
        return nothing("growth", "No customers yet", subtitle)
    chart = charts.base(rows, "month").encode(
        x=charts.months(),
        y=charts.amounts("active_customers"),
        tooltip=charts.tips(
            ("month:T", "Month", "%B %Y"), ("active_customers:Q", "Subscribed", ","), ("signups:Q", "Signups", ",")
        ),
    )
    layers = chart.mark_area(opacity=0.15, tooltip=True) + chart.mark_line() + _hover(chart)
    return Figure(
        "growth",
        _growth_title(rows),
        subtitle,
        charts.spec(layers),
        ("Month", "Subscribed", "Signups"),
        [(month(row["month"]), count(row["active_customers"]), count(row["signups"])) for row in reversed(rows)],
    )


def _growth_title(rows: list[Row]) -> str:
    now = rows[-1]
    title = f"{count(now['active_customers'])} customers are subscribed at the end of {month(now['month'])}"
    if len(rows) <= 12 or not rows[-13]["active_customers"]:
        return title
    change = now["active_customers"] / rows[-13]["active_customers"] - 1
    return f"{title}, {percent(abs(change))} {'more' if change >= 0 else 'fewer'} than a year before"


def _hover(chart: alt.Chart) -> Any:
    """Invisible columns, so that a finger need not hit the line itself."""
    return chart.mark_rule(strokeWidth=18, opacity=0)


def movements(read: Reader, time: Period) -> Figure:
    """Customers who came, came back and left, by month."""
    subtitle = "Customers who became subscribed (up) and stopped being so (down), by month"
    rows = read(
        "SELECT month, new_customers, reactivated_customers, churned_customers "
        f"FROM marts.customer_growth WHERE {time.shown} ORDER BY month"
    )
    if not rows:
        return nothing("movements", "No movements yet", subtitle)
    kinds = {"New": "new_customers", "Back again": "reactivated_customers", "Left": "churned_customers"}
    long = [
        {"month": row["month"], "kind": kind, "customers": row[column] * (-1 if kind == "Left" else 1)}
        for row in rows
        for kind, column in kinds.items()
    ]
    chart = (
        charts.base(long, "month")
        .mark_bar()
        .encode(
            x=charts.binned(),
            y=charts.amounts("customers"),
            color=charts.movement("kind", up=("New", "Back again"), down=("Left",)),
            tooltip=charts.tips(
                ("month:T", "Month", "%B %Y"), ("kind:N", "Movement", ""), ("customers:Q", "Customers", "+,")
            ),
        )
    )
    now = rows[-1]
    came = now["new_customers"] + now["reactivated_customers"]
    return Figure(
        "movements",
        f"{count(came)} customers came and {count(now['churned_customers'])} left in {month(now['month'])}",
        subtitle,
        charts.spec(chart),
        ("Month", *kinds),
        [(month(row["month"]), *(count(row[column]) for column in kinds.values())) for row in reversed(rows)],
    )
