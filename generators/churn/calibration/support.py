"""Support tickets: how many, and of what kind."""

from __future__ import annotations

import math

from duckdb import DuckDBPyConnection

from generators.calibration import Line, Unit, invariant, near, share_tolerance, sum_tolerance, total
from generators.churn.calibration.customers import shares
from generators.churn.calibration.source import columns, in_window, one_of, row, violations
from generators.churn.specification import (
    CATEGORY_SHARES,
    LAST_DAY,
    PRIORITY_SHARES,
    REFERENCE_CUSTOMERS,
    REFERENCE_ROWS,
    TICKETS_PER_DAY,
)
from schemas.churn import TICKET_CATEGORIES, TICKET_PRIORITIES

_TENURES = ((1, 180), (181, 365), (366, 549))


def lines(connection: DuckDBPyConnection, asked: int) -> list[Line]:
    """The lines about table ``support``."""
    size = row(
        connection,
        """SELECT SUM(n) AS rows, SUM(n) * SUM(n) / SUM(n * n) AS sample
        FROM (SELECT COUNT(*)::DOUBLE AS n FROM support GROUP BY customer_id)""",
    )
    rows = size["rows"] or 0.0
    categories = dict(zip(TICKET_CATEGORIES, CATEGORY_SHARES, strict=True))
    priorities = dict(zip(TICKET_PRIORITIES, PRIORITY_SHARES, strict=True))
    return [
        total("support: rows", REFERENCE_ROWS["support"], rows, 0.05, judged=asked == REFERENCE_CUSTOMERS),
        *_rules(connection),
        *_counts(connection),
        *shares(connection, "support", "category", categories, rows),
        # Priority follows the customer's risk, so the sample is counted in customers.
        *shares(connection, "support", "priority", priorities, size["sample"] or 0.0),
    ]


def _rules(connection: DuckDBPyConnection) -> list[Line]:
    rules = {
        "orphans": "c.customer_id IS NOT NULL",
        "outside the window or before signup": in_window("t.ticket_date"),
        "unknown category or priority": (
            f"{one_of('t.category', TICKET_CATEGORIES)} AND {one_of('t.priority', TICKET_PRIORITIES)}"
        ),
    }
    found = violations(connection, "support", rules)
    found["ids missing or repeated"] = (
        row(connection, "SELECT COUNT(*) - COUNT(DISTINCT ticket_id) AS n FROM support")["n"] or 0.0
    )
    return [invariant(f"support: {rule}", count) for rule, count in found.items()]


def _counts(connection: DuckDBPyConnection) -> list[Line]:
    """Tickets a day of tenure, in three ranges of tenure, and the share of customers without any.

    The sum of independent Poisson counts is Poisson, so its mean is its variance.
    """
    by_tenure = columns(
        connection,
        f"""SELECT DATE '{LAST_DAY}' - c.signup_date + 1 AS days, COUNT(*) AS customers, SUM(tickets) AS tickets,
        COUNT(*) FILTER (WHERE tickets = 0) AS silent
        FROM (
            SELECT c.customer_id, c.signup_date, COUNT(s.ticket_id) AS tickets
            FROM customers c LEFT JOIN support s USING (customer_id) GROUP BY ALL
        ) c GROUP BY ALL""",
    )
    days, customers = by_tenure["days"], by_tenure["customers"]
    found = []
    for low, high in _TENURES:
        within = (days >= low) & (days <= high)
        exposed = float((days * customers)[within].sum())
        found.append(
            near(
                f"support: tickets a day of tenure, {low} to {high} days",
                TICKETS_PER_DAY,
                float(by_tenure["tickets"][within].sum()) / exposed if exposed else None,
                sum_tolerance(exposed * TICKETS_PER_DAY, 1) / exposed if exposed else 0,
                unit=Unit.RATE,
            )
        )
    n = float(customers.sum())
    silent = sum(c * math.exp(-TICKETS_PER_DAY * d) for d, c in zip(days, customers, strict=True)) / n if n else 0.0
    share = float(by_tenure["silent"].sum()) / n if n else None
    return [*found, near("support: customers without a ticket (Poisson)", silent, share, share_tolerance(silent, n))]
