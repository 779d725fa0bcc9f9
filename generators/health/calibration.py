"""The health world's numbers as found in stored rows, beside those of its specification.

Counts are apportioned by quota and lifetimes spread evenly, so a share of n customers is off by a
few customers at most, whatever n: bands are met as they stand from the specification's 500
customers on, and below it are widened by ``_ROUNDING`` customers' worth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import pyarrow as pa

from generators.calibration import Line, Report, Unit, at_least, exactly, invariant, near, total, within
from generators.errors import GeneratorError
from generators.health import core
from generators.health.core import CUSTOMERS, FIRST_MONTH_SIGNUPS, MONTHS, TIER_SHARES, TIERS, World, apportion
from generators.health.integrity import violations
from generators.health.measures import (
    Share,
    changes,
    cohort_retention,
    histories,
    linearity,
    monthly_churn,
    mrr_by_month,
    plus_months,
    retention,
    share,
)
from generators.health.stored import from_rows

Read = Callable[[str], pa.Table]

_BANDS = {1: (0.90, 0.95), 3: (0.80, 0.85), 6: (0.70, 0.75), 12: (0.60, 0.65)}
_ROUNDING = 4


def report(source: Read | World, asked: int) -> Report:
    """Judge stored rows as a world of ``asked`` customers.

    ``source`` is the rows (``stored.read`` takes them from the SQLite file), or a function that
    gives a table by its name with its columns in the order of ``schemas.health``. Raises
    ``GeneratorError`` for rows that cannot be read as the world's.
    """
    world = source if isinstance(source, World) else _world(source)
    parts = (_customers, _retention, _changes, _mrr, _edge_cases, _rules)
    return Report("health", asked, tuple(line for part in parts for line in part(world, asked)))


def _world(read: Read) -> World:
    try:
        return from_rows(
            *(
                list(zip(*(column.to_pylist() for column in read(table).columns), strict=True))
                for table in ("day06_customers", "day06_subscriptions", "day06_mrr_movements")
            )
        )
    except (TypeError, ValueError) as error:
        raise GeneratorError(f"These rows are not the health world's: {error}. Generate it anew.") from error


def _customers(world: World, asked: int) -> Iterator[Line]:
    n = len(world.customers)
    yield exactly("customers", asked, n)
    for tier, quota in zip(TIERS, apportion(asked, TIER_SHARES), strict=True):
        yield exactly(f"customers now on {tier}", quota, sum(c.plan_tier == tier for c in world.customers))
    signups = [0] * MONTHS
    for customer in world.customers:
        month = core.month_number(customer.signup_date)
        if 0 <= month < MONTHS:
            signups[month] += 1
    launch = Share(signups[0] / n if n else None, n)
    yield near("signups: share in month 1", FIRST_MONTH_SIGNUPS, launch.value, max(0.01, _widened(launch, asked)))
    rises = sum(later > earlier for earlier, later in pairwise(signups))
    yield invariant("signups: months with more than the month before", rises)


def _retention(world: World, asked: int) -> Iterator[Line]:
    for month, (low, high) in _BANDS.items():
        yield _band(f"retention: month {month}", low, high, retention(world, month), asked)
    yield _band("retention: first cohort at its month 24", 0.50, 0.55, cohort_retention(world, 0), asked)
    yield _band("churn a month, mean of tenure months 0 to 5", 0.05, 0.08, monthly_churn(world), asked)


def _changes(world: World, asked: int) -> Iterator[Line]:
    by_customer = list(histories(world.subscriptions).values())
    steps = [changes(history) for history in by_customer]
    same_tier = share(h[0].plan_tier == h[-1].plan_tier for h in by_customer)
    yield _band("customers with an upgrade", 0.15, 0.20, share(up > 0 for up, _ in steps), asked)
    yield _band("customers with a downgrade", 0.05, 0.10, share(down > 0 for _, down in steps), asked)
    yield _band("customers in their original tier", 0.70, 0.75, same_tier, asked)
    yield _band("customers with one subscription", 0.50, 1.00, share(len(h) == 1 for h in by_customer), asked)
    yield _band("customers with two or more", 0.15, 1.00, share(len(h) > 1 for h in by_customer), asked)


def _mrr(world: World, asked: int) -> Iterator[Line]:
    months = mrr_by_month(world.subscriptions)
    judged = asked == CUSTOMERS
    first, last = core.FIRST_MONTH_MRR / 100, core.LAST_MONTH_MRR / 100
    yield total("MRR at the end of month 1", first, months[0] / 100, 0.10, judged=judged, unit=Unit.MONEY)
    yield total("MRR at the end of month 24", last, months[-1] / 100, 0.10, judged=judged, unit=Unit.MONEY)
    straight = linearity(months) or 0.0
    yield at_least("MRR by month: R² of a straight line", 0.95, straight, judged=judged, unit=Unit.NUMBER)


def _edge_cases(world: World, asked: int) -> Iterator[Line]:
    """Cases the specification wants to occur; quotas of small worlds may round to none."""
    judged = asked >= CUSTOMERS
    by_customer = list(histories(world.subscriptions).values())
    paths = [tuple(s.plan_tier for s in history) for history in by_customer]
    ends = [(history[0].start_date, history[-1].end_date) for history in by_customer]
    cases = {
        "customers from Starter over Pro to Enterprise": paths.count(TIERS),
        "customers back on Starter after an upgrade": paths.count(("Starter", "Pro", "Starter")),
        "customers gone within their first month": sum(e is not None and e < plus_months(s, 1) for s, e in ends),
        "customers there all 24 months": sum(e is None and s == core.FIRST_DAY for s, e in ends),
        "Enterprise customers of $2,000 or more": sum(
            c.plan_tier == "Enterprise" and c.mrr_current >= 2_000_00 for c in world.customers
        ),
    }
    for case, count in cases.items():
        yield at_least(case, 1, count, judged=judged)


def _rules(world: World, _: int) -> Iterator[Line]:
    for rule, broken in violations(world).items():
        yield invariant(rule, broken)


def _band(measure: str, low: float, high: float, found: Share, asked: int) -> Line:
    return within(measure, low, high, found.value, _widened(found, asked))


def _widened(found: Share, asked: int) -> float:
    return 0.0 if asked >= CUSTOMERS or not found.sample else _ROUNDING / found.sample
