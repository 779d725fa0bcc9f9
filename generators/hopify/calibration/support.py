"""Support tickets: how many, when, of what kind, how soon answered and how well."""

from __future__ import annotations

import math
from calendar import day_name, month_name

import numpy as np
from duckdb import DuckDBPyConnection

from generators.calibration import Line, Unit, mean_tolerance, near
from generators.found import columns
from generators.hopify.calibration.exposure import DAYS_A_MONTH, Exposure, segment_number
from generators.hopify.calibration.judging import by_number, counted, rate, season, share, shares
from generators.hopify.columns import Floats
from generators.hopify.curves import TICKET_SEASON, TICKET_WEEK, settling_in, ticket_weight
from generators.hopify.days import month_index
from generators.hopify.personas import PERSONAS
from generators.hopify.potential import PRIORITY_SHARES, PRIORITY_SPEED
from generators.hopify.tickets import ANSWERED, NEWCOMER, NEWCOMER_DAYS, SETTLED
from schemas.hopify import TICKET_CATEGORIES, TICKET_PRIORITIES

_LOAD = (math.expm1(0.65**2), 6.0)
"""Variance and greatest of the tickets that customers of one segment ask, relative to the mean (``traits.load``)."""

_SETTLING_MONTHS = 7


def lines(connection: DuckDBPyConnection, exposed: Exposure) -> list[Line]:
    """The lines about ``support_tickets``."""
    closed = "SELECT COUNT(satisfaction) AS hits, COUNT(*) AS cases FROM support_tickets WHERE status = 'closed'"
    return [
        *_rates(connection, exposed),
        *_seasons(connection, exposed),
        *_categories(connection),
        *_priorities(connection),
        *_speeds(connection),
        share("tickets: closed ones with a satisfaction", ANSWERED, connection, closed, slack=0.01),
    ]


def _rates(connection: DuckDBPyConnection, exposed: Exposure) -> list[Line]:
    """Tickets a month, given the calendar's weights and that newcomers ask more."""
    sql = f"""SELECT {segment_number("c.segment")} AS place, COUNT(*) AS n
        FROM support_tickets t JOIN customers c USING (customer_id) GROUP BY ALL"""
    events = by_number(connection, sql, len(PERSONAS))
    weighted = (exposed.active * ticket_weight(exposed.days)).sum(axis=1) / DAYS_A_MONTH * _newcomers(connection)
    return [
        rate(
            f"tickets: a month of a settled customer, {persona.name}",
            persona.tickets,
            float(events[number]),
            float(weighted[number]),
            exposed.clusters[number],
            spread=_LOAD,
            slack=0.08,
        )
        for number, persona in enumerate(PERSONAS)
    ]


def _newcomers(connection: DuckDBPyConnection) -> Floats:
    """By segment the mean of ``settling_in`` over the months customers were active."""
    parts = ", ".join(
        f"SUM(GREATEST(LEAST(age_end, {month + 1}) - GREATEST(age, {month}), 0)) AS m{month}"
        for month in range(_SETTLING_MONTHS)
    )
    found = columns(
        connection,
        f"""SELECT {segment_number("segment")} AS place, {parts}, SUM(age_end - age) AS total FROM (
            SELECT segment, (started_on - signed_up_on) / {DAYS_A_MONTH} AS age,
            (ended_on - signed_up_on) / {DAYS_A_MONTH} AS age_end FROM spans) GROUP BY ALL""",
    )
    mean = np.ones(len(PERSONAS))
    for position, place in enumerate(found["place"]):
        months = np.array([found[f"m{month}"][position] for month in range(_SETTLING_MONTHS)])
        # A month is counted by the calendar: on average half of the signup's own month has gone by.
        extra = float(months @ (settling_in(np.arange(_SETTLING_MONTHS) + 0.5) - 1))
        if not math.isnan(place) and found["total"][position] > 0:
            mean[int(place)] = 1 + extra / found["total"][position]
    return mean


def _seasons(connection: DuckDBPyConnection, exposed: Exposure) -> list[Line]:
    habits = np.array([persona.tickets for persona in PERSONAS])
    expected: Floats = habits @ exposed.active * ticket_weight(exposed.days)
    months, weekdays = month_index(exposed.days) % 12, (exposed.days + 3) % 7
    sql = "SELECT {0} AS place, COUNT(*) AS n FROM support_tickets GROUP BY ALL"
    return [
        *season(
            "tickets: season of",
            month_name[1:],
            TICKET_SEASON.tolist(),
            np.bincount(months, expected, 12).astype(np.float64),
            by_number(connection, sql.format("MONTH(opened_at) - 1"), 12),
        ),
        *season(
            "tickets: on",
            tuple(day_name),
            TICKET_WEEK.tolist(),
            np.bincount(weekdays, expected, 7).astype(np.float64),
            by_number(connection, sql.format("ISODOW(opened_at) - 1"), 7),
        ),
    ]


def _categories(connection: DuckDBPyConnection) -> list[Line]:
    found = []
    for words, mix, sign in (("newcomers", NEWCOMER, "<"), ("the settled", SETTLED, ">=")):
        counts = counted(
            connection,
            f"""SELECT t.category, COUNT(*) FROM support_tickets t JOIN customers c USING (customer_id)
            WHERE CAST(t.opened_at AS DATE) - c.signed_up_on {sign} {NEWCOMER_DAYS} GROUP BY ALL""",
        )
        expected = dict(zip(TICKET_CATEGORIES, mix, strict=True))
        found += shares(f"tickets: of {words}, about", expected, counts, slack=0.01)
    return found


def _priorities(connection: DuckDBPyConnection) -> list[Line]:
    counts = counted(connection, "SELECT priority, COUNT(*) FROM support_tickets GROUP BY ALL")
    expected = dict(zip(TICKET_PRIORITIES, PRIORITY_SHARES.tolist(), strict=True))
    return shares("tickets: priority", expected, counts, slack=0.01)


def _speeds(connection: DuckDBPyConnection) -> list[Line]:
    """Geometric means, for both times are lognormal; a customer's tickets share its slowness."""
    found = columns(
        connection,
        f"""SELECT {segment_number("segment")} AS place, SUM(hours) / SUM(n) AS hours, SUM(minutes) / SUM(n) AS minutes,
        SUM(n) * SUM(n) / SUM(n * n) AS sample FROM (
            SELECT c.segment, COUNT(*) AS n, SUM(LN(GREATEST(EPOCH(t.closed_at - t.opened_at) / 3600, 0.05))) AS hours,
            SUM(LN(t.first_response_minutes + 0.5)) AS minutes FROM support_tickets t JOIN customers c
            USING (customer_id) WHERE t.status = 'closed' GROUP BY c.segment, t.customer_id) GROUP BY ALL""",
    )
    # ``slowness`` has the mean 1, hence the median exp(-σ²/2); priorities shift the mean of the logarithm.
    shift = math.exp(-(0.55**2) / 2 + float(PRIORITY_SHARES @ np.log(PRIORITY_SPEED)))
    lines_found = []
    for number, persona in enumerate(PERSONAS):
        at = np.flatnonzero(found["place"] == number)
        sample = float(found["sample"][at[0]]) if len(at) else 0.0
        for words, key, target, slack in (
            ("hours to resolution", "hours", persona.resolution_hours * shift, 0.08),
            ("minutes to the first response", "minutes", persona.response_minutes, 0.15),
        ):
            value = math.exp(float(found[key][at[0]])) if len(at) else None
            allowed = target * (slack + math.expm1(min(mean_tolerance(1.1, 6.0, sample), 20.0))) if len(at) else 0.0
            lines_found.append(
                near(f"tickets: typical {words}, {persona.name}", target, value, allowed, unit=Unit.NUMBER)
            )
    return lines_found
