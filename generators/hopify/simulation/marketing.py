"""The month's web traffic as it comes in, and now and then a new campaign or promo code."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import numpy as np
from sqlalchemy import func, select

from generators.hopify.acquisition import expected_signups, usual_signups
from generators.hopify.campaigns import COST_PER_SIGNUP, TEMPLATES, Template
from generators.hopify.days import HOUR, SECOND
from generators.hopify.simulation.today import Today, as_datetime
from generators.hopify.traffic import bounce_rates, funnel
from generators.streams import faker_stream
from schemas.hopify import CHANNELS, campaigns, discounts, web_traffic

_LOOSE_CODE = 0.03
_PERCENTS = (Decimal("5.00"), Decimal("10.00"), Decimal("12.50"), Decimal("15.00"), Decimal("20.00"), Decimal("25.00"))


def advertise(today: Today) -> None:
    """Start the campaigns that come back on this day of the year, each with a code; sometimes a code alone."""
    rng = today.rng("marketing")
    for template in TEMPLATES:
        if (template.month, template.day) == (today.date.month, today.date.day):
            _start(today, rng, template)
            _offer(today, rng, template.length)
    if rng.random() < _LOOSE_CODE:
        _offer(today, rng, int(rng.integers(14, 75)))


def count_visits(today: Today) -> None:
    """Add the day's visitors, leads and MQLs to the month's rows; on the 1st, begin them."""
    rng = today.rng("traffic")
    usual, added = expected_signups(today.world.scale, today.campaigns, today.number)
    signups = usual + np.bincount(today.campaigns.channel, added, len(CHANNELS))
    visitors, leads, mqls = funnel(rng, signups, 1 / 30)
    bounced = bounce_rates(rng, np.arange(len(CHANNELS)))
    month = today.date.replace(day=1)
    query = select(web_traffic).where(web_traffic.c.month == month)
    known = {row.channel: row for row in today.connection.execute(query)}
    rows = []
    for position, channel in enumerate(CHANNELS):
        so_far = known.get(channel)
        rows.append(
            {
                "month": month,
                "channel": channel,
                "visitors": int(visitors[position]) + (so_far.visitors if so_far else 0),
                "leads": int(leads[position]) + (so_far.leads if so_far else 0),
                "mqls": int(mqls[position]) + (so_far.mqls if so_far else 0),
                "bounce_rate": float(bounced[position]),
                "updated_at": as_datetime(today.end - HOUR),
            }
        )
    today.journal.update(web_traffic, [row for row in rows if row["channel"] in known])
    today.journal.add(web_traffic, [row for row in rows if row["channel"] not in known])


def _start(today: Today, rng: np.random.Generator, template: Template) -> None:
    """The campaign's row; its spend is the budget for the signups it should add."""
    usual = usual_signups(today.world.scale, today.number)
    signups = float(usual[CHANNELS.index(template.channel)]) * template.length
    cents = 50_000 + int(COST_PER_SIGNUP[template.kind] * signups * rng.uniform(0.75, 1.35))
    highest = today.connection.execute(select(func.max(campaigns.c.campaign_id))).scalar() or 0
    row = {
        "campaign_id": highest + 1,
        "name": f"{template.name} {today.date.year}",
        "channel": template.channel,
        "campaign_type": template.kind,
        "starts_on": today.date,
        "ends_on": today.date + timedelta(days=template.length),
        "spend": Decimal(cents).scaleb(-2),
        "updated_at": as_datetime(today.begin + 7 * HOUR),
    }
    today.journal.add(campaigns, [row])


def _offer(today: Today, rng: np.random.Generator, days: int) -> None:
    """A promo code that is valid from today for ``days``."""
    number = (today.connection.execute(select(func.max(discounts.c.discount_id))).scalar() or 0) + 1
    percent = _PERCENTS[int(rng.integers(0, len(_PERCENTS)))]
    letters = "".join("ABCDEFGHJKLMNPQRSTUVWXYZ"[i] for i in rng.integers(0, 24, 4))
    fake = faker_stream(today.seed, "day/discounts", today.number)
    row = {
        "discount_id": number,
        "code": f"{letters}{today.date:%y}-{int(percent)}-{number:02d}",
        "description": fake.sentence(nb_words=8),
        "percent_off": percent,
        "valid_from": today.date,
        "valid_to": today.date + timedelta(days=days),
        "max_uses": None,
        "updated_at": as_datetime(today.begin + 6 * HOUR + SECOND),
    }
    today.journal.add(discounts, [row])
