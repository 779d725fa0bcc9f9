"""The health world's dashboard."""

from __future__ import annotations

from typing import Any

from etl.publish.figures import Board, Headline, Reader, count, day, month, percent, short
from etl.publish.health import customers, revenue


def board(read: Reader) -> Board:
    """The board over published health marts; raises :class:`MartError` for one that is missing."""
    months = read("SELECT * FROM marts.day06_mrr_summary ORDER BY month")
    if not months:
        return Board("SaaS health", "The marts hold no data yet.")
    as_of = read("SELECT MAX(as_of) AS as_of FROM marts.months")[0]["as_of"]
    figures = (
        revenue.waterfall(months),
        revenue.recurring(months),
        customers.curve(read),
        customers.churn(read),
        customers.cohorts(read),
        customers.scores(read),
    )
    return Board("SaaS health", f"Data until {day(as_of)}.", _headlines(read, months), figures)


def _headlines(read: Reader, months: list[dict[str, Any]]) -> list[Headline]:
    now = months[-1]
    growth, net = _number(now["growth_rate"]), _number(now["net_revenue_retention"])
    people = read(
        "SELECT COUNTIF(status = 'active') AS active, COUNTIF(health = 'at risk') AS at_risk, "
        "SUM(IF(status = 'active', ltv, 0)) / NULLIF(SUM(IF(status = 'active', cac, 0)), 0) AS ratio "
        "FROM marts.day06_customer_health"
    )[0]
    named = month(now["month"])
    return [
        Headline("Customers", count(people["active"]), f"{count(people['at_risk'])} of them at risk"),
        Headline(
            "Monthly recurring revenue",
            short(_number(now["ending_mrr"]) or 0.0),
            f"{percent(growth, 1, sign=True)} in {named}",
            None if growth is None else growth >= 0,
        ),
        Headline("Net revenue retention", percent(net, 1), f"of last month's revenue, in {named}"),
        Headline(
            "LTV to CAC",
            "\u2013" if people["ratio"] is None else f"{people['ratio']:.1f}",
            "of active customers; CAC is assumed, a year's price",
        ),
    ]


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
