"""Support tickets: rows from what was asked, closed or still open at the world's edge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from generators.hopify.columns import NULL, Batches, Floats, Ints, batch, joined, labels, picked
from generators.hopify.customers import People, mended
from generators.hopify.days import DAY, HOUR, MINUTE
from generators.hopify.personas import choice, habit
from generators.hopify.potential import Tickets
from generators.hopify.texts import Texts
from schemas.hopify import TICKET_CATEGORIES, TICKET_PRIORITIES, TICKET_STATUSES
from schemas.hopify import support_tickets as table

OPEN, PENDING, CLOSED = (TICKET_STATUSES.index(status) for status in TICKET_STATUSES)

# billing, technical, onboarding, feature request, account: newcomers ask how to begin
NEWCOMER_DAYS = 60
NEWCOMER = (0.12, 0.26, 0.42, 0.06, 0.14)
SETTLED = (0.22, 0.40, 0.05, 0.19, 0.14)
ANSWERED = 0.41
"""Share of closed tickets for which the customer says how satisfied it is."""


@dataclass(frozen=True, slots=True)
class Answers:
    """How far tickets have come: minutes to the first response, instant of closing, satisfaction; NULL if not yet."""

    status: Ints
    response: Ints
    closed: Ints
    satisfaction: Ints


def ticket_rows(rng: np.random.Generator, who: People, asked: Tickets, words: Texts, until: int) -> Batches:
    """The support_tickets table as of the instant ``until``, ids from 1 in order of opening."""
    count = len(asked.who)
    newcomer = (asked.at // DAY - who.signed_up[asked.who] < NEWCOMER_DAYS).astype(np.int64)
    category = choice(np.array([SETTLED, NEWCOMER]), newcomer, rng.random(count))
    got = answers(rng, who.segment[asked.who], asked, until)
    seen = asked.at + np.where(got.response == NULL, 0, got.response) * MINUTE
    rows = batch(
        table,
        {
            "ticket_id": np.arange(1, count + 1),
            "customer_id": who.ids[asked.who],
            "category": labels(TICKET_CATEGORIES, category),
            "priority": labels(TICKET_PRIORITIES, asked.priority),
            "status": labels(TICKET_STATUSES, got.status),
            "subject": subjects(rng, category, words),
            "opened_at": asked.at,
            "first_response_minutes": got.response,
            "closed_at": got.closed,
            "satisfaction": got.satisfaction,
            "updated_at": np.where(got.closed == NULL, seen, got.closed),
        },
    )
    return {"support_tickets": rows}


def answers(rng: np.random.Generator, segment: Ints, asked: Tickets, until: int) -> Answers:
    """What support had done about the tickets by ``until``."""
    count = len(asked.who)
    duration = (asked.hours * HOUR).astype(np.int64)
    minutes = response_minutes(segment, asked.hours, rng.standard_normal(count))
    closed = asked.at + duration < until
    responded = asked.at + minutes * MINUTE < until
    return Answers(
        status=np.where(closed, CLOSED, np.where(responded, PENDING, OPEN)),
        response=np.where(responded, minutes, NULL),
        closed=np.where(closed, asked.at + duration, NULL),
        satisfaction=np.where(closed, satisfactions(rng, asked.hours), NULL),
    )


def response_minutes(segment: Ints, hours: Floats, noise: Floats) -> Ints:
    """Minutes to the first response: by segment, never more than the time to resolution."""
    minutes = habit("response_minutes", segment) * np.exp(0.7 * noise)
    return np.minimum(minutes, hours * 55.0).astype(np.int64)


def satisfactions(rng: np.random.Generator, hours: Floats) -> Ints:
    """1 to 5, better after a quick resolution; NULL for the six in ten who do not answer."""
    count = len(hours)
    mood = 5.1 - 0.52 * np.log2(np.maximum(hours, 2.0) / 2.0) + 0.9 * rng.standard_normal(count)
    answered = rng.random(count) < ANSWERED
    return np.where(answered, np.clip(np.round(mood), 1, 5).astype(np.int64), NULL)


def subjects(rng: np.random.Generator, category: Ints, words: Texts) -> object:
    """A subject of each ticket's category; some are replies."""
    each = words.subjects_a_category
    texts = picked(words.subjects, category * each + rng.integers(0, each, len(category)))
    return mended(texts, rng.random(len(category)) < 0.07, joined("Re: ", texts))
