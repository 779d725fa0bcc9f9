"""Who uses the product, and on how many days."""

from __future__ import annotations

from datetime import date

from etl.publish import charts
from etl.publish.figures import Figure, Reader, Row, count, month, nothing, percent

PLANS = ("Free", "Basic", "Pro", "Enterprise")


def customers(read: Reader, last: date) -> Figure:
    """Customers who used the product in each month, by plan."""
    subtitle = "Customers who used the product at least once in the month, by plan"
    rows = _months(read, last)
    if not rows:
        return nothing("active", "Not a whole month of use yet", subtitle)
    bars = (
        charts.base(rows, "month")
        .mark_bar()
        .encode(
            x=charts.binned(),
            y=charts.amounts("customers"),
            color=charts.colours("plan", PLANS),
            tooltip=charts.tips(
                ("month:T", "Month", "%B %Y"), ("plan:N", "Plan", ""), ("customers:Q", "Customers", ",")
            ),
        )
    )
    now = sum(row["customers"] for row in rows if row["month"] == last)
    paid = sum(row["customers"] for row in rows if row["month"] == last and row["plan"] != "Free")
    share = f", {percent(paid / now)} of them on a paid plan" if now else ""
    return Figure(
        "active",
        f"{count(now)} customers used the product in {month(last)}{share}",
        subtitle,
        charts.spec(bars),
        ("Month", "Plan", "Customers", "Days of use", "Sessions", "Minutes"),
        [_row(row) for row in reversed(rows)],
    )


def days(read: Reader, last: date) -> Figure:
    """Mean days of use of a customer in each month, by plan."""
    subtitle = "Mean number of days in the month on which a customer who used the product did so, by plan"
    rows = [{**row, "mean": row["days"] / row["customers"]} for row in _months(read, last)]
    if not rows:
        return nothing("days", "Not a whole month of use yet", subtitle)
    lines = (
        charts.base(rows, "month")
        .mark_line(point=True)
        .encode(
            x=charts.months(),
            y=charts.amounts("mean"),
            color=charts.colours("plan", PLANS),
            tooltip=charts.tips(
                ("month:T", "Month", "%B %Y"), ("plan:N", "Plan", ""), ("mean:Q", "Days of use a customer", ".1f")
            ),
        )
    )
    now = [row for row in rows if row["month"] == last]
    title = "How often the product is used"
    if now:
        most, least = max(now, key=lambda row: row["mean"]), min(now, key=lambda row: row["mean"])
        title = (
            f"{most['plan']} customers use it on {most['mean']:.1f} days a month, "
            f"{least['plan']} customers on {least['mean']:.1f}"
        )
    return Figure(
        "days",
        title,
        subtitle,
        charts.spec(lines),
        ("Month", "Plan", "Days of use a customer", "Customers"),
        [(month(row["month"]), row["plan"], f"{row['mean']:.1f}", count(row["customers"])) for row in reversed(rows)],
    )


def _months(read: Reader, last: date) -> list[Row]:
    return read(
        "SELECT DATE_TRUNC(used.usage_date, MONTH) AS month, people.plan, "
        "COUNT(DISTINCT used.customer_id) AS customers, COUNT(*) AS days, SUM(used.sessions) AS sessions, "
        "SUM(used.usage_minutes) AS minutes FROM marts.staging_usage_daily AS used "
        "INNER JOIN marts.staging_customers AS people ON people.customer_id = used.customer_id "
        f"WHERE DATE_TRUNC(used.usage_date, MONTH) <= DATE '{last}' GROUP BY month, people.plan ORDER BY month, plan"
    )


def _row(row: Row) -> tuple[str, ...]:
    amounts = (row["customers"], row["days"], row["sessions"], round(row["minutes"]))
    return (month(row["month"]), row["plan"], *map(count, amounts))
