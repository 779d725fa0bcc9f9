"""What the models of hopify learn from a second time, in plain Python: one customer and day after the other."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from mart_oracles import Frames, Rows, records, revenue_by_month, span

Row = dict[str, Any]


def _before(day: date, months: int) -> date:
    year, zero_based = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, zero_based + 1, min(day.day, monthrange(year, zero_based + 1)[1]))


def _cutoffs(raw: Frames) -> dict[int, date]:
    """Each cut-off by the months it lies back."""
    found, as_of = span(raw)
    earliest = _before(found[0], -3)
    days = {back: _before(as_of, back) for back in range(0, 61, 3)}
    return {back: day for back, day in days.items() if day >= earliest}


def _of(rows: Rows, customer: Row) -> Rows:
    return [row for row in rows if row["customer_id"] == customer["customer_id"]]


def _day(moment: datetime) -> date:
    return moment.date()


def _recent(days: Iterable[date], cutoff: date, earlier: int = 0) -> int:
    """How many of the days are among the 90 that end with the cut-off, or ``earlier`` days before it."""
    return sum(earlier <= (cutoff - day).days < earlier + 90 for day in days)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def customer_snapshots(raw: Frames) -> Rows:
    tables = {name: records(raw[name]) for name in ("subscriptions", "orders", "support_tickets", "app_installs")}
    plans = {row["plan_id"]: row for row in records(raw["plans"])}
    coded = set(raw["order_discounts"].order_id)
    paid: dict[int, Rows] = {}
    for payment in records(raw["payments"]):
        paid.setdefault(payment["order_id"], []).append(payment)
    return [
        {
            "customer_id": customer["customer_id"],
            "cutoff_date": cutoff,
            "months_back": back,
            "segment": customer["segment"],
            "acquisition_source": customer["acquisition_source"],
            "tenure_days": (cutoff - customer["signed_up_on"]).days,
            **_subscribed(_of(tables["subscriptions"], customer), plans, cutoff),
            **_ordered(_of(tables["orders"], customer), coded, cutoff),
            **_paid(_of(tables["orders"], customer), paid, cutoff),
            **_supported(_of(tables["support_tickets"], customer), cutoff),
            "installs": sum(
                _day(row["installed_at"]) <= cutoff and not (row["removed_at"] and _day(row["removed_at"]) <= cutoff)
                for row in _of(tables["app_installs"], customer)
            ),
        }
        for back, cutoff in _cutoffs(raw).items()
        for customer in records(raw["customers"])
        if customer["signed_up_on"] <= cutoff
    ]


def _subscribed(periods: Rows, plans: dict[int, Row], cutoff: date) -> Row:
    begun = [row for row in periods if row["started_on"] <= cutoff]
    now = [row for row in begun if not row["ended_on"] or row["ended_on"] > cutoff]
    price = float(sum(row["monthly_price"] for row in now))
    listed = float(sum(plans[row["plan_id"]]["monthly_price"] for row in now))
    reasons = [row["start_reason"] for row in begun]
    return {
        "is_subscribed": bool(now),
        "plan_tier": max((plans[row["plan_id"]]["tier"] for row in now), default=0),
        "mrr": price,
        "price_share": price / listed if listed else None,
        "days_on_plan": (cutoff - max(row["started_on"] for row in now)).days if now else None,
        "upgrades": reasons.count("upgrade"),
        "downgrades": reasons.count("downgrade"),
        "returns": reasons.count("reactivation"),
    }


def _entered(orders: Rows, cutoff: date) -> Rows:
    return [row for row in orders if max(_day(row["created_at"]), _day(row["ordered_at"])) <= cutoff]


def _ordered(orders: Rows, coded: set[int], cutoff: date) -> Row:
    known = _entered(orders, cutoff)
    days = [_day(row["ordered_at"]) for row in known]
    return {
        "orders": len(known),
        "orders_90": _recent(days, cutoff),
        "orders_previous_90": _recent(days, cutoff, 90),
        "days_since_order": (cutoff - max(days)).days if days else None,
        "coded_share": sum(row["order_id"] in coded for row in known) / len(known) if known else None,
    }


def _paid(orders: Rows, paid: dict[int, Rows], cutoff: date) -> Row:
    entered = [row["order_id"] for row in orders if _day(row["created_at"]) <= cutoff]
    tried = [row for order in entered for row in paid.get(order, []) if _day(row["paid_at"]) <= cutoff]
    kept = [row for row in tried if row["status"] != "failed"]

    def amount(earlier: int) -> float:
        recent = [row for row in kept if earlier <= (cutoff - _day(row["paid_at"])).days < earlier + 90]
        return float(sum(row["amount"] for row in recent))

    return {
        "paid": float(sum(row["amount"] for row in kept)),
        "paid_90": amount(0),
        "paid_previous_90": amount(90),
        "failed_payments_90": _recent((_day(r["paid_at"]) for r in tried if r["status"] == "failed"), cutoff),
    }


def _supported(tickets: Rows, cutoff: date) -> Row:
    known = [row for row in tickets if _day(row["opened_at"]) <= cutoff]
    closed = [row for row in known if row["closed_at"] and _day(row["closed_at"]) <= cutoff]
    lately = [row for row in closed if (cutoff - _day(row["closed_at"])).days < 90]
    return {
        "tickets": len(known),
        "tickets_90": _recent((_day(row["opened_at"]) for row in known), cutoff),
        "open_tickets": len(known) - len(closed),
        "resolution_hours_90": _mean((row["closed_at"] - row["opened_at"]).total_seconds() / 3600 for row in lately),
        "satisfaction_90": _mean(row["satisfaction"] for row in lately),
    }


def churn_examples(raw: Frames) -> Rows:
    owners = {row["subscription_id"]: row["customer_id"] for row in records(raw["subscriptions"])}
    left = [(owners[row["subscription_id"]], row["churned_on"]) for row in records(raw["churn_events"])]
    cutoffs, rows = _cutoffs(raw), []
    for row in customer_snapshots(raw):
        if not row["is_subscribed"]:
            continue
        back = row["months_back"]
        ends = cutoffs.get(back - 3)
        mine = [day for owner, day in left if owner == row["customer_id"]]
        rows.append(
            {
                "customer_id": row["customer_id"],
                "cutoff_date": row["cutoff_date"],
                "split": {0: "score", 3: "test"}.get(back, "train"),
                "has_churned": any(row["cutoff_date"] < day <= ends for day in mine) if ends else None,
            }
        )
    return rows


def ltv_examples(raw: Frames) -> Rows:
    owners = {row["order_id"]: row["customer_id"] for row in records(raw["orders"])}
    kept = [row for row in records(raw["payments"]) if row["status"] == "succeeded"]
    cutoffs, rows = _cutoffs(raw), []
    for row in customer_snapshots(raw):
        back = row["months_back"]
        if not row["is_subscribed"] or (0 < back < 24 and back != 12):
            continue
        ends = cutoffs.get(back - 12)
        mine = [payment for payment in kept if owners[payment["order_id"]] == row["customer_id"]]
        rows.append(
            {
                "customer_id": row["customer_id"],
                "cutoff_date": row["cutoff_date"],
                "split": {0: "score", 12: "test"}.get(back, "train"),
                "value": float(sum(p["amount"] for p in mine if row["cutoff_date"] < _day(p["paid_at"]) <= ends))
                if ends
                else None,
            }
        )
    return rows


def segments_examples(raw: Frames) -> Rows:
    names = ("customer_id", "cutoff_date", "segment", "tenure_days", "mrr", "orders_90", "paid_90", "tickets_90")
    return [
        {
            **{name: row[name] for name in (*names, "installs")},
            "split": "train" if row["months_back"] else "score",
            "days_since_order": row["tenure_days"] if row["days_since_order"] is None else row["days_since_order"],
        }
        for row in customer_snapshots(raw)
        if row["is_subscribed"] and row["months_back"] in (0, 6)
    ]


def forecast_examples(raw: Frames) -> Rows:
    found: dict[date, float] = {}
    for row in revenue_by_month(raw):
        if row["is_complete"]:
            found[row["month"]] = found.get(row["month"], 0.0) + float(row["revenue"])
    return [{"month": month, "revenue": revenue} for month, revenue in found.items()]
