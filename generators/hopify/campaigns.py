"""Marketing campaigns: when they run, on which channel, and how much they lift it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from generators.hopify.columns import Floats, Ints, batch, labels
from generators.hopify.days import DAY, END, HOUR, day_number
from generators.streams import stream
from schemas.hopify import CAMPAIGN_TYPES, CHANNELS
from schemas.hopify import campaigns as table

LIFT: Mapping[str, float] = {
    "seasonal": 1.1,
    "product_launch": 0.8,
    "brand": 0.5,
    "event": 1.2,
    "retargeting": 0.6,
}
"""Signups that a running campaign adds to its channel, as a share of the ordinary ones."""

COST_PER_SIGNUP: Mapping[str, int] = {
    "seasonal": 9_500,
    "product_launch": 13_000,
    "brand": 21_000,
    "event": 34_000,
    "retargeting": 7_000,
}
"""What one added signup costs, in cents."""


@dataclass(frozen=True, slots=True)
class Template:
    """A campaign that comes back every year on about the same ``day`` of ``month``."""

    name: str
    channel: str
    kind: str
    month: int
    day: int
    length: int


TEMPLATES = (
    Template("New Year Kickoff", "email", "seasonal", 1, 8, 24),
    Template("Remember Us", "paid_search", "retargeting", 2, 6, 30),
    Template("Spring Launch", "paid_search", "product_launch", 3, 10, 28),
    Template("Partner Summit", "partner", "event", 5, 12, 21),
    Template("Bring a Friend", "referral", "retargeting", 6, 3, 40),
    Template("Summer Stories", "social", "brand", 7, 5, 45),
    Template("Back to Business", "social", "seasonal", 9, 2, 26),
    Template("Autumn Release", "organic_search", "product_launch", 10, 6, 28),
    Template("Black Friday", "paid_search", "seasonal", 11, 14, 18),
    Template("Cyber Week", "email", "seasonal", 11, 24, 12),
)


@dataclass(frozen=True, slots=True)
class Campaigns:
    """Campaigns as arrays; ``first`` and ``last`` are day numbers, both inside the campaign."""

    ids: Ints
    channel: Ints
    first: Ints
    last: Ints
    lift: Floats

    def on(self, channel: int, first: int, last: int) -> tuple[Ints, Ints, Ints]:
        """Positions of ``channel``'s campaigns that run in the days given, with the days' overlap."""
        start, stop = np.maximum(self.first, first), np.minimum(self.last, last)
        found = np.flatnonzero((self.channel == channel) & (start <= stop))
        return found, start[found], stop[found]


def yearly(seed: int) -> tuple[Campaigns, list[str], list[str]]:
    """The three years' campaigns, in order of their start, with their names and types."""
    rng = stream(seed, "campaigns")
    years = [(template, year) for year in (2023, 2024, 2025) for template in TEMPLATES]
    first = np.array([day_number(date(year, t.month, t.day)) for t, year in years]) + rng.integers(-3, 4, len(years))
    last = first + np.array([t.length for t, _ in years]) + rng.integers(-2, 6, len(years))
    kinds = [t.kind for t, _ in years]
    campaigns = Campaigns(
        ids=np.arange(1, len(years) + 1),
        channel=np.array([CHANNELS.index(t.channel) for t, _ in years]),
        first=first,
        last=np.minimum(last, END // DAY - 1),
        lift=np.array([LIFT[kind] for kind in kinds]),
    )
    return campaigns, [f"{t.name} {year}" for t, year in years], kinds


def campaign_rows(
    seed: int, campaigns: Campaigns, names: list[str], kinds: list[str], signups: Floats
) -> pa.RecordBatch:
    """The table's rows; spend follows the signups a campaign is expected to have added."""
    rng = stream(seed, "campaign-spend")
    cost = np.array([COST_PER_SIGNUP[kind] for kind in kinds])
    spend = (50_000 + cost * signups * rng.uniform(0.75, 1.35, len(kinds))).astype(np.int64)
    return batch(
        table,
        {
            "campaign_id": campaigns.ids,
            "name": pa.array(names),
            "channel": labels(CHANNELS, campaigns.channel),
            "campaign_type": labels(CAMPAIGN_TYPES, np.array([CAMPAIGN_TYPES.index(kind) for kind in kinds])),
            "starts_on": campaigns.first,
            "ends_on": campaigns.last,
            "spend": spend,
            "updated_at": np.minimum(campaigns.last * DAY + rng.integers(9, 18, len(kinds)) * HOUR, END - 1),
        },
    )
