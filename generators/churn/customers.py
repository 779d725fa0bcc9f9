"""Customers of one shard: what is written about them, and the hidden traits their behaviour follows from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from generators.churn.arrow import dates, integers, record_batch, words
from generators.churn.specification import BY_PLAN, DAYS, PLAN_SHARES, REGION_SHARES
from generators.streams import stream
from schemas.churn import PLANS, REGIONS, customers

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Customers:
    """Arrays of equal length, one entry a customer, in the order of ``ids``.

    ``signup`` counts days from the window's first; ``tenure`` is the number of days from signup to
    the window's last, both included, so at least 1. ``risk`` is uniform on [0, 1): the rank of the
    customer's lifetime among its plan's, 1 being the shortest. ``alive`` is the number of days before it lapses,
    at most ``tenure``. ``engagement`` scales the plan's chance of being active and has mean 1.
    """

    ids: Ints
    signup: Ints
    plan: Ints
    region: Ints
    tenure: Ints
    risk: Floats
    alive: Ints
    engagement: Floats

    @property
    def batch(self) -> pa.RecordBatch:
        """The rows of table ``customers``."""
        return record_batch(
            customers, [integers(self.ids), dates(self.signup), words(PLANS, self.plan), words(REGIONS, self.region)]
        )


def draw(seed: int, shard: int, first_id: int, count: int) -> Customers:
    """``count`` customers numbered from ``first_id``.

    A lifetime is exponential with the plan's decay, and the chance of being active while it lasts
    is constant, so that the share of customers active decays exactly as the retention curve.
    """
    random = stream(seed, "churn/customers", shard)
    signup = random.integers(0, DAYS, count)
    plan = pick(PLAN_SHARES, random.random(count))
    region = pick(REGION_SHARES, random.random(count))
    risk = random.random(count)
    lifetime = -np.log(np.maximum(risk, np.finfo(float).tiny))
    decay = np.array([p.decay_days for p in BY_PLAN])[plan]
    tenure = DAYS - signup
    alive = np.minimum(tenure, (lifetime * decay).astype(np.int64) + 1)
    # At most 1.4, so that 70 % for Enterprise stays below 1 for every customer.
    engagement = 0.6 + 0.8 * random.random(count)
    ids = np.arange(first_id, first_id + count, dtype=np.int64)
    return Customers(ids, signup, plan, region, tenure, risk, alive, engagement)


def pick(shares: tuple[float, ...], uniform: Floats) -> Ints:
    """The index each uniform number falls on when [0, 1) is divided by ``shares``."""
    chosen: Ints = np.searchsorted(np.cumsum(shares)[:-1], uniform, side="right").astype(np.int64)
    return chosen
