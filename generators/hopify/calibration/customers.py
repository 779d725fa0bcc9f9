"""Customers: how many, of which segment, from where, and when they signed up."""

from __future__ import annotations

from calendar import month_name
from dataclasses import replace

import numpy as np
from duckdb import DuckDBPyConnection

from generators.calibration import Line, Unit, exactly, near, share_tolerance
from generators.found import one
from generators.hopify.acquisition import CREDITED, monthly_weights
from generators.hopify.calibration.exposure import Exposure
from generators.hopify.calibration.judging import by_number, counted, share, shares
from generators.hopify.campaigns import yearly
from generators.hopify.columns import Floats
from generators.hopify.curves import SIGNUP_SEASON
from generators.hopify.customers import NO_PHONE, NO_POSTAL_CODE, WELCOMES_MAIL, WELCOMES_MAIL_BY_CAMPAIGN
from generators.hopify.days import month_index
from generators.hopify.personas import CHANNEL_PERSONAS
from schemas.hopify import SEGMENTS

_PLAN_NOISE = 0.04
"""What the plan's own five per cent a month and channel leave of a month's share, relative."""


def size(connection: DuckDBPyConnection, exposed: Exposure, asked: int) -> list[Line]:
    """The number of customers, which simulation changes."""
    return [exactly("customers", asked, one(connection, "SELECT COUNT(*) FROM customers"))] if exposed.generated else []


def lines(connection: DuckDBPyConnection, exposed: Exposure) -> list[Line]:
    """The lines about table ``customers``."""
    months = np.arange(int(month_index(exposed.days[-1])) + 1)
    weights = monthly_weights(yearly(exposed.seed)[0], months)
    return [
        *_segments(connection),
        *_channels(connection, weights),
        *_months(connection, weights),
        *_years(connection, weights),
        _credited(connection, exposed, weights),
        *_holes(connection),
    ]


def _segments(connection: DuckDBPyConnection) -> list[Line]:
    """Segments given the channels that were found: each channel has a mix of its own."""
    by_channel = counted(connection, "SELECT acquisition_source, COUNT(*) FROM customers GROUP BY ALL")
    known = [(by_channel.get(channel.name, 0.0), channel.segments) for channel in CHANNEL_PERSONAS]
    total = sum(count for count, _ in known) or 1.0
    expected = {name: sum(n * mix[i] for n, mix in known) / total for i, name in enumerate(SEGMENTS)}
    counts = counted(connection, "SELECT segment, COUNT(*) FROM customers GROUP BY ALL")
    return shares("customers: segment", expected, counts)


def _channels(connection: DuckDBPyConnection, weights: Floats) -> list[Line]:
    expected = weights.sum(axis=0) / weights.sum()
    counts = counted(connection, "SELECT acquisition_source, COUNT(*) FROM customers GROUP BY ALL")
    named = {channel.name: float(part) for channel, part in zip(CHANNEL_PERSONAS, expected, strict=True)}
    return shares("customers: from", named, counts, slack=0.01)


def _months(connection: DuckDBPyConnection, weights: Floats) -> list[Line]:
    """The season's factors, growth and campaigns taken out."""
    calendar = np.arange(len(weights)) % 12
    expected = np.bincount(calendar, weights.sum(axis=1), 12) / weights.sum()
    found = by_number(
        connection, "SELECT MONTH(signed_up_on) - 1 AS place, COUNT(*) AS n FROM customers GROUP BY ALL", 12
    )
    total = float(found.sum())
    return [
        near(
            f"signups: season of {month_name[month + 1]}",
            factor,
            factor * float(found[month]) / total / part if total and part else None,
            factor * (_PLAN_NOISE + share_tolerance(part, total) / part) if part else 0.0,
            unit=Unit.NUMBER,
        )
        for month, (factor, part) in enumerate(zip(map(float, SIGNUP_SEASON), map(float, expected), strict=True))
    ]


def _years(connection: DuckDBPyConnection, weights: Floats) -> list[Line]:
    """Growth, as the shares of the years."""
    years = np.arange(len(weights)) // 12
    expected = np.bincount(years, weights.sum(axis=1)) / weights.sum()
    named = {str(2023 + year): float(part) for year, part in enumerate(expected)}
    counts = counted(connection, "SELECT YEAR(signed_up_on), COUNT(*) FROM customers GROUP BY ALL")
    return shares("signups: growth, share of", named, counts, slack=_PLAN_NOISE / 4)


def _credited(connection: DuckDBPyConnection, exposed: Exposure, weights: Floats) -> Line:
    ran = yearly(exposed.seed)[0]
    usual = monthly_weights(replace(ran, lift=np.zeros_like(ran.lift)), np.arange(len(weights)))
    expected = CREDITED * float((weights - usual).sum() / weights.sum())
    sql = "SELECT COUNT(campaign_id) AS hits, COUNT(*) AS cases FROM customers"
    return share("customers: credited to a campaign", expected, connection, sql, slack=0.015)


def _holes(connection: DuckDBPyConnection) -> list[Line]:
    absent = "SELECT COUNT(*) - COUNT({0}) AS hits, COUNT(*) AS cases FROM customers"
    mail = (
        "SELECT COUNT(*) FILTER (WHERE accepts_marketing) AS hits, COUNT(*) AS cases FROM customers"
        " WHERE campaign_id IS {0}NULL"
    )
    return [
        share("customers: without a phone", NO_PHONE, connection, absent.format("phone"), slack=0.01),
        share("customers: without a postal code", NO_POSTAL_CODE, connection, absent.format("postal_code"), slack=0.01),
        share("customers: accept marketing", WELCOMES_MAIL, connection, mail.format(""), slack=0.03),
        share(
            "customers: accept marketing, won by a campaign",
            WELCOMES_MAIL_BY_CAMPAIGN,
            connection,
            mail.format("NOT "),
            slack=0.03,
        ),
    ]
