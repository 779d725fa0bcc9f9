"""The models themselves, on made-up examples: what is there is found, and what is not there is not claimed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from etl.errors import ConfigError
from etl.models import backtest, churn, forecast, ltv, segments
from etl.models.evaluation import Floats
from etl.models.report import Outcome

CUTOFFS = {
    "train": (date(2025, 3, 31), date(2025, 6, 30)),
    "test": (date(2025, 9, 30),),
    "score": (date(2025, 12, 31),),
}


def customers(n: int = 500, seed: int = 0) -> pd.DataFrame:
    """Rows of all splits with three features: one that matters, one that does not, and one with holes."""
    random = np.random.default_rng(seed)
    parts = []
    for split, days in CUTOFFS.items():
        for day in days:
            rows = pd.DataFrame({"customer_id": np.arange(n), "cutoff_date": [day] * n, "split": [split] * n})
            rows["segment"] = random.choice(["SMB", "Enterprise"], n)
            rows["tenure_days"] = random.integers(0, 900, n)
            rows["tickets_90"] = random.poisson(3, n).astype(float)
            rows["satisfaction_90"] = np.where(random.random(n) < 0.5, np.nan, random.integers(1, 6, n))
            parts.append(rows)
    return pd.concat(parts, ignore_index=True)


def churners(*, shuffled: bool = False, seed: int = 0) -> pd.DataFrame:
    """Customers who leave the likelier the more tickets they have; shuffled, tickets tell nothing."""
    rows, random = customers(seed=seed), np.random.default_rng(seed + 100)
    risk = 1 / (1 + np.exp(3.5 - 0.7 * rows["tickets_90"]))
    label = random.random(len(rows)) < risk
    rows["has_churned"] = random.permutation(label) if shuffled else label
    rows["has_churned"] = rows["has_churned"].astype(object).where(rows["split"] != "score", None)
    return rows


def payers(*, shuffled: bool = False) -> pd.DataFrame:
    """Customers who pay the more the more tickets they have."""
    rows, random = customers(seed=7), np.random.default_rng(8)
    value = random.gamma(2.0, 50.0 * np.exp(0.4 * rows["tickets_90"]))
    rows["value"] = random.permutation(value) if shuffled else value
    rows.loc[rows["split"] == "score", "value"] = np.nan
    return rows.assign(plan_tier=1)


def months(values: Floats) -> pd.DataFrame:
    first = date(2022, 1, 1)
    days = [date(first.year + i // 12, i % 12 + 1, 1) for i in range(len(values))]
    return pd.DataFrame({"month": days, "revenue": values})


def grown(n: int = 48, noise: float = 0.02) -> Floats:
    """Growth that slows, with a yearly wave."""
    t = np.arange(n)
    wave = 0.35 * np.sin(2 * np.pi * t / 12)
    return np.exp(6 + 1.2 * np.log1p(t) + wave + np.random.default_rng(4).normal(0, noise, n))


def grouped(n: int = 400) -> pd.DataFrame:
    """Three clouds of customers, which the segment does not tell apart."""
    parts = []
    for split, days in ("train", date(2025, 6, 30)), ("score", date(2025, 12, 31)):
        random = np.random.default_rng(5)
        cloud = random.integers(0, 3, n)
        parts.append(
            pd.DataFrame(
                {
                    "customer_id": np.arange(n), "cutoff_date": days, "split": split,
                    "segment": random.choice(["SMB", "Enterprise"], n),
                    "orders_90": np.array([2, 2, 60])[cloud] + random.integers(0, 3, n),
                    "days_since_order": np.array([3, 300, 3])[cloud] + random.integers(0, 3, n),
                    "paid_90": np.array([10.0, 10.0, 900.0])[cloud] + random.random(n),
                }
            )
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As the command does it."""
    with threadpool_limits(1):
        yield


EXAMPLES = {
    "churn": (churn.fit, churners),
    "ltv": (ltv.fit, payers),
    "forecast": (forecast.fit, lambda: months(grown())),
    "segments": (segments.fit, grouped),
}


@cache
def fitted(model: str) -> Outcome:
    """The model of its examples, fitted once."""
    fit, examples = EXAMPLES[model]
    return fit(examples(), 42)


def test_churn_finds_what_is_there() -> None:
    found = fitted("churn")
    assert found.verdict.startswith("Beats its baseline: log loss")
    assert next(f for f in found.figures if f.key == "importances").title.startswith("Tickets, last 90 days")
    assert found.board().period.startswith(found.verdict)


def test_churn_claims_nothing_where_labels_are_shuffled() -> None:
    verdict = churn.fit(churners(shuffled=True), 42).verdict
    assert verdict.startswith(("Does not beat its baseline", "Worse than its baseline"))


def test_churn_is_calibrated_and_scores_everyone_of_today() -> None:
    examples, found = churners(), fitted("churn").predictions
    today = examples[examples["split"] == "score"]
    assert sorted(found["customer_id"]) == sorted(today["customer_id"])
    label = examples.loc[examples["split"] == "test", "has_churned"].astype(float)
    assert found["churn_probability"].mean() == pytest.approx(label.mean(), abs=0.06)
    assert found.groupby("risk_decile")["churn_probability"].min().is_monotonic_decreasing
    assert found["risk_decile"].value_counts().nunique() == 1


def test_values_that_follow_a_column_are_found_and_shuffled_ones_are_not() -> None:
    assert fitted("ltv").verdict.startswith("Beats its baseline: root mean squared error")
    assert not ltv.fit(payers(shuffled=True), 42).verdict.startswith("Beats")


def test_a_curve_and_a_wave_are_foretold() -> None:
    found = fitted("forecast")
    assert found.verdict.startswith("Beats its baseline: error")
    assert found.primary.model.value < 0.06
    assert list(found.predictions["month"]) == [date(2026, m, 1) for m in range(1, 7)]
    assert (found.predictions["lower_80"] < found.predictions["predicted_revenue"]).all()


def test_a_walk_without_direction_is_not_claimed_to_be_foretold() -> None:
    steps = np.random.default_rng(11).normal(0, 0.15, 48)
    found = forecast.fit(months(np.exp(8 + np.cumsum(steps))), 42)
    assert not found.verdict.startswith("Beats")


def test_no_origin_knows_a_later_month() -> None:
    values = grown()
    changed = values.copy()
    changed[40:] *= 3
    before, after = backtest.backtest(values), backtest.backtest(changed)
    known = [i for i, origin in enumerate(before.origins) if origin <= 40]
    assert known
    for name in ("model", "low", "high"):
        np.testing.assert_array_equal(getattr(before, name)[known], getattr(after, name)[known])
    for name in before.baselines:
        np.testing.assert_array_equal(before.baselines[name][known], after.baselines[name][known])


@pytest.mark.parametrize("walk", [False, True], ids=["noise", "walk"])
def test_intervals_hold_about_what_they_say_at_every_horizon(walk: bool) -> None:
    """Also where errors grow with the months ahead, as those of a random walk do."""
    within, judged = np.zeros(6), np.zeros(6)
    for seed in range(8):
        steps = np.random.default_rng(seed).normal(0, 0.06, 60)
        series = np.exp(8 + np.cumsum(steps)) if walk else grown(60, 0.0) * np.exp(steps)
        w, j = backtest.coverage(backtest.backtest(series))
        within, judged = within + w, judged + j
    assert (judged > 100).all()
    assert ((within / judged > 0.65) & (within / judged < 0.97)).all(), within / judged


def test_naive_forecasts_by_hand() -> None:
    known = np.arange(1.0, 25.0)
    assert backtest.naive(known).tolist() == [24.0] * 6
    assert backtest.seasonal_naive(known).tolist() == [13.0, 14.0, 15.0, 16.0, 17.0, 18.0]
    assert backtest.seasonal_growth(known)[0] == pytest.approx(13 * (22 + 23 + 24) / (10 + 11 + 12))


def test_clouds_are_found_again() -> None:
    found = fitted("segments")
    assert found.verdict.startswith("Beats its baseline: silhouette")
    assert "The 3 groups are stable" in found.verdict
    assert found.predictions["cluster"].value_counts().is_monotonic_decreasing
    assert sorted(found.predictions["cluster"].unique()) == [1, 2, 3]


@pytest.mark.parametrize("model", EXAMPLES)
def test_the_same_seed_gives_the_same_report(model: str) -> None:
    fit, examples = EXAMPLES[model]
    first, second = fitted(model), fit(examples(), 42)
    assert first.rows() == second.rows()
    assert first.figures == second.figures
    pd.testing.assert_frame_equal(first.predictions, second.predictions)


@pytest.mark.parametrize(
    ("fit", "examples", "words"),
    [
        (churn.fit, churners()[lambda rows: rows["customer_id"] < 40], "needs at least 200 customers in training"),
        (churn.fit, churners().assign(has_churned=False), "customers who left and as many who stayed in training"),
        (ltv.fit, payers()[lambda rows: rows["split"] != "test"], "needs at least 100 customers in the test"),
        (ltv.fit, payers().assign(value=0.0), "customers in training who paid"),
        (forecast.fit, months(grown(20)), "needs at least 30 complete months, and there are 20"),
        (forecast.fit, months(np.zeros(40)), "months with revenue"),
        (segments.fit, grouped(50), "customers half a year ago"),
        (segments.fit, grouped(0), "customers half a year ago"),
    ],
)
def test_too_little_is_refused(fit: Any, examples: pd.DataFrame, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as refused:
        fit(examples, 42)
    assert refused.value.remedy


def test_holes_texts_never_seen_and_nobody_to_score_are_no_matter() -> None:
    rows = churners()
    rows = rows[rows["split"] != "score"].copy()
    rows["satisfaction_90"] = np.nan
    rows.loc[rows["split"] == "test", "segment"] = "Government"
    found = churn.fit(rows, 42)
    assert np.isfinite([m.model.value for m in found.measures]).all()
    assert found.predictions.empty
