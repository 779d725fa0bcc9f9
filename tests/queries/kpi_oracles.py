"""The company's measures a second time, in pandas: retention of revenue, lifetime value, KPIs against targets."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd
from mart_oracles import (
    ZERO,
    Frames,
    Rows,
    customer_months,
    customer_value,
    item_values,
    month_of,
    months,
    records,
)

LESS_IS_BETTER = ("logo_churn_rate", "tickets_per_customer", "ticket_resolution_hours", "first_response_minutes")
Prices = dict[int, Decimal]


def _segments(raw: Frames) -> dict[str, set[int]]:
    """The customers of each segment, and all of them."""
    customers = raw["customers"]
    if customers.empty:
        return {}
    found = {segment: set(members.customer_id) for segment, members in customers.groupby("segment")}
    return {**found, "all": set(customers.customer_id)}


def _paying(raw: Frames) -> dict[date, Prices]:
    """What each active customer pays at the end of each month."""
    found: dict[date, Prices] = {month["month"]: {} for month in months(raw)}
    for row in customer_months(raw):
        if row["is_active"]:
            found[row["month"]][row["customer_id"]] = row["mrr"]
    return found


def _back(month: date, number: int) -> date:
    year, zero_based = divmod(month.year * 12 + month.month - 1 - number, 12)
    return date(year, zero_based + 1, 1)


def _ratio(a: Any, b: Any) -> float | None:
    return float(a) / float(b) if b else None


def _kept(now: Prices, then: Prices, members: set[int]) -> tuple[Decimal, Decimal, Decimal]:
    """What members paid then; what those who paid something then pay now; the same, for none more than then."""
    paid = {key: price for key, price in then.items() if key in members and price}
    return (
        sum(paid.values(), ZERO),
        sum((now.get(key, ZERO) for key in paid), ZERO),
        sum((min(now.get(key, ZERO), price) for key, price in paid.items()), ZERO),
    )


def revenue_retention(raw: Frames) -> Rows:
    rows, paying, complete = [], _paying(raw), set(_whole_months(raw))
    begun = {row["customer_id"]: month_of(row["signed_up_on"]) for row in records(raw["customers"])}
    for month, now in paying.items():
        for segment, members in _segments(raw).items():
            if not any(begun[member] <= month for member in members):
                continue
            before = _kept(now, paying.get(_back(month, 1), {}), members)
            year_ago = paying.get(_back(month, 12), {})
            year = _kept(now, year_ago, members)
            then = year_ago.keys() & members
            rows.append(
                {
                    "month": month,
                    "segment": segment,
                    "is_complete": month in complete,
                    "mrr": sum((price for key, price in now.items() if key in members), ZERO),
                    "mrr_month_before": before[0],
                    "net_retention_month": _ratio(before[1], before[0]),
                    "gross_retention_month": _ratio(before[2], before[0]),
                    "mrr_year_before": year[0],
                    "net_retention_year": _ratio(year[1], year[0]),
                    "gross_retention_year": _ratio(year[2], year[0]),
                    "customers_year_before": len(then),
                    "logo_retention_year": _ratio(len(then & now.keys()), len(then)),
                }
            )
    return rows


def _revenue(raw: Frames) -> pd.DataFrame:
    """Succeeded payments with their month and customer."""
    paid = raw["payments"][raw["payments"].status == "succeeded"].merge(
        raw["orders"][["order_id", "customer_id"]], on="order_id"
    )
    return paid.assign(month=[month_of(at) for at in paid.paid_at])


def _whole_months(raw: Frames) -> list[date]:
    return [month["month"] for month in months(raw) if month["is_complete"]]


def _lost(paying: dict[date, Prices], month: date, members: set[int], back: int = 1) -> tuple[int, int]:
    """How many members active a number of months before are no longer, and how many were."""
    then = paying.get(_back(month, back), {}).keys() & members
    return len(then - paying[month].keys()), len(then)


def ltv_by_segment(raw: Frames) -> Rows:
    recent, paying, paid = _whole_months(raw)[-12:], _paying(raw), _revenue(raw)
    worth = {row["customer_id"]: row for row in customer_value(raw)}
    begun = {row["customer_id"]: month_of(row["signed_up_on"]) for row in records(raw["customers"])}
    rows = []
    for segment, members in _segments(raw).items():
        lost, starts = (sum(pair) for pair in zip((0, 0), *(_lost(paying, m, members) for m in recent), strict=True))
        active = sum(len(paying[month].keys() & members) for month in recent)
        earned = sum(paid[paid.customer_id.isin(members) & paid.month.isin(recent)].amount, ZERO)
        revenue = sum((worth[member]["revenue"] for member in members), ZERO)
        there = any(begun[member] <= month for member in members for month in recent)
        arpu, rate = _ratio(earned, active) if there else None, _ratio(lost, starts)
        rows.append(
            {
                "segment": segment,
                "customers": len(members),
                "active_customers": sum(worth[member]["is_active"] for member in members),
                "revenue": revenue,
                "ltv_so_far": float(revenue) / len(members),
                "arpu": arpu,
                "monthly_churn_rate": rate,
                "expected_months": 1 / rate if rate else None,
                "ltv_expected": arpu / rate if rate and arpu is not None else None,
            }
        )
    return rows


def _mean(values: Any) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


class _Facts:
    """What every measure is taken from, worked out once."""

    def __init__(self, raw: Frames) -> None:
        self.raw, self.paid, self.paying = raw, _revenue(raw), _paying(raw)
        self.whole, self.segments = _whole_months(raw), _segments(raw)
        self.nrr = {(row["month"], row["segment"]): row["net_retention_year"] for row in revenue_retention(raw)}
        self.value = item_values(raw)
        self.off = raw["order_discounts"].groupby("order_id").amount_off.sum()
        self.customer_of = dict(zip(raw["orders"].order_id, raw["orders"].customer_id, strict=True))
        self.orders = self._by_month("orders", "ordered_at")
        self.payments = self._by_month("payments", "paid_at")
        self.cases = self._by_month("support_tickets", "opened_at")

    def _by_month(self, table: str, column: str) -> dict[date, Rows]:
        found: dict[date, Rows] = {}
        for row in records(self.raw[table]):
            found.setdefault(month_of(row[column]), []).append(row)
        return found


def kpis(raw: Frames) -> Rows:
    facts = _Facts(raw)
    return [row for month in facts.whole for row in _in_month(facts, month)]


def _in_month(facts: _Facts, month: date) -> Rows:
    return [
        {"month": month, "segment": segment, "metric_name": name, "target_period": period, "actual": actual}
        for segment, members in facts.segments.items()
        for name, period, actual in _measures(facts, month, segment, members)
    ]


def _measures(facts: _Facts, month: date, segment: str, members: set[int]) -> Iterator[tuple[str, str, float | None]]:
    paid = facts.paid[facts.paid.customer_id.isin(members)]
    customers = facts.raw["customers"]
    signups = [month_of(day) for day in customers[customers.customer_id.isin(members)].signed_up_on]
    year, is_year = [_back(month, back) for back in range(12)], facts.whole.index(month) >= 11
    revenue = float(sum(paid[paid.month == month].amount, ZERO))
    active = facts.paying[month].keys() & members
    yield "monthly_revenue", "monthly", revenue
    yield "annual_revenue", "annual", float(sum(paid[paid.month.isin(year)].amount, ZERO)) if is_year else None
    yield "mrr", "monthly", float(sum((facts.paying[month][key] for key in active), ZERO))
    yield "arpu", "monthly", _ratio(revenue, len(active))
    yield "new_customers", "monthly", float(signups.count(month))
    yield "new_customers", "annual", float(sum(day in year for day in signups)) if is_year else None
    yield "logo_churn_rate", "monthly", _ratio(*_lost(facts.paying, month, members))
    yield "logo_churn_rate", "annual", _ratio(*_lost(facts.paying, month, members, 12))
    yield "nrr", "annual", facts.nrr.get((month, segment))
    so_far = float(sum(paid[[m <= month for m in paid.month]].amount, ZERO))
    yield "customer_ltv", "lifetime", _ratio(so_far, sum(day <= month for day in signups))
    yield from _order_measures(facts, month, members)
    yield from _case_measures(facts, month, members, len(active))
    if segment == "all":
        yield from _traffic_measures(facts.raw, month)


def _order_measures(facts: _Facts, month: date, members: set[int]) -> Iterator[tuple[str, str, float | None]]:
    placed = [
        facts.value.get(order["order_id"], ZERO) - facts.off.get(order["order_id"], ZERO)
        for order in facts.orders.get(month, [])
        if order["customer_id"] in members and order["status"] != "cancelled"
    ]
    tried = [
        payment["status"] != "failed"
        for payment in facts.payments.get(month, [])
        if facts.customer_of[payment["order_id"]] in members
    ]
    yield "average_order_value", "monthly", _ratio(sum(placed, ZERO), len(placed))
    yield "payment_success_rate", "monthly", _ratio(sum(tried), len(tried))


def _case_measures(
    facts: _Facts, month: date, members: set[int], active: int
) -> Iterator[tuple[str, str, float | None]]:
    cases = [case for case in facts.cases.get(month, []) if case["customer_id"] in members]
    closed = [
        (case["closed_at"].replace(microsecond=0) - case["opened_at"].replace(microsecond=0)).total_seconds() / 3600
        for case in cases
        if case["closed_at"]
    ]
    yield "tickets_per_customer", "monthly", _ratio(len(cases), active)
    yield "ticket_resolution_hours", "monthly", _mean(closed)
    yield "first_response_minutes", "monthly", _mean(case["first_response_minutes"] for case in cases)
    yield "customer_satisfaction", "monthly", _mean(case["satisfaction"] for case in cases)


def _traffic_measures(raw: Frames, month: date) -> Iterator[tuple[str, str, float | None]]:
    seen = raw["web_traffic"][raw["web_traffic"].month == month]
    sums = {name: float(seen[name].sum()) if len(seen) else None for name in ("visitors", "leads", "mqls")}
    for name, value in sums.items():
        yield name, "monthly", value
    yield "visitor_to_lead_rate", "monthly", _ratio(sums["leads"], sums["visitors"])
    yield "lead_to_mql_rate", "monthly", _ratio(sums["mqls"], sums["leads"])


def benchmark_actuals(raw: Frames) -> Rows:
    facts = _Facts(raw)
    latest = facts.whole[-1] if facts.whole else None
    asked = [month for month in facts.whole if latest and month in (latest, _back(latest, 12))]
    known = {
        (row["month"], row["segment"], row["metric_name"], row["target_period"]): row
        for month in asked
        for row in _in_month(facts, month)
    }
    rows = []
    for target in records(raw["benchmarks"]):
        name = target["segment"], target["metric_name"], target["target_period"]
        actual = known.get((latest, *name), {}).get("actual")
        before = known.get((_back(latest, 12), *name), {}).get("actual") if latest else None
        less, value = target["metric_name"] in LESS_IS_BETTER, float(target["target_value"])
        rows.append(
            {
                "segment": target["segment"],
                "metric_name": target["metric_name"],
                "target_period": target["target_period"],
                "month": latest,
                "target_value": target["target_value"],
                "actual": actual,
                "actual_year_before": before,
                "attainment": actual / value if actual is not None and value else None,
                "is_less_better": less,
                "is_met": None if actual is None else actual <= value if less else actual >= value,
            }
        )
    return rows
