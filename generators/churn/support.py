"""Support tickets."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from generators.churn.arrow import dates, integers, record_batch, words
from generators.churn.customers import Customers, Floats, Ints
from generators.churn.specification import CATEGORY_SHARES, PRIORITY_SHARES, TICKETS_PER_DAY
from generators.streams import stream
from schemas.churn import TICKET_CATEGORIES, TICKET_PRIORITIES, support

TICKET_NUMBERS = 1_000
"""A ticket's number is its customer's times this, and its place among the customer's tickets."""


def batch(seed: int, shard: int, customers: Customers) -> pa.RecordBatch:
    """The rows of table ``support`` for ``customers``, by customer and day.

    Counts are Poisson with a mean in proportion to tenure; they are capped at ``TICKET_NUMBERS`` - 1,
    which a mean below 8 never reaches.
    """
    random = stream(seed, "churn/support", shard)
    count = np.minimum(random.poisson(TICKETS_PER_DAY * customers.tenure), TICKET_NUMBERS - 1)
    who = np.repeat(np.arange(len(count)), count)
    when = random.random(len(who))
    order = np.lexsort((when, who))
    when = when[order]
    place = np.arange(len(who)) - np.repeat(np.cumsum(count) - count, count)
    columns = [
        integers(customers.ids[who] * TICKET_NUMBERS + place),
        integers(customers.ids[who]),
        dates(customers.signup[who] + (when * customers.tenure[who]).astype(np.int64)),
        words(TICKET_CATEGORIES, _category(when, random.random(len(who)))),
        words(TICKET_PRIORITIES, _priority(customers.risk[who], random.random(len(who)))),
    ]
    return record_batch(support, columns)


def _category(when: Floats, uniform: Floats) -> Ints:
    """Categories by number; onboarding fades from twice its share at signup to nothing at the end."""
    billing, _, onboarding = CATEGORY_SHARES
    category: Ints = (uniform >= billing).astype(np.int64) + (uniform >= 1 - 2 * onboarding * (1 - when))
    return category


def _priority(risk: Floats, uniform: Floats) -> Ints:
    """Priorities by number; the higher ones grow with risk, and over all keep to the stated shares."""
    _, medium, high = PRIORITY_SHARES
    weight = 0.25 + 1.5 * risk  # mean 1
    priority: Ints = (uniform < (medium + high) * weight).astype(np.int64) + (uniform < high * weight)
    return priority
