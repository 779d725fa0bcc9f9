"""A random health world within the rules of its marts, crowded with edges that the generated one has not."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import health_oracles
import pandas as pd
from health_oracles import later
from mart_worlds import World, world_of

from schemas.health import metadata

_FIRST, _LAST = date(2023, 11, 30), date(2024, 5, 31)
_EDGES = tuple(date(*day) for day in ((2023, 12, 31), (2024, 1, 1), (2024, 1, 31), (2024, 2, 29), (2024, 3, 31)))
_TIERS = ("Starter", "Pro", "Enterprise")
_PRICES = tuple(Decimal(price) for price in ("0.00", "10.00", "10.00", "30.00", "99.99"))


def random_health(seed: int, customers: int = 40) -> World:
    """Customers without a subscription, prices of zero, twice the same, on the same day, and ends on every limit."""
    dice = random.Random(seed)  # noqa: S311
    people, periods = [], []
    for number in range(customers):
        signup = dice.choice(_EDGES) if dice.random() < 0.5 else _FIRST + timedelta(dice.randint(0, 150))
        own = [] if number % 9 == 8 else list(_periods(dice, f"c{number}", signup, len(periods)))
        periods += own
        last = own[-1] if own else None
        people.append(
            {
                "customer_id": f"c{number}",
                "email": f"c{number}@x.com",
                "signup_date": signup,
                "plan_tier": last["plan_tier"] if last else dice.choice(_TIERS),
                "status": "churned" if last and last["end_date"] else "active",
                "mrr_current": last["mrr"] if last else Decimal("0.00"),
            }
        )
    dice.shuffle(periods)
    contents = world_of(metadata, {"day06_customers": people, "day06_subscriptions": periods})
    frames = {
        name: pd.DataFrame(rows, columns=[c.name for c in metadata.tables[name].columns], dtype=object)
        for name, rows in contents.items()
    }
    return {**contents, "day06_mrr_movements": health_oracles.mrr_movements(frames)}


def _periods(dice: random.Random, owner: str, start: date, before: int) -> Iterator[dict[str, Any]]:
    signup = start
    while True:
        ends = [start, later(signup, 1) - timedelta(1), later(signup, 1), start + timedelta(dice.randint(0, 60)), _LAST]
        end = min(_LAST, max(start, dice.choice(ends)))
        is_last = end == _LAST or dice.random() < 0.5
        row = {
            "subscription_id": f"s{before:04}",
            "customer_id": owner,
            "start_date": start,
            "end_date": None if is_last and dice.random() < 0.5 else end,
            "mrr": dice.choice(_PRICES),
            "plan_tier": dice.choice(_TIERS),
        }
        yield row
        if is_last:
            return
        # The day after, on the same day as the one before began and ended, or after a gap.
        start = min(_LAST, end + timedelta(dice.choice([0, 0, 9] if end == start else [1, 1, 9])))
        before += 1
