"""Payments: methods, failures, withdrawals and refunds."""

from __future__ import annotations

from functools import cache

import numpy as np
from duckdb import DuckDBPyConnection

from generators.calibration import Line, near, sum_tolerance
from generators.found import row
from generators.hopify.calibration.exposure import Exposure
from generators.hopify.calibration.judging import counted, share, shares
from generators.hopify.payments import GIVEN_BACK, METHOD_SHARES, WITHDRAWN
from generators.hopify.potential import RETRY_FAILS
from generators.hopify.traits import traits
from schemas.hopify import PAYMENT_METHODS, SEGMENTS


def lines(connection: DuckDBPyConnection, _: Exposure) -> list[Line]:
    """The lines about ``payments`` and what they make of an order."""
    return [*_methods(connection), _first_failures(connection), *_outcomes(connection)]


def _methods(connection: DuckDBPyConnection) -> list[Line]:
    """Given the segment, an order's method is drawn by itself."""
    found = []
    for name, mix in zip(SEGMENTS, METHOD_SHARES.tolist(), strict=True):
        counts = counted(
            connection,
            f"""SELECT p.method, COUNT(*) FROM payments p JOIN orders o USING (order_id)
            JOIN customers c USING (customer_id) WHERE p.attempt = 1 AND c.segment = '{name}' GROUP BY ALL""",
        )
        found += shares(f"payments: {name} by", dict(zip(PAYMENT_METHODS, mix, strict=True)), counts, slack=0.005)
    return found


@cache
def _risk() -> tuple[float, float]:
    """Mean and variance of customers' share of payments that fail at first."""
    risk = traits(0, np.arange(100_000)).risk
    return float(risk.mean()), float(risk.var())


def _first_failures(connection: DuckDBPyConnection) -> Line:
    """A customer's orders share its risk, and who fails often leaves sooner."""
    got = row(
        connection,
        """SELECT SUM(n) AS n, SUM(n * n) AS squares, MAX(n) AS most, SUM(failed) AS failed FROM (
            SELECT COUNT(*)::DOUBLE AS n, COUNT(*) FILTER (WHERE p.status = 'failed') AS failed
            FROM payments p JOIN orders o USING (order_id) WHERE p.attempt = 1 GROUP BY o.customer_id)""",
    )
    n, (mean, variance) = got["n"] or 0.0, _risk()
    if not n:
        return near("payments: first attempts that fail", mean, None, 0.0)
    around = n * mean + variance * (got["squares"] or 0.0)
    allowed = 0.10 * mean + sum_tolerance(around, got["most"] or 1.0) / n
    return near("payments: first attempts that fail", mean, (got["failed"] or 0.0) / n, allowed)


def _outcomes(connection: DuckDBPyConnection) -> list[Line]:
    """Withdrawn orders have no attempts; younger orders may not have come so far, so the last month is left out."""
    settled = "FROM orders o, world w WHERE o.ordered_at < w.last_day - 31"
    attempts = (
        "SELECT COUNT(*) FILTER (WHERE p.status {0}) AS hits, COUNT(*) AS cases FROM payments p"
        " JOIN orders o USING (order_id), world w WHERE o.ordered_at < w.last_day - 60 AND {1}"
    )
    withdrawn = f"""SELECT COUNT(*) AS cases, COUNT(*) FILTER (WHERE NOT EXISTS
        (SELECT 1 FROM payments p WHERE p.order_id = o.order_id)) AS hits {settled}"""
    return [
        share(
            "payments: retries that fail", RETRY_FAILS, connection, attempts.format("= 'failed'", "p.attempt > 1"), 0.03
        ),
        share("orders: withdrawn before payment", WITHDRAWN, connection, withdrawn, 0.003),
        share(
            "payments: given back, of those that went through",
            GIVEN_BACK,
            connection,
            attempts.format("= 'refunded'", "p.status <> 'failed'"),
            0.003,
        ),
    ]
