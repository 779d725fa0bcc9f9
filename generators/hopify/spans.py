"""Active spans: from when to when each customer had a subscription, and what falls inside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from generators.hopify.columns import Bools, Ints

OPEN = 2**31
"""A day number after every other: the end of a span that still runs."""


@dataclass(frozen=True, slots=True)
class Spans:
    """Periods on one plan, in order of customer and start.

    ``who`` is the customer's position in its shard, ``start`` the first day covered, ``end`` the
    first day no longer covered (OPEN while it runs), ``tier`` 1 to 3 and ``reason`` a position
    in START_REASONS.
    """

    who: Ints
    start: Ints
    end: Ints
    tier: Ints
    reason: Ints

    def cover(self, who: Ints, day: Ints) -> Bools:
        """Whether each customer had a subscription on its day."""
        if not len(self.who):
            return np.zeros(len(who), np.bool_)
        last_begun = np.searchsorted(_key(self.who, self.start), _key(who, day), "right") - 1
        own = (last_begun >= 0) & (self.who[last_begun] == who)
        covered: Bools = own & (day < self.end[last_begun])
        return covered


def _key(who: Ints, day: Ints) -> Ints:
    return who * OPEN + day
