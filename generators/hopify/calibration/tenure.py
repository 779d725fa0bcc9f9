"""Subscriptions: first plans, prices, changes of plan, churn by segment and by age, and coming back."""

from __future__ import annotations

from functools import cache

import numpy as np
from duckdb import DuckDBPyConnection

from generators.calibration import Line, Unit, mean_tolerance, near, share_tolerance, sum_tolerance, within
from generators.found import row
from generators.hopify.calibration.exposure import Exposure
from generators.hopify.calibration.judging import counted, ratio, shares
from generators.hopify.columns import Floats
from generators.hopify.personas import PERSONAS, PLANS
from generators.hopify.traits import traits
from schemas.hopify import CHURN_REASONS, SEGMENTS

CHURN = (0.030, 0.012, 0.005)
"""Cancellations a month of an active customer by segment: ``benchmarks``' targets, which behaviour averages to."""

ACTIVE = (0.69, 0.845, 0.93)
"""Share of customers by segment with a subscription on the world's last day, after 36 months."""


def lines(connection: DuckDBPyConnection, exposed: Exposure) -> list[Line]:
    """The lines about ``subscriptions`` and ``churn_events``."""
    return [
        *_first_plans(connection),
        *_negotiated(connection),
        *_churn(connection, exposed),
        _tenure_decay(connection),
        *_plan_changes(connection, exposed),
        _returns(connection),
        *_active(connection, exposed),
        *_reasons(connection),
    ]


def _first_plans(connection: DuckDBPyConnection) -> list[Line]:
    found = []
    for number, persona in enumerate(PERSONAS):
        names = [plan.name for plan in PLANS if plan.segment == number]
        counts = counted(
            connection,
            f"""SELECT p.name, COUNT(*) FROM subscriptions s JOIN plans p USING (plan_id)
            WHERE s.start_reason = 'new' AND p.segment = '{persona.name}' GROUP BY ALL""",
        )
        expected = dict(zip(names, persona.tiers, strict=True))
        found += shares(f"plans: first plan of {persona.name}", expected, counts)
    return found


def _negotiated(connection: DuckDBPyConnection) -> list[Line]:
    found = []
    for persona in PERSONAS:
        got = row(
            connection,
            f"""SELECT COUNT(*) FILTER (WHERE s.monthly_price < p.monthly_price) AS hits, COUNT(*) AS cases
            FROM subscriptions s JOIN plans p USING (plan_id) WHERE p.segment = '{persona.name}'""",
        )
        cases = got["cases"] or 0.0
        share = (got["hits"] or 0.0) / cases if cases else None
        allowed = 0.02 + share_tolerance(persona.negotiated, cases)
        found.append(near(f"plans: price negotiated, {persona.name}", persona.negotiated, share, allowed))
    return found


def _churn(connection: DuckDBPyConnection, exposed: Exposure) -> list[Line]:
    """Given the risks of a month, cancellations are independent; a customer leaves at most every other month."""
    left = counted(
        connection,
        """SELECT c.segment, COUNT(*) FROM subscriptions s JOIN customers c USING (customer_id)
        WHERE s.status = 'cancelled' GROUP BY ALL""",
    )
    return [
        near(
            f"churn: a month, {name}",
            target,
            left.get(name, 0.0) / months if months else None,
            0.25 * target + sum_tolerance(target * months, 1) / months if months else 0.0,
            unit=Unit.RATE,
        )
        for name, target, months in zip(SEGMENTS, CHURN, map(float, exposed.months), strict=True)
    ]


def _tenure_decay(connection: DuckDBPyConnection) -> Line:
    """Newcomers' risk over that of the settled; SMB alone, so that the mix of segments plays no part."""
    sql = """SELECT
        SUM(GREATEST(LEAST(ended_on, signed_up_on + {1}) - GREATEST(started_on, signed_up_on + {0}), 0)) AS exposed,
        (SELECT COUNT(*) FROM subscriptions s JOIN customers c USING (customer_id)
            WHERE s.status = 'cancelled' AND c.segment = 'SMB'
            AND s.ended_on - c.signed_up_on >= {0} AND s.ended_on - c.signed_up_on < {1}) AS events
        FROM spans WHERE segment = 'SMB'"""
    early, late = (row(connection, sql.format(*days)) for days in ((30, 120), (365, 1_095)))
    first, second = ((found["events"] or 0.0, found["exposed"] or 0.0) for found in (early, late))
    return ratio("churn: months 1 to 3 over years 2 and 3, SMB", 1.8, 3.4, first, second)


@cache
def _pull() -> tuple[float, float]:
    """Mean of the multiples of upgrades and downgrades over customers of all characters."""
    pull: Floats = np.clip(traits(0, np.arange(100_000)).value, 0.1, 8.0) ** 0.35
    return float(pull.mean()), float((1 / pull).mean())


def _plan_changes(connection: DuckDBPyConnection, exposed: Exposure) -> list[Line]:
    """Upgrades of those below their segment's highest plan, downgrades of those above its lowest."""
    found = []
    for reason, pull, bound in (("upgrade", _pull()[0], "p.tier < 3"), ("downgrade", _pull()[1], "p.tier > 1")):
        for persona, among in zip(PERSONAS, exposed.clusters, strict=True):
            got = row(
                connection,
                f"""SELECT (SELECT SUM(LEAST(COALESCE(s.ended_on, w.last_day + 1), w.last_day + 1) - s.started_on)
                FROM subscriptions s JOIN plans p USING (plan_id), world w
                WHERE p.segment = '{persona.name}' AND {bound}) / 30.4375 AS months,
                (SELECT COUNT(*) FROM subscriptions s JOIN plans p USING (plan_id)
                WHERE p.segment = '{persona.name}' AND s.start_reason = '{reason}') AS events""",
            )
            months, target = max(got["months"] or 0.0, 0.0), pull * getattr(persona, reason)
            # At most two changes in a row in one direction, each of its own draw.
            allowed = (0.15 * target + sum_tolerance(2 * target * months, 2) / months) if months else 0.0
            rate = (got["events"] or 0.0) / months if months and among.customers else None
            found.append(near(f"plans: {reason}s a month, {persona.name}", target, rate, allowed, unit=Unit.RATE))
    return found


def _returns(connection: DuckDBPyConnection) -> Line:
    """Of those who left at least half a year before the end, the share who came back within that half year."""
    got = row(
        connection,
        """SELECT COUNT(*) AS cases, COUNT(*) FILTER (WHERE EXISTS (SELECT 1 FROM subscriptions b
            WHERE b.customer_id = s.customer_id AND b.start_reason = 'reactivation'
            AND b.started_on >= s.ended_on AND b.started_on < s.ended_on + 183)) AS hits
        FROM subscriptions s JOIN customers c USING (customer_id), world w
        WHERE s.status = 'cancelled' AND c.segment = 'SMB' AND s.ended_on <= w.last_day - 183""",
    )
    cases = got["cases"] or 0.0
    rate = PERSONAS[0].reactivation
    # The rate halves every four months of absence.
    expected = 1 - float(np.prod([1 - rate * 0.5 ** ((month + 0.5) / 4) for month in range(6)]))
    value = (got["hits"] or 0.0) / cases if cases else None
    return near("churn: back within half a year, SMB", expected, value, 0.025 + share_tolerance(expected, cases))


def _active(connection: DuckDBPyConnection, exposed: Exposure) -> list[Line]:
    """Customers are independent of each other, so a share of them is judged as such."""
    if not exposed.generated:
        return []
    found = []
    for name, target in zip(SEGMENTS, ACTIVE, strict=True):
        got = row(
            connection,
            f"""SELECT COUNT(*) AS cases, COUNT(*) FILTER (WHERE EXISTS (SELECT 1 FROM subscriptions s
                WHERE s.customer_id = c.customer_id AND s.status = 'active')) AS hits
            FROM customers c WHERE c.segment = '{name}'""",
        )
        cases = got["cases"] or 0.0
        value = (got["hits"] or 0.0) / cases if cases else None
        found.append(near(f"active at the end, {name}", target, value, 0.04 + share_tolerance(target, cases)))
    return found


def _reasons(connection: DuckDBPyConnection) -> list[Line]:
    """Every reason occurs; the score lies where churned customers' risks do."""
    named = row(
        connection, "SELECT COUNT(*) AS n, COUNT(DISTINCT reason) AS reasons, AVG(score) AS score FROM churn_events"
    )
    n = named["n"] or 0.0
    allowed = mean_tolerance(0.2, 1.0, n)
    return [
        within("churn: mean score of those who left", 0.45, 0.65, named["score"], allowed, unit=Unit.NUMBER),
        within(
            "churn: reasons given, of 6",
            len(CHURN_REASONS),
            len(CHURN_REASONS),
            named["reasons"],
            len(CHURN_REASONS) if n < 500 else 0,
            unit=Unit.COUNT,
        ),
    ]
