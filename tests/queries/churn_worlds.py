"""A small churn world as dirty as staging says it mends, full of edges: cut-offs, gaps, signup days."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from mart_worlds import World, world_of

from schemas import churn

LAST = date(2024, 8, 30)
"""The last day of usage; the leap day is 183 days before."""
_EDGES = tuple(LAST - timedelta(days) for days in (0, 1, 29, 30, 31, 59, 60, 61, 89, 90, 91, 119, 120, 121, 149, 150))


def dirty_world(seed: int, customers: int = 30) -> World:
    """Rows of every kind that staging removes or mends, and days on the very limits of what features look at."""
    dice = _Dice(seed)
    people = [dice.customer(number) for number in range(1, customers + 1)]
    # The same id again, later, earlier or on the same day; rows that are nobody.
    people += [{**dice.customer(dice.among(people)["customer_id"]), **dice.maybe_same_day(people)} for _ in range(8)]
    nobody = {"plan": "Pro", "region": "EU"}
    people += [{"customer_id": None, **nobody}, {"customer_id": customers + 1, "signup_date": None, **nobody}]
    ids = [*range(1, customers + 2), 999]
    usage = [dice.usage(dice.pick(ids)) for _ in range(customers * 9)]
    bills = [dice.bill(dice.pick(ids)) for _ in range(customers * 4)]
    tickets = [dice.ticket(dice.pick(ids)) for _ in range(customers * 3)]
    # Somebody who was there before all others, so that there are several cut-offs, and uses the product to the end.
    people.append({"customer_id": 500, "signup_date": date(2023, 1, 31), "plan": "Pro", "region": "EU"})
    usage += [
        {"customer_id": 500, "usage_date": day, "sessions": 1, "usage_minutes": 9.5, "feature_events": 2}
        for day in (date(2023, 1, 31), date(2024, 2, 29), LAST)
    ]
    bills += [
        {"customer_id": 500, "bill_date": LAST - timedelta(back), "amount": Decimal(back + 1), "payment_status": "paid"}
        for limit in (0, 180, 360, 540)
        for back in (limit, limit + 1)
    ]
    rows = {"customers": people, "usage_daily": usage, "billing": bills, "support": tickets}
    contents = world_of(churn.metadata, rows)
    for name, given in rows.items():
        for row, values in zip(contents[name], given, strict=True):
            row.update(values)  # NULLs, which the schema forbids and a copy may hold
    return contents


class _Dice:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311
        self.tickets = 0

    def pick(self, values: Any) -> Any:
        return self.random.choice(list(values))

    def among(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = self.random.choice(rows)
        return found

    def day(self) -> date:
        if self.random.random() < 0.6:
            return self.random.choice(_EDGES)
        return LAST - timedelta(self.random.choice([self.random.randint(0, 200), self.random.randint(0, 550)]))

    def spelled(self, values: tuple[str, ...]) -> str | None:
        value = self.random.choice(values)
        ways = [value] * 12 + [value.upper(), value.lower(), f" {value}", f"{value} ", "gossip", None]
        return self.random.choice(ways)

    def maybe_same_day(self, people: list[dict[str, Any]]) -> dict[str, Any]:
        """Often the whole key of somebody who is there, so that only what is left of a tie decides."""
        if self.random.random() < 0.5:
            return {}
        twin = self.among(people)
        return {"customer_id": twin["customer_id"], "signup_date": twin["signup_date"]}

    def customer(self, number: int) -> dict[str, Any]:
        return {
            "customer_id": number,
            "signup_date": self.day(),
            "plan": self.spelled(churn.PLANS),
            "region": self.spelled(churn.REGIONS),
        }

    def usage(self, owner: int) -> dict[str, Any]:
        return {
            "customer_id": owner,
            "usage_date": self.day(),
            "sessions": self.pick([0, 0, 1, 2, 3, -1, None]),
            "usage_minutes": self.pick([0.0, 0.1, 12.3, 60.0, 60.0, 1440.0, 1440.1, 5000.0, -0.1, None]),
            "feature_events": self.pick([0, 1, 5, 9, -1, None]),
        }

    def bill(self, owner: int) -> dict[str, Any]:
        return {
            "customer_id": owner,
            "bill_date": self.day(),
            "amount": self.pick(
                [Decimal("49.00"), Decimal("49.00"), Decimal("0.01"), Decimal("0.00"), Decimal("-5.00")]
            ),
            "payment_status": self.spelled(churn.PAYMENT_STATUSES),
        }

    def ticket(self, owner: int) -> dict[str, Any]:
        self.tickets += self.random.choice([0, 1, 1])
        return {
            "ticket_id": self.random.choice([self.tickets] * 20 + [None]),
            "customer_id": owner,
            "ticket_date": self.day(),
            "category": self.spelled(churn.TICKET_CATEGORIES),
            "priority": self.spelled(churn.TICKET_PRIORITIES),
        }
