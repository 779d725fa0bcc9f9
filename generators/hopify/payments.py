"""Attempts to pay: the first soon after the order, failed ones again some days later, refunds after that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from generators.hopify.columns import NULL, Batches, Bools, Ints, batch, labels, picked
from generators.hopify.days import DAY, HOUR, MINUTE
from generators.hopify.personas import choice
from generators.hopify.potential import MOST_ATTEMPTS
from schemas.hopify import ORDER_STATUSES, PAYMENT_METHODS, PAYMENT_STATUSES
from schemas.hopify import payments as table

SUCCEEDED, FAILED, REFUNDED = (PAYMENT_STATUSES.index(status) for status in PAYMENT_STATUSES)
ORDER_PENDING, ORDER_COMPLETED, ORDER_CANCELLED, ORDER_REFUNDED = range(len(ORDER_STATUSES))

FAILURE_CODES: Sequence[str] = (
    "insufficient_funds",
    "card_expired",
    "do_not_honor",
    "processing_error",
    "limit_exceeded",
)
METHOD_SHARES = np.array([[0.64, 0.06, 0.20, 0.10], [0.42, 0.32, 0.06, 0.20], [0.14, 0.68, 0.01, 0.17]])
_BANK_TRANSFER = PAYMENT_METHODS.index("bank_transfer")
WITHDRAWN = 0.012
GIVEN_BACK = 0.022


@dataclass(frozen=True, slots=True)
class Attempts:
    """Attempts in order of order and number; ``order`` is a position, ``at`` the attempt, ``changed`` its refund."""

    order: Ints
    number: Ints
    at: Ints
    status: Ints
    changed: Ints


@dataclass(frozen=True, slots=True)
class Settled:
    """Per order its status and the instant of its last change."""

    status: Ints
    at: Ints


def settle(rng: np.random.Generator, at: Ints, method: Ints, failures: Ints, until: int) -> tuple[Settled, Attempts]:
    """Pay orders placed ``at``, whose first ``failures`` attempts fail, as far as it came by ``until``."""
    count = len(at)
    withdrawn = rng.random(count) < WITHDRAWN
    planned = np.where(withdrawn, 0, np.minimum(failures + 1, MOST_ATTEMPTS))
    order = np.repeat(np.arange(count), planned)
    number = np.arange(len(order)) - np.repeat(np.cumsum(planned) - planned, planned) + 1
    tried = _instants(rng, at, method, order, number)
    made = tried < until
    order, number, tried = order[made], number[made], tried[made]
    status = np.where(number > failures[order], SUCCEEDED, FAILED)
    status, changed = _refunds(rng, status, tried, until)
    withdrawal = np.minimum(at + rng.integers(5, 600, count) * MINUTE, until - 1)
    attempts = Attempts(order, number, tried, status, changed)
    return _settled(at, np.where(withdrawn, withdrawal, NULL), attempts), attempts


def payment_rows(
    rng: np.random.Generator, attempts: Attempts, order_ids: Ints, method: Ints, total: Ints, known: Ints
) -> Batches:
    """The payments table, ids from 1; an attempt is known no earlier than its order (``known``)."""
    failed = attempts.status == FAILED
    rows = batch(
        table,
        {
            "payment_id": np.arange(1, len(attempts.order) + 1),
            "order_id": order_ids[attempts.order],
            "attempt": attempts.number,
            "method": labels(PAYMENT_METHODS, method[attempts.order]),
            "status": labels(PAYMENT_STATUSES, attempts.status),
            "amount": total[attempts.order],
            "failure_code": failure_codes(rng, failed),
            "paid_at": attempts.at,
            "updated_at": np.maximum(attempts.changed, known[attempts.order]),
        },
    )
    return {"payments": rows}


def methods(rng: np.random.Generator, segment: Ints) -> Ints:
    """A position in PAYMENT_METHODS for each order: cards for the small, bank transfers for the large."""
    return choice(METHOD_SHARES, segment, rng.random(len(segment)))


def failure_codes(rng: np.random.Generator, failed: Bools) -> pa.Array:
    """Why each failed attempt failed; null for the others."""
    return picked(pa.array(FAILURE_CODES), np.where(failed, rng.integers(0, len(FAILURE_CODES), len(failed)), NULL))


def _instants(rng: np.random.Generator, at: Ints, method: Ints, order: Ints, number: Ints) -> Ints:
    """When attempts are made: at once by card, after days by bank transfer, retries days apart."""
    slow = method[order] == _BANK_TRANSFER
    first = np.where(
        slow, rng.integers(12 * HOUR, 9 * DAY, len(order)), rng.integers(MINUTE // 6, 40 * MINUTE, len(order))
    )
    wait = np.where(number == 1, first, rng.integers(18 * HOUR, 66 * HOUR, len(order)))
    waited = np.cumsum(wait)
    starts = np.flatnonzero(number == 1)
    before = (waited - wait)[starts]
    tried: Ints = at[order] + waited - np.repeat(before, np.diff(np.append(starts, len(order))))
    return tried


def _refunds(rng: np.random.Generator, status: Ints, tried: Ints, until: int) -> tuple[Ints, Ints]:
    """Some succeeded payments are given back within a month; status and last change of every attempt."""
    given_back = tried + rng.integers(2 * DAY, 30 * DAY, len(tried))
    chosen = (status == SUCCEEDED) & (rng.random(len(tried)) < GIVEN_BACK) & (given_back < until)
    return np.where(chosen, REFUNDED, status), np.where(chosen, given_back, tried)


def _settled(at: Ints, withdrawn: Ints, attempts: Attempts) -> Settled:
    """An order is completed by success, refunded by refund, cancelled after the last failure or by withdrawal."""
    status = np.where(withdrawn == NULL, ORDER_PENDING, ORDER_CANCELLED)
    changed = np.where(withdrawn == NULL, at, withdrawn)
    outcome = np.select(
        [attempts.status == SUCCEEDED, attempts.status == REFUNDED, attempts.number == MOST_ATTEMPTS],
        [ORDER_COMPLETED, ORDER_REFUNDED, ORDER_CANCELLED],
        ORDER_PENDING,
    )
    # Attempts come in order, so the last assignment to an order is its latest attempt's.
    status[attempts.order], changed[attempts.order] = outcome, attempts.changed
    return Settled(status, changed)
