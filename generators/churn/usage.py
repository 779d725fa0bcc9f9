"""Daily usage: who was active when, and how much of it."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from generators.churn.arrow import dates, floats, integers, record_batch
from generators.churn.customers import Customers, Floats, Ints
from generators.churn.specification import BY_PLAN, DAYS, LOST_LOGS, MINUTES_CAP, SESSION_MINUTES_CORRELATION
from generators.streams import stream
from schemas.churn import usage_daily

# A chance is compared as a 16-bit number, which is off by at most 1 in 131,072 and makes 64 bits
# of randomness decide four customer-days.
_LEVELS = 1 << 16


def batch(seed: int, shard: int, customers: Customers) -> pa.RecordBatch:
    """The rows of table ``usage_daily`` for ``customers``, by customer and day."""
    random = stream(seed, "churn/usage", shard)
    who, age = _logged_days(seed, random, customers)
    plan = customers.plan[who]
    score = random.standard_normal(len(who))
    sessions = _sessions(plan, score)
    minutes = _minutes(random, plan, score)
    events = random.poisson(_EVENTS[plan] * sessions)
    columns = [
        integers(customers.ids[who]),
        dates(customers.signup[who] + age),
        integers(sessions),
        floats(minutes),
        integers(events),
    ]
    return record_batch(usage_daily, columns)


def lost_share(seed: int) -> Floats:
    """The share of logs lost on each day of the window: the same for every shard, as an outage is."""
    return stream(seed, "churn/lost logs").uniform(*LOST_LOGS, DAYS)


def _logged_days(seed: int, random: np.random.Generator, customers: Customers) -> tuple[Ints, Ints]:
    """Customers (positions in ``customers``) and days since their signup of all active days that were logged."""
    chance = np.array([plan.retention for plan in BY_PLAN])[customers.plan] * customers.engagement
    threshold = np.rint(chance * _LEVELS).astype(np.uint16)
    alive = customers.alive
    days = int(alive.sum())
    active = np.flatnonzero(random.integers(0, _LEVELS, days, dtype=np.uint16) < np.repeat(threshold, alive))
    ends = np.cumsum(alive)
    who = np.searchsorted(ends, active, side="right")
    age = active - (ends - alive)[who]
    lost = np.rint(lost_share(seed) * _LEVELS).astype(np.uint16)
    kept = random.integers(0, _LEVELS, len(active), dtype=np.uint16) >= lost[customers.signup[who] + age]
    return who[kept], age[kept]


def _sessions(plan: Ints, score: Floats) -> Ints:
    """Poisson sessions from a normal score, by the quantiles of the plan's distribution."""
    found: Ints = np.searchsorted(_BORDERS, score + _SHIFT * plan, side="right") - _BEFORE[plan]
    return found


def _minutes(random: np.random.Generator, plan: Ints, score: Floats) -> Floats:
    """Normal minutes capped on both sides, correlated with sessions through their score."""
    rest = math.sqrt(1 - SESSION_MINUTES_CORRELATION**2)
    own = SESSION_MINUTES_CORRELATION * score + rest * random.standard_normal(len(plan))
    minutes: Floats = np.round(_MINUTES[plan] + _DEVIATION[plan] * np.clip(own, -MINUTES_CAP, MINUTES_CAP), 1)
    return minutes


def _borders(mean: float) -> list[float]:
    """Normal scores at which a Poisson count of that mean goes up by one, until 1 case in 10^12."""
    borders, cumulated, term, count = [], 0.0, math.exp(-mean), 0
    while cumulated + term < 1 - 1e-12:
        cumulated += term
        borders.append(NormalDist().inv_cdf(cumulated))
        count += 1
        term *= mean / count
    return borders


# One search serves all plans: each plan's borders are shifted out of reach of the others' scores.
_SHIFT = 40.0
_BORDERS_BY_PLAN = [np.array(_borders(plan.sessions)) for plan in BY_PLAN]
_BORDERS: NDArray[np.float64] = np.concatenate([b + _SHIFT * i for i, b in enumerate(_BORDERS_BY_PLAN)])
_BEFORE = np.cumsum([0] + [len(b) for b in _BORDERS_BY_PLAN[:-1]])
_MINUTES = np.array([plan.minutes for plan in BY_PLAN])
_DEVIATION = np.array([plan.minutes_deviation for plan in BY_PLAN])
_EVENTS = np.array([plan.events for plan in BY_PLAN])
