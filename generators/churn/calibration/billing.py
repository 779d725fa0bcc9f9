"""Bills: who gets them, how often, and how they are paid."""

from __future__ import annotations

from duckdb import DuckDBPyConnection

from generators.calibration import Line, Unit, invariant, mean_tolerance, near, total
from generators.churn.calibration.customers import shares
from generators.churn.calibration.keys import repeated
from generators.churn.calibration.source import in_window, one_of, row, violations
from generators.churn.specification import (
    BILLING_GAP_SHARES,
    BILLING_GAPS,
    BY_PLAN,
    DISCOUNTS,
    LAST_DAY,
    REFERENCE_CUSTOMERS,
    REFERENCE_ROWS,
    STATUS_SHARES,
)
from schemas.churn import PAYMENT_STATUSES


def lines(connection: DuckDBPyConnection, asked: int) -> list[Line]:
    """The lines about table ``billing``."""
    # Payment follows the customer's risk, so the sample is counted in customers.
    size = row(
        connection,
        """SELECT SUM(n) AS rows, SUM(n) * SUM(n) / SUM(n * n) AS sample
        FROM (SELECT COUNT(*)::DOUBLE AS n FROM billing GROUP BY customer_id)""",
    )
    rows = size["rows"] or 0.0
    return [
        total("billing: rows", REFERENCE_ROWS["billing"], rows, 0.05, judged=asked == REFERENCE_CUSTOMERS),
        *_rules(connection),
        invariant("billing: customer-days repeated", repeated(connection, "billing", "bill_date", rows)),
        *_gaps(connection),
        *shares(
            connection,
            "billing",
            "payment_status",
            dict(zip(PAYMENT_STATUSES, STATUS_SHARES, strict=True)),
            size["sample"] or 0.0,
        ),
    ]


def _rules(connection: DuckDBPyConnection) -> list[Line]:
    priced = " OR ".join(f"(c.plan = '{plan.name}' AND t.amount IN ({_amounts(plan.price)}))" for plan in BY_PLAN)
    rules = {
        "orphans": "c.customer_id IS NOT NULL",
        "outside the window or before signup": in_window("t.bill_date"),
        "bills on the Free plan": "c.plan <> 'Free'",
        "amounts that are no price of the plan": priced,
        "unknown payment status": one_of("t.payment_status", PAYMENT_STATUSES),
    }
    found = violations(connection, "billing", rules)
    return [invariant(f"billing: {rule}", count) for rule, count in found.items()]


def _amounts(cents: int) -> str:
    return ", ".join(f"{cents * (100 - discount) // 100 / 100:.2f}" for discount in DISCOUNTS)


def _gaps(connection: DuckDBPyConnection) -> list[Line]:
    """Days between a customer's bills, from signup to the first and from the last to the window's end.

    With n bills over a span the mean gap is the span over n, so the bills need not be put in order.
    """
    found = row(
        connection,
        f"""SELECT SUM(bills) AS n, SUM(covered) AS days,
        COUNT(*) FILTER (WHERE covered < {min(BILLING_GAPS)} * bills OR covered > {max(BILLING_GAPS)} * bills) AS odd,
        COUNT(*) FILTER (WHERE rest > {max(BILLING_GAPS)}) AS stopped
        FROM (
            SELECT COUNT(b.bill_date) AS bills, COALESCE(MAX(b.bill_date), c.signup_date) - c.signup_date AS covered,
            DATE '{LAST_DAY}' - COALESCE(MAX(b.bill_date), c.signup_date) AS rest
            FROM customers c LEFT JOIN billing b USING (customer_id)
            WHERE c.plan <> 'Free' GROUP BY c.customer_id, c.signup_date
        )""",
    )
    n = found["n"] or 0.0
    mean = sum(gap * share for gap, share in zip(BILLING_GAPS, BILLING_GAP_SHARES, strict=True))
    variance = sum((gap - mean) ** 2 * share for gap, share in zip(BILLING_GAPS, BILLING_GAP_SHARES, strict=True))
    return [
        invariant("billing: customers not billed every 12 to 14 days on average", found["odd"] or 0),
        invariant("billing: customers whose bills stop before the end", found["stopped"] or 0),
        near(
            "billing: days between bills",
            mean,
            (found["days"] or 0.0) / n if n else None,
            mean_tolerance(variance**0.5, 1, n) + 1 / mean,
            unit=Unit.NUMBER,
        ),
    ]
