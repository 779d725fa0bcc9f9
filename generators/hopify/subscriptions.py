"""Subscription rows from spans, and churn events from those that were cancelled."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from generators.hopify.columns import NULL, Batches, Ints, batch, labels
from generators.hopify.customers import People, blanked
from generators.hopify.days import DAY, SECOND, time_of_day
from generators.hopify.lifecycle import NEW, Life
from generators.hopify.personas import PLANS, habit
from generators.hopify.spans import OPEN, Spans
from generators.hopify.texts import Texts, pick
from schemas.hopify import CHURN_REASONS, START_REASONS, SUBSCRIPTION_STATUSES
from schemas.hopify import churn_events as churn_table
from schemas.hopify import subscriptions as table

ACTIVE, CHANGED, CANCELLED = (SUBSCRIPTION_STATUSES.index(status) for status in SUBSCRIPTION_STATUSES)
_TIERS = 3


def subscription_rows(rng: np.random.Generator, who: People, life: Life) -> Batches:
    """The subscriptions table, one row a span, ids from 1 in order of customer and start."""
    spans = life.spans
    count = len(spans.who)
    plan = plan_ids(who.segment[spans.who], spans.tier)
    status = np.where(spans.end == OPEN, ACTIVE, np.where(life.churn_reason == NULL, CHANGED, CANCELLED))
    created = np.where(
        spans.reason == NEW,
        who.created[spans.who] + rng.integers(1, 240, count) * SECOND,
        spans.start * DAY + time_of_day(rng, count),
    )
    rows = batch(
        table,
        {
            "subscription_id": np.arange(1, count + 1),
            "customer_id": who.ids[spans.who],
            "plan_id": plan,
            "status": labels(SUBSCRIPTION_STATUSES, status),
            "start_reason": labels(START_REASONS, spans.reason),
            "started_on": spans.start,
            "ended_on": np.where(status == ACTIVE, NULL, spans.end),
            "monthly_price": agreed_cents(rng, who.segment[spans.who], plan),
            "created_at": created,
            "updated_at": _last_change(rng, spans, status, created),
        },
    )
    return {"subscriptions": rows}


def churn_rows(rng: np.random.Generator, life: Life, words: Texts) -> Batches:
    """The churn_events table, one row a cancelled subscription, ids from 1."""
    cancelled = np.flatnonzero(life.churn_reason != NULL)
    count = len(cancelled)
    churned_on = life.spans.end[cancelled]
    rows = batch(
        churn_table,
        {
            "churn_event_id": np.arange(1, count + 1),
            "subscription_id": cancelled + 1,
            "churned_on": churned_on,
            "reason": labels(CHURN_REASONS, life.churn_reason[cancelled]),
            "score": life.score[cancelled],
            "comment": comments(rng, count, words),
            "updated_at": churned_on * DAY + time_of_day(rng, count),
        },
    )
    return {"churn_events": rows}


def comments(rng: np.random.Generator, count: int, words: Texts) -> pa.Array:
    """What leavers wrote; most wrote nothing."""
    return blanked(rng, pick(rng, words.comments, count), 0.62)


def plan_ids(segment: Ints, tier: Ints) -> Ints:
    """The plan of a segment's tier 1 to 3; plans are numbered segment by segment."""
    return segment * _TIERS + tier


def agreed_cents(rng: np.random.Generator, segment: Ints, plan: Ints) -> Ints:
    """Monthly prices in cents: the plan's, or up to 15 % less where it was negotiated."""
    listed = np.array([plan.cents for plan in PLANS])[plan - 1]
    per_mille = np.where(rng.random(len(plan)) < habit("negotiated", segment), rng.integers(850, 991, len(plan)), 1_000)
    cents: Ints = (listed * per_mille + 500) // 1_000
    return cents


def _last_change(rng: np.random.Generator, spans: Spans, status: Ints, created: Ints) -> Ints:
    """When a span ended, at the instant the next began if there is one; otherwise when it was made."""
    count = len(spans.who)
    ended = np.where(status == ACTIVE, 0, spans.end) * DAY + time_of_day(rng, count)
    following = np.append(created[1:], 0)[:count]
    return np.where(status == ACTIVE, created, np.where(status == CHANGED, following, ended))
