"""Marts of customers by week, campaigns, products and places a second time, in pandas and plain Python."""

from __future__ import annotations

from datetime import date, timedelta

from mart_oracles import ZERO, Frames, Rows, customer_value, month_of, months, price_on, records, span


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def cohort_retention_weekly(raw: Frames) -> Rows:
    as_of = span(raw)[1]
    periods: dict[int, Rows] = {}
    for period in records(raw["subscriptions"]):
        periods.setdefault(period["customer_id"], []).append(period)
    cohorts: dict[date, list[int]] = {}
    for customer in records(raw["customers"]):
        cohorts.setdefault(_monday(customer["signed_up_on"]), []).append(customer["customer_id"])
    rows = []
    for signup_week, members in cohorts.items():
        first = None
        for since in range((_monday(as_of) - signup_week).days // 7 + 1):
            sunday = signup_week + timedelta(days=7 * since + 6)
            paid = [price_on(periods.get(member, []), min(sunday, as_of)) for member in members]
            mrr = sum((price for prices in paid for price in prices), ZERO)
            first = mrr if first is None else first
            rows.append(
                {
                    "signup_week": signup_week,
                    "weeks_since": since,
                    "week": sunday - timedelta(days=6),
                    "is_complete": sunday <= as_of,
                    "cohort_size": len(members),
                    "active_customers": sum(map(bool, paid)),
                    "retention": sum(map(bool, paid)) / len(members),
                    "mrr": mrr,
                    "mrr_retention": float(mrr) / float(first) if first else None,
                }
            )
    return rows


def campaign_return(raw: Frames) -> Rows:
    as_of = span(raw)[1]
    worth = {row["customer_id"]: row for row in customer_value(raw)}
    named = {row["customer_id"]: row["campaign_id"] for row in records(raw["customers"])}
    rows = []
    for campaign in records(raw["campaigns"]):
        won = [worth[customer] for customer, key in named.items() if key == campaign["campaign_id"]]
        revenue = sum((row["revenue"] for row in won), ZERO)
        rows.append(
            {
                **{name: campaign[name] for name in ("campaign_id", "name", "channel", "campaign_type")},
                "starts_on": campaign["starts_on"],
                "ends_on": campaign["ends_on"],
                "is_over": campaign["ends_on"] <= as_of,
                "spend": campaign["spend"],
                "customers": len(won),
                "active_customers": sum(row["is_active"] for row in won),
                "cac": float(campaign["spend"]) / len(won) if won else None,
                "revenue": revenue,
                "mrr": sum((row["mrr"] for row in won), ZERO),
                "return_on_spend": float(revenue) / float(campaign["spend"]) if campaign["spend"] else None,
                "is_paid_back": revenue >= campaign["spend"],
            }
        )
    return rows


def product_mix(raw: Frames) -> Rows:
    products = {row["product_id"]: (row["category"], row["revenue_type"]) for row in records(raw["products"])}
    segments = {row["customer_id"]: row["segment"] for row in records(raw["customers"])}
    orders = {row["order_id"]: row for row in records(raw["orders"]) if row["status"] != "cancelled"}
    groups: dict[tuple[date, str, str, str], Rows] = {}
    for item in records(raw["order_items"]):
        if order := orders.get(item["order_id"]):
            kind = products.get(item["product_id"], ("unknown", "unknown"))
            key = (month_of(order["ordered_at"]), segments[order["customer_id"]], *kind)
            groups.setdefault(key, []).append(item)
    amounts = {key: sum((i["quantity"] * i["unit_price"] for i in items), ZERO) for key, items in groups.items()}
    rows = []
    for key, items in groups.items():
        whole = sum((amount for other, amount in amounts.items() if other[:2] == key[:2]), ZERO)
        rows.append(
            {
                **dict(zip(("month", "segment", "category", "revenue_type"), key, strict=True)),
                "orders": len({item["order_id"] for item in items}),
                "quantity": sum(item["quantity"] for item in items),
                "amount": amounts[key],
                "share": float(amounts[key]) / float(whole) if whole else None,
            }
        )
    return rows


def installs_by_location(raw: Frames) -> Rows:
    rows = []
    for month in months(raw):
        in_use = {
            row["install_id"]: row
            for row in records(raw["app_installs"])
            if row["installed_at"].date() <= month["observed_on"]
            and not (row["removed_at"] and row["removed_at"].date() <= month["observed_on"])
        }
        for place in records(raw["locations"]):
            here = raw["app_installs"][raw["app_installs"].location_id == place["location_id"]]
            used = [row for row in in_use.values() if row["location_id"] == place["location_id"]]
            rows.append(
                {
                    **{name: place[name] for name in ("location_id", "region", "country_code", "city")},
                    "month": month["month"],
                    "is_complete": month["is_complete"],
                    "installs": sum(month_of(at.date()) == month["month"] for at in here.installed_at),
                    "removals": sum(bool(at) and month_of(at.date()) == month["month"] for at in here.removed_at),
                    "installed": len(used),
                    "customers": len({row["customer_id"] for row in used}),
                    "share": len(used) / len(in_use) if in_use else None,
                }
            )
    return rows
