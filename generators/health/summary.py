"""What the health world prints after it was generated, measured on the stored rows. Standard library only."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from generators.health.core import MONTHS, TIERS, World, month_start
from generators.health.integrity import checks
from generators.health.measures import (
    changes,
    cohort_retention,
    histories,
    monthly_churn,
    mrr_by_month,
    retention,
)

_RULE = "=" * 60
_COHORTS = (0, 5, 12, 17)


def summary(world: World, path: Path) -> str:
    """The summary as text, with ``path`` and the size of its file at the end."""
    parts = [
        _customers(world),
        _subscriptions(world),
        _movements(world),
        _mrr(world),
        _retention(world),
        _checks(world),
    ]
    saved = f"Database saved to: {path}\nFile size: {path.stat().st_size / 1024:,.0f} KB"
    return "\n".join([_RULE, "", "\n\n".join(["\n".join(part) for part in parts] + [saved]), _RULE])


def _customers(world: World) -> Iterable[str]:
    n = len(world.customers)
    yield f"Created {n:,} customers across {MONTHS} months (2023-01 to 2024-12)"
    for tier in TIERS:
        count = sum(c.plan_tier == tier for c in world.customers)
        yield f"  - {tier} tier: {count:,} customers ({_percent(count, n)})"
    active = sum(c.status == "active" for c in world.customers)
    yield f"  - Active customers: {active:,} ({_percent(active, n)})"
    yield f"  - Churned customers: {n - active:,} ({_percent(n - active, n)})"


def _subscriptions(world: World) -> Iterable[str]:
    n = len(world.customers)
    by_customer = histories(world.subscriptions).values()
    steps = [changes(history) for history in by_customer]
    yield f"Generated {len(world.subscriptions):,} subscription records"
    yield f"  - New subscriptions: {len(by_customer):,}"
    for number, name in enumerate(("Upgrades (Expansion)", "Downgrades (Contraction)")):
        customers = sum(step[number] > 0 for step in steps)
        yield f"  - {name}: {sum(s[number] for s in steps):,}, by {customers:,} customers ({_percent(customers, n, 1)})"
    ended = sum(history[-1].end_date is not None for history in by_customer)
    yield f"  - Churned subscriptions: {ended:,} ({_percent(ended, n, 1)})"
    single = sum(len(history) == 1 for history in by_customer)
    yield f"  - Customers with one subscription: {single:,} ({_percent(single, n, 1)})"


def _movements(world: World) -> Iterable[str]:
    yield f"MRR Movements Summary ({MONTHS} months):"
    for name in ("new", "expansion", "contraction", "churn"):
        yield f"  - Total {name.capitalize()} MRR: {_dollars(sum(getattr(m, f'{name}_mrr') for m in world.movements))}"
    yield f"  - Net MRR Growth: {_dollars(sum(m.net_mrr for m in world.movements))}"


def _mrr(world: World) -> Iterable[str]:
    months = mrr_by_month(world.subscriptions)
    yield f"Current MRR (Month {MONTHS}): {_dollars(months[-1])}"
    yield f"  - Starting MRR (Month 1): {_dollars(months[0])}"
    if months[0]:
        yield f"  - MRR Growth: {months[-1] / months[0] - 1:.0%} over {MONTHS} months"


def _retention(world: World) -> Iterable[str]:
    yield "Cohort Retention Analysis:"
    for cohort in _COHORTS:
        kept = cohort_retention(world, cohort)
        yield f"  - {month_start(cohort):%Y-%m} cohort ({MONTHS - cohort} months old): {_share(kept.value)} retained"
    yield "Retention over all customers with enough tenure:"
    for month in (1, 3, 6, 12):
        yield f"  - Month {month}: {_share(retention(world, month).value)}"


def _checks(world: World) -> Iterable[str]:
    yield "Data Integrity Checks:"
    for words, broken in checks(world).items():
        yield f"  {_mark(not broken)} {words}" + (f": not so for {broken:,}" if broken else "")
    periods = [len(history) for history in histories(world.subscriptions).values()]
    if periods:
        single = sum(count == 1 for count in periods) / len(periods)
        yield f"  {_mark(single >= 0.50)} At least 50% of customers have one subscription: {single:.1%}"
        yield f"  {_mark(1 - single >= 0.15)} At least 15% of customers have two or more: {1 - single:.1%}"
    churn = monthly_churn(world).value
    if churn is not None:
        yield f"  {_mark(0.05 <= churn <= 0.08)} Monthly churn within 5-8%: {churn:.1%}"


def _mark(good: bool) -> str:
    return "✓" if good else "✗"


def _percent(part: int, whole: int, digits: int = 0) -> str:
    return f"{part / whole:.{digits}%}" if whole else "none"


def _share(value: float | None) -> str:
    return "no customers" if value is None else f"{value:.1%}"


def _dollars(cents: int) -> str:
    return f"${cents / 100:,.0f}"
