"""The calibration report judges soundly and reads well."""

from __future__ import annotations

import math

import numpy as np
import pytest

from generators.calibration import (
    Line,
    Report,
    Unit,
    at_least,
    curve_tolerance,
    exactly,
    invariant,
    mean_tolerance,
    near,
    share_tolerance,
    sum_tolerance,
    total,
    within,
)


def test_an_invariant_fails_on_one_violation_at_any_size() -> None:
    assert invariant("orphans", 0).passed
    assert not invariant("orphans", 1).passed


@pytest.mark.parametrize(
    ("line", "passed"),
    [
        (near("plan", 0.40, 0.41, 0.02), True),
        (near("plan", 0.40, 0.43, 0.02), False),
        (near("plan", 0.40, None, 0.02), True),
        (within("churn", 0.05, 0.08, 0.08), True),
        (within("churn", 0.05, 0.08, 0.0801), False),
        (within("churn", 0.05, 0.08, 0.09, 0.02), True),
        (total("rows", 100, 111, 0.1, judged=True), False),
        (total("rows", 100, 111, 0.1, judged=False), True),
        (at_least("cases", 1, 0, judged=True), False),
        (at_least("cases", 1, 10**9, judged=True), True),
        (exactly("customers", 17, 17), True),
        (exactly("customers", 17, 16), False),
        (near("not a number", 0.5, math.nan, 0.1), False),
    ],
)
def test_judgement(line: Line, passed: bool) -> None:
    assert line.passed is passed


def test_tolerances_widen_as_the_sample_shrinks_and_end_in_anything_goes() -> None:
    shares = [share_tolerance(0.4, n) for n in (1_000_000, 100_000, 1_000, 17, 1, 0)]
    assert shares == sorted(shares)
    assert shares[0] < 0.003
    assert shares[-1] == 1.0
    assert mean_tolerance(1.0, 3.0, 0) == math.inf
    assert curve_tolerance(0) == math.inf
    assert curve_tolerance(4) == 1.0
    assert sum_tolerance(0.0, 0.0) == 0.0


@pytest.mark.parametrize("sample", [1, 2, 17, 1_000])
def test_sound_samples_stay_within_their_tolerance(sample: int) -> None:
    rng = np.random.default_rng(sample)
    hits = rng.binomial(sample, 0.05, 20_000) / sample
    assert np.abs(hits - 0.05).max() <= share_tolerance(0.05, sample)
    counts = rng.poisson(0.3 * sample, 20_000)
    assert np.abs(counts - 0.3 * sample).max() <= sum_tolerance(0.3 * sample, 1)


def test_a_wrong_share_of_many_customers_is_seen() -> None:
    assert not near("plan", 0.40, 0.42, share_tolerance(0.40, 100_000)).passed


def test_text_shows_every_number_and_counts_failures() -> None:
    report = Report(
        "churn",
        1234,
        (
            near("plan Free", 0.40, 0.41, 0.02),
            total("rows", 4_000_000, 12_000, 0.05, judged=False),
            invariant("orphans", 3),
            within("churn", 0.05, 0.08, None),
            at_least("cases", 1, 5, judged=True),
            exactly("MRR", 50_000, 50_000, unit=Unit.MONEY),
        ),
    )
    text = report.text()
    lines = text.splitlines()
    assert lines[0] == "Calibration of churn, 1,234 customers"
    assert next(line for line in lines if line.startswith("plan Free")).split() == (
        ["plan", "Free", "40.00", "%", "41.00", "%", "±", "2.00", "%", "ok"]
    )
    assert next(line for line in lines if line.startswith("orphans")).endswith("exact  FAIL")
    assert next(line for line in lines if line.startswith("rows")).endswith("-")
    assert "5.00 % to 8.00 %" in text
    assert "nothing to measure" in text
    assert "at least 1" in text
    assert "$50,000" in text
    assert lines[-1] == "4 numbers judged, 1 failed, 2 not judged here"
    assert not report.passed
    assert [line.measure for line in report.failures] == ["orphans"]
