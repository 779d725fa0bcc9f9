"""Which groups customers fall into: k-means, beside the label sales gave them and beside a grid of halves.

The centres are those of half a year ago, and judged on today's customers by the silhouette
(Rousseeuw, 1987, https://doi.org/10.1016/0377-0427(87)90125-7): 1 far from other groups, 0 between
them. k-means seeks such groups, so a lead is to be expected; stability says whether they are there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_samples, silhouette_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from etl.models.evaluation import DRAWS, Floats, Interval, Measure, compared, interval, verdict
from etl.models.features import KEYS, require
from etl.models.report import Outcome, named
from etl.publish import charts
from etl.publish.figures import Figure, count

Labels = NDArray[np.int64]

LABELS = ("segment", "plan")
RECENCY, FREQUENCY, MONEY = (
    ("days_since_order", "days_since_use"),
    ("orders_90", "active_days_30"),
    ("paid_90", "amount_billed"),
)
COUNTS = range(3, 9)
"""How many groups there may be; two halves would be farthest apart, and no segmentation."""
STABLE = 0.8
"""Mean adjusted Rand index over other seeds and samples from which on groups are called stable."""
_RESEEDED, _STARTS, _SAMPLE, _LEAST = 10, 4, 2_000, 100


def fit(examples: pd.DataFrame, seed: int) -> Outcome:
    """Find groups half a year ago, judge them on today's customers; raises ``ConfigError`` for too few."""
    train, today = (examples[examples["split"] == name] for name in ("train", "score"))
    require("segments", "customers half a year ago", len(train), _LEAST)
    require("segments", "customers today", len(today), _LEAST)
    features = [name for name in examples.columns if name not in (*KEYS, *LABELS)]
    scale = make_pipeline(FunctionTransformer(np.log1p), StandardScaler())
    then = scale.fit_transform(train[features].to_numpy(dtype=float))
    now = scale.transform(today[features].to_numpy(dtype=float))
    silhouettes = _silhouettes(then, seed)
    k = max(silhouettes, key=lambda each: silhouettes[each])
    model = _fitted(then, k, seed)
    cluster, distance = _assigned(model, now)
    measures = _measures(now, cluster, today, seed)
    stability = _stability(then, now, model, seed)
    primary = min(measures, key=lambda m: m.difference.value)
    return Outcome(
        model="segments",
        title="Customer segments",
        verdict=_verdict(primary, k, stability),
        facts=_facts(train, today, k, stability),
        primary=primary,
        measures=measures,
        figures=[_profile(now, cluster, today, features), _sizes(cluster, today), _choice(silhouettes, k)],
        predictions=today[["customer_id", "cutoff_date"]].assign(cluster=cluster, distance=distance),
    )


def _fitted(rows: Floats, k: int, seed: int) -> Any:
    return KMeans(k, n_init=_STARTS, random_state=seed).fit(rows)


def _assigned(model: Any, rows: Floats) -> tuple[Labels, Floats]:
    """Each row's group, counted from 1, the largest first, and its distance to the group's centre."""
    distances = model.transform(rows)
    nearest = distances.argmin(axis=1)
    by_size = np.argsort(-np.bincount(nearest, minlength=distances.shape[1]), kind="stable")
    rank = np.empty(len(by_size), dtype=np.int64)
    rank[by_size] = np.arange(1, len(by_size) + 1)
    return rank[nearest], distances.min(axis=1)


def _silhouettes(rows: Floats, seed: int) -> dict[int, float]:
    """The silhouette of each number of groups."""
    size = min(_SAMPLE, len(rows))
    return {
        k: float(silhouette_score(rows, _fitted(rows, k, seed).labels_, sample_size=size, random_state=seed))
        for k in COUNTS
    }


def _measures(now: Floats, cluster: Labels, today: pd.DataFrame, seed: int) -> list[Measure]:
    """The silhouette beside that of each other grouping, all on the same sample of today's customers."""
    random = np.random.default_rng(seed)
    sample = np.sort(random.permutation(len(now))[:_SAMPLE])
    drawn = [random.integers(0, len(sample), len(sample)) for _ in range(DRAWS)]
    own = _each(now[sample], cluster[sample])
    measures = []
    for name, labels in _other(today).items():
        other = _each(now[sample], labels[sample])
        mine, theirs = (
            (float(values.mean()), np.array([values[rows].mean() for rows in drawn])) for values in (own, other)
        )
        measures.append(compared(f"silhouette beside {name}", mine, theirs, higher=True, form=".3f"))
    return measures


def _each(rows: Floats, labels: Labels) -> Floats:
    """Each row's silhouette; 0, as between groups, where there is one group only."""
    if len(np.unique(labels)) < 2:
        return np.zeros(len(rows))
    return np.asarray(silhouette_samples(rows, labels), dtype=float)


def _other(today: pd.DataFrame) -> dict[str, Labels]:
    """The groupings that are there without a model, as numbers: the label, and halves by recency, frequency, money."""
    label = _first(today, LABELS)
    halves = np.zeros(len(today), dtype=np.int64)
    for names in (RECENCY, FREQUENCY, MONEY):
        values = today[_first(today, names)].to_numpy(dtype=float)
        halves = halves * 2 + (values > np.median(values))
    return {f"the {label}": np.asarray(pd.factorize(today[label])[0], dtype=np.int64), "halves of RFM": halves}


def _first(rows: pd.DataFrame, names: Sequence[str]) -> str:
    return next(name for name in names if name in rows.columns)


def _stability(then: Floats, now: Floats, model: Any, seed: int) -> Interval:
    """How alike today's groups are when they are found with other seeds on other samples of half a year ago."""
    random = np.random.default_rng(seed)
    given = model.predict(now)
    found = [
        adjusted_rand_score(given, _fitted(then[rows], model.n_clusters, seed + i + 1).predict(now))
        for i in range(_RESEEDED)
        for rows in [random.integers(0, len(then), len(then))]
    ]
    return interval(float(np.mean(found)), np.array(found, dtype=float))


def _verdict(primary: Measure, k: int, stability: Interval) -> str:
    found = verdict(primary, primary.name.removeprefix("silhouette beside "), "silhouette")
    steady = "stable" if stability.value >= STABLE else "NOT stable"
    return f"{found} The {k} groups are {steady} (adjusted Rand index {stability.value:.2f})."


def _facts(train: pd.DataFrame, today: pd.DataFrame, k: int, stability: Interval) -> list[str]:
    return [
        f"Found among {len(train):,} customers as of {train['cutoff_date'].max()}, judged on {len(today):,} as of "
        f"{today['cutoff_date'].max()}; {k} groups had the best silhouette of {COUNTS[0]} to {COUNTS[-1]}.",
        f"Found anew with {_RESEEDED} other seeds and samples, they agree at an adjusted Rand index of "
        f"{stability.value:.2f} ({stability.low:.2f} to {stability.high:.2f}; 1 is the same groups).",
        "k-means seeks a high silhouette, so that a lead over groups made otherwise is to be expected.",
    ]


def _profile(now: Floats, cluster: Labels, today: pd.DataFrame, features: Sequence[str]) -> Figure:
    rows: list[dict[str, Any]] = [
        {
            "cluster": f"group {c}",
            "feature": named(name),
            "z": float(now[cluster == c, i].mean()),
            "mean": float(today[name][cluster == c].mean()),
        }
        for c in np.unique(cluster)
        for i, name in enumerate(features)
    ]
    most = max(rows, key=lambda row: abs(row["z"]))
    y, x = alt.Y("feature:N", title=None, sort=None), alt.X("cluster:N", title=None, axis=alt.Axis(labelAngle=0))
    tips = charts.tips(("cluster:N", "Group", ""), ("feature:N", "Column", ""), ("mean:Q", "Mean", ",.3~g"))
    base = charts.base(rows).encode(x=x, y=y)
    scale = alt.Scale(domainMid=0)
    colour = alt.Color("z:Q", title="deviations from the mean", scale=scale, legend=alt.Legend(orient="top"))
    spec = base.mark_rect().encode(color=colour, tooltip=tips)
    return Figure(
        "profile",
        f"{most['cluster'].capitalize()} stands out most, by {most['feature']}",
        "Mean of each column in each group, in standard deviations of half a year ago; the table has plain means",
        charts.spec(spec, 80 + 26 * len(features)),
        ("Group", "Column", "Standard deviations", "Mean"),
        [(r["cluster"], r["feature"], f"{r['z']:+.2f}", f"{r['mean']:,.1f}") for r in rows],
        wide=True,
    )


def _sizes(cluster: Labels, today: pd.DataFrame) -> Figure:
    label = _first(today, LABELS)
    held = pd.crosstab(cluster, today[label].to_numpy())
    order = [str(name) for name in held.columns]
    rows = [
        {"cluster": f"group {c}", "label": name, "customers": int(held.loc[c, name])}
        for c in held.index
        for name in held.columns
    ]
    largest = held.sum(axis=1).max() / len(cluster)
    spec = (
        charts.base(rows)
        .mark_bar()
        .encode(
            x=alt.X("cluster:N", title=None, axis=alt.Axis(labelAngle=0)),
            y=charts.amounts("customers"),
            color=charts.colours("label", order),
            tooltip=charts.tips(("cluster:N", "Group", ""), ("label:N", label, ""), ("customers:Q", "Customers", ",")),
        )
    )
    return Figure(
        "sizes",
        f"The largest group holds {largest:.0%} of the customers",
        f"Customers in each group, by {label}",
        charts.spec(spec),
        ("Group", *order),
        [(f"group {c}", *(count(int(held.loc[c, name])) for name in held.columns)) for c in held.index],
    )


def _choice(silhouettes: dict[int, float], k: int) -> Figure:
    rows = [{"groups": each, "silhouette": value} for each, value in silhouettes.items()]
    spec = (
        charts.base(rows)
        .mark_line(point=True)
        .encode(
            x=alt.X("groups:O", title="number of groups", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("silhouette:Q", title=None),
            tooltip=charts.tips(("groups:O", "Groups", ""), ("silhouette:Q", "Silhouette", ".3f")),
        )
    )
    return Figure(
        "choice",
        f"{k} groups are farthest apart",
        "Silhouette on the customers of half a year ago, by number of groups",
        charts.spec(spec),
        ("Groups", "Silhouette"),
        [(str(r["groups"]), f"{r['silhouette']:.3f}") for r in rows],
    )
