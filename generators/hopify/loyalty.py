"""Whether a customer stays: the monthly risk of cancelling, from behaviour, and the reason given."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from generators.hopify.columns import Bools, Floats, Ints
from generators.hopify.curves import tenure_decay
from generators.hopify.personas import choice, habit
from schemas.hopify import CHURN_REASONS

HIGHEST_RISK = 0.35
"""No customer's monthly risk is above this."""

_REFERENCE_RISK = 0.035
_WINDOW = 3


@dataclass(frozen=True, slots=True)
class Behaviour:
    """A customer's last three months: tickets, their mean hours to resolution, failed payments, orders."""

    tickets: Floats
    hours: Floats
    failures: Floats
    orders: Floats

    def of(self, rows: Ints | Bools) -> Behaviour:
        return Behaviour(self.tickets[rows], self.hours[rows], self.failures[rows], self.orders[rows])


def monthly_risk(segment: Ints, age_months: Floats, behaviour: Behaviour) -> Floats:
    """Probability of cancelling within a month: the segment's base, tenure decay, and what went badly."""
    base = habit("churn", segment) * tenure_decay(age_months)
    risk: Floats = np.minimum(base * np.exp(_grievance(behaviour)), HIGHEST_RISK)
    return risk


def score(risk: Floats) -> Floats:
    """The risk as a score in [0, 1]: one half at 3.5 % a month; four digits."""
    return np.round(risk / (risk + _REFERENCE_RISK), 4)


def reasons(behaviour: Behaviour, segment: Ints, uniforms: Floats) -> Ints:
    """A position in CHURN_REASONS: what went badly is named more often."""
    count = len(segment)
    slow = np.log2(np.maximum(behaviour.hours, 6.0) / 6.0)
    weights = {
        "price": 1.6 - 0.5 * segment + 0.8 * behaviour.failures,
        "missing_features": 0.9 + 0.2 * segment,
        "poor_support": 0.15 + 0.45 * behaviour.tickets * (0.4 + slow),
        "low_usage": np.where(behaviour.orders == 0, 1.9, 0.4),
        "competitor": 0.8 + 0.25 * segment,
        "business_closed": 0.35 - 0.12 * segment + 0.5 * behaviour.failures,
    }
    table = np.stack([np.broadcast_to(weights[reason], count) for reason in CHURN_REASONS], axis=1)
    return choice(table.reshape(count, len(CHURN_REASONS)), np.arange(count), uniforms)


def trailing(counts: Floats) -> Floats:
    """Per customer (rows) and month (columns): the sum over the three months before it."""
    total = np.concatenate([np.zeros((len(counts), 1)), np.cumsum(counts, axis=1)], axis=1)
    months = np.arange(counts.shape[1])
    sums: Floats = total[:, months] - total[:, np.maximum(months - _WINDOW, 0)]
    return sums


def _grievance(behaviour: Behaviour) -> Floats:
    """Log of the risk's multiple: many tickets, slow answers and failed payments drive away; orders hold."""
    asked = behaviour.tickets > 0
    slow = np.where(asked, np.log2(np.clip(behaviour.hours, 1.0, 400.0) / 14.0), 0.0)
    return (
        0.20 * np.minimum(behaviour.tickets, 6.0)
        + 0.42 * slow
        + 0.45 * np.minimum(behaviour.failures, 3.0)
        - 0.16 * np.minimum(behaviour.orders, 4.0)
    )
