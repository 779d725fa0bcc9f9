"""Random streams that do not depend on who draws from them, or when.

Each (seed, purpose, shard) has a counter-based stream of its own, so rows come out the same for
one worker or twenty (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11).
"""

from __future__ import annotations

import hashlib

import numpy as np
from faker import Faker


def stream(seed: int, purpose: str, shard: int = 0) -> np.random.Generator:
    """The generator of (``seed``, ``purpose``, ``shard``): the same draws in every process."""
    return np.random.Generator(np.random.Philox(key=_key(seed, purpose, shard)))


def faker_stream(seed: int, purpose: str, shard: int = 0, locale: str = "en_US") -> Faker:
    """A Faker of its own for (``seed``, ``purpose``, ``shard``); touches no shared state."""
    fake = Faker(locale, use_weighting=False)
    fake.seed_instance(_key(seed, purpose, shard))
    return fake


def _key(seed: int, purpose: str, shard: int) -> int:
    digest = hashlib.blake2b(f"{seed}/{purpose}/{shard}".encode(), digest_size=16).digest()
    return int.from_bytes(digest, "big")
