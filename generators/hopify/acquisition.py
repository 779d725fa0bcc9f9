"""The monthly acquisition plan: how many customers come in which month, by which channel, on which day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from generators.hopify.campaigns import Campaigns
from generators.hopify.columns import NULL, Floats, Ints
from generators.hopify.curves import growth, signup_season
from generators.hopify.days import MONTHS, month_index, month_start
from generators.hopify.personas import CHANNEL_PERSONAS
from generators.streams import stream

CREDITED = 0.85
"""Of the signups a campaign brings, the share that is recorded as its own."""


@dataclass(frozen=True, slots=True)
class Signups:
    """New customers in order of their day; ``campaign`` is an id or NULL."""

    day: Ints
    channel: Ints
    campaign: Ints

    def part(self, first: int, last: int) -> Signups:
        """Those at positions ``first`` to ``last``, the latter not included."""
        return Signups(self.day[first:last], self.channel[first:last], self.campaign[first:last])


def monthly_weights(campaigns: Campaigns, months: Ints) -> Floats:
    """Signups by month and channel relative to month 0: growth, season, and campaigns running."""
    shares = np.array([persona.share for persona in CHANNEL_PERSONAS])
    lifted = np.array([[1 + lift_in(campaigns, channel, month) for channel in range(len(shares))] for month in months])
    trend: Floats = growth(months) * signup_season(months)
    weights: Floats = trend[:, None] * shares * lifted.reshape(len(months), len(shares))
    return weights


def lift_in(campaigns: Campaigns, channel: int, month: int) -> float:
    """What campaigns add to a channel's month, as a share of its ordinary signups."""
    first, following = (int(day) for day in month_start([month, month + 1]))
    found, start, stop = campaigns.on(channel, first, following - 1)
    return float((campaigns.lift[found] * (stop - start + 1)).sum() / (following - first))


def planned(seed: int, customers: int, campaigns: Campaigns) -> Ints:
    """Customers by month and channel: exactly ``customers`` in all, by largest remainder."""
    weights = monthly_weights(campaigns, np.arange(MONTHS))
    weights *= np.exp(0.05 * stream(seed, "plan").standard_normal(weights.shape))
    exact = customers * weights.ravel() / weights.sum()
    counts = np.floor(exact).astype(np.int64)
    missing = customers - int(counts.sum())
    counts[np.argsort(counts - exact, kind="stable")[:missing]] += 1
    plan: Ints = counts.reshape(weights.shape)
    return plan


def signups(seed: int, plan: Ints, campaigns: Campaigns, first: int, last: int) -> Signups:
    """The customers at positions ``first`` to ``last`` (not included) of all in order of signup.

    Only the months they fall in are drawn, each from its own stream, so shards need not meet.
    """
    if first >= last:
        return _together([])
    ends = np.cumsum(plan.sum(axis=1))
    months = range(int(np.searchsorted(ends, first, "right")), int(np.searchsorted(ends, last, "left")) + 1)
    drawn = [month_signups(seed, plan[month], campaigns, month) for month in months]
    skipped = int(ends[months[0] - 1]) if months[0] else 0
    return _together(drawn).part(first - skipped, last - skipped)


def month_signups(seed: int, counts: Ints, campaigns: Campaigns, month: int) -> Signups:
    """One month's signups, ``counts`` by channel, in order of their day."""
    rng = stream(seed, "signups", month)
    first, following = (int(day) for day in month_start([month, month + 1]))
    drawn = _together([_of_channel(rng, c, int(counts[c]), campaigns, (first, following)) for c in range(len(counts))])
    order = np.lexsort((rng.random(len(drawn.day)), drawn.day))
    return Signups(drawn.day[order], drawn.channel[order], drawn.campaign[order])


def scale(customers: int, campaigns: Campaigns) -> float:
    """Customers for one unit of ``monthly_weights`` in a world of ``customers``."""
    return float(customers / monthly_weights(campaigns, np.arange(MONTHS)).sum())


def expected_signups(scale: float, campaigns: Campaigns, day: int) -> tuple[Floats, Floats]:
    """Signups expected on ``day``: by channel without a campaign, and by campaign."""
    usual = usual_signups(scale, day)
    running = (campaigns.first <= day) & (day <= campaigns.last)
    added = np.where(running, usual[campaigns.channel] * campaigns.lift, 0.0)
    uncredited = np.bincount(campaigns.channel, (1 - CREDITED) * added, len(usual))
    return usual + uncredited, CREDITED * added


def usual_signups(scale: float, day: int) -> Floats:
    """Signups expected on ``day`` by channel, were there no campaigns."""
    month = int(month_index(day))
    length = int(month_start(month + 1) - month_start(month))
    shares = np.array([persona.share for persona in CHANNEL_PERSONAS])
    usual: Floats = scale * growth(month) * signup_season(month) * shares / length
    return usual


def _of_channel(
    rng: np.random.Generator, channel: int, count: int, campaigns: Campaigns, days: tuple[int, int]
) -> Signups:
    """``count`` signups of one channel on the ``days`` from the first until before the second."""
    first, following = days
    found, start, stop = campaigns.on(channel, first, following - 1)
    day = rng.integers(first, following, count)
    campaign = np.full(count, NULL)
    weights = campaigns.lift[found] * (stop - start + 1) / (following - first)
    bounds = CREDITED * np.cumsum(weights) / (1 + weights.sum())
    hit = np.searchsorted(bounds, rng.random(count), "right")
    for position, found_at in enumerate(found):
        of_campaign = hit == position
        day[of_campaign] = rng.integers(start[position], stop[position] + 1, int(of_campaign.sum()))
        campaign[of_campaign] = campaigns.ids[found_at]
    return Signups(day, np.full(count, channel), campaign)


def _together(parts: list[Signups]) -> Signups:
    nobody = Signups(*(np.zeros(0, np.int64) for _ in range(3)))
    everyone = [nobody, *parts]
    return Signups(
        np.concatenate([part.day for part in everyone]),
        np.concatenate([part.channel for part in everyone]),
        np.concatenate([part.campaign for part in everyone]),
    )
