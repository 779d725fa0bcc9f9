"""Measures of models: intervals, differences, and the sentence that sums them up."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from etl.models import churn
from etl.models.evaluation import (
    Interval,
    Measure,
    Metrics,
    blocks,
    deciles,
    interval,
    mean,
    measure,
    ranked,
    share,
    top_share,
    verdict,
)

ERROR = Metrics("error", lambda y, p: float(np.abs(y - p).mean()), higher=False)


def _measure(difference: Interval, *, higher: bool) -> Measure:
    zero = Interval(1.0, 0.9, 1.1)
    return Measure("skill", zero, zero, difference, higher)


@pytest.mark.parametrize(
    ("difference", "higher", "better", "worse"),
    [
        (Interval(0.2, 0.1, 0.3), True, True, False),
        (Interval(0.2, 0.1, 0.3), False, False, True),
        (Interval(-0.2, -0.3, -0.1), False, True, False),
        (Interval(0.2, -0.1, 0.5), True, False, False),
        (Interval(0.0, 0.0, 0.0), True, False, False),
        (Interval(float("nan"), float("nan"), float("nan")), True, False, False),
    ],
)
def test_only_an_interval_on_one_side_is_better_or_worse(
    difference: Interval, higher: bool, better: bool, worse: bool
) -> None:
    found = _measure(difference, higher=higher)
    assert (found.better, found.worse) == (better, worse)


@pytest.mark.parametrize(
    ("difference", "says"),
    [
        (Interval(-0.2, -0.3, -0.1), "Beats its baseline: "),
        (Interval(-0.2, -0.5, 0.1), "Does not beat its baseline: "),
        (Interval(0.2, 0.1, 0.3), "Worse than its baseline: "),
    ],
)
def test_the_verdict_says_what_the_interval_says(difference: Interval, says: str) -> None:
    sentence = verdict(_measure(difference, higher=False), "guessing")
    assert sentence.startswith(says)
    assert "of guessing" in sentence


def test_the_verdict_names_what_became_worse() -> None:
    good, bad = _measure(Interval(0.2, 0.1, 0.3), higher=True), _measure(Interval(0.2, 0.1, 0.3), higher=False)
    assert "worse" not in verdict(good, "guessing", others=[good, good])
    assert verdict(good, "guessing", others=[good, bad]).endswith("It is worse in: skill.")


def test_the_difference_is_measured_on_the_same_draws() -> None:
    """A baseline that is off by one more in every row is worse by exactly one in every draw."""
    random = np.random.default_rng(1)
    actual = random.normal(size=300)
    model = actual + random.exponential(size=300)
    (found,) = measure([ERROR], actual, model, model + 1, seed=5)
    assert (found.difference.low, found.difference.high) == pytest.approx((-1, -1))
    assert found.model.low < found.model.value < found.model.high


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    held = 0
    for seed in range(60):
        values = np.random.default_rng(seed).normal(3.0, 1.0, 80)
        (found,) = measure([ERROR], values, np.zeros(80), np.zeros(80), seed, draws=200)
        held += found.model.low <= 3.0 <= found.model.high
    assert binomtest(held, 60, 0.95).pvalue > 0.001


def test_undefined_draws_are_left_out() -> None:
    found = interval(1.0, np.array([np.nan, 1.0, 2.0]))
    assert (found.low, found.high) == (pytest.approx(1.025), pytest.approx(1.975))


@pytest.mark.parametrize(("part", "whole"), [(0, 10), (3, 10), (10, 10), (1, 1), (57, 1000)])
def test_a_share_has_wilsons_interval(part: int, whole: int) -> None:
    expected = binomtest(part, whole).proportion_ci(method="wilson")
    found = share(part, whole)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-7)


def test_a_share_of_nothing_may_be_anything() -> None:
    found = share(0, 0)
    assert (found.low, found.high) == (0.0, 1.0)


def test_a_mean_of_one_value_has_no_width() -> None:
    assert mean(np.array([4.0])) == Interval(4.0, 4.0, 4.0)


def test_tenths_are_of_nearly_equal_size_and_in_order() -> None:
    predicted = np.random.default_rng(3).permutation(23).astype(float)
    parts = deciles(predicted)
    assert sorted(len(part) for part in parts) == [2] * 7 + [3] * 3
    assert [predicted[part].min() for part in parts] == sorted(predicted[part].min() for part in parts)
    assert churn.tenths(23).tolist() == [1] * 3 + [2] * 3 + [3] * 3 + [d for d in range(4, 11) for _ in range(2)]


def test_the_first_tenth_by_hand() -> None:
    actual, predicted = np.array([8.0] + [1.0] * 9), np.arange(10, 0, -1.0)
    assert top_share(actual, predicted) == pytest.approx(8 / 17)
    assert top_share(actual, -predicted) == pytest.approx(1 / 17)
    assert np.isnan(top_share(np.zeros(10), predicted))


def test_rows_of_equal_prediction_share_what_they_hold() -> None:
    """The order in which they come changes nothing: half of a tied group is half of what it holds."""
    actual, predicted = np.array([4.0, 0.0, 0.0, 0.0, 1.0, 1.0]), np.array([0.9, 0.9, 0.9, 0.9, 0.1, 0.1])
    for order in (slice(None), slice(None, None, -1)):
        assert ranked(actual[order], predicted[order]).tolist() == [1.0] * 6
        assert top_share(actual[order], predicted[order], 1 / 3) == pytest.approx(2 / 6)


def test_blocks_are_runs() -> None:
    drawn = blocks(np.random.default_rng(2), 14, 6)
    assert len(drawn) == 14
    assert set(drawn) <= set(range(14))
    for run in (drawn[:6], drawn[6:12]):
        assert ((np.diff(run) % 14) == 1).all()


def test_churns_measures_are_those_of_scikit_learn() -> None:
    random = np.random.default_rng(9)
    actual = (random.random(200) < 0.3).astype(float)
    predicted = np.round(np.clip(actual * 0.2 + random.random(200) * 0.7, 0.01, 0.99), 2)
    by_name = {metric.name: metric.metric(actual, predicted) for metric in churn.METRICS}
    assert by_name["ROC AUC"] == pytest.approx(roc_auc_score(actual, predicted))
    assert by_name["average precision"] == pytest.approx(average_precision_score(actual, predicted))
    assert by_name["log loss"] == pytest.approx(log_loss(actual, predicted))
    assert np.isnan(churn.METRICS[1].metric(np.zeros(5), np.ones(5)))
