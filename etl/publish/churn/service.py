"""Bills, support, and how clean the data was."""

from __future__ import annotations

from datetime import date

import altair as alt

from etl.publish import charts
from etl.publish.figures import Figure, Reader, Row, count, money, month, nothing, percent, words

_CATEGORIES = ("billing", "technical", "onboarding")


def billing(read: Reader, last: date) -> Figure:
    """The share of bills paid late, and of those not paid, by month."""
    subtitle = "Share of the month's bills that were paid late, and whose payment failed"
    rows = read(
        "SELECT DATE_TRUNC(bill_date, MONTH) AS month, COUNT(*) AS bills, SUM(amount) AS amount, "
        "COUNTIF(payment_status = 'late') AS late, COUNTIF(payment_status = 'failed') AS failed "
        f"FROM marts.staging_billing WHERE DATE_TRUNC(bill_date, MONTH) <= DATE '{last}' GROUP BY month ORDER BY month"
    )
    if not rows:
        return nothing("billing", "No bills yet", subtitle)
    kinds = {"Paid late": "late", "Failed": "failed"}
    long = [
        {"month": row["month"], "kind": kind, "share": row[column] / row["bills"], "bills": row["bills"]}
        for row in rows
        for kind, column in kinds.items()
    ]
    lines = (
        charts.base(long, "month")
        .mark_line(point=True)
        .encode(
            x=charts.months(),
            y=charts.shares("share"),
            color=charts.colours("kind", tuple(kinds)),
            tooltip=charts.tips(
                ("month:T", "Month", "%B %Y"),
                ("kind:N", "Bills", ""),
                ("share:Q", "Share", ".1%"),
                ("bills:Q", "Of", ","),
            ),
        )
    )
    failed, late, bills = (sum(row[name] for row in rows) for name in ("failed", "late", "bills"))
    return Figure(
        "billing",
        f"{percent(failed / bills, 1)} of bills fail, {percent(late / bills, 1)} are paid late",
        subtitle,
        charts.spec(lines),
        ("Month", "Bills", "Amount", "Paid late", "Failed"),
        [
            (
                month(row["month"]),
                count(row["bills"]),
                money(row["amount"], 2),
                percent(row["late"] / row["bills"], 1),
                percent(row["failed"] / row["bills"], 1),
            )
            for row in reversed(rows)
        ],
    )


def tickets(read: Reader, last: date) -> Figure:
    """Support tickets by month and category."""
    subtitle = "Support tickets opened in the month, by category"
    rows = read(
        "SELECT DATE_TRUNC(ticket_date, MONTH) AS month, category, COUNT(*) AS tickets, "
        "COUNTIF(priority = 'high') AS urgent FROM marts.staging_support "
        f"WHERE DATE_TRUNC(ticket_date, MONTH) <= DATE '{last}' GROUP BY month, category ORDER BY month, category"
    )
    if not rows:
        return nothing("tickets", "No support tickets yet", subtitle)
    bars = (
        charts.base([{**row, "category": words(row["category"])} for row in rows], "month")
        .mark_bar()
        .encode(
            x=charts.binned(),
            y=charts.amounts("tickets"),
            color=charts.colours("category", [words(name) for name in _CATEGORIES]),
            tooltip=charts.tips(
                ("month:T", "Month", "%B %Y"),
                ("category:N", "Category", ""),
                ("tickets:Q", "Tickets", ","),
                ("urgent:Q", "Of high priority", ","),
            ),
        )
    )
    total = sum(row["tickets"] for row in rows)
    by_category = {name: sum(row["tickets"] for row in rows if row["category"] == name) for name in _CATEGORIES}
    most = max(by_category, key=lambda name: by_category[name])
    return Figure(
        "tickets",
        f"{percent(by_category[most] / total)} of support tickets are about {_about(most)}",
        subtitle,
        charts.spec(bars),
        ("Month", "Category", "Tickets", "Of high priority"),
        [
            (month(row["month"]), words(row["category"]), count(row["tickets"]), count(row["urgent"]))
            for row in reversed(rows)
        ],
    )


def _about(category: str) -> str:
    return {"technical": "technical matters"}.get(category, category)


def quality(read: Reader) -> Figure:
    """What staging removed and mended in each table."""
    subtitle = "Share of each raw table's rows that staging left out, and kept with a corrected value"
    rows = [row for row in read("SELECT * FROM marts.staging_quality ORDER BY raw_rows DESC") if row["raw_rows"]]
    if not rows:
        return nothing("quality", "There are no raw rows yet", subtitle)
    kinds = {"Left out": "removed_share", "Corrected": "mended_share"}
    long = [
        {"table": words(row["table_name"]), "kind": kind, "share": row[column] or 0.0}
        for row in rows
        for kind, column in kinds.items()
    ]
    bars = (
        charts.base(long)
        .mark_bar()
        .encode(
            x=alt.X("share:Q", title=None, axis=alt.Axis(format=".1%", tickCount=5)),
            y=alt.Y("table:N", title=None, sort=[words(row["table_name"]) for row in rows]),
            yOffset=alt.YOffset("kind:N", sort=list(kinds)),
            color=charts.colours("kind", tuple(kinds)),
            tooltip=charts.tips(("table:N", "Table", ""), ("kind:N", "Rows", ""), ("share:Q", "Share", ".2%")),
        )
    )
    raw, removed, mended = (sum(row[name] for row in rows) for name in ("raw_rows", "removed_rows", "mended_rows"))
    out = f"{percent(removed / raw, 2)} of raw rows were left out" if removed else "No raw row had to be left out"
    return Figure(
        "quality",
        f"{out}, {percent(mended / raw, 1)} were corrected",
        subtitle,
        charts.spec(bars, height=220),
        ("Table", "Raw rows", "Staged rows", "Left out", "Share", "Corrected", "Share", "Gaps"),
        [_quality_row(row) for row in rows],
    )


def _quality_row(row: Row) -> tuple[str, ...]:
    return (
        words(row["table_name"]),
        *(count(row[name]) for name in ("raw_rows", "staged_rows", "removed_rows")),
        percent(row["removed_share"], 2),
        count(row["mended_rows"]),
        percent(row["mended_share"], 2),
        count(row["gaps"]),
    )
