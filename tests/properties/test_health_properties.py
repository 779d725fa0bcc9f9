"""Every size and seed of the health world meets the specification, by construction and not by luck."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from generators.health import calibration
from generators.health.core import World, world


@settings(max_examples=40, deadline=None, derandomize=True)
@given(customers=st.sampled_from((0, 1, 2, 17, 1_000)) | st.integers(0, 600), seed=st.integers(0, 2**63))
def test_any_seed_and_size_passes(customers: int, seed: int) -> None:
    report = calibration.report(world(customers, seed), customers)
    assert report.passed, report.text()


@settings(max_examples=30, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**63))
def test_any_seed_meets_every_band_at_the_specifications_size(seed: int) -> None:
    report = calibration.report(world(500, seed), 500)
    assert report.passed, report.text()
    assert all(line.judged for line in report.lines)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(customers=st.integers(0, 300), seed=st.integers(0, 2**63))
def test_the_same_seed_gives_the_same_rows(customers: int, seed: int) -> None:
    first: World = world(customers, seed)
    assert world(customers, seed) == first
