"""The numbers above the charts."""

from __future__ import annotations

from etl.publish.figures import NONE, Headline, Reader, Row, count, day, month, percent, short
from etl.publish.hopify.period import Period


def headlines(read: Reader, time: Period) -> list[Headline]:
    """Customers and MRR on the last day of the data, revenue and churn of the last whole month."""
    growth = read("SELECT month, active_customers, mrr, logo_churn_rate FROM marts.customer_growth ORDER BY month")
    revenue = read(
        f"SELECT month, SUM(revenue) AS revenue FROM marts.revenue_by_month WHERE {time.shown} "
        "GROUP BY month ORDER BY month"
    )
    now, before, on = growth[-1], growth[-2:-1], day(time.as_of)
    return [
        Headline(f"Customers on {on}", count(now["active_customers"]), *_change(now, before, "active_customers")),
        Headline("Monthly recurring revenue", short(now["mrr"]), *_change(now, before, "mrr")),
        _revenue(revenue, time),
        _churn([row for row in growth if row["month"] <= time.last], time),
    ]


def _change(now: Row, before: list[Row], column: str) -> tuple[str, bool | None]:
    if not before or not before[0][column]:
        return "by subscription", None
    share = float(now[column]) / float(before[0][column]) - 1
    return f"{percent(share, 1, sign=True)} since the end of {before[0]['month']:%B}", share >= 0


def _revenue(rows: list[Row], time: Period) -> Headline:
    label = f"Revenue in {month(time.last)}"
    if not rows:
        return Headline(label, NONE, "no payments yet")
    now = float(rows[-1]["revenue"])
    earlier = [float(row["revenue"]) for row in rows if row["month"] == time.last.replace(year=time.last.year - 1)]
    if not earlier or not earlier[0]:
        return Headline(label, short(now), "from payments that succeeded")
    share = now / earlier[0] - 1
    return Headline(label, short(now), f"{percent(share, 1, sign=True)} on the same month a year before", share >= 0)


def _churn(whole: list[Row], time: Period) -> Headline:
    label = f"Customers lost in {month(time.last)}"
    rates = [row["logo_churn_rate"] for row in whole[-13:]]
    if not rates or rates[-1] is None:
        return Headline(label, NONE, "nobody was subscribed before")
    year = [rate for rate in rates[:-1] if rate is not None]
    note = "of those subscribed when it began"
    if len(year) == 12:
        note += f"; {percent(sum(year) / len(year), 1)} a month in the year before"
    return Headline(label, percent(rates[-1], 1), note)
