"""The rules that no row of the health world may break. Standard library only."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from generators.health.core import (
    FIRST_DAY,
    LAST_DAY,
    MONTHS,
    PRICES,
    Customer,
    Subscription,
    World,
    month_start,
    mrr_movements,
)
from generators.health.measures import History, histories, mrr_by_month

_ID = re.compile(r"(cus|sub)_[A-Za-z0-9]{16}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[a-z]+")


def violations(world: World) -> dict[str, int]:
    """How many rows break each rule, by the rule's words."""
    by_customer = histories(world.subscriptions)
    return {rule.broken: rule.count(world, by_customer) for rule in _RULES}


def checks(world: World) -> dict[str, int]:
    """How many rows break the rules of each check, by the check's words; every rule belongs to one."""
    broken = violations(world)
    found: dict[str, int] = {}
    for rule in _RULES:
        found[rule.check] = found.get(rule.check, 0) + broken[rule.broken]
    return found


def _bad_customers(world: World, _: Mapping[str, History]) -> int:
    ids, emails = Counter(c.customer_id for c in world.customers), Counter(c.email for c in world.customers)
    return sum(
        not (_ID.fullmatch(c.customer_id) and c.customer_id.startswith("cus_") and ids[c.customer_id] == 1)
        or not (_EMAIL.fullmatch(c.email) and emails[c.email] == 1)
        or c.status not in ("active", "churned")
        for c in world.customers
    )


def _bad_subscriptions(world: World, _: Mapping[str, History]) -> int:
    ids = Counter(s.subscription_id for s in world.subscriptions)
    return sum(
        not (_ID.fullmatch(s.subscription_id) and s.subscription_id.startswith("sub_") and ids[s.subscription_id] == 1)
        for s in world.subscriptions
    )


def _orphans(world: World, _: Mapping[str, History]) -> int:
    known = {c.customer_id for c in world.customers}
    return sum(s.customer_id not in known for s in world.subscriptions)


def _without_subscription(world: World, by_customer: Mapping[str, History]) -> int:
    return sum(c.customer_id not in by_customer for c in world.customers)


def _outside_window(world: World, _: Mapping[str, History]) -> int:
    days = [c.signup_date for c in world.customers]
    days += [s.start_date for s in world.subscriptions]
    days += [s.end_date for s in world.subscriptions if s.end_date is not None]
    return sum(not FIRST_DAY <= day <= LAST_DAY for day in days)


def _end_before_start(world: World, _: Mapping[str, History]) -> int:
    return sum(s.end_date is not None and s.end_date <= s.start_date for s in world.subscriptions)


def _bad_amounts(world: World, _: Mapping[str, History]) -> int:
    amounts: list[tuple[str, int]] = [(c.plan_tier, c.mrr_current) for c in world.customers]
    amounts += [(s.plan_tier, s.mrr) for s in world.subscriptions]
    return sum(tier not in PRICES or not PRICES[tier][0] <= mrr <= PRICES[tier][1] for tier, mrr in amounts)


def _negative(world: World, _: Mapping[str, History]) -> int:
    amounts = [c.mrr_current for c in world.customers] + [s.mrr for s in world.subscriptions]
    amounts += [mrr for m in world.movements for mrr in (m.new_mrr, m.expansion_mrr, m.contraction_mrr, m.churn_mrr)]
    return sum(mrr < 0 for mrr in amounts)


def _wrong_start(world: World, by_customer: Mapping[str, History]) -> int:
    return _customers(world, by_customer, lambda c, history: history[0].start_date != c.signup_date)


def _overlapping(_: World, by_customer: Mapping[str, History]) -> int:
    return sum(
        before.end_date is None or after.start_date <= before.end_date
        for history in by_customer.values()
        for before, after in pairwise(history)
    )


def _unchanged_tier(_: World, by_customer: Mapping[str, History]) -> int:
    return sum(
        before.plan_tier == after.plan_tier for history in by_customer.values() for before, after in pairwise(history)
    )


def _wrong_status(world: World, by_customer: Mapping[str, History]) -> int:
    return _customers(world, by_customer, lambda c, h: (c.status == "active") != (h[-1].end_date is None))


def _wrong_current(world: World, by_customer: Mapping[str, History]) -> int:
    return _customers(world, by_customer, lambda c, h: (c.plan_tier, c.mrr_current) != (h[-1].plan_tier, h[-1].mrr))


def _wrong_total(world: World, _: Mapping[str, History]) -> int:
    active = sum(c.mrr_current for c in world.customers if c.status == "active")
    return abs(active - sum(s.mrr for s in world.subscriptions if s.end_date is None))


def _customers(world: World, by_customer: Mapping[str, History], wrong: Callable[[Customer, History], bool]) -> int:
    known = ((c, by_customer[c.customer_id]) for c in world.customers if c.customer_id in by_customer)
    return sum(wrong(customer, history) for customer, history in known)


def _wrong_months(world: World, _: Mapping[str, History]) -> int:
    wanted, found = Counter(map(month_start, range(MONTHS))), Counter(m.month for m in world.movements)
    return sum(((wanted - found) + (found - wanted)).values())


def _wrong_net(world: World, _: Mapping[str, History]) -> int:
    return sum(m.net_mrr != m.new_mrr + m.expansion_mrr - m.contraction_mrr - m.churn_mrr for m in world.movements)


def _wrong_movements(world: World, _: Mapping[str, History]) -> int:
    """Months whose movements are not those of the subscriptions."""
    found = {m.month: m for m in world.movements}
    return sum(found.get(m.month, m) != m for m in mrr_movements(_within_window(world.subscriptions)))


def _unbalanced(world: World, _: Mapping[str, History]) -> int:
    """Months at whose end MRR is not the MRR before and the net movement."""
    net: dict[object, int] = {m.month: m.net_mrr for m in world.movements}
    ends = mrr_by_month(world.subscriptions)
    return sum(
        mrr - before != net.get(month_start(month), 0) for month, (before, mrr) in enumerate(pairwise([0, *ends]))
    )


def _within_window(subscriptions: Iterable[Subscription]) -> list[Subscription]:
    """Subscriptions in order whose dates can be given a month of the window; another rule reports the others."""
    return [
        s
        for s in sorted(subscriptions, key=lambda s: (s.customer_id, s.start_date))
        if FIRST_DAY <= s.start_date <= LAST_DAY and (s.end_date is None or FIRST_DAY <= s.end_date <= LAST_DAY)
    ]


@dataclass(frozen=True, slots=True)
class _Rule:
    """One rule: the check it belongs to, what breaks it, and how that is counted."""

    check: str
    broken: str
    count: Callable[[World, Mapping[str, History]], int]


_WELL_FORMED = "All ids, emails and statuses well-formed and unique"
_FROM_SIGNUP = "All customers have a subscription, from their signup on"
_DATES = "All dates within valid range, every end after its start"
_AMOUNTS = "All MRR values positive and within their tier's range"
_PERIODS = "All periods follow each other, each on another tier"
_CURRENT = "All customers are as their last subscription says"
_BALANCE = "MRR movements balance correctly, to the cent"
_RULES = (
    _Rule(_WELL_FORMED, "customers with a bad or repeated id or email, or an unknown status", _bad_customers),
    _Rule(_WELL_FORMED, "subscriptions with a bad or repeated id", _bad_subscriptions),
    _Rule("All foreign keys valid, no orphaned subscriptions", "subscriptions without their customer", _orphans),
    _Rule(_FROM_SIGNUP, "customers without a subscription", _without_subscription),
    _Rule(_FROM_SIGNUP, "customers whose first subscription does not start at signup", _wrong_start),
    _Rule(_DATES, "dates outside 2023-01-01 to 2024-12-31", _outside_window),
    _Rule(_DATES, "subscriptions that end before or on their start", _end_before_start),
    _Rule(_AMOUNTS, "negative amounts", _negative),
    _Rule(_AMOUNTS, "amounts outside their tier's range", _bad_amounts),
    _Rule(_PERIODS, "subscriptions that overlap the next", _overlapping),
    _Rule(_PERIODS, "changes to the same tier", _unchanged_tier),
    _Rule(_CURRENT, "customers whose status is not their last subscription's", _wrong_status),
    _Rule(_CURRENT, "customers whose tier or MRR is not their last subscription's", _wrong_current),
    _Rule(_CURRENT, "cents between current MRR and the sum of active subscriptions", _wrong_total),
    _Rule(_BALANCE, "months missing or repeated in the movements", _wrong_months),
    _Rule(_BALANCE, "months whose net is not new + expansion - contraction - churn", _wrong_net),
    _Rule(_BALANCE, "months whose movements are not the subscriptions'", _wrong_movements),
    _Rule(_BALANCE, "months whose MRR is not the MRR before and the net", _unbalanced),
)
