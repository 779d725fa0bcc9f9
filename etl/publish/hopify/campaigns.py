"""What campaigns have brought in against what they cost."""

from __future__ import annotations

from typing import Any

import altair as alt

from etl.publish import charts
from etl.publish.figures import NONE, Figure, Reader, Row, count, day, money, nothing, words

_SHOWN = 12


def campaign_return(read: Reader) -> Figure:
    """Revenue for each unit of spend of the latest campaigns that are over."""
    subtitle = (
        f"Revenue so far of the customers each campaign won, as a multiple of its cost: the {_SHOWN} latest that are "
        "over; older ones had more time to earn"
    )
    rows = read("SELECT * FROM marts.campaign_return WHERE is_over AND spend > 0 ORDER BY starts_on DESC, name")
    if not rows:
        return nothing("campaigns", "No campaign is over yet", subtitle)
    return Figure(
        "campaigns",
        _title(rows),
        subtitle,
        charts.spec(_dots(rows[:_SHOWN]), height=22 * min(len(rows), _SHOWN) + 40),
        (
            "Campaign",
            "Channel",
            "From",
            "Spend",
            "Customers",
            "Still subscribed",
            "Spend a customer",
            "Revenue",
            "Return",
        ),
        [_row(row) for row in rows],
    )


def _title(rows: list[Row]) -> str:
    paid = sum(row["is_paid_back"] for row in rows)
    if not paid:
        return "No campaign that is over has brought in what it cost"
    if paid == len(rows):
        return "Every campaign that is over has brought in what it cost"
    return f"{paid} of {len(rows)} campaigns that are over have brought in what they cost"


def _dots(rows: list[Row]) -> Any:
    shown = [
        {
            "name": row["name"],
            "channel": words(row["channel"]),
            "multiple": row["return_on_spend"],
            "spend": row["spend"],
            "revenue": row["revenue"],
            "customers": row["customers"],
            "state": "Paid back" if row["is_paid_back"] else "Not yet",
        }
        for row in rows
    ]
    # A few bring in many times what the others do, and some nothing, which a logarithm could not show.
    axis = alt.Axis(
        labelExpr="format(datum.value, '~g') + '\N{MULTIPLICATION SIGN}'", values=[0, 1, 2, 5, 10, 20, 50, 100]
    )
    across = alt.X("multiple:Q", title=None, axis=axis, scale=alt.Scale(type="symlog", domainMin=0))
    chart = charts.base(shown).encode(
        y=alt.Y("name:N", title=None, sort=[row["name"] for row in shown], axis=alt.Axis(labelLimit=170)), x=across
    )
    even = charts.base([{"at": 1}]).mark_rule(strokeWidth=2).encode(x=alt.X("at:Q"))
    lines = chart.mark_rule().encode(x2=alt.X2(datum=1))
    dots = chart.mark_point(filled=True, size=90, opacity=1).encode(
        color=charts.verdicts("state", good="Paid back", bad="Not yet"),
        shape=charts.marks("state", good="Paid back", bad="Not yet"),
        tooltip=charts.tips(
            ("name:N", "Campaign", ""),
            ("channel:N", "Channel", ""),
            ("spend:Q", "Spend", ",.2f"),
            ("revenue:Q", "Revenue so far", ",.2f"),
            ("multiple:Q", "Revenue / spend", ",.2f"),
            ("customers:Q", "Customers won", ","),
        ),
    )
    return even + lines + dots


def _row(row: Row) -> tuple[str, ...]:
    return (
        row["name"],
        words(row["channel"]),
        day(row["starts_on"]),
        money(row["spend"], 2),
        count(row["customers"]),
        count(row["active_customers"]),
        money(row["cac"], 2),
        money(row["revenue"], 2),
        NONE if row["return_on_spend"] is None else f"{row['return_on_spend']:,.2f}\N{MULTIPLICATION SIGN}",
    )
