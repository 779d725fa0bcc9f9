"""Where customers come from, and what it takes to win them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import altair as alt

from etl.publish import charts
from etl.publish.figures import NONE, Figure, Reader, Row, count, day, money, nothing, percent, words
from etl.publish.hopify.period import Period

_SHOWN_CODES = 10


def channels(read: Reader, time: Period) -> Figure:
    """Signups of the last twelve months by channel, with their cost."""
    subtitle = "Signups of the last twelve months by channel, with campaign spend a signup (CAC)"
    rows = read(
        "SELECT channel, SUM(visitors) AS visitors, SUM(leads) AS leads, SUM(mqls) AS mqls, SUM(signups) AS signups, "
        "SUM(spend) AS spend, CAST(SUM(spend) AS FLOAT64) / NULLIF(SUM(signups), 0) AS cac "
        f"FROM marts.funnel_by_channel WHERE {time.year} GROUP BY channel ORDER BY signups DESC, channel"
    )
    if not rows:
        return nothing("channels", "No channels yet", subtitle)
    shown = [{**row, "channel": words(row["channel"]), "label": _cost(row)} for row in rows]
    bars = charts.base(shown).encode(
        x=charts.across("signups"),
        y=alt.Y("channel:N", title=None, sort=[row["channel"] for row in shown]),
        tooltip=charts.tips(
            ("channel:N", "Channel", ""),
            ("visitors:Q", "Visitors", ","),
            ("leads:Q", "Leads", ","),
            ("mqls:Q", "Qualified leads", ","),
            ("signups:Q", "Signups", ","),
            ("spend:Q", "Spend", ",.2f"),
            ("cac:Q", "Spend a signup", ",.2f"),
        ),
    )
    texts = bars.mark_text(align="left", dx=5).encode(text="label:N")
    return Figure(
        "channels",
        _channel_title(shown),
        subtitle,
        charts.spec(bars.mark_bar() + texts),
        ("Channel", "Visitors", "Leads", "Qualified leads", "Signups", "Signups / visitors", "Spend", "Spend a signup"),
        [_channel_row(row) for row in shown],
    )


def _cost(row: Row) -> str:
    return f"CAC {row['cac']:,.0f}" if row["cac"] else ""


def _channel_title(rows: list[Row]) -> str:
    total = sum(row["signups"] for row in rows)
    if not total:
        return "Nobody signed up in the last twelve months"
    title = f"{rows[0]['channel']} brings {percent(rows[0]['signups'] / total)} of signups"
    paid = [row for row in rows if row["cac"]]
    if not paid:
        return title
    dearest = max(paid, key=lambda row: float(row["cac"]))
    return f"{title}; {dearest['channel'].lower()} costs most, {dearest['cac']:,.0f} a signup"


def _channel_row(row: Row) -> tuple[str, ...]:
    rate = row["signups"] / row["visitors"] if row["visitors"] else None
    counts = [count(row[column]) for column in ("visitors", "leads", "mqls", "signups")]
    return (row["channel"], *counts, percent(rate, 2), money(row["spend"], 2), money(row["cac"], 2))


def funnel(read: Reader, time: Period) -> Figure:
    """From visitors to customers in the last twelve months, step by step."""
    subtitle = (
        "People at each step in the last twelve months; bars are drawn to the square root, so that all can be seen"
    )
    rows = read(
        "SELECT channel, SUM(visitors) AS visitors, SUM(leads) AS leads, SUM(mqls) AS mqls, SUM(signups) AS signups "
        f"FROM marts.funnel_by_channel WHERE {time.year} GROUP BY channel ORDER BY signups DESC, channel"
    )
    steps = {"Visitors": "visitors", "Leads": "leads", "Qualified leads": "mqls", "Signups": "signups"}
    totals = [sum(row[column] or 0 for row in rows) for column in steps.values()]
    if not totals[0]:
        return nothing("funnel", "No visitors were measured in the last twelve months", subtitle)
    long = [
        {"step": step, "people": people, "label": _step_label(people, before), "height": 1}
        for step, people, before in zip(steps, totals, [None, *totals], strict=False)
    ]
    # The longest bar leaves room for its label.
    scale = alt.Scale(type="sqrt", domain=[0, 4 * totals[0]])
    chart = charts.base(long).encode(
        x=alt.X("people:Q", title=None, axis=None, scale=scale),
        y=alt.Y("step:N", title=None, sort=list(steps)),
        tooltip=charts.tips(("step:N", "Step", ""), ("people:Q", "People", ","), ("label:N", "Of the step before", "")),
    )
    texts = chart.mark_text(align="left", dx=6).encode(text="label:N")
    return Figure(
        "funnel",
        f"Of a thousand visitors {1000 * totals[3] / totals[0]:.1f} become customers",
        subtitle,
        charts.spec(chart.mark_bar() + texts, height=240),
        ("Channel", *steps, "Leads / visitors", "Qualified / leads", "Signups / qualified"),
        [_funnel_row(row) for row in rows],
    )


def _step_label(people: int, before: int | None) -> str:
    return count(people) + (f", {percent(people / before, 1)} of the step before" if before else "")


def _funnel_row(row: Row) -> tuple[str, ...]:
    found = [row[column] for column in ("visitors", "leads", "mqls", "signups")]
    rates = [percent(b / a, 1) if a and b is not None else NONE for a, b in pairwise(found)]
    return (words(row["channel"]), *map(count, found), *rates)


def promo_codes(read: Reader) -> Figure:
    """Mean order value with and without the most used promo codes."""
    subtitle = (
        f"Mean order value before discounts: orders with one of the {_SHOWN_CODES} most used codes, "
        "and orders of the same segments without any code in the same days"
    )
    rows = read(
        "SELECT *, SUM(orders) OVER () AS all_orders FROM marts.promo_codes "
        "WHERE orders > 0 AND average_order_value_without IS NOT NULL "
        f"QUALIFY ROW_NUMBER() OVER (ORDER BY orders DESC, code) <= {_SHOWN_CODES} ORDER BY orders DESC, code"
    )
    if not rows:
        return nothing("promo", "No promo code has been used yet", subtitle)
    return Figure(
        "promo",
        _promo_title(rows),
        subtitle,
        charts.spec(_dumbbells(rows)),
        (
            "Code",
            "Percent off",
            "Valid",
            "Orders",
            "Amount off",
            "Revenue",
            "Mean order",
            "Without a code",
            "Difference",
        ),
        [_promo_row(row) for row in rows],
    )


def _promo_title(rows: list[Row]) -> str:
    orders = sum(row["orders"] for row in rows)
    mean = float(sum(row["order_value"] for row in rows)) / orders
    without = sum(row["average_order_value_without"] * row["orders"] for row in rows) / orders
    change = mean / without - 1 if without else 0.0
    if abs(change) < 0.01:
        return "Orders with a promo code are as large as those without"
    size = "larger" if change > 0 else "smaller"
    return f"Orders with a promo code are {percent(abs(change))} {size} than those without"


def _dumbbells(rows: list[Row]) -> Any:
    kinds = {"With the code": "average_order_value", "Without a code": "average_order_value_without"}
    long = [
        {"code": row["code"], "kind": kind, "value": row[column], "orders": row["orders"], "off": row["amount_off"]}
        for row in rows
        for kind, column in kinds.items()
    ]
    chart = charts.base(long).encode(y=alt.Y("code:N", title=None, sort=[row["code"] for row in rows]))
    lines = chart.mark_rule().encode(x="min(value):Q", x2="max(value):Q")
    dots = chart.mark_point(filled=True, size=90, opacity=1).encode(
        x=charts.across("value", zero=False),
        color=charts.colours("kind", tuple(kinds)),
        tooltip=charts.tips(
            ("code:N", "Code", ""),
            ("kind:N", "Orders", ""),
            ("value:Q", "Mean value", ",.2f"),
            ("orders:Q", "Orders with the code", ","),
            ("off:Q", "Amount taken off", ",.2f"),
        ),
    )
    return lines + dots


def _promo_row(row: Row) -> tuple[str, ...]:
    return (
        row["code"],
        f"{row['percent_off']} %",
        f"{day(row['valid_from'])} to {day(row['valid_to'])}",
        count(row["orders"]),
        money(row["amount_off"], 2),
        money(row["revenue"], 2),
        money(row["average_order_value"], 2),
        money(row["average_order_value_without"], 2),
        percent(row["uplift"], 1),
    )
