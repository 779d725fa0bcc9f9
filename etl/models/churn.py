"""Who is going to cancel: logistic regression, beside the churn rate of a customer's own kind."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from etl.models.evaluation import Floats, Metrics, measure, top_share, verdict
from etl.models.features import Split, group_means, groups, linear, require, shuffled, splits
from etl.models.report import PERCENT, Outcome, calibration, gains, importances

_LABEL = "has_churned"
_KINDS = ("days_since_use", "tenure_days"), ("segment", "plan")
_BANDS = (-1, 7, 30, 90, 180, 365, 730, np.inf)
_LEAST_TRAINING, _LEAST_TEST, _LEAST_CHURNS = 200, 100, 10


def _log_loss(actual: Floats, predicted: Floats) -> float:
    told = np.clip(np.where(actual > 0, predicted, 1 - predicted), 1e-15, 1.0)
    return float(-np.log(told).mean())


def _area(actual: Floats, predicted: Floats) -> float:
    """The area under the ROC curve: how often who left was ranked above who stayed, by the sum of ranks."""
    left = actual > 0
    ranked, n = rankdata(predicted)[left].sum(), int(left.sum())
    return float((ranked - n * (n + 1) / 2) / (n * (len(actual) - n)))


def _average_precision(actual: Floats, predicted: Floats) -> float:
    """The precision at each threshold, weighted by the rise of the recall there (as scikit-learn defines it)."""
    _, group, sizes = np.unique(-predicted, return_inverse=True, return_counts=True)
    left = np.bincount(group, weights=actual, minlength=len(sizes))
    precision = np.cumsum(left) / np.cumsum(sizes)
    return float((precision * left).sum() / left.sum())


def _undefined(metric: Metrics) -> Metrics:
    """The metric, undefined where a draw has one outcome only."""

    def guarded(actual: Floats, predicted: Floats) -> float:
        return float(metric.metric(actual, predicted)) if 0 < actual.sum() < len(actual) else float("nan")

    return Metrics(metric.name, guarded, metric.higher, metric.form)


METRICS = [
    _undefined(metric)
    for metric in (
        Metrics("log loss", _log_loss, higher=False),
        Metrics("ROC AUC", _area, higher=True),
        Metrics("average precision", _average_precision, higher=True),
        Metrics("churn in the riskiest tenth", top_share, higher=True, form=PERCENT),
        Metrics("Brier score", lambda y, p: float(np.square(y - p).mean()), higher=False),
    )
]


def fit(examples: pd.DataFrame, seed: int) -> Outcome:
    """Learn from the training rows, judge on the test's, score today's; raises ``ConfigError`` for too few."""
    parts = splits(examples, _LABEL)
    train, test, score = parts["train"], parts["test"], parts["score"]
    _check(train, test)
    model = make_pipeline(linear(train.known), LogisticRegression(C=0.1, max_iter=2_000))
    model.fit(train.known, train.label)
    predicted = model.predict_proba(test.known)[:, 1]
    baseline = _baseline(train, test)
    measures = measure(METRICS, test.label, predicted, baseline, seed)
    cost = shuffled(model, test, "neg_log_loss", seed)
    kind = " and ".join(name.replace("_", " ") for name in _kinds(test.known))
    return Outcome(
        model="churn",
        title="Churn model",
        verdict=verdict(measures[0], f"the churn rate by {kind}", others=measures),
        facts=_facts(train, test, score),
        primary=measures[0],
        measures=measures,
        figures=[
            calibration(test.label, predicted, form=PERCENT, unit="churn", rate=True),
            gains(test.label, predicted, baseline, "the churn"),
            importances(list(test.known.columns), *cost, "log loss"),
        ],
        predictions=_predictions(score, model.predict_proba(score.known)[:, 1] if len(score.known) else np.empty(0)),
    )


def _check(train: Split, test: Split) -> None:
    require("churn", "customers in training", len(train.label), _LEAST_TRAINING)
    require("churn", "customers in the test", len(test.label), _LEAST_TEST)
    for part, where in ((train, "training"), (test, "the test")):
        least = int(min(part.label.sum(), (1 - part.label).sum()))
        require("churn", f"customers who left and as many who stayed in {where}", least, _LEAST_CHURNS)


def _kinds(known: pd.DataFrame) -> list[str]:
    """The columns that make a customer's kind: the first of each choice that is there."""
    return [next(name for name in choice if name in known.columns) for choice in _KINDS]


def _baseline(train: Split, test: Split) -> Floats:
    by = _kinds(train.known)
    rates = group_means(train, groups(test.known, by, _BANDS), groups(train.known, by, _BANDS))
    return np.clip(rates, 1e-6, 1 - 1e-6)


def _facts(train: Split, test: Split, score: Split) -> list[str]:
    cutoffs = train.keys["cutoff_date"]
    return [
        f"Learned from {len(train.label):,} rows at {cutoffs.nunique()} cut-offs from {cutoffs.min()} to "
        f"{cutoffs.max()}, judged on {len(test.label):,} customers as of {test.keys['cutoff_date'].max()}, "
        f"{test.label.mean():.1%} of whom left in the window that followed.",
        f"{len(score.known):,} customers of today are scored in marts.churn_predictions.",
    ]


def _predictions(score: Split, probability: Floats) -> pd.DataFrame:
    found = score.keys.assign(churn_probability=probability)
    ranked = found.sort_values(["churn_probability", "customer_id"], ascending=[False, True])
    return ranked.assign(risk_decile=tenths(len(ranked)))


def tenths(rows: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """NTILE(10) of rows in order: 1 for the first; the first groups take the rows that are left over."""
    sizes = [rows // 10 + (i < rows % 10) for i in range(10)]
    return np.repeat(np.arange(1, 11), sizes)
