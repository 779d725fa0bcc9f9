"""How much a customer is going to pay: boosted trees, beside the mean of the customer's segment and plan."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from sklearn.ensemble import HistGradientBoostingRegressor

from etl.models.churn import tenths
from etl.models.evaluation import Floats, Metrics, measure, top_share, verdict
from etl.models.features import Split, group_means, groups, require, shuffled, splits
from etl.models.report import PERCENT, Outcome, calibration, gains, importances

_LABEL = "value"
_KINDS = ("segment", "plan_tier", "plan")
_LEAST_TRAINING, _LEAST_TEST = 200, 100
_MONEY = ",.0f"


def _error(actual: Floats, predicted: Floats) -> float:
    return float(np.abs(actual - predicted).mean())


def _root_square(actual: Floats, predicted: Floats) -> float:
    return float(np.sqrt(np.square(actual - predicted).mean()))


def _bias(actual: Floats, predicted: Floats) -> float:
    """How far the total is off, as a share of it."""
    total = actual.sum()
    return float(abs(predicted.sum() - total) / total) if total else float("nan")


def _order(actual: Floats, predicted: Floats) -> float:
    """Spearman's rank correlation, undefined where either is constant."""
    ranks = rankdata(actual), rankdata(predicted)
    if any(each.std() == 0 for each in ranks):
        return 0.0
    return float(np.corrcoef(*ranks)[0, 1])


METRICS = [
    # Squared error leads, because a mean is what is predicted and asked for, and only it rewards the mean.
    Metrics("root mean squared error", _root_square, higher=False, form=_MONEY),
    Metrics("mean absolute error", _error, higher=False, form=_MONEY),
    Metrics("rank correlation", _order, higher=True, form=".3f"),
    Metrics("value in the first tenth", top_share, higher=True, form=PERCENT),
    Metrics("error of the total", _bias, higher=False, form=PERCENT),
]


def fit(examples: pd.DataFrame, seed: int) -> Outcome:
    """Learn from the training rows, judge on the test's, score today's; raises ``ConfigError`` for too few."""
    parts = splits(examples, _LABEL)
    train, test, score = parts["train"], parts["test"], parts["score"]
    require("ltv", "customers in training", len(train.label), _LEAST_TRAINING)
    require("ltv", "customers in the test", len(test.label), _LEAST_TEST)
    require("ltv", "customers in training who paid", int((train.label > 0).sum()), 20)
    model = HistGradientBoostingRegressor(
        loss="poisson",  # value is never negative and its spread grows with it
        learning_rate=0.05,
        max_iter=80,
        max_leaf_nodes=15,
        min_samples_leaf=50,
        l2_regularization=1.0,
        categorical_features="from_dtype",
        early_stopping=False,
        random_state=seed,
    )
    model.fit(train.known, train.label)
    predicted = model.predict(test.known)
    baseline = group_means(train, groups(test.known, _KINDS, ()), groups(train.known, _KINDS, ()))
    measures = measure(METRICS, test.label, predicted, baseline, seed)
    cost = shuffled(model, test, "neg_root_mean_squared_error", seed)
    kind = " and ".join(name for name in _KINDS if name in test.known)
    return Outcome(
        model="ltv",
        title="Lifetime value model",
        verdict=verdict(measures[0], f"the mean by {kind}", others=measures),
        facts=_facts(train, test, score),
        primary=measures[0],
        measures=measures,
        figures=[
            calibration(test.label, predicted, form=_MONEY, unit="value", rate=False),
            gains(test.label, predicted, baseline, "the value"),
            importances(list(test.known.columns), *cost, "squared error's root"),
        ],
        predictions=_predictions(score, model.predict(score.known) if len(score.known) else np.empty(0)),
    )


def _facts(train: Split, test: Split, score: Split) -> list[str]:
    cutoffs = train.keys["cutoff_date"]
    return [
        f"Learned from {len(train.label):,} rows at {cutoffs.nunique()} cut-offs from {cutoffs.min()} to "
        f"{cutoffs.max()}, judged on {len(test.label):,} customers as of {test.keys['cutoff_date'].max()}, who paid "
        f"{test.label.mean():,.0f} each on average in the window that followed.",
        f"{len(score.known):,} customers of today are scored in marts.ltv_predictions.",
    ]


def _predictions(score: Split, value: Floats) -> pd.DataFrame:
    found = score.keys.assign(predicted_value=np.maximum(value, 0.0))
    ranked = found.sort_values(["predicted_value", "customer_id"], ascending=[False, True])
    return ranked.assign(value_decile=tenths(len(ranked)))
