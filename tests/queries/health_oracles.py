"""The health world's marts a second time, in plain Python over its rows, thought out anew.

A customer's life is followed event by event instead of being joined: what it paid, and until when.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pandas as pd

Rows = list[dict[str, Any]]
Frames = dict[str, pd.DataFrame]
ZERO = Decimal("0.00")
DAYS_A_MONTH = 365.25 / 12


@dataclass
class Life:
    """A customer with its subscriptions in order."""

    customer: dict[str, Any]
    periods: Rows

    @property
    def signup_month(self) -> date:
        return self.customer["signup_date"].replace(day=1)

    @property
    def left_on(self) -> date | None:
        return self.periods[-1]["end_date"] if self.periods else None

    def price_on(self, day: date) -> Decimal:
        """What it pays on a day; gaps between two subscriptions belong to the earlier one."""
        paid = ZERO
        for period in self.periods:
            if period["start_date"] <= day:
                paid = period["mrr"]
        return ZERO if self.left_on and day > self.left_on else paid


def _rows(frame: pd.DataFrame) -> Rows:
    return frame.astype(object).where(frame.notna(), None).to_dict("records")


def lives(raw: Frames) -> list[Life]:
    periods = sorted(
        _rows(raw["day06_subscriptions"]),
        key=lambda p: (p["start_date"], p["end_date"] or date.max, p["subscription_id"]),
    )
    return [
        Life(customer, [p for p in periods if p["customer_id"] == customer["customer_id"]])
        for customer in _rows(raw["day06_customers"])
    ]


def last_day_of(month: date) -> date:
    return month.replace(day=monthrange(month.year, month.month)[1])


def later(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def all_months(raw: Frames) -> list[date]:
    days = [*raw["day06_customers"].signup_date, *raw["day06_subscriptions"].start_date]
    days += [day for day in raw["day06_subscriptions"].end_date if day is not None]
    days += list(raw["day06_mrr_movements"].month)
    found = [min(days).replace(day=1)]
    while found[-1] < max(days).replace(day=1):
        found.append(later(found[-1], 1))
    return found


PAYBACK_MONTHS, LONGEST_STAY_MONTHS, FULL_TENURE_MONTHS, FULL_LTV_TO_CAC = 12, 60, 12, 3


def assumptions(raw: Frames) -> Rows:
    return [
        {
            "payback_months": PAYBACK_MONTHS,
            "longest_stay_months": LONGEST_STAY_MONTHS,
            "full_tenure_months": FULL_TENURE_MONTHS,
            "full_ltv_to_cac": FULL_LTV_TO_CAC,
        }
    ]


def months(raw: Frames) -> Rows:
    found = all_months(raw)
    return [{"month": m, "last_day": last_day_of(m), "as_of": last_day_of(found[-1])} for m in found]


def _events(life: Life) -> Iterator[tuple[date, str, Decimal]]:
    """What happens to a customer's price: day, name and (positive) size."""
    before = None
    for period in life.periods:
        if before is None:
            yield period["start_date"], "new", period["mrr"]
        else:
            change = period["mrr"] - before
            yield period["start_date"], "expansion" if change >= 0 else "contraction", abs(change)
        before = period["mrr"]
    if life.left_on:
        yield life.left_on, "churn", before or ZERO


def subscription_steps(raw: Frames) -> Rows:
    found = []
    for life in lives(raw):
        for number, period in enumerate(life.periods):
            kind = list(_events(life))[number][1]
            following = life.periods[number + 1]["start_date"] if number + 1 < len(life.periods) else None
            found.append(
                {
                    **{
                        name: period[name]
                        for name in ("subscription_id", "customer_id", "plan_tier", "start_date", "end_date", "mrr")
                    },
                    "kind": kind,
                    "previous_mrr": life.periods[number - 1]["mrr"] if number else None,
                    "next_start_date": following,
                    "churned_on": None if following else period["end_date"],
                }
            )
    return found


def mrr_movements(raw: Frames) -> Rows:
    found = []
    for month in all_months(raw):
        sums = dict.fromkeys(("new", "expansion", "contraction", "churn"), ZERO)
        for life in lives(raw):
            for day, name, size in _events(life):
                if day.replace(day=1) == month:
                    sums[name] += size
        net = sums["new"] + sums["expansion"] - sums["contraction"] - sums["churn"]
        found.append({"month": month, **{f"{name}_mrr": size for name, size in sums.items()}, "net_mrr": net})
    return found


def day06_mrr_summary(raw: Frames) -> Rows:
    found: Rows = []
    people = lives(raw)
    before = {id(life): ZERO for life in people}
    for month, moved in zip(all_months(raw), mrr_movements(raw), strict=True):
        # Who leaves on the last day is gone at the month's end: what is paid the day after, by who had begun by then.
        morning = last_day_of(month) + timedelta(1)
        begun = {id(life): bool(life.periods) and life.periods[0]["start_date"] < morning for life in people}
        now = {id(life): _paid_by(life, morning) if begun[id(life)] else ZERO for life in people}
        start, end = sum(before.values(), ZERO), sum(now.values(), ZERO)
        were = [life for life in people if before[id(life)]]
        kept = sum((now[id(life)] for life in were), ZERO)
        steady = sum((min(now[id(life)], before[id(life)]) for life in were), ZERO)
        found.append(
            {
                "month": month,
                "starting_mrr": start,
                "new_mrr": moved["new_mrr"],
                "expansion_mrr": moved["expansion_mrr"],
                "contraction_mrr": -moved["contraction_mrr"],
                "churn_mrr": -moved["churn_mrr"],
                "net_mrr": end - start,
                "ending_mrr": end,
                "active_customers": sum(begun[id(life)] and not _gone(life, morning) for life in people),
                "growth_rate": float(end - start) / float(start) if start else None,
                "net_revenue_retention": float(kept) / float(start) if start else None,
                "gross_revenue_retention": float(steady) / float(start) if start else None,
            }
        )
        before = now
    return found


def _gone(life: Life, morning: date) -> bool:
    return life.left_on is not None and life.left_on < morning


def _paid_by(life: Life, morning: date) -> Decimal:
    started = [p["mrr"] for p in life.periods if p["start_date"] < morning]
    return ZERO if _gone(life, morning) or not started else started[-1]


def _cohorts(raw: Frames) -> dict[date, list[Life]]:
    found: dict[date, list[Life]] = {}
    for life in lives(raw):
        found.setdefault(life.signup_month, []).append(life)
    return found


def day06_churn_by_cohort(raw: Frames) -> Rows:
    as_of = months(raw)[-1]["as_of"]
    found = []
    for month, members in _cohorts(raw).items():
        left = [life for life in members if life.left_on]
        days = [((life.left_on or as_of) - life.customer["signup_date"]).days + 1 for life in members]
        left_days = [(life.left_on - life.customer["signup_date"]).days + 1 for life in left if life.left_on]
        found.append(
            {
                "signup_month": month,
                "customers": len(members),
                "churned_customers": len(left),
                "active_customers": sum(bool(life.periods) and not life.left_on for life in members),
                "churn_rate": len(left) / len(members),
                "churned_within_a_month": sum(
                    life.left_on < later(life.customer["signup_date"], 1) for life in left if life.left_on
                ),
                "average_days_to_churn": sum(left_days) / len(left) if left else None,
                "churned_mrr": sum((life.periods[-1]["mrr"] for life in left), ZERO),
                "remaining_mrr": sum(
                    (life.periods[-1]["mrr"] for life in members if life.periods and not life.left_on), ZERO
                ),
                "customer_months": sum(days) / DAYS_A_MONTH,
                "monthly_churn_rate": len(left) / (sum(days) / DAYS_A_MONTH),
            }
        )
    return found


def day06_retention_curves(raw: Frames) -> Rows:
    as_of = months(raw)[-1]["as_of"]
    found = []
    for month, members in _cohorts(raw).items():
        since = 0
        while True:
            days = {id(life): later(life.customer["signup_date"], since) for life in members}
            eligible = [life for life in members if days[id(life)] <= as_of]
            if not eligible:
                break
            kept = [life for life in eligible if life.periods and not (life.left_on and life.left_on < days[id(life)])]
            start = sum((life.periods[0]["mrr"] for life in eligible if life.periods), ZERO)
            paid = sum((life.price_on(days[id(life)]) for life in kept), ZERO)
            found.append(
                {
                    "signup_month": month,
                    "months_since": since,
                    "cohort_size": len(members),
                    "eligible_customers": len(eligible),
                    "retained_customers": len(kept),
                    "retention": len(kept) / len(eligible),
                    "is_complete": len(eligible) == len(members),
                    "starting_mrr": start,
                    "retained_mrr": paid,
                    "revenue_retention": float(paid) / float(start) if start else None,
                }
            )
            since += 1
    return found


def day06_customer_health(raw: Frames) -> Rows:
    as_of, people = months(raw)[-1]["as_of"], lives(raw)
    lived = {
        id(life): (((life.left_on or as_of) - life.customer["signup_date"]).days + 1) / DAYS_A_MONTH for life in people
    }
    frame = pd.DataFrame(
        {
            "tier": [life.customer["plan_tier"] for life in people],
            "first_tier": [life.periods[0]["plan_tier"] if life.periods else None for life in people],
            "first": [float(life.periods[0]["mrr"]) if life.periods else None for life in people],
            "months": [lived[id(life)] for life in people],
            "left": [not life.periods or life.left_on is not None for life in people],
        }
    )
    by_tier = frame.groupby("tier").agg(months=("months", "sum"), left=("left", "sum"))
    cost = PAYBACK_MONTHS * frame.groupby("first_tier")["first"].mean()
    found = []
    for life in people:
        active = bool(life.periods) and not life.left_on
        prices = [p["mrr"] for p in life.periods]
        revenue = sum(
            float(p["mrr"]) * (((p["end_date"] or as_of) - p["start_date"]).days + 1) / DAYS_A_MONTH
            for p in life.periods
        )
        tier = by_tier.loc[life.customer["plan_tier"]]
        stay = tier["months"] / tier["left"] if tier["left"] else LONGEST_STAY_MONTHS
        ahead = min(stay, LONGEST_STAY_MONTHS)
        ltv = revenue + (float(prices[-1]) * ahead if active else 0)
        cac = cost[life.periods[0]["plan_tier"]] if life.periods else None
        score = 0.0
        if active:
            growth = 1 if prices[-1] > prices[0] else 0.5 if prices[-1] == prices[0] else 0
            value = min(ltv / cac / FULL_LTV_TO_CAC, 1) if cac else 0
            score = 40 * min(lived[id(life)] / FULL_TENURE_MONTHS, 1) + 30 * growth + 30 * value
        health = "healthy" if score >= 70 else "stable" if score >= 40 else "at risk"
        gone = "churned" if prices else "none"
        found.append(
            {
                "customer_id": life.customer["customer_id"],
                "email": life.customer["email"],
                "plan_tier": life.customer["plan_tier"],
                "signup_date": life.customer["signup_date"],
                "status": "active" if active else gone,
                "tenure_months": lived[id(life)],
                "first_mrr": prices[0] if prices else ZERO,
                "mrr": prices[-1] if active else ZERO,
                "upgrades": sum(b > a for a, b in pairwise(prices)),
                "downgrades": sum(b < a for a, b in pairwise(prices)),
                "revenue": float(revenue),
                "expected_months": float(ahead) if active else 0.0,
                "ltv": float(ltv),
                "cac": None if cac is None else float(cac),
                "ltv_to_cac": float(ltv / cac) if cac else None,
                "score": float(score),
                "health": health if active else gone,
            }
        )
    return found
