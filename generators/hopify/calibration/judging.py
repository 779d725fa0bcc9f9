"""Lines about shares, rates of customers who differ from each other, and seasons."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from duckdb import DuckDBPyConnection

from generators.calibration import Line, Unit, near, share_tolerance, sum_tolerance, within
from generators.found import columns, row
from generators.hopify.calibration.exposure import Clusters
from generators.hopify.columns import Floats

FEW = 50
"""Below so many events a ratio of two counts says nothing."""


def shares(measure: str, expected: Mapping[str, float], counts: Mapping[str, float], slack: float = 0.0) -> list[Line]:
    """A line a value: its share of independent cases; ``slack`` is what the specification itself leaves open."""
    cases = sum(counts.values())
    return [
        near(
            f"{measure} {value}",
            share,
            counts.get(value, 0.0) / cases if cases else None,
            slack + share_tolerance(share, cases),
        )
        for value, share in expected.items()
    ]


def counted(connection: DuckDBPyConnection, sql: str) -> dict[str, float]:
    """The result of a query of (value, count)."""
    return {str(value): float(count) for value, count in connection.execute(sql).fetchall()}


def share(measure: str, expected: float, connection: DuckDBPyConnection, sql: str, slack: float = 0.0) -> Line:
    """A line about a query of one row with the columns ``hits`` and ``cases``, independent of each other."""
    found = row(connection, sql)
    cases = found["cases"] or 0.0
    value = (found["hits"] or 0.0) / cases if cases else None
    return near(measure, expected, value, slack + share_tolerance(expected, cases))


def rate(
    measure: str,
    target: float,
    events: float,
    exposed: float,
    among: Clusters,
    *,
    spread: tuple[float, float],
    slack: float,
) -> Line:
    """A line about ``events`` a month over ``exposed`` months of customers each with a rate of its own.

    ``spread`` is the rates' variance and greatest value relative to their mean. The sum over
    customers of Poisson counts with mean r·t has the variance rΣt + r²·variance·Σt². ``slack`` is
    relative: what survival and mixture move the mean by, which the specification leaves open.
    """
    if not exposed:
        return near(measure, target, None, 0.0, unit=Unit.RATE)
    variance, greatest = spread
    around = target * exposed + target**2 * variance * among.squares
    allowed = sum_tolerance(around, 1 + target * greatest * among.longest) / exposed + slack * target
    return near(measure, target, events / exposed, allowed, unit=Unit.RATE)


def season(measure: str, names: Sequence[str], factors: Sequence[float], expected: Floats, found: Floats) -> list[Line]:
    """A line a month (or weekday): its factor as found, where ``expected`` and ``found`` are events in each.

    A customer is counted in a month at most three times a world, with rates that differ; so its
    events have up to twice the variance of Poisson's and come in dozens at most.
    """
    total_expected, total_found = float(expected.sum()), float(found.sum())
    lines = []
    for name, factor, e, f in zip(names, factors, expected, found, strict=True):
        if not total_found or not e:
            lines.append(near(f"{measure} {name}", factor, None, 0.0, unit=Unit.NUMBER))
            continue
        scaled = float(e) * total_found / total_expected
        allowed = factor * (0.06 + sum_tolerance(2 * scaled, 12) / scaled)
        lines.append(near(f"{measure} {name}", factor, factor * float(f) / scaled, allowed, unit=Unit.NUMBER))
    return lines


def ratio(measure: str, low: float, high: float, first: tuple[float, float], second: tuple[float, float]) -> Line:
    """A line about one rate over another, each given as (events, exposure).

    Logarithms of counts are judged by their normal approximation, with five standard errors, from
    ``FEW`` events a side on; below, nothing can be said.
    """
    (a, of_a), (b, of_b) = first, second
    if not (a and b and of_a and of_b):
        return within(measure, low, high, None, 0.0, unit=Unit.NUMBER)
    value = a / of_a / (b / of_b)
    error = math.expm1(5 * math.sqrt(1 / a + 1 / b)) * value if min(a, b) >= FEW else math.inf
    return within(measure, low, high, value, error, unit=Unit.NUMBER)


def by_number(connection: DuckDBPyConnection, sql: str, length: int) -> Floats:
    """The result of a query of (place, n) as an array; places that are NULL or outside are left out."""
    found = columns(connection, sql)
    place = found["place"]
    inside = ~np.isnan(place) & (place >= 0) & (place < length)
    return np.bincount(place[inside].astype(int), found["n"][inside], length).astype(np.float64)
