"""What an analyst would look for and find: relations between tables, judged where there is enough to see them."""

from __future__ import annotations

from duckdb import DuckDBPyConnection

from generators.calibration import Line, Unit, at_least, within
from generators.found import row
from generators.hopify.calibration.exposure import Exposure
from generators.hopify.calibration.judging import FEW, ratio

ENOUGH = 2_000
"""Customers from which on the skew of revenue and the correlations of traffic have settled."""

_VALUES = """(SELECT o.order_id, o.customer_id, c.segment, SUM(i.quantity * i.unit_price)::DOUBLE AS amount,
    EXISTS (SELECT 1 FROM order_discounts d WHERE d.order_id = o.order_id) AS discounted
    FROM orders o JOIN order_items i USING (order_id) JOIN customers c USING (customer_id) GROUP BY ALL)"""


def lines(connection: DuckDBPyConnection, _: Exposure) -> list[Line]:
    """The lines about planted relations."""
    enough = (row(connection, "SELECT COUNT(*) AS n FROM customers")["n"] or 0.0) >= ENOUGH
    return [
        _slow_support(connection),
        _failed_payments(connection),
        *_order_values(connection, judged=enough),
        _skew(connection, judged=enough),
        *_correlations(connection, judged=enough),
    ]


def _slow_support(connection: DuckDBPyConnection) -> Line:
    """Churn of the SMB customers with the slowest quarter of mean resolution times over the quickest quarter's."""
    sql = """WITH asked AS (
        SELECT t.customer_id, NTILE(4) OVER (ORDER BY AVG(EPOCH(t.closed_at - t.opened_at))) AS quarter
        FROM support_tickets t JOIN customers c USING (customer_id)
        WHERE c.segment = 'SMB' AND t.status = 'closed' GROUP BY ALL)
    SELECT COUNT(*) AS n, COUNT(*) FILTER (WHERE EXISTS (SELECT 1 FROM subscriptions s
        WHERE s.customer_id = asked.customer_id AND s.status = 'cancelled')) AS left_us
    FROM asked WHERE quarter = {0}"""
    slow, quick = (row(connection, sql.format(quarter)) for quarter in (4, 1))
    measure = "slow support and churn: slowest quarter over quickest, SMB"
    return ratio(measure, 1.3, 2.2, _counts(slow), _counts(quick))


def _failed_payments(connection: DuckDBPyConnection) -> Line:
    """Share that left of SMB customers with a failed payment, over those who ordered and had none."""
    sql = """WITH bought AS (
        SELECT o.customer_id, BOOL_OR(p.status = 'failed') AS failed FROM orders o JOIN payments p USING (order_id)
        JOIN customers c USING (customer_id) WHERE c.segment = 'SMB' GROUP BY ALL
        HAVING COUNT(DISTINCT o.order_id) BETWEEN 2 AND 6)
    SELECT COUNT(*) AS n, COUNT(*) FILTER (WHERE EXISTS (SELECT 1 FROM subscriptions s
        WHERE s.customer_id = bought.customer_id AND s.status = 'cancelled')) AS left_us FROM bought WHERE {0} failed"""
    with_one, without = (row(connection, sql.format(word)) for word in ("", "NOT"))
    return ratio(
        "failed payments and churn: with one over without, SMB", 1.05, 1.8, _counts(with_one), _counts(without)
    )


def _order_values(connection: DuckDBPyConnection, *, judged: bool) -> list[Line]:
    got = row(
        connection,
        f"""SELECT AVG(amount) FILTER (WHERE discounted AND segment = 'SMB')
            / AVG(amount) FILTER (WHERE NOT discounted AND segment = 'SMB') AS uplift,
        COUNT(*) FILTER (WHERE discounted AND segment = 'SMB') AS discounted,
        AVG(amount) FILTER (WHERE segment = 'Mid-Market') / AVG(amount) FILTER (WHERE segment = 'SMB') AS middle,
        AVG(amount) FILTER (WHERE segment = 'Enterprise') / AVG(amount) FILTER (WHERE segment = 'Mid-Market') AS large
        FROM {_VALUES}""",
    )
    seen = judged and (got["discounted"] or 0) >= FEW
    return [
        _band("order value: with a discount over without, SMB", 1.15, 2.2, got["uplift"], judged=seen),
        _band("order value: Mid-Market over SMB", 2.5, 6.0, got["middle"], judged=judged),
        _band("order value: Enterprise over Mid-Market", 2.5, 7.5, got["large"], judged=judged),
    ]


def _skew(connection: DuckDBPyConnection, *, judged: bool) -> Line:
    got = row(
        connection,
        f"""SELECT SUM(spent) FILTER (WHERE place <= customers / 10) / SUM(spent) AS top FROM (
            SELECT spent, ROW_NUMBER() OVER (ORDER BY spent DESC) AS place,
            (SELECT COUNT(*) FROM customers) AS customers
            FROM (SELECT SUM(amount) AS spent FROM {_VALUES} GROUP BY customer_id))""",
    )
    return _band("revenue: share of the top tenth of customers", 0.55, 0.90, got["top"], judged=judged, unit=Unit.SHARE)


def _correlations(connection: DuckDBPyConnection, *, judged: bool) -> list[Line]:
    satisfied = row(
        connection,
        """SELECT -CORR(LN(EPOCH(closed_at - opened_at) + 1), satisfaction) AS r FROM support_tickets
        WHERE satisfaction IS NOT NULL""",
    )
    traffic = row(
        connection,
        """SELECT CORR(w.leads, COALESCE(s.n, 0)) AS r FROM web_traffic w LEFT JOIN (
            SELECT DATE_TRUNC('month', signed_up_on) AS month, acquisition_source AS channel, COUNT(*) AS n
            FROM customers GROUP BY ALL) s USING (month, channel)""",
    )
    return [
        at_least(
            "resolution time and dissatisfaction: correlation",
            0.25,
            satisfied["r"] or 0.0,
            judged=judged,
            unit=Unit.NUMBER,
        ),
        at_least("leads and signups: correlation", 0.80, traffic["r"] or 0.0, judged=judged, unit=Unit.NUMBER),
    ]


def _band(
    measure: str, low: float, high: float, found: float | None, *, judged: bool, unit: Unit = Unit.NUMBER
) -> Line:
    """A band for a mean of heavy tails, for which no bound of a small sample is of use: any, or the band as it is."""
    return within(measure, low, high, found, 0.0 if judged else float("inf"), unit=unit)


def _counts(found: dict[str, float | None]) -> tuple[float, float]:
    return found["left_us"] or 0.0, found["n"] or 0.0
