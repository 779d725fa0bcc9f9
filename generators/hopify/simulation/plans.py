"""Plan changes and returns of a day."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from generators.hopify.columns import Batches, Ints, batch, labels
from generators.hopify.customers import People
from generators.hopify.lifecycle import DOWNGRADE, NEW, REACTIVATION, UPGRADE, plan_change_rates, return_rate
from generators.hopify.personas import PERSONAS, choice
from generators.hopify.simulation.candidates import MOST_CHANGES, MOST_RETURNS
from generators.hopify.simulation.leaving import close
from generators.hopify.simulation.members import Members
from generators.hopify.simulation.today import Today
from generators.hopify.subscriptions import agreed_cents, plan_ids
from schemas.hopify import START_REASONS, subscriptions

_ABSENCE = 20


def change_plans(today: Today, proposed: Members) -> None:
    """Move some to another tier: today's subscription follows the one they had."""
    rng = today.rng("change")
    settled = proposed.of(proposed.active & (proposed.started < today.number))
    up, down = plan_change_rates(settled.who.segment, settled.tier, settled.who.traits.value)
    draw = rng.random(len(up)) * MOST_CHANGES
    step = np.where(draw < up, 1, np.where(draw < up + down, -1, 0))
    movers, step = settled.of(step != 0), step[step != 0]
    at = today.instants(rng, len(step))
    close(today, movers, at, "changed")
    reason = np.where(step > 0, UPGRADE, DOWNGRADE)
    today.add(_begun(today, rng, movers.who, movers.tier + step, reason, at))


def win_back(today: Today, proposed: Members) -> None:
    """Some who left weeks ago begin again, on the plan they had."""
    rng = today.rng("return")
    gone = proposed.of(~proposed.active & (proposed.ended <= today.number - _ABSENCE))
    rate = return_rate(gone.who.segment, gone.ended, np.full(len(gone.ended), today.number))
    back = gone.of(rng.random(len(rate)) < rate / MOST_RETURNS)
    at = today.instants(rng, len(back.ended))
    today.add(_begun(today, rng, back.who, back.tier, np.full(len(at), REACTIVATION), at))


def first_subscriptions(today: Today, rng: np.random.Generator, who: People) -> Batches:
    """The subscriptions of customers who signed up today, ids from 1."""
    tiers = np.array([persona.tiers for persona in PERSONAS])
    tier = choice(tiers, who.segment, rng.random(len(who))) + 1
    return _begun(today, rng, who, tier, np.full(len(who), NEW), who.created)


def _begun(today: Today, rng: np.random.Generator, who: People, tier: Ints, reason: Ints, at: Ints) -> Batches:
    count, plan = len(at), plan_ids(who.segment, tier)
    rows = batch(
        subscriptions,
        {
            "subscription_id": np.arange(1, count + 1),
            "customer_id": who.ids,
            "plan_id": plan,
            "status": pa.array(["active"] * count, pa.string()),
            "start_reason": labels(START_REASONS, reason),
            "started_on": np.full(count, today.number),
            "ended_on": pa.nulls(count, pa.date32()),
            "monthly_price": agreed_cents(rng, who.segment, plan),
            "created_at": at,
            "updated_at": at,
        },
    )
    return {"subscriptions": rows}
