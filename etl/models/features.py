"""Examples as matrices: which columns are features, and what is done to them before a model sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.inspection import permutation_importance
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from etl.errors import ConfigError
from etl.models.evaluation import Floats

KEYS = ("customer_id", "cutoff_date", "split")
_PLACES = ("months_back", "days_back", "is_subscribed", "is_at_risk")
"""Columns that say which snapshots are examples: the same in every row, or the split by another name."""
_SAMPLE, _REPEATS = 4_000, 5
_RARE = 10


@dataclass(frozen=True, slots=True)
class Split:
    """The rows of one split: what is known of each, and its label (empty for rows to be scored)."""

    keys: pd.DataFrame
    known: pd.DataFrame
    label: Floats


def splits(examples: pd.DataFrame, label: str) -> dict[str, Split]:
    """The examples by split, ``train``, ``test`` and ``score``, each in the order of the examples."""
    known = _plain(examples[[name for name in examples.columns if name not in (*KEYS, *_PLACES, label)]])
    found = {}
    for name in ("train", "test", "score"):
        rows = examples["split"] == name
        outcome = np.empty(0) if name == "score" else np.asarray(examples.loc[rows, label], dtype=np.float64)
        found[name] = Split(examples.loc[rows, ["customer_id", "cutoff_date"]], known[rows], outcome)
    return found


def require(model: str, what: str, found: int, needed: int) -> None:
    """Raise ``ConfigError`` if there is too little to learn from or to judge by."""
    if found < needed:
        raise ConfigError(
            f"model {model} needs at least {needed:,} {what}, and there are {found:,}",
            "sync a source with more customers or a longer history",
        )


def linear(known: pd.DataFrame) -> ColumnTransformer:
    """Numbers as standardised logarithms with what is missing marked, texts as one column a value.

    Logarithms, because counts and amounts have a heavy tail.
    """
    numbers, texts = columns(known)
    log = FunctionTransformer(_log, feature_names_out="one-to-one")
    fill = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    return ColumnTransformer(
        [
            ("numbers", make_pipeline(log, fill, StandardScaler()), numbers),
            ("texts", OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=_RARE), texts),
        ]
    )


def columns(known: pd.DataFrame) -> tuple[list[str], list[str]]:
    """The names of the columns of numbers and of those of texts."""
    texts = [name for name in known.columns if isinstance(known[name].dtype, pd.CategoricalDtype)]
    return [name for name in known.columns if name not in texts], texts


def groups(known: pd.DataFrame, by: Sequence[str], bands: Sequence[float]) -> pd.Series[Any]:
    """A label for each row: the columns ``by`` that are there; the first number among them in ``bands``."""
    parts = [
        pd.cut(known[name], list(bands)).astype(str) if name in columns(known)[0] and bands else known[name].astype(str)
        for name in by
        if name in known.columns
    ]
    joined: pd.Series[Any] = pd.concat(parts, axis=1).agg(" ".join, axis=1)
    return joined


def group_means(train: Split, test: pd.Series[Any], grouped: pd.Series[Any]) -> Floats:
    """Each test row's mean label of its group in training; the overall mean for a group not seen there."""
    means = pd.Series(train.label, index=grouped.index).groupby(grouped).mean()
    return np.asarray(test.map(means).fillna(train.label.mean()), dtype=np.float64)


def shuffled(model: Any, test: Split, scoring: str, seed: int) -> tuple[Floats, Floats]:
    """The mean cost of shuffling each column of the test, and its deviation over repeats."""
    random = np.random.default_rng(seed)
    rows = np.sort(random.permutation(len(test.label))[:_SAMPLE])
    found = permutation_importance(
        model, test.known.iloc[rows], test.label[rows], scoring=scoring, n_repeats=_REPEATS, random_state=seed
    )
    return np.asarray(found.importances_mean), np.asarray(found.importances_std)


def _plain(known: pd.DataFrame) -> pd.DataFrame:
    """Numbers as floats, NULL as NaN, and texts as categories."""
    return pd.DataFrame(
        {
            name: column.astype("category" if pd.api.types.is_string_dtype(column) else "float64")
            for name, column in known.items()
        }
    )


def _log(values: Any) -> Any:
    return np.sign(values) * np.log1p(np.abs(values))
