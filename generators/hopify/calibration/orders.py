"""Orders: how many, when, what is in them and what is taken off."""

from __future__ import annotations

from calendar import day_name, month_name
from functools import cache

import numpy as np
from duckdb import DuckDBPyConnection

from generators.calibration import Line, Unit, near, sum_tolerance
from generators.found import columns
from generators.hopify.calibration.exposure import DAYS_A_MONTH, Exposure, segment_number
from generators.hopify.calibration.judging import by_number, rate, season, share
from generators.hopify.columns import Floats
from generators.hopify.curves import ORDER_SEASON, ORDER_WEEK, order_weight
from generators.hopify.days import LAST_DAY, month_index
from generators.hopify.orders import ENTERED_LATE
from generators.hopify.personas import PERSONAS
from generators.hopify.potential import value_pull
from generators.hopify.traits import traits

_WEEKDAY = "ISODOW(ordered_at) - 1"
_MONTH = "MONTH(ordered_at) - 1"


def lines(connection: DuckDBPyConnection, exposed: Exposure) -> list[Line]:
    """The lines about ``orders``, ``order_items`` and ``order_discounts``."""
    # Simulation enters more of them late, so that there is something to find.
    late = f"""SELECT COUNT(*) FILTER (WHERE created_at > ordered_at) AS hits, COUNT(*) AS cases FROM orders
        WHERE ordered_at <= DATE '{LAST_DAY}'"""
    return [
        *_rates(connection, exposed),
        *_seasons(connection, exposed),
        *_discounts(connection),
        *_baskets(connection),
        share("orders: entered days late", ENTERED_LATE, connection, late, slack=0.002),
    ]


@cache
def _pull() -> tuple[float, float, float]:
    """Mean, relative variance and relative greatest of how much more often customers order by their value."""
    pull = value_pull(traits(0, np.arange(100_000)).value)
    mean = float(pull.mean())
    return mean, float(pull.var()) / mean**2, 12.0**0.4 / mean


def _rates(connection: DuckDBPyConnection, exposed: Exposure) -> list[Line]:
    sql = f"""SELECT {segment_number("c.segment")} AS place, COUNT(*) AS n
        FROM orders o JOIN customers c USING (customer_id) GROUP BY ALL"""
    events = by_number(connection, sql, len(PERSONAS))
    weighted = (exposed.active * order_weight(exposed.days)).sum(axis=1) / DAYS_A_MONTH
    mean, variance, greatest = _pull()
    return [
        rate(
            f"orders: a month of an active customer, {persona.name}",
            persona.orders * mean,
            float(events[number]),
            float(weighted[number]),
            exposed.clusters[number],
            spread=(variance, greatest),
            slack=0.07,
        )
        for number, persona in enumerate(PERSONAS)
    ]


def _seasons(connection: DuckDBPyConnection, exposed: Exposure) -> list[Line]:
    habits = np.array([persona.orders for persona in PERSONAS])
    expected: Floats = habits @ exposed.active * order_weight(exposed.days)
    months, weekdays = month_index(exposed.days) % 12, (exposed.days + 3) % 7
    sql = "SELECT {0} AS place, COUNT(*) AS n FROM orders GROUP BY ALL"
    return [
        *season(
            "orders: season of",
            month_name[1:],
            ORDER_SEASON.tolist(),
            np.bincount(months, expected, 12).astype(np.float64),
            by_number(connection, sql.format(_MONTH), 12),
        ),
        *season(
            "orders: on",
            tuple(day_name),
            ORDER_WEEK.tolist(),
            np.bincount(weekdays, expected, 7).astype(np.float64),
            by_number(connection, sql.format(_WEEKDAY), 7),
        ),
    ]


def _discounts(connection: DuckDBPyConnection) -> list[Line]:
    """Who wants a discount takes a code then valid; some codes run out, which takes a little off the share."""
    return [
        share(
            f"orders: with a discount, {persona.name}",
            persona.discount_share,
            connection,
            f"""SELECT COUNT(d.order_id) AS hits, COUNT(*) AS cases FROM orders o
            JOIN customers c USING (customer_id) LEFT JOIN (SELECT DISTINCT order_id FROM order_discounts) d
            USING (order_id) WHERE c.segment = '{persona.name}'""",
            slack=0.35 * persona.discount_share,
        )
        for persona in PERSONAS
    ]


def _baskets(connection: DuckDBPyConnection) -> list[Line]:
    """Lines an order; two draws of one product are one line, which takes some off."""
    found = columns(
        connection,
        f"""SELECT {segment_number("c.segment")} AS place, COUNT(DISTINCT o.order_id) AS orders, COUNT(*) AS items
        FROM orders o JOIN order_items i USING (order_id) JOIN customers c USING (customer_id) GROUP BY ALL""",
    )
    lines_found = []
    for number, persona in enumerate(PERSONAS):
        chosen = found["place"] == number
        orders, items = float(found["orders"][chosen].sum()), float(found["items"][chosen].sum())
        more = (persona.lines - 1) * (1 + 0.45 * persona.discount_share)
        allowed = 0.08 * persona.lines + sum_tolerance(2 * more * orders, 9) / orders if orders else 0.0
        value = items / orders if orders else None
        lines_found.append(near(f"orders: lines an order, {persona.name}", 1 + more, value, allowed, unit=Unit.NUMBER))
    return lines_found
