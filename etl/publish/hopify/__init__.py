"""The hopify world's dashboard."""

from __future__ import annotations

from etl.publish.figures import Board, Reader, day, month
from etl.publish.hopify import (
    accounts,
    acquisition,
    campaigns,
    churn,
    customers,
    headlines,
    retention,
    revenue,
    service,
    targets,
)
from etl.publish.hopify.period import Period, period


def board(read: Reader) -> Board:
    """The board over published hopify marts; raises :class:`MartError` for one that is missing."""
    time = period(read)
    if time is None:
        return Board("Hopify", "The marts hold no data yet.")
    figures = (
        customers.growth(read, time),
        customers.movements(read, time),
        retention.cohorts(read),
        revenue.recurring(read, time),
        targets.retention(read, time),
        revenue.by_segment(read, time),
        churn.by_cohort(read, time),
        churn.reasons(read, time),
        acquisition.funnel(read, time),
        acquisition.channels(read, time),
        campaigns.campaign_return(read),
        acquisition.promo_codes(read),
        service.within_sla(read, time),
        accounts.largest(read),
        targets.benchmarks(read),
    )
    return Board("Hopify", _sentence(time), headlines.headlines(read, time), figures)


def _sentence(time: Period) -> str:
    if time.as_of == time.last_day:
        return f"Data until {day(time.as_of)}."
    return f"Data until {day(time.as_of)}; charts show whole months, until {month(time.last)}."
