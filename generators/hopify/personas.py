"""Who the customers are: segments, plans and channels as plain numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from generators.hopify.columns import Floats, Ints
from schemas.hopify import CHANNELS, SEGMENTS


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment's habits; rates are a month, and of an active customer.

    ``tiers`` is the share of signups on each of the segment's plans; ``categories`` weighs the
    product categories in the schema's order; ``seats`` is the median quantity of an order line.
    """

    name: str
    tiers: tuple[float, float, float]
    churn: float
    upgrade: float
    downgrade: float
    reactivation: float
    orders: float
    lines: float
    seats: float
    discount_share: float
    tickets: float
    response_minutes: float
    resolution_hours: float
    installs: float
    negotiated: float
    categories: tuple[float, float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class Plan:
    """What can be subscribed to; ``cents`` a month."""

    name: str
    segment: int
    tier: int
    cents: int


@dataclass(frozen=True, slots=True)
class Channel:
    """A way by which customers come: its share of signups, its segments, and its funnel's rates."""

    name: str
    share: float
    segments: tuple[float, float, float]
    visitor_to_lead: float
    lead_to_mql: float
    mql_to_customer: float
    bounce_rate: float


SMB = Segment(
    name="SMB",
    tiers=(0.58, 0.31, 0.11),
    churn=0.031,
    upgrade=0.011,
    downgrade=0.005,
    reactivation=0.045,
    orders=0.37,
    lines=1.7,
    seats=1.4,
    discount_share=0.30,
    tickets=0.18,
    response_minutes=240.0,
    resolution_hours=26.0,
    installs=0.9,
    negotiated=0.05,
    categories=(0.30, 0.28, 0.22, 0.06, 0.08, 0.06),
)
MID_MARKET = Segment(
    name="Mid-Market",
    tiers=(0.50, 0.35, 0.15),
    churn=0.0135,
    upgrade=0.015,
    downgrade=0.005,
    reactivation=0.035,
    orders=0.50,
    lines=2.3,
    seats=4.0,
    discount_share=0.20,
    tickets=0.30,
    response_minutes=110.0,
    resolution_hours=17.0,
    installs=2.2,
    negotiated=0.35,
    categories=(0.26, 0.24, 0.22, 0.13, 0.08, 0.07),
)
ENTERPRISE = Segment(
    name="Enterprise",
    tiers=(0.46, 0.36, 0.18),
    churn=0.0058,
    upgrade=0.018,
    downgrade=0.004,
    reactivation=0.025,
    orders=0.85,
    lines=3.0,
    seats=14.0,
    discount_share=0.11,
    tickets=0.62,
    response_minutes=35.0,
    resolution_hours=9.0,
    installs=5.0,
    negotiated=0.75,
    categories=(0.22, 0.18, 0.20, 0.20, 0.11, 0.09),
)
PERSONAS = (SMB, MID_MARKET, ENTERPRISE)

PLANS = (
    Plan("Starter", 0, 1, 2_900),
    Plan("Growth", 0, 2, 5_900),
    Plan("Pro", 0, 3, 9_900),
    Plan("Team", 1, 1, 19_900),
    Plan("Business", 1, 2, 39_900),
    Plan("Scale", 1, 3, 69_900),
    Plan("Corporate", 2, 1, 120_000),
    Plan("Global", 2, 2, 250_000),
    Plan("Signature", 2, 3, 480_000),
)

CHANNEL_PERSONAS = (
    Channel("organic_search", 0.31, (0.76, 0.19, 0.05), 0.031, 0.36, 0.24, 0.46),
    Channel("paid_search", 0.22, (0.74, 0.20, 0.06), 0.042, 0.33, 0.21, 0.52),
    Channel("social", 0.14, (0.84, 0.13, 0.03), 0.018, 0.27, 0.18, 0.61),
    Channel("referral", 0.14, (0.66, 0.26, 0.08), 0.064, 0.46, 0.31, 0.34),
    Channel("email", 0.11, (0.70, 0.23, 0.07), 0.055, 0.41, 0.26, 0.38),
    Channel("partner", 0.08, (0.38, 0.37, 0.25), 0.083, 0.52, 0.34, 0.29),
)

assert tuple(persona.name for persona in PERSONAS) == SEGMENTS
assert tuple(channel.name for channel in CHANNEL_PERSONAS) == CHANNELS


def habit(name: str, segments: Ints) -> Floats:
    """The number called ``name`` of each customer's segment."""
    return np.array([getattr(persona, name) for persona in PERSONAS], np.float64)[segments]


def choice(weights: Floats, rows: Ints, uniforms: Floats) -> Ints:
    """For each row the column that its uniform draw hits, by the weights of ``weights[row]``."""
    bounds = np.cumsum(weights, axis=1)
    bounds /= bounds[:, -1:]
    hit: Ints = (uniforms[:, None] >= bounds[rows, :-1]).sum(axis=1)
    return hit
