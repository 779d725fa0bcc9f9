"""Monthly web traffic by channel: the funnel above the customers who signed up."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from generators.hopify.columns import Floats, Ints, batch, labels
from generators.hopify.days import DAY, HOUR, MONTHS, month_start
from generators.hopify.personas import CHANNEL_PERSONAS
from generators.streams import stream
from schemas.hopify import CHANNELS
from schemas.hopify import web_traffic as table

FIRST_MONTH = MONTHS - 24


def traffic_rows(seed: int, plan: Ints) -> pa.RecordBatch:
    """The last 24 months of the ``plan`` (customers by month and channel), one row a month and channel."""
    rng = stream(seed, "traffic")
    signups = plan[FIRST_MONTH:].astype(np.float64)
    visitors, leads, mqls = funnel(rng, signups)
    months = np.repeat(np.arange(FIRST_MONTH, MONTHS), len(CHANNELS))
    channels = np.tile(np.arange(len(CHANNELS)), MONTHS - FIRST_MONTH)
    return batch(
        table,
        {
            "month": month_start(months),
            "channel": labels(CHANNELS, channels),
            "visitors": visitors.ravel(),
            "leads": leads.ravel(),
            "mqls": mqls.ravel(),
            "bounce_rate": bounce_rates(rng, channels),
            "updated_at": (month_start(months + 1) - 1) * DAY + 23 * HOUR,
        },
    )


def funnel(rng: np.random.Generator, signups: Floats, months: float = 1.0) -> tuple[Ints, Ints, Ints]:
    """Visitors, leads and MQLs behind the ``signups`` of so many ``months``; the last axis is the channel."""
    people = CHANNEL_PERSONAS
    mqls = rng.poisson((signups + 0.5 * months) / _rates([c.mql_to_customer for c in people]) * _noise(rng, signups))
    leads = mqls + rng.poisson((mqls + months) * (1 / _rates([c.lead_to_mql for c in people]) - 1))
    visitors = leads + rng.poisson((leads + 5 * months) * (1 / _rates([c.visitor_to_lead for c in people]) - 1))
    return visitors, leads, mqls


def bounce_rates(rng: np.random.Generator, channels: Ints) -> Floats:
    """The share of visitors that leave at once, around the channel's own; four digits."""
    usual = _rates([channel.bounce_rate for channel in CHANNEL_PERSONAS])[channels]
    rates: Floats = np.clip(usual + 0.02 * rng.standard_normal(len(channels)), 0.05, 0.95).round(4)
    return rates


def _rates(values: list[float]) -> Floats:
    return np.array(values, np.float64)


def _noise(rng: np.random.Generator, like: Floats) -> Floats:
    noise: Floats = np.exp(0.06 * rng.standard_normal(like.shape))
    return noise
