"""The calibration report: every number of a world's specification beside the number generated.

Three kinds of lines are judged differently. An *invariant* holds at every size. A *distribution*
is judged with a tolerance that widens as the sample shrinks, by inequalities that hold at every
sample size (Bernstein's; Dvoretzky, Kiefer and Wolfowitz's), so that a sound world of 17
customers does not fail and a wrong one of a million does. A *total* is judged only at the size
for which the specification states it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

CHANCE = 1e-7
"""The chance that a sound world fails one distribution line by bad luck alone."""

_LOG = math.log(2 / CHANCE)


class Kind(StrEnum):
    """How a line is judged."""

    INVARIANT = "invariant"
    DISTRIBUTION = "distribution"
    TOTAL = "total"


class Unit(StrEnum):
    """How a line's numbers are written; shares are fractions of 1."""

    SHARE = "share"
    COUNT = "count"
    NUMBER = "number"
    RATE = "rate"
    MONEY = "money"


@dataclass(frozen=True, slots=True)
class Line:
    """One number: specified to lie between ``low`` and ``high``, found at ``found``.

    ``found`` is ``None`` where the sample holds nothing to measure. ``tolerance`` is added on both
    sides. A line that is not ``judged`` is printed and cannot fail.
    """

    measure: str
    kind: Kind
    unit: Unit
    low: float
    high: float
    found: float | None
    tolerance: float = 0.0
    judged: bool = True

    @property
    def passed(self) -> bool:
        if self.found is None or not self.judged:
            return True
        # A relative 1e-12 forgives the rounding of sums of doubles, and nothing else.
        slack = self.tolerance + 1e-12 * max(abs(self.low), abs(self.found), 1.0)
        return self.low - slack <= self.found <= self.high + slack

    @property
    def verdict(self) -> str:
        """``ok``, ``FAIL``, or ``-`` for a line not judged at this size."""
        if self.found is None or not self.judged:
            return "-"
        return "ok" if self.passed else "FAIL"


@dataclass(frozen=True, slots=True)
class Report:
    """All lines of one world, in the order of its specification."""

    world: str
    customers: int
    lines: tuple[Line, ...]

    @property
    def passed(self) -> bool:
        return not self.failures

    @property
    def failures(self) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if not line.passed)

    def text(self) -> str:
        """The report as an aligned table with a last line that says how many lines failed."""
        rows = [("measure", "specified", "generated", "tolerance", "")]
        rows += [_cells(line) for line in self.lines]
        widths = [max(len(row[i]) for row in rows) for i in range(5)]
        table = ["  ".join(_pad(row[i], widths[i], left=i == 0) for i in range(5)).rstrip() for row in rows]
        judged = sum(line.verdict != "-" for line in self.lines)
        head = f"Calibration of {self.world}, {self.customers:,} customers"
        table.insert(1, "-" * max(map(len, table)))
        tail = f"{judged} numbers judged, {len(self.failures)} failed, {len(self.lines) - judged} not judged here"
        return "\n".join([head, "", *table, "", tail])


def invariant(measure: str, violations: float) -> Line:
    """A rule no row may break; ``violations`` is how many do."""
    return Line(measure, Kind.INVARIANT, Unit.COUNT, 0, 0, violations)


def exactly(measure: str, expected: float, found: float, *, unit: Unit = Unit.COUNT) -> Line:
    """A number that must be met exactly at every size."""
    return Line(measure, Kind.INVARIANT, unit, expected, expected, found)


def near(measure: str, target: float, found: float | None, tolerance: float, *, unit: Unit = Unit.SHARE) -> Line:
    """A distribution's number that is met within ``tolerance``."""
    return Line(measure, Kind.DISTRIBUTION, unit, target, target, found, tolerance)


def within(
    measure: str, low: float, high: float, found: float | None, tolerance: float = 0.0, *, unit: Unit = Unit.SHARE
) -> Line:
    """A distribution's number for which the specification gives a band."""
    return Line(measure, Kind.DISTRIBUTION, unit, low, high, found, tolerance)


def total(measure: str, target: float, found: float, relative: float, *, judged: bool, unit: Unit = Unit.COUNT) -> Line:
    """A total the specification states for its own size, met within ``relative`` of ``target``."""
    return Line(measure, Kind.TOTAL, unit, target, target, found, relative * target, judged)


def at_least(measure: str, low: float, found: float, *, judged: bool, unit: Unit = Unit.COUNT) -> Line:
    """A number the specification bounds from below, for its own size."""
    return Line(measure, Kind.TOTAL, unit, low, math.inf, found, 0.0, judged)


def sum_tolerance(variance: float, bound: float) -> float:
    """How far a sum of independent terms may lie from its mean, but for ``CHANCE``.

    ``variance`` is the sum's, ``bound`` the furthest any one term can lie from its own mean.
    Bernstein's inequality; a Poisson count meets it with its mean as variance and a bound of 1
    (Boucheron, Lugosi, Massart, "Concentration Inequalities", 2013, §2.7 and §2.2).
    """
    linear = bound * _LOG / 3
    return linear + math.sqrt(linear * linear + 2 * variance * _LOG)


def mean_tolerance(deviation: float, bound: float, sample: float) -> float:
    """How far the mean of ``sample`` independent values of standard deviation ``deviation`` may lie off."""
    if sample <= 0:
        return math.inf
    return sum_tolerance(sample * deviation * deviation, bound) / sample


def share_tolerance(share: float, sample: float) -> float:
    """How far an observed share of ``sample`` independent cases may lie from ``share``.

    For clustered cases ``sample`` is the effective number, Kish's (Σm)²/Σm² over the clusters' sizes.
    """
    return min(1.0, mean_tolerance(math.sqrt(share * (1 - share)), 1.0, sample))


def curve_tolerance(sample: float) -> float:
    """How far an empirical distribution function may lie from the true one, at its worst point.

    Dvoretzky, Kiefer and Wolfowitz's inequality with Massart's constant (Ann. Probab. 18, 1990).
    """
    return math.inf if sample <= 0 else min(1.0, math.sqrt(_LOG / (2 * sample)))


_WRITTEN: Mapping[Unit, Callable[[float], str]] = MappingProxyType(
    {
        Unit.SHARE: lambda value: f"{100 * value:.2f} %",
        Unit.COUNT: lambda value: f"{value:,.0f}",
        Unit.NUMBER: lambda value: f"{value:,.3f}",
        Unit.RATE: lambda value: f"{value:.5f}",
        Unit.MONEY: lambda value: f"${value:,.0f}",
    }
)


def _cells(line: Line) -> tuple[str, str, str, str, str]:
    found = "nothing to measure" if line.found is None else _WRITTEN[line.unit](line.found)
    return line.measure, _specified(line), found, _tolerance(line), line.verdict


def _specified(line: Line) -> str:
    write = _WRITTEN[line.unit]
    if line.low == line.high:
        return write(line.low)
    return f"at least {write(line.low)}" if math.isinf(line.high) else f"{write(line.low)} to {write(line.high)}"


def _tolerance(line: Line) -> str:
    if line.tolerance == 0:
        return "exact" if line.low == line.high else "none"
    return "any" if math.isinf(line.tolerance) else f"± {_WRITTEN[line.unit](line.tolerance)}"


def _pad(text: str, width: int, *, left: bool) -> str:
    return text.ljust(width) if left else text.rjust(width)
