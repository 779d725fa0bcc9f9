"""The churn world's marts a second time, in plain Python over its rows, thought out anew, one row after the other."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pandas as pd

Row = dict[str, Any]
Rows = list[Row]
Frames = dict[str, pd.DataFrame]
DAY = timedelta(1)
PLANS = {"free": "Free", "basic": "Basic", "pro": "Pro", "enterprise": "Enterprise"}
REGIONS = ("NA", "EU", "APAC", "LATAM")
STATUSES = ("paid", "late", "failed")
CATEGORIES, PRIORITIES = ("billing", "technical", "onboarding"), ("low", "medium", "high")


def _rows(frame: pd.DataFrame) -> Rows:
    return frame.astype(object).where(frame.notna(), None).to_dict("records")


def _once(rows: Rows, key: Callable[[Row], Hashable], order: Callable[[Row], Any]) -> Rows:
    """The first row in order of each key."""
    kept: dict[Hashable, Row] = {}
    for row in sorted(rows, key=order):
        kept.setdefault(key(row), row)
    return list(kept.values())


def _known(text: str | None, values: tuple[str, ...]) -> str | None:
    """The value that a text means, whatever its case and the blanks around it."""
    found = (text or "").strip(" ").lower()
    return found if found in values else None


def staging_customers(raw: Frames) -> Rows:
    spelled = []
    for row in _rows(raw["customers"]):
        plan = PLANS.get((row["plan"] or "").strip(" ").lower())
        if row["customer_id"] is None or row["signup_date"] is None or plan is None:
            continue
        region = (row["region"] or "").strip(" ").upper()
        region = region if region in REGIONS else "unknown"
        spelled.append({**row, "given": (row["plan"], row["region"] or ""), "plan": plan, "region": region})
    kept = _once(
        spelled,
        lambda row: row["customer_id"],
        lambda row: (row["signup_date"], row["plan"], row["region"], row["given"]),
    )
    return [
        {
            "customer_id": row["customer_id"],
            "signup_date": row["signup_date"],
            "signup_month": row["signup_date"].replace(day=1),
            "plan": row["plan"],
            "is_paid": row["plan"] != "Free",
            "region": row["region"],
            "is_mended": row["given"] != (row["plan"], row["region"]),
        }
        for row in kept
    ]


def _people(raw: Frames) -> dict[int, Row]:
    return {row["customer_id"]: row for row in staging_customers(raw)}


def staging_usage_daily(raw: Frames) -> Rows:
    people, numbers = _people(raw), ("sessions", "usage_minutes", "feature_events")
    sound = [
        row
        for row in _rows(raw["usage_daily"])
        if row["customer_id"] in people
        and row["usage_date"] is not None
        and row["usage_date"] >= people[row["customer_id"]]["signup_date"]
        and all(row[name] is not None and row[name] >= 0 for name in numbers)
    ]
    kept = _once(
        sound,
        lambda row: (row["customer_id"], row["usage_date"]),
        lambda row: (-row["usage_minutes"], -row["sessions"], -row["feature_events"]),
    )
    return [
        {
            "customer_id": row["customer_id"],
            "usage_date": row["usage_date"],
            "days_since_signup": (row["usage_date"] - people[row["customer_id"]]["signup_date"]).days,
            "sessions": max(row["sessions"], 1) if row["usage_minutes"] else row["sessions"],
            "usage_minutes": min(float(row["usage_minutes"]), 1440.0),
            "feature_events": row["feature_events"],
            "is_mended": bool(row["usage_minutes"]) and (row["sessions"] == 0 or row["usage_minutes"] > 1440),
        }
        for row in kept
    ]


def staging_billing(raw: Frames) -> Rows:
    people = _people(raw)
    sound = [
        row
        for row in _rows(raw["billing"])
        if row["customer_id"] in people
        and people[row["customer_id"]]["plan"] != "Free"
        and row["bill_date"] is not None
        and row["bill_date"] >= people[row["customer_id"]]["signup_date"]
        and row["amount"] is not None
        and row["amount"] > 0
        and _known(row["payment_status"], STATUSES)
    ]
    kept = _once(
        sound,
        lambda row: (row["customer_id"], row["bill_date"]),
        lambda row: (-row["amount"], row["payment_status"]),
    )
    before = {key: (0, person["signup_date"]) for key, person in people.items()}
    found = []
    for row in sorted(kept, key=lambda row: row["bill_date"]):
        number, day = before[row["customer_id"]]
        before[row["customer_id"]] = number + 1, row["bill_date"]
        since = (row["bill_date"] - day).days
        found.append(
            {
                "customer_id": row["customer_id"],
                "bill_date": row["bill_date"],
                "amount": row["amount"],
                "payment_status": _known(row["payment_status"], STATUSES),
                "bill_number": number + 1,
                "days_since_previous": since,
                "is_after_gap": since > 19,
                "is_mended": row["payment_status"] not in STATUSES,
            }
        )
    return found


def staging_support(raw: Frames) -> Rows:
    people = _people(raw)
    sound = [
        row
        for row in _rows(raw["support"])
        if row["ticket_id"] is not None
        and row["customer_id"] in people
        and row["ticket_date"] is not None
        and row["ticket_date"] >= people[row["customer_id"]]["signup_date"]
        and _known(row["category"], CATEGORIES)
        and _known(row["priority"], PRIORITIES)
    ]
    kept = _once(
        sound,
        lambda row: row["ticket_id"],
        lambda row: (row["ticket_date"], row["customer_id"], row["category"], row["priority"]),
    )
    return [
        {
            "ticket_id": row["ticket_id"],
            "customer_id": row["customer_id"],
            "ticket_date": row["ticket_date"],
            "days_since_signup": (row["ticket_date"] - people[row["customer_id"]]["signup_date"]).days,
            "category": _known(row["category"], CATEGORIES),
            "priority": _known(row["priority"], PRIORITIES),
            "is_mended": row["category"] not in CATEGORIES or row["priority"] not in PRIORITIES,
        }
        for row in kept
    ]


def _by_customer(rows: Rows) -> dict[int, Rows]:
    found: dict[int, Rows] = {}
    for row in rows:
        found.setdefault(row["customer_id"], []).append(row)
    return found


def staging_gaps(raw: Frames) -> Rows:
    """Walks through every day of every customer's life."""
    used = {(row["customer_id"], row["usage_date"]) for row in staging_usage_daily(raw)}
    as_of = max((day for _, day in used), default=None)
    found = []
    for key, person in _people(raw).items():
        run, has_used, day = 0, False, person["signup_date"]
        while as_of and day <= as_of + DAY:
            if day > as_of or (key, day) in used:
                if run >= 7:
                    ends = day > as_of
                    kind = ("since last use" if ends else "between uses") if has_used else "before first use"
                    found.append(
                        {
                            "customer_id": key,
                            "first_day": day - timedelta(run),
                            "last_day": day - DAY,
                            "days": run,
                            "kind": "never used" if ends and not has_used else kind,
                        }
                    )
                run, has_used = 0, True
            else:
                run += 1
            day += DAY
    return found


def staging_quality(raw: Frames) -> Rows:
    staged = {
        "customers": staging_customers(raw),
        "usage_daily": staging_usage_daily(raw),
        "billing": staging_billing(raw),
        "support": staging_support(raw),
    }
    gaps = {"usage_daily": len(staging_gaps(raw)), "billing": sum(row["is_after_gap"] for row in staged["billing"])}
    return [
        {
            "table_name": name,
            "raw_rows": len(raw[name]),
            "staged_rows": len(rows),
            "removed_rows": len(raw[name]) - len(rows),
            "mended_rows": sum(row["is_mended"] for row in rows),
            "gaps": gaps.get(name),
            "removed_share": (len(raw[name]) - len(rows)) / len(raw[name]) if len(raw[name]) else None,
            "mended_share": sum(row["is_mended"] for row in rows) / len(rows) if rows else None,
        }
        for name, rows in staged.items()
    ]


def _cutoffs(days: list[date]) -> Iterator[tuple[int, date]]:
    for back in range(0, 1801, 60):
        if days and (back <= 60 or max(days) - back * DAY >= min(days) + 60 * DAY):
            yield back, max(days) - back * DAY


def customer_snapshots(raw: Frames) -> Rows:
    usage, bills, tickets = (
        _by_customer(rows) for rows in (staging_usage_daily(raw), staging_billing(raw), staging_support(raw))
    )
    days = [row["usage_date"] for rows in usage.values() for row in rows]
    return [
        {
            "customer_id": key,
            "cutoff_date": cutoff,
            "days_back": back,
            "plan": person["plan"],
            "region": person["region"],
            "tenure_days": (cutoff - person["signup_date"]).days,
            **_use([row for row in usage.get(key, []) if row["usage_date"] <= cutoff], cutoff, person),
            **_bills([row for row in bills.get(key, []) if row["bill_date"] <= cutoff], cutoff),
            **_tickets([row for row in tickets.get(key, []) if row["ticket_date"] <= cutoff], cutoff),
        }
        for back, cutoff in _cutoffs(days)
        for key, person in _people(raw).items()
        if person["signup_date"] <= cutoff
    ]


def _use(rows: Rows, cutoff: date, person: Row) -> Row:
    age = [(cutoff - row["usage_date"]).days for row in rows]
    month = [row for row, days in zip(rows, age, strict=True) if days < 30]
    recent, earlier = len(month), sum(30 <= days < 60 for days in age)
    return {
        "active_days": len(rows),
        "active_days_30": recent,
        "active_days_previous_30": earlier,
        "active_days_trend": recent - earlier,
        "active_share": len(rows) / ((cutoff - person["signup_date"]).days + 1),
        "days_since_use": min(age, default=None),
        "sessions_30": sum(row["sessions"] for row in month),
        "usage_minutes_30": round(sum(row["usage_minutes"] for row in month), 1) + 0.0,
        "feature_events_30": sum(row["feature_events"] for row in month),
        "minutes_per_active_day": _ratio(round(sum(row["usage_minutes"] for row in rows), 1), len(rows)),
        "events_per_session": _ratio(sum(row["feature_events"] for row in rows), sum(row["sessions"] for row in rows)),
        "is_at_risk": bool(age) and min(age) < 60,
    }


def _bills(rows: Rows, cutoff: date) -> Row:
    failed = [row for row in rows if row["payment_status"] == "failed"]
    return {
        "bills": len(rows),
        "amount_billed": sum((row["amount"] for row in rows), Decimal("0.00")),
        "late_share": _ratio(sum(row["payment_status"] == "late" for row in rows), len(rows)),
        "failed_share": _ratio(len(failed), len(rows)),
        "failed_bills_90": sum((cutoff - row["bill_date"]).days < 90 for row in failed),
    }


def _tickets(rows: Rows, cutoff: date) -> Row:
    age = [(cutoff - row["ticket_date"]).days for row in rows]
    return {
        "tickets": len(rows),
        "tickets_90": sum(days < 90 for days in age),
        "urgent_share": _ratio(sum(row["priority"] == "high" for row in rows), len(rows)),
        "technical_share": _ratio(sum(row["category"] == "technical" for row in rows), len(rows)),
        "days_since_ticket": min(age, default=None),
    }


def _ratio(part: float, whole: int) -> float | None:
    return part / whole if whole else None


def churn_features(raw: Frames) -> Rows:
    last = {key: max(row["usage_date"] for row in rows) for key, rows in _by_customer(staging_usage_daily(raw)).items()}
    return [
        {
            **{name: value for name, value in row.items() if name != "days_back"},
            "has_churned": last.get(row["customer_id"], date.min) <= row["cutoff_date"],
        }
        for row in customer_snapshots(raw)
        if row["days_back"] == 60
    ]


def churn_examples(raw: Frames) -> Rows:
    used = _by_customer(staging_usage_daily(raw))
    rows = []
    for row in customer_snapshots(raw):
        if row["is_at_risk"]:
            since = [(use["usage_date"] - row["cutoff_date"]).days for use in used[row["customer_id"]]]
            rows.append(
                {
                    "customer_id": row["customer_id"],
                    "cutoff_date": row["cutoff_date"],
                    "split": {0: "score", 60: "test"}.get(row["days_back"], "train"),
                    "has_churned": not any(0 < days <= 60 for days in since) if row["days_back"] else None,
                }
            )
    return rows


def ltv_examples(raw: Frames) -> Rows:
    bills = _by_customer([row for row in staging_billing(raw) if row["payment_status"] != "failed"])
    splits = {0: "score", 180: "test", **dict.fromkeys(range(360, 1801, 60), "train")}
    rows = []
    for row in customer_snapshots(raw):
        if row["plan"] != "Free" and row["days_back"] in splits:
            mine = bills.get(row["customer_id"], [])
            value = sum(bill["amount"] for bill in mine if 0 < (bill["bill_date"] - row["cutoff_date"]).days <= 180)
            rows.append(
                {
                    "customer_id": row["customer_id"],
                    "cutoff_date": row["cutoff_date"],
                    "split": splits[row["days_back"]],
                    "value": float(value) if row["days_back"] else None,
                }
            )
    return rows


def segments_examples(raw: Frames) -> Rows:
    names = ("customer_id", "cutoff_date", "plan", "tenure_days", "active_days_30", "days_since_use", "tickets_90")
    return [
        {
            **{name: row[name] for name in (*names, "usage_minutes_30")},
            "split": "train" if row["days_back"] else "score",
            "amount_billed": float(row["amount_billed"]),
        }
        for row in customer_snapshots(raw)
        if row["is_at_risk"] and row["days_back"] in (0, 180)
    ]
