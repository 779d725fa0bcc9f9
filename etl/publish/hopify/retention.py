"""Who stays, by month of signup."""

from __future__ import annotations

from typing import Any

import altair as alt

from etl.publish import charts
from etl.publish.figures import Figure, Reader, Row, count, month, nothing, percent


def cohorts(read: Reader) -> Figure:
    """The share of each signup month's customers still subscribed, as a heat map."""
    subtitle = "Share of each signup month's customers who are subscribed n months later, at the month's end"
    rows = read(
        "SELECT signup_month, months_since, cohort_size, active_customers, retention FROM marts.cohort_retention "
        "WHERE is_complete ORDER BY signup_month, months_since"
    )
    if not rows:
        return nothing("retention", "No whole month of retention yet", subtitle)
    cohorts: dict[Any, dict[int, Row]] = {}
    for row in rows:
        cohorts.setdefault(row["signup_month"], {})[row["months_since"]] = row
    shown = [n for n in (0, 1, 2, 3, 6, 9, 12, 18, 24, 30, 36) if any(n in cells for cells in cohorts.values())]
    table = [
        (
            month(cohort),
            count(next(iter(cells.values()))["cohort_size"]),
            *(percent(cells[n]["retention"]) if n in cells else "" for n in shown),
        )
        for cohort, cells in cohorts.items()
    ]
    return Figure(
        "retention",
        _retention_title(rows),
        subtitle,
        charts.spec(_heat_map(rows), height=max(120, 12 * len(cohorts))),
        ("Signed up", "Customers", *(f"Month {n}" for n in shown)),
        table,
        wide=True,
    )


def _retention_title(rows: list[Row]) -> str:
    for after, words in ((12, "a year"), (6, "half a year"), (1, "a month")):
        cells = [row for row in rows if row["months_since"] == after]
        if cells:
            share = sum(row["active_customers"] for row in cells) / sum(row["cohort_size"] for row in cells)
            return f"{percent(share)} of customers are still subscribed {words} after signing up"
    return "The first customers have just signed up"


def _heat_map(rows: list[Row]) -> Any:
    every_third = "datum.value % 3 == 0 ? datum.value : ''"
    in_quarters = "month(datum.value) % 3 == 0 ? timeFormat(datum.value, '%b %Y') : ''"
    return (
        charts.base(rows, "signup_month")
        .mark_rect()
        .encode(
            x=alt.X("months_since:O", title="Months since signup", axis=alt.Axis(labelExpr=every_third, labelAngle=0)),
            y=alt.Y("yearmonth(signup_month):O", title=None, axis=alt.Axis(labelExpr=in_quarters)),
            color=alt.Color(
                "retention:Q",
                title="Still subscribed",
                scale=alt.Scale(zero=False, nice=True),
                legend=alt.Legend(orient="top", format=".0%", gradientLength=180),
            ),
            tooltip=charts.tips(
                ("signup_month:T", "Signed up", "%B %Y"),
                ("months_since:O", "Months later", ""),
                ("retention:Q", "Still subscribed", ".1%"),
                ("active_customers:Q", "Customers", ","),
                ("cohort_size:Q", "Of", ","),
            ),
        )
    )
