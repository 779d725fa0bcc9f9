"""Every mart a second time, in pandas, thought out anew and as plainly as can be.

Each function takes the raw tables as data frames and returns the mart's rows as dictionaries,
with the columns it checks.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from statistics import median
from typing import Any

import pandas as pd

Frames = dict[str, pd.DataFrame]
Rows = list[dict[str, Any]]
ZERO = Decimal("0.00")
ALLOWED_HOURS = {"urgent": 8, "high": 24, "medium": 72, "low": 120}


def records(frame: pd.DataFrame) -> Rows:
    """The frame's rows, with None for what is missing."""
    return frame.astype(object).where(frame.notna(), None).to_dict("records")


def month_of(day: date | datetime) -> date:
    return date(day.year, day.month, 1)


def next_month(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)


def span(raw: Frames) -> tuple[list[date], date]:
    """Every month of the data, and its last day."""
    days: list[date] = []
    for table, column in (
        ("customers", "signed_up_on"),
        ("subscriptions", "started_on"),
        ("orders", "ordered_at"),
        ("payments", "paid_at"),
        ("support_tickets", "opened_at"),
        ("churn_events", "churned_on"),
        ("web_traffic", "month"),
    ):
        days += [value.date() if isinstance(value, datetime) else value for value in raw[table][column]]
    months = [month_of(min(days))]
    while next_month(months[-1]) <= max(days):
        months.append(next_month(months[-1]))
    return months, max(days)


def observed(month: date, as_of: date) -> date:
    return min(next_month(month) - timedelta(days=1), as_of)


def months(raw: Frames) -> Rows:
    found, as_of = span(raw)
    return [
        {
            "month": month,
            "observed_on": observed(month, as_of),
            "is_complete": next_month(month) - timedelta(days=1) <= as_of,
            "as_of": as_of,
        }
        for month in found
    ]


def whole(raw: Frames) -> dict[date, bool]:
    """Whether the data reaches the end of each month."""
    return {row["month"]: row["is_complete"] for row in months(raw)}


def price_on(periods: Rows, day: date) -> list[Decimal]:
    """The prices of the periods that cover the day."""
    return [
        p["monthly_price"] for p in periods if p["started_on"] <= day and (not p["ended_on"] or p["ended_on"] > day)
    ]


def customer_months(raw: Frames) -> Rows:
    found, as_of = span(raw)
    periods: dict[int, Rows] = {}
    for period in records(raw["subscriptions"]):
        periods.setdefault(period["customer_id"], []).append(period)
    return [
        row
        for customer in records(raw["customers"])
        for row in _life(customer, periods.get(customer["customer_id"], []), found, as_of)
    ]


def _life(customer: dict[str, Any], periods: Rows, found: list[date], as_of: date) -> Iterator[dict[str, Any]]:
    signup, before, ever = month_of(customer["signed_up_on"]), [], False
    for since, month in enumerate(month for month in found if month >= signup):
        prices = price_on(periods, observed(month, as_of))
        yield {
            "customer_id": customer["customer_id"],
            "segment": customer["segment"],
            "signup_month": signup,
            "month": month,
            "months_since": since,
            "is_active": bool(prices),
            "mrr": sum(prices, ZERO),
            "was_active": bool(before),
            "previous_mrr": sum(before, ZERO),
            "was_ever_active": ever,
        }
        before, ever = prices, ever or bool(prices)


def cohort_retention(raw: Frames) -> Rows:
    frame = pd.DataFrame(customer_months(raw))
    cells = frame.groupby(["signup_month", "months_since"], as_index=False).agg(
        cohort_size=("customer_id", "nunique"), active_customers=("is_active", "sum"), mrr=("mrr", "sum")
    )
    first = cells[cells.months_since == 0].set_index("signup_month").mrr
    complete = whole(raw)
    seen = [_later(cell["signup_month"], cell["months_since"]) for cell in records(cells)]
    return [
        {
            **cell,
            "month": month,
            "is_complete": complete[month],
            "retention": cell["active_customers"] / cell["cohort_size"],
            "mrr_retention": float(cell["mrr"]) / float(first[cell["signup_month"]])
            if first[cell["signup_month"]]
            else None,
        }
        for cell, month in zip(records(cells), seen, strict=True)
    ]


def _later(month: date, number: int) -> date:
    for _ in range(number):
        month = next_month(month)
    return month


def _ends(raw: Frames) -> Iterator[tuple[date, dict[int, list[Decimal]], dict[int, list[Decimal]], set[int]]]:
    """For each month: who is active at its end and at the end before, at which prices, and who ever was until then."""
    found, as_of = span(raw)
    before: dict[int, list[Decimal]] = {}
    ever: set[int] = set()
    signups = {c["customer_id"]: month_of(c["signed_up_on"]) for c in records(raw["customers"])}
    for month in found:
        now: dict[int, list[Decimal]] = {}
        for period in records(raw["subscriptions"]):
            prices = price_on([period], observed(month, as_of))
            if prices and signups[period["customer_id"]] <= month:
                now.setdefault(period["customer_id"], []).extend(prices)
        yield month, before, now, ever
        before, ever = now, ever | now.keys()


def customer_growth(raw: Frames) -> Rows:
    signups, complete = [month_of(day) for day in raw["customers"]["signed_up_on"]], whole(raw)
    return [
        {
            "month": month,
            "is_complete": complete[month],
            "signups": signups.count(month),
            "active_start": len(before),
            "new_customers": len(now.keys() - ever),
            "reactivated_customers": len((now.keys() - before.keys()) & ever),
            "churned_customers": len(before.keys() - now.keys()),
            "active_customers": len(now),
            "logo_churn_rate": len(before.keys() - now.keys()) / len(before) if before else None,
            "mrr": sum((price for prices in now.values() for price in prices), ZERO),
        }
        for month, before, now, ever in _ends(raw)
    ]


def mrr_waterfall(raw: Frames) -> Rows:
    rows, complete = [], whole(raw)
    for month, before, now, ever in _ends(raw):
        start = {key: sum(prices, ZERO) for key, prices in before.items()}
        end = {key: sum(prices, ZERO) for key, prices in now.items()}
        stayed = [end[key] - start[key] for key in start.keys() & end.keys()]
        row = {
            "month": month,
            "is_complete": complete[month],
            "mrr_start": sum(start.values(), ZERO),
            "new_mrr": sum((end[key] for key in end.keys() - ever), ZERO),
            "expansion_mrr": sum((change for change in stayed if change > 0), ZERO),
            "contraction_mrr": sum((change for change in stayed if change < 0), ZERO),
            "churned_mrr": -sum((start[key] for key in start.keys() - end.keys()), ZERO),
            "reactivated_mrr": sum((end[key] for key in (end.keys() - start.keys()) & ever), ZERO),
            "mrr_end": sum(end.values(), ZERO),
        }
        stays = sum((end[key] for key in start.keys() & end.keys()), ZERO)
        row["net_mrr"] = row["mrr_end"] - row["mrr_start"]
        row["net_revenue_retention"] = float(stays) / float(row["mrr_start"]) if row["mrr_start"] else None
        kept = sum((min(start[key], end[key]) for key in start.keys() & end.keys()), ZERO)
        row["gross_revenue_retention"] = float(kept) / float(row["mrr_start"]) if row["mrr_start"] else None
        rows.append(row)
    return rows


def revenue_by_month(raw: Frames) -> Rows:
    segments = raw["customers"].set_index("customer_id").segment
    orders = raw["orders"].assign(
        month=[month_of(at) for at in raw["orders"].ordered_at], segment=raw["orders"].customer_id.map(segments)
    )
    payments = raw["payments"].merge(orders[["order_id", "customer_id", "segment"]], on="order_id")
    payments = payments.assign(month=[month_of(at) for at in payments.paid_at])
    off = raw["order_discounts"].groupby("order_id").amount_off.sum()
    value, complete = item_values(raw), whole(raw)
    active: dict[tuple[date, str], int] = {}
    for state in customer_months(raw):
        key = state["month"], state["segment"]
        active[key] = active.get(key, 0) + state["is_active"]
    rows = []
    for month in span(raw)[0]:
        for segment in sorted(set(segments)):
            placed = orders[(orders.month == month) & (orders.segment == segment) & (orders.status != "cancelled")]
            tried = payments[(payments.month == month) & (payments.segment == segment)]
            paid = tried[tried.status == "succeeded"]
            revenue, payers = sum(paid.amount, ZERO), paid.customer_id.nunique()
            there = active.get((month, segment), 0)
            rows.append(
                {
                    "month": month,
                    "segment": segment,
                    "is_complete": complete[month],
                    "active_customers": there,
                    "arpu": float(revenue) / there if there else None,
                    "orders": len(placed),
                    "order_value": sum((value.get(order, ZERO) for order in placed.order_id), ZERO),
                    "discounts": sum((off.get(order, ZERO) for order in placed.order_id), ZERO),
                    "revenue": revenue,
                    "refunds": sum(tried[tried.status == "refunded"].amount, ZERO),
                    "payments": len(tried),
                    "failed_payments": int((tried.status == "failed").sum()),
                    "paying_customers": payers,
                    "arppu": float(revenue) / payers if payers else None,
                }
            )
    return rows


def _churns(raw: Frames) -> pd.DataFrame:
    return (
        raw["churn_events"].merge(raw["subscriptions"], on="subscription_id").merge(raw["customers"], on="customer_id")
    )


def churn_by_cohort(raw: Frames) -> Rows:
    churns, as_of = _churns(raw), span(raw)[1]
    now = {p["customer_id"] for p in records(raw["subscriptions"]) if price_on([p], as_of)}
    customers = raw["customers"].assign(signup_month=[month_of(day) for day in raw["customers"].signed_up_on])
    rows = []
    for (month, segment), members in customers.groupby(["signup_month", "segment"]):
        left = churns[churns.customer_id.isin(members.customer_id)].sort_values(["churned_on", "churn_event_id"])
        first, last = left.groupby("customer_id").first(), left.groupby("customer_id").last()
        counts = sorted(last.reason.value_counts().items(), key=lambda item: (-item[1], item[0]))
        days = [(row.churned_on - row.signed_up_on).days for row in first.itertuples()]
        rows.append(
            {
                "signup_month": month,
                "segment": segment,
                "customers": len(members),
                "churned_customers": len(last),
                "returned_customers": len(set(last.index) & now),
                "churn_rate": len(last) / len(members),
                "average_days_to_churn": sum(days) / len(days) if days else None,
                "main_reason": counts[0][0] if counts else None,
                "main_reason_customers": counts[0][1] if counts else 0,
            }
        )
    return rows


def churn_reasons(raw: Frames) -> Rows:
    churns = _churns(raw)
    churns = churns.assign(month=[month_of(day) for day in churns.churned_on])
    cases = records(raw["support_tickets"])
    rows = []
    for (month, segment, reason), left in churns.groupby(["month", "segment", "reason"]):
        before = [
            case["satisfaction"]
            for churn in records(left)
            for case in cases
            if case["customer_id"] == churn["customer_id"]
            and timedelta(0) < churn["churned_on"] - case["opened_at"].date() <= timedelta(90)
        ]
        answers = [answer for answer in before if answer is not None]
        rows.append(
            {
                "month": month,
                "segment": segment,
                "reason": reason,
                "churn_events": len(left),
                "customers": left.customer_id.nunique(),
                "lost_mrr": sum(left.monthly_price, ZERO),
                "average_score": sum(left.score) / len(left),
                "tickets": len(before),
                "answers": len(answers),
                "average_satisfaction": sum(answers) / len(answers) if answers else None,
            }
        )
    return rows


def funnel_by_channel(raw: Frames) -> Rows:
    traffic = {(row["month"], row["channel"]): row for row in records(raw["web_traffic"])}
    campaigns = records(raw["campaigns"])
    customers = raw["customers"]
    channels = (
        {channel for _, channel in traffic} | set(customers.acquisition_source) | {c["channel"] for c in campaigns}
    )
    arrivals = [
        (month_of(day), channel)
        for day, channel in zip(customers.signed_up_on, customers.acquisition_source, strict=True)
    ]
    rows, complete = [], whole(raw)
    for month in span(raw)[0]:
        for channel in sorted(channels):
            seen, signups = traffic.get((month, channel)), arrivals.count((month, channel))
            cents = sum(_cents_in(month, c) for c in campaigns if c["channel"] == channel)
            rows.append(
                {
                    "month": month,
                    "channel": channel,
                    "is_complete": complete[month],
                    "visitors": seen["visitors"] if seen else None,
                    "leads": seen["leads"] if seen else None,
                    "mqls": seen["mqls"] if seen else None,
                    "signups": signups,
                    "spend": Decimal(cents).scaleb(-2),
                    "lead_rate": seen["leads"] / seen["visitors"] if seen and seen["visitors"] else None,
                    "mql_rate": seen["mqls"] / seen["leads"] if seen and seen["leads"] else None,
                    "win_rate": signups / seen["mqls"] if seen and seen["mqls"] else None,
                    "signup_rate": signups / seen["visitors"] if seen and seen["visitors"] else None,
                    "cac": cents / 100 / signups if signups else None,
                }
            )
    return rows


def _cents_in(month: date, campaign: dict[str, Any]) -> int:
    """Day by day: each gets what brings the running total to its share, in whole cents."""
    cents, days = int(campaign["spend"] * 100), (campaign["ends_on"] - campaign["starts_on"]).days + 1
    total = 0
    for number in range(days):
        if month_of(campaign["starts_on"] + timedelta(days=number)) == month:
            total += cents * (number + 1) // days - cents * number // days
    return total


def item_values(raw: Frames) -> Any:
    """What each order's items cost before discounts."""
    items = raw["order_items"]
    return items.assign(value=items.quantity * items.unit_price).groupby("order_id").value.sum()


def _code_parts(raw: Frames) -> Iterator[tuple[dict[str, Any], dict[str, dict[str, Any]]]]:
    """Each code with what is to be said of every segment that has placed orders."""
    orders = raw["orders"][raw["orders"].status != "cancelled"].sort_values(["ordered_at", "order_id"])
    segments = raw["customers"].set_index("customer_id").segment
    orders = orders.assign(segment=orders.customer_id.map(segments).fillna("unknown"))
    value, coded = item_values(raw), set(raw["order_discounts"].order_id)
    paid = raw["payments"][raw["payments"].status == "succeeded"].groupby("order_id").amount.sum()
    firsts = set(orders.groupby("customer_id").order_id.first())
    for code in records(raw["discounts"]):
        off = raw["order_discounts"][raw["order_discounts"].discount_id == code["discount_id"]]
        taken = off.set_index("order_id").amount_off
        parts = {}
        for segment, own in orders.groupby("segment"):
            used = own[own.order_id.isin(taken.index)]
            others = [
                order.order_id
                for order in own.itertuples()
                if order.order_id not in coded and code["valid_from"] <= order.ordered_at.date() <= code["valid_to"]
            ]
            parts[str(segment)] = {
                "orders": len(used),
                "customers": used.customer_id.nunique(),
                "new_customers": int(used.order_id.isin(firsts).sum()),
                "order_value": sum((value.get(order, ZERO) for order in used.order_id), ZERO),
                "amount_off": sum((taken[order] for order in used.order_id), ZERO),
                "revenue": sum((paid.get(order, ZERO) for order in used.order_id), ZERO),
                "orders_without": len(others),
                "order_value_without": sum((value.get(order, ZERO) for order in others), ZERO),
            }
        yield code, parts


def _average(value: Decimal, orders: int) -> float | None:
    return float(value) / orders if orders else None


def _uplift(average: float | None, without: float | None) -> float | None:
    return average / without - 1 if average is not None and without else None


def promo_codes_by_segment(raw: Frames) -> Rows:
    rows = []
    for code, parts in _code_parts(raw):
        for segment, part in parts.items():
            average = _average(part["order_value"], part["orders"])
            without = _average(part["order_value_without"], part["orders_without"])
            rows.append(
                {
                    "discount_id": code["discount_id"],
                    "code": code["code"],
                    "segment": segment,
                    **part,
                    "average_order_value": average,
                    "average_order_value_without": without,
                    "uplift": _uplift(average, without),
                }
            )
    return rows


def promo_codes(raw: Frames) -> Rows:
    rows = []
    for code, parts in _code_parts(raw):
        sums: dict[str, Any] = {
            name: sum((part[name] for part in parts.values()), ZERO if name in _MONEY else 0) for name in _COUNTED
        }
        comparable = [part for part in parts.values() if part["orders"] and part["orders_without"]]
        orders = sum(part["orders"] for part in comparable)
        expected = sum(p["orders"] * float(p["order_value_without"]) / p["orders_without"] for p in comparable)
        average = _average(sums["order_value"], sums["orders"])
        compared = _average(sum((part["order_value"] for part in comparable), ZERO), orders)
        plain = _average(
            sum((part["order_value_without"] for part in parts.values()), ZERO),
            sum(part["orders_without"] for part in parts.values()),
        )
        rows.append(
            {
                "code": code["code"],
                "percent_off": code["percent_off"],
                "valid_from": code["valid_from"],
                "valid_to": code["valid_to"],
                **sums,
                "compared_orders": orders,
                "average_order_value": average,
                "average_order_value_without": expected / orders if orders else None,
                "uplift": _uplift(compared, expected / orders if orders else None),
                "uplift_unadjusted": _uplift(average, plain),
            }
        )
    return rows


_MONEY = ("order_value", "amount_off", "revenue")
_COUNTED = ("orders", "customers", "new_customers", *_MONEY)


def support_load(raw: Frames) -> Rows:
    found, as_of = span(raw)
    segments = raw["customers"].set_index("customer_id").segment
    cases: dict[tuple[date, str], Rows] = {(month, segment): [] for month in found for segment in sorted(set(segments))}
    for case in records(raw["support_tickets"]):
        cases[month_of(case["opened_at"]), segments[case["customer_id"]]].append(case)
    end, complete = datetime.combine(as_of + timedelta(days=1), datetime.min.time()), whole(raw)
    return [
        {"month": month, "segment": segment, "is_complete": complete[month], **_load(group, end)}
        for (month, segment), group in cases.items()
    ]


def _load(cases: Rows, end: datetime) -> dict[str, Any]:
    closed = [case for case in cases if case["closed_at"]]
    hours = [int((_second(case["closed_at"]) - _second(case["opened_at"])).total_seconds()) / 3600 for case in closed]
    in_time = [hour <= ALLOWED_HOURS[case["priority"]] for hour, case in zip(hours, closed, strict=True)]
    overdue = [
        case
        for case in cases
        if not case["closed_at"] and end - _second(case["opened_at"]) > timedelta(hours=ALLOWED_HOURS[case["priority"]])
    ]
    due = len(closed) + len(overdue)
    answers = [case["satisfaction"] for case in cases if case["satisfaction"] is not None]
    answered = [case["first_response_minutes"] for case in cases if case["first_response_minutes"] is not None]
    return {
        "tickets": len(cases),
        "closed_tickets": len(closed),
        "median_resolution_hours": median(hours) if hours else None,
        "average_resolution_hours": sum(hours) / len(hours) if hours else None,
        "due_tickets": due,
        "within_sla_tickets": sum(in_time),
        "sla_share": sum(in_time) / due if due else None,
        "average_first_response_minutes": sum(answered) / len(answered) if answered else None,
        "average_satisfaction": sum(answers) / len(answers) if answers else None,
    }


def _second(moment: datetime) -> datetime:
    """Differences count the second boundaries crossed, as DATETIME_DIFF does."""
    return moment.replace(microsecond=0)


def customer_value(raw: Frames) -> Rows:
    as_of = span(raw)[1]
    paid = raw["payments"][raw["payments"].status == "succeeded"].groupby("order_id").amount.sum()
    rows = []
    lives = pd.DataFrame(customer_months(raw)).groupby("customer_id").is_active.sum()
    for customer in records(raw["customers"]):
        key = customer["customer_id"]
        prices = price_on(records(raw["subscriptions"][raw["subscriptions"].customer_id == key]), as_of)
        orders = raw["orders"][raw["orders"].customer_id == key]
        rows.append(
            {
                "customer_id": key,
                "company_name": customer["company_name"],
                "segment": customer["segment"],
                "acquisition_source": customer["acquisition_source"],
                "signup_month": month_of(customer["signed_up_on"]),
                "is_active": bool(prices),
                "mrr": sum(prices, ZERO),
                "active_months": int(lives[key]),
                "orders": int((orders.status != "cancelled").sum()),
                "revenue": sum((paid.get(order, ZERO) for order in orders.order_id), ZERO),
                "tickets": int((raw["support_tickets"].customer_id == key).sum()),
            }
        )
    return rows
