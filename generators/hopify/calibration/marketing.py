"""The funnel: what visitors, leads and MQLs of each channel come to, and its bounce rate."""

from __future__ import annotations

from duckdb import DuckDBPyConnection

from generators.calibration import Line, invariant, mean_tolerance, near, sum_tolerance
from generators.found import row
from generators.hopify.calibration.exposure import Exposure
from generators.hopify.personas import CHANNEL_PERSONAS, Channel


def lines(connection: DuckDBPyConnection, exposed: Exposure) -> list[Line]:
    """The lines about ``web_traffic``: 24 months of every channel, longer after simulation."""
    found = [line for channel in CHANNEL_PERSONAS for line in _channel(connection, channel)]
    if not exposed.generated:
        return found
    months = row(connection, "SELECT COUNT(*) - 24 * 6 AS n, COUNT(DISTINCT month) - 24 AS months FROM web_traffic")
    return [
        invariant("traffic: months other than 24, by 6 channels", abs(months["n"] or 0) + abs(months["months"] or 0)),
        *found,
    ]


def _channel(connection: DuckDBPyConnection, channel: Channel) -> list[Line]:
    """Every channel has a few visitors of its own a month, so that small worlds have traffic too; they are added."""
    got = row(
        connection,
        f"""SELECT COUNT(*) AS months, SUM(visitors) AS visitors, SUM(leads) AS leads, SUM(mqls) AS mqls,
        AVG(bounce_rate) AS bounced, (SELECT COUNT(*) FROM customers, world w
            WHERE acquisition_source = '{channel.name}' AND signed_up_on <= w.last_day
            AND signed_up_on >= (SELECT MIN(month) FROM web_traffic)) AS customers
        FROM web_traffic WHERE channel = '{channel.name}'""",
    )
    months, visitors, leads, mqls, customers = (
        got[name] or 0.0 for name in ("months", "visitors", "leads", "mqls", "customers")
    )
    steps = (
        ("visitors who become leads", channel.visitor_to_lead, leads + 5 * months, visitors + 5 * months, 0.01),
        ("leads who become MQLs", channel.lead_to_mql, mqls + months, leads + months, 0.01),
        ("MQLs who become customers", channel.mql_to_customer, customers + 0.5 * months, mqls, 0.08),
    )
    return [
        *(_step(f"traffic: {words}, {channel.name}", *numbers) for words, *numbers in steps),
        near(
            f"traffic: bounce rate, {channel.name}",
            channel.bounce_rate,
            got["bounced"],
            0.001 + mean_tolerance(0.02, 0.0, months),  # normal noise needs no bound
        ),
    ]


def _step(measure: str, rate: float, came: float, of: float, slack: float) -> Line:
    """Given who ``came``, the number they came ``of`` is Poisson with the mean came / rate."""
    if not of:
        return near(measure, rate, None, 0.0)
    return near(measure, rate, came / of, rate * (slack + sum_tolerance(of, 1) / of))
