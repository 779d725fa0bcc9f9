"""Bills of customers on a paid plan."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from generators.churn.arrow import dates, integers, money, record_batch, words
from generators.churn.customers import Customers, Floats, Ints, pick
from generators.churn.specification import (
    BILLING_GAP_SHARES,
    BILLING_GAPS,
    BY_PLAN,
    DAYS,
    DISCOUNT_SHARES,
    DISCOUNTS,
    STATUS_SHARES,
)
from generators.streams import stream
from schemas.churn import PAYMENT_STATUSES, billing

_MOST_BILLS = DAYS // BILLING_GAPS[0]


def batch(seed: int, shard: int, customers: Customers) -> pa.RecordBatch:
    """The rows of table ``billing`` for ``customers``, by customer and day.

    A subscription renews until the end of the window whether the product is used or not; that is
    why lapsed customers are worth finding.
    """
    random = stream(seed, "churn/billing", shard)
    price = np.array([plan.price for plan in BY_PLAN])[customers.plan]
    paying = np.flatnonzero(price)
    discount = np.array(DISCOUNTS)[pick(DISCOUNT_SHARES, random.random(len(paying)))]
    amount = price[paying] * (100 - discount) // 100
    age = _bill_ages(random, len(paying))
    row, number = np.nonzero(age < customers.tenure[paying, None])
    who = paying[row]
    columns = [
        integers(customers.ids[who]),
        dates(customers.signup[who] + age[row, number]),
        money(amount[row]),
        words(PAYMENT_STATUSES, _status(customers.risk[who], random.random(len(who)))),
    ]
    return record_batch(billing, columns)


def _bill_ages(random: np.random.Generator, customers: int) -> Ints:
    """Days from signup to each bill a customer could get, of shape (customers, most bills)."""
    gap = np.array(BILLING_GAPS)[pick(BILLING_GAP_SHARES, random.random((customers, _MOST_BILLS)))]
    ages: Ints = gap.cumsum(axis=1)
    return ages


def _status(risk: Floats, uniform: Floats) -> Ints:
    """Statuses by number; trouble grows with risk, and over all customers keeps to the stated shares."""
    _, late, failed = STATUS_SHARES
    weight = 0.25 + 1.5 * risk  # mean 1
    status: Ints = (uniform < (late + failed) * weight).astype(np.int64) + (uniform < failed * weight)
    return status
