"""How good predictions are beside a baseline's, and how sure one can be of it.

Intervals are percentiles of a bootstrap over the test's rows; model and baseline are measured on
the same draws, so that their difference has an interval of its own (Efron and Tibshirani, An
Introduction to the Bootstrap, 1993, chapter 13).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Metric = Callable[[Floats, Floats], float]

DRAWS = 1_000
"""Enough for the ends of a 95% interval: chapter 19.3 there advises at least as many."""
_Z95 = 1.959964


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with the ends of its 95% interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure of the model and of its baseline; ``difference`` is the model's less the baseline's.

    ``form`` formats a value, ``higher`` says whether higher is better.
    """

    name: str
    model: Interval
    baseline: Interval
    difference: Interval
    higher: bool
    form: str = ".4f"

    @property
    def gain(self) -> Interval:
        """The improvement as a share of the baseline's value, positive where the model is better."""
        scale = (1 if self.higher else -1) / (abs(self.baseline.value) or 1.0)
        ends = sorted((self.difference.low * scale, self.difference.high * scale))
        return Interval(self.difference.value * scale, *ends)

    @property
    def better(self) -> bool:
        """Whether the model is better by more than chance: the whole interval lies on the good side."""
        return self.gain.low > 0

    @property
    def worse(self) -> bool:
        """Whether the baseline is better by more than chance."""
        return self.gain.high < 0


@dataclass(frozen=True, slots=True)
class Metrics:
    """A metric with its name, direction and format."""

    name: str
    metric: Metric
    higher: bool
    form: str = ".4f"


def measure(
    metrics: Sequence[Metrics], actual: Floats, model: Floats, baseline: Floats, seed: int, draws: int = DRAWS
) -> list[Measure]:
    """Every metric of both predictions of ``actual``, all three arrays of the same length."""
    random = np.random.default_rng(seed)
    drawn = [random.integers(0, len(actual), len(actual)) for _ in range(draws)]
    return [
        compared(
            each.name,
            (each.metric(actual, model), np.array([each.metric(actual[rows], model[rows]) for rows in drawn])),
            (each.metric(actual, baseline), np.array([each.metric(actual[rows], baseline[rows]) for rows in drawn])),
            higher=each.higher,
            form=each.form,
        )
        for each in metrics
    ]


def compared(
    name: str, model: tuple[float, Floats], baseline: tuple[float, Floats], *, higher: bool, form: str
) -> Measure:
    """A measure from each side's value and its bootstrap draws, which were the same for both."""
    return Measure(
        name,
        interval(*model),
        interval(*baseline),
        interval(model[0] - baseline[0], model[1] - baseline[1]),
        higher,
        form,
    )


def interval(value: float, draws: Floats) -> Interval:
    """The value between the 2.5th and the 97.5th percentile of its draws; undefined draws are left out."""
    defined = draws[np.isfinite(draws)]
    low, high = np.percentile(defined, [2.5, 97.5]) if len(defined) else (np.nan, np.nan)
    return Interval(float(value), float(low), float(high))


def share(part: int, whole: int) -> Interval:
    """A share with Wilson's score interval, which stays within 0 and 1 (https://doi.org/10.2307/2276774)."""
    if whole == 0:
        return Interval(float("nan"), 0.0, 1.0)
    p, z2 = part / whole, _Z95**2
    centre = (p + z2 / (2 * whole)) / (1 + z2 / whole)
    half = _Z95 * sqrt(p * (1 - p) / whole + z2 / (4 * whole**2)) / (1 + z2 / whole)
    return Interval(p, max(0.0, centre - half), min(1.0, centre + half))


def mean(values: Floats) -> Interval:
    """A mean with its normal interval."""
    middle = float(values.mean())
    half = _Z95 * float(values.std(ddof=1)) / sqrt(len(values)) if len(values) > 1 else 0.0
    return Interval(middle, middle - half, middle + half)


def deciles(predicted: Floats, bins: int = 10) -> list[NDArray[np.intp]]:
    """Positions in groups of nearly equal size, from the lowest to the highest prediction."""
    order = np.argsort(predicted, kind="stable")
    return [part for part in np.array_split(order, bins) if len(part)]


def ranked(actual: Floats, predicted: Floats) -> Floats:
    """The outcomes, highest prediction first; rows of equal prediction share their mean.

    A baseline gives whole groups one prediction, and in which order their rows happen to come says nothing.
    """
    _, group, sizes = np.unique(-predicted, return_inverse=True, return_counts=True)
    return np.repeat(np.bincount(group, weights=actual, minlength=len(sizes)) / sizes, sizes)


def top_share(actual: Floats, predicted: Floats, top: float = 0.1) -> float:
    """The share of the actual total that the ``top`` share of highest predictions holds."""
    total = actual.sum()
    best = ranked(actual, predicted)[: max(1, round(len(actual) * top))]
    return float(best.sum() / total) if total else float("nan")


def blocks(random: np.random.Generator, rows: int, length: int) -> NDArray[np.intp]:
    """Positions drawn in runs of ``length``, going on at the start after the end, for rows that hang together.

    The circular block bootstrap (Politis and Romano, 1992).
    """
    starts = random.integers(0, rows, -(-rows // length))
    drawn = (starts[:, None] + np.arange(length)) % rows
    return drawn.ravel()[:rows]


def verdict(primary: Measure, baseline: str, name: str = "", others: Sequence[Measure] = ()) -> str:
    """The first sentence of a report: whether the model beats its baseline, by how much, and how surely.

    ``name`` stands for the primary measure's own; of ``others``, those that are worse are named.
    """
    m, b, d = (f"{v:{primary.form}}" for v in (primary.model.value, primary.baseline.value, primary.difference.value))
    ends = f"{primary.difference.low:{primary.form}} to {primary.difference.high:{primary.form}}"
    says = "Beats its baseline"
    if not primary.better:
        says = "Worse than its baseline" if primary.worse else "Does not beat its baseline"
    said = f"{says}: {name or primary.name} {m} against {b} of {baseline} (difference {d}, 95% interval {ends})."
    worse = [measure.name for measure in others if measure.worse and measure is not primary]
    return f"{said} It is worse in: {', '.join(worse)}." if worse else said
