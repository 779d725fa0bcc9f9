"""A customer's character, a function of seed and customer id alone.

Generation and simulation must agree on it without storing it, and no shard may wait for another;
so it is hashed, not drawn (SplitMix64: Steele, Lea & Flood, OOPSLA 2014).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from generators.hopify.columns import Floats, Ints

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


@dataclass(frozen=True, slots=True)
class Traits:
    """Multipliers around 1, one a customer: what it buys, how much it asks, how long its tickets take.

    ``risk`` is the share of its payments that fail at the first attempt.
    """

    value: Floats
    load: Floats
    slowness: Floats
    risk: Floats


def traits(seed: int, customer_ids: Ints) -> Traits:
    """The characters of ``customer_ids``; value has a heavy tail, as revenue has."""

    def lognormal(name: str, sigma: float) -> Floats:
        return np.exp(sigma * normal(seed, name, customer_ids) - sigma * sigma / 2)

    return Traits(
        value=np.minimum(lognormal("value", 1.15), 60.0),
        load=np.minimum(lognormal("load", 0.65), 6.0),
        slowness=np.clip(lognormal("slowness", 0.55), 0.2, 5.0),
        risk=np.clip(0.055 * lognormal("risk", 0.8), 0.005, 0.5),
    )


def uniform(seed: int, name: str, ids: Any) -> Floats:
    """A number in [0, 1) for each id, the same on every call with the same seed and name."""
    with np.errstate(over="ignore"):
        state = (np.asarray(ids).astype(np.uint64) + np.uint64(1)) * _GOLDEN + _salt(seed, name)
        state = (state ^ (state >> np.uint64(30))) * _MIX[0]
        state = (state ^ (state >> np.uint64(27))) * _MIX[1]
        state = state ^ (state >> np.uint64(31))
    unit: npt.NDArray[np.float64] = (state >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return unit


def normal(seed: int, name: str, ids: Any) -> Floats:
    """A standard normal number for each id (Box and Muller)."""
    radius = np.sqrt(-2.0 * np.log1p(-uniform(seed, name + "/radius", ids)))
    return radius * np.cos(2.0 * np.pi * uniform(seed, name + "/angle", ids))


def _salt(seed: int, name: str) -> np.uint64:
    digest = hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, "big"))
