"""Whatever the seed and the size, the world is possible and repeats itself."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from generators.hopify import generate, simulate
from generators.hopify.acquisition import planned, signups
from generators.hopify.campaigns import yearly
from generators.hopify.columns import NULL
from generators.hopify.invariants import invariants
from generators.hopify.rows import world_rows
from generators.hopify.traits import uniform

seeds = st.integers(0, 2**31)


@settings(max_examples=6, deadline=None)
@given(seed=seeds, customers=st.integers(0, 150), days=st.integers(0, 3))
def test_any_world_is_possible(seed: int, customers: int, days: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "world.db"
        generate(f"sqlite:///{path}", customers=customers, seed=seed)
        simulate(f"sqlite:///{path}", days=days)
        with closing(sqlite3.connect(path)) as connection:
            broken = [name for name, query in invariants().items() if connection.execute(query).fetchall()]
    assert broken == []


@settings(max_examples=4, deadline=None)
@given(seed=seeds, customers=st.integers(0, 60))
def test_a_world_repeats_itself(seed: int, customers: int) -> None:
    first, second = (list(world_rows(seed, customers)) for _ in range(2))
    assert first == second


@settings(max_examples=12, deadline=None)
@given(seed=seeds, customers=st.integers(0, 20_000), cuts=st.lists(st.integers(0, 20_000), max_size=4))
def test_signups_are_the_same_in_any_parts(seed: int, customers: int, cuts: list[int]) -> None:
    campaigns, _, _ = yearly(seed)
    plan = planned(seed, customers, campaigns)
    whole = signups(seed, plan, campaigns, 0, customers)
    bounds = sorted({0, customers, *(cut for cut in cuts if cut < customers)})
    parts = [signups(seed, plan, campaigns, first, last) for first, last in pairwise(bounds)]
    assert int(plan.sum()) == len(whole.day) == customers
    assert np.all(np.diff(whole.day) >= 0)
    for name in ("day", "channel", "campaign"):
        joined = [getattr(part, name) for part in parts]
        assert np.array_equal(np.concatenate([*joined, np.zeros(0, np.int64)]), getattr(whole, name))
    credited = whole.campaign != NULL
    at = whole.campaign[credited] - 1
    assert np.array_equal(campaigns.channel[at], whole.channel[credited])
    assert np.all((campaigns.first[at] <= whole.day[credited]) & (whole.day[credited] <= campaigns.last[at]))


@settings(max_examples=50, deadline=None)
@given(seed=seeds, first=st.integers(1, 10**7))
def test_hashed_numbers_are_uniform_and_their_own(seed: int, first: int) -> None:
    ids = np.arange(first, first + 2_000)
    drawn = uniform(seed, "test", ids)
    assert np.array_equal(drawn[500:600], uniform(seed, "test", ids[500:600]))
    assert drawn.min() >= 0
    assert drawn.max() < 1
    # The mean of 2,000 uniform numbers has a standard deviation of 0.0065.
    assert abs(float(drawn.mean()) - 0.5) < 0.04
