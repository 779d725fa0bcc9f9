"""Worlds small enough to work out by hand, at the edges: month ends, leap days, nothing at all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from mart_worlds import Marts, customer, subscription, ticket_on, world

from etl.publish.queries import Query
from schemas import hopify

D = Decimal


def test_nothing_at_all(marts: Marts, queries: dict[str, Query]) -> None:
    read = marts(world())
    assert {name: read(f"SELECT * FROM marts.{name}") for name in reversed(queries)} == {name: [] for name in queries}


def test_one_customer_without_anything(marts: Marts) -> None:
    read = marts(world(customers=[customer(date(2024, 2, 29))]))
    assert read("SELECT * FROM marts.months") == [
        {"month": date(2024, 2, 1), "observed_on": date(2024, 2, 29), "is_complete": True, "as_of": date(2024, 2, 29)}
    ]
    assert read("SELECT cohort_size, active_customers, retention, mrr, mrr_retention FROM marts.cohort_retention") == [
        {"cohort_size": 1, "active_customers": 0, "retention": 0.0, "mrr": D("0.00"), "mrr_retention": None}
    ]
    assert read("SELECT orders, revenue, paying_customers, arppu, arpu FROM marts.revenue_by_month") == [
        {"orders": 0, "revenue": D("0.00"), "paying_customers": 0, "arppu": None, "arpu": None}
    ]
    assert read("SELECT churn_rate, main_reason, average_days_to_churn FROM marts.churn_by_cohort") == [
        {"churn_rate": 0.0, "main_reason": None, "average_days_to_churn": None}
    ]


def test_a_subscription_covers_its_start_and_not_its_end(marts: Marts) -> None:
    """Signed up on 29 January; active at the ends of January and of February or not, by the day it ended."""
    ends = {
        1: (date(2024, 1, 30), [False, False]),  # the day after signup
        2: (date(2024, 1, 31), [False, False]),  # 30 January was the last day covered
        3: (date(2024, 2, 1), [True, False]),  # covered on 31 January
        4: (date(2024, 2, 29), [True, False]),  # the leap day itself is not covered
        5: (date(2024, 3, 1), [True, True]),
        6: (None, [True, True]),
    }
    start = date(2024, 1, 29)
    read = marts(
        world(
            customers=[customer(start, key) for key in ends],
            subscriptions=[
                subscription(start, ended_on, customer_id=key, subscription_id=key)
                for key, (ended_on, _) in ends.items()
            ],
            support_tickets=[ticket_on(date(2024, 2, 29))],
        )
    )
    for key, (_, active) in ends.items():
        rows = read(f"SELECT is_active FROM marts.customer_months WHERE customer_id = {key} ORDER BY month")
        assert [row["is_active"] for row in rows] == active, ends[key]


def test_signup_on_a_months_last_day_counts_for_that_month(marts: Marts) -> None:
    read = marts(
        world(
            customers=[customer(date(2024, 1, 31))],
            subscriptions=[subscription(date(2024, 1, 31))],
            support_tickets=[ticket_on(date(2024, 2, 1))],
        )
    )
    assert read("SELECT month, months_since, is_complete, retention FROM marts.cohort_retention ORDER BY month") == [
        {"month": date(2024, 1, 1), "months_since": 0, "is_complete": True, "retention": 1.0},
        {"month": date(2024, 2, 1), "months_since": 1, "is_complete": False, "retention": 1.0},
    ]


def test_every_kind_of_movement_once(marts: Marts) -> None:
    """January new at 10, February up to 25, March down to 20, April gone, May back at 7."""
    periods = [
        (1, date(2024, 1, 10), date(2024, 2, 10), "10.00", "changed"),
        (2, date(2024, 2, 10), date(2024, 3, 31), "25.00", "changed"),
        (3, date(2024, 3, 31), date(2024, 4, 30), "20.00", "cancelled"),
        (4, date(2024, 5, 31), None, "7.00", "active"),
    ]
    read = marts(
        world(
            customers=[customer(date(2024, 1, 10))],
            subscriptions=[
                subscription(start, end, price, subscription_id=key, status=status)
                for key, start, end, price, status in periods
            ],
            churn_events=[
                {"subscription_id": 3, "churned_on": date(2024, 4, 30), "reason": "price", "churn_event_id": 1}
            ],
        )
    )
    waterfall = read(
        "SELECT mrr_start, new_mrr, expansion_mrr, contraction_mrr, churned_mrr, reactivated_mrr, mrr_end, "
        "net_revenue_retention, gross_revenue_retention FROM marts.mrr_waterfall ORDER BY month"
    )
    assert [tuple(row.values()) for row in waterfall] == [
        (D("0.00"), D("10.00"), D("0.00"), D("0.00"), D("0.00"), D("0.00"), D("10.00"), None, None),
        (D("10.00"), D("0.00"), D("15.00"), D("0.00"), D("0.00"), D("0.00"), D("25.00"), 2.5, 1.0),
        (D("25.00"), D("0.00"), D("0.00"), D("-5.00"), D("0.00"), D("0.00"), D("20.00"), 0.8, 0.8),
        (D("20.00"), D("0.00"), D("0.00"), D("0.00"), D("-20.00"), D("0.00"), D("0.00"), 0.0, 0.0),
        (D("0.00"), D("0.00"), D("0.00"), D("0.00"), D("0.00"), D("7.00"), D("7.00"), None, None),
    ]
    growth = read(
        "SELECT active_start, new_customers, reactivated_customers, churned_customers, active_customers, "
        "logo_churn_rate FROM marts.customer_growth ORDER BY month"
    )
    assert [tuple(row.values()) for row in growth] == [
        (0, 1, 0, 0, 1, None),
        (1, 0, 0, 0, 1, 0.0),
        (1, 0, 0, 0, 1, 0.0),
        (1, 0, 0, 1, 0, 1.0),
        (0, 0, 1, 0, 1, None),
    ]
    assert read(
        "SELECT churned_customers, returned_customers, average_days_to_churn, main_reason FROM marts.churn_by_cohort"
    ) == [{"churned_customers": 1, "returned_customers": 1, "average_days_to_churn": 111.0, "main_reason": "price"}]


def test_main_reason_is_of_the_latest_churn_and_first_by_name_when_tied(marts: Marts) -> None:
    people = [customer(date(2024, 1, 1), key) for key in (1, 2)]
    ends = [
        (1, 1, date(2024, 1, 5), "competitor"),
        (2, 1, date(2024, 1, 20), "price"),
        (3, 2, date(2024, 1, 2), "low_usage"),
    ]
    read = marts(
        world(
            customers=people,
            subscriptions=[
                subscription(date(2024, 1, 1), end, subscription_id=key, customer_id=owner)
                for key, owner, end, _ in ends
            ],
            churn_events=[
                {"churn_event_id": key, "subscription_id": key, "churned_on": end, "reason": reason}
                for key, _, end, reason in ends
            ],
        )
    )
    assert read("SELECT main_reason, main_reason_customers, average_days_to_churn FROM marts.churn_by_cohort") == [
        {"main_reason": "low_usage", "main_reason_customers": 1, "average_days_to_churn": 2.5}
    ]


def test_revenue_counts_when_it_is_paid(marts: Marts) -> None:
    at_midnight = datetime(2024, 3, 1)
    before = datetime(2024, 2, 29, 23, 59, 59, 999_999)
    read = marts(
        world(
            customers=[customer(date(2024, 2, 1))],
            orders=[
                {"order_id": 1, "customer_id": 1, "ordered_at": before, "status": "completed"},
                {"order_id": 2, "customer_id": 1, "ordered_at": before, "status": "cancelled"},
            ],
            discounts=[{"discount_id": 1, "code": "A"}, {"discount_id": 2, "code": "B"}],
            order_discounts=[
                {"order_id": 1, "discount_id": 1, "amount_off": D("1.25")},
                {"order_id": 1, "discount_id": 2, "amount_off": D("0.50")},
            ],
            payments=[
                {
                    "payment_id": 1,
                    "order_id": 1,
                    "attempt": 1,
                    "status": "failed",
                    "amount": D("9.99"),
                    "paid_at": before,
                },
                {
                    "payment_id": 2,
                    "order_id": 1,
                    "attempt": 2,
                    "status": "succeeded",
                    "amount": D("9.99"),
                    "paid_at": at_midnight,
                },
                {
                    "payment_id": 3,
                    "order_id": 2,
                    "attempt": 1,
                    "status": "refunded",
                    "amount": D("5.00"),
                    "paid_at": at_midnight,
                },
            ],
        )
    )
    rows = read(
        "SELECT month, orders, discounts, revenue, refunds, failed_payments, paying_customers, arppu "
        "FROM marts.revenue_by_month ORDER BY month"
    )
    assert [tuple(row.values()) for row in rows] == [
        (date(2024, 2, 1), 1, D("1.75"), D("0.00"), D("0.00"), 1, 0, None),
        (date(2024, 3, 1), 0, D("0.00"), D("9.99"), D("5.00"), 0, 1, 9.99),
    ]


def test_spend_is_spread_over_days_to_the_cent(marts: Marts) -> None:
    """1.00 over the three days 30 January, 31 January and 1 February."""
    read = marts(
        world(
            customers=[customer(date(2024, 1, 31)), customer(date(2024, 2, 1), 2)],
            campaigns=[
                {
                    "campaign_id": 1,
                    "channel": "email",
                    "starts_on": date(2024, 1, 30),
                    "ends_on": date(2024, 2, 1),
                    "spend": D("1.00"),
                }
            ],
            web_traffic=[{"month": date(2024, 1, 1), "channel": "email", "visitors": 50, "leads": 5, "mqls": 1}],
        )
    )
    rows = read("SELECT visitors, signups, spend, signup_rate, cac FROM marts.funnel_by_channel ORDER BY month")
    assert [tuple(row.values()) for row in rows] == [(50, 1, D("0.66"), 0.02, 0.66), (None, 1, D("0.34"), None, 0.34)]


def test_promo_codes_compare_with_orders_of_the_same_days(marts: Marts) -> None:
    def order(order_id: int, day: int, **values: Any) -> dict[str, Any]:
        return {
            "order_id": order_id,
            "customer_id": 1,
            "ordered_at": datetime(2024, 1, day, 23, 59),
            "status": "completed",
            **values,
        }

    read = marts(
        world(
            customers=[customer(date(2024, 1, 1))],
            discounts=[
                {"discount_id": 1, "code": "TEN", "valid_from": date(2024, 1, 10), "valid_to": date(2024, 1, 20)},
                {"discount_id": 2, "code": "UNUSED", "valid_from": date(2024, 2, 1), "valid_to": date(2024, 2, 1)},
            ],
            orders=[order(1, 10), order(2, 20), order(3, 21), order(4, 15, status="cancelled")],
            order_items=[
                {"order_item_id": key, "order_id": key, "quantity": 2, "unit_price": D(price)}
                for key, price in enumerate(("15.00", "10.00", "500.00", "900.00"), 1)
            ],
            order_discounts=[{"order_id": 1, "discount_id": 1, "amount_off": D("3.00")}],
            payments=[
                {
                    "payment_id": 1,
                    "order_id": 1,
                    "attempt": 1,
                    "status": "succeeded",
                    "amount": D("27.00"),
                    "paid_at": datetime(2024, 1, 10),
                }
            ],
        )
    )
    rows = read(
        "SELECT code, orders, new_customers, amount_off, revenue, average_order_value, "
        "average_order_value_without, uplift "
        "FROM marts.promo_codes ORDER BY code"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("TEN", 1, 1, D("3.00"), D("27.00"), 30.0, 20.0, 0.5),
        ("UNUSED", 0, 0, D("0.00"), D("0.00"), None, None, None),
    ]


def test_a_code_that_large_companies_use_is_not_taken_for_an_effect(marts: Marts) -> None:
    """Each segment orders a tenth less with the code, yet all its users together order ten times as much."""
    orders = [  # owner, value, whether with the code
        (1, "900.00", True), (1, "900.00", True), (1, "1000.00", False),
        (2, "9.00", True), (2, "10.00", False), (2, "10.00", False), (2, "10.00", False),
        (3, "50.00", True),  # a segment that never orders without
    ]  # fmt: skip
    read = marts(
        world(
            customers=[
                customer(date(2024, 1, 1), key, segment=segment)
                for key, segment in ((1, "Enterprise"), (2, "SMB"), (3, "Mid-Market"))
            ],
            discounts=[
                {"discount_id": 7, "code": "TEN", "valid_from": date(2024, 2, 29), "valid_to": date(2024, 2, 29)}
            ],
            orders=[
                {
                    "order_id": key,
                    "customer_id": owner,
                    "ordered_at": datetime(2024, 2, 29, 23, 59),
                    "status": "pending",
                }
                for key, (owner, _, _) in enumerate(orders)
            ],
            order_items=[
                {"order_item_id": key, "order_id": key, "quantity": 1, "unit_price": D(value)}
                for key, (_, value, _) in enumerate(orders)
            ],
            order_discounts=[
                {"order_id": key, "discount_id": 7, "amount_off": D("1.00")}
                for key, (_, _, coded) in enumerate(orders)
                if coded
            ],
        )
    )
    parts = read(
        "SELECT segment, orders, customers, new_customers, orders_without, order_value_without, uplift "
        "FROM marts.promo_codes_by_segment ORDER BY segment"
    )
    assert [tuple(row.values()) for row in parts] == [
        ("Enterprise", 2, 1, 1, 1, D("1000.00"), pytest.approx(-0.1)),
        ("Mid-Market", 1, 1, 1, 0, D("0.00"), None),
        ("SMB", 1, 1, 1, 3, D("30.00"), pytest.approx(-0.1)),
    ]
    whole = read("SELECT * FROM marts.promo_codes")[0]
    assert (whole["orders"], whole["compared_orders"], whole["amount_off"]) == (4, 3, D("4.00"))
    assert whole["average_order_value"] == pytest.approx(1859 / 4)
    assert whole["average_order_value_without"] == pytest.approx(2010 / 3)
    assert whole["uplift"] == pytest.approx(-0.1)
    assert whole["uplift_unadjusted"] == pytest.approx((1859 / 4) / (1030 / 4) - 1)


def test_orders_that_cost_nothing_have_no_uplift(marts: Marts) -> None:
    code = {"discount_id": 1, "code": "GIFT", "valid_from": date(2024, 1, 1), "valid_to": date(2024, 1, 31)}
    placed = {"customer_id": 1, "ordered_at": datetime(2024, 1, 5), "status": "completed"}
    read = marts(
        world(
            customers=[customer(date(2024, 1, 1))],
            discounts=[code],
            orders=[{"order_id": 1, **placed}, {"order_id": 2, **placed}],
            order_discounts=[{"order_id": 1, "discount_id": 1, "amount_off": D("0.00")}],
        )
    )
    assert read("SELECT orders, compared_orders, average_order_value_without, uplift FROM marts.promo_codes") == [
        {"orders": 1, "compared_orders": 1, "average_order_value_without": 0.0, "uplift": None}
    ]


def test_service_level_at_its_limits(marts: Marts) -> None:
    """Of each priority a case closed at the limit, one closed a second later, and two open until the as-of day ends."""
    ends = datetime(2024, 3, 11)
    limits = {"urgent": 8, "high": 24, "medium": 72, "low": 120}
    opened = datetime(2024, 3, 1)
    cases: list[dict[str, Any]] = []

    def case(priority: str, opened_at: datetime, closed_at: datetime | None) -> None:
        status = "closed" if closed_at else "open"
        cases.append(
            {"ticket_id": len(cases), "customer_id": 1, "priority": priority, "status": status,
             "opened_at": opened_at, "closed_at": closed_at}
        )  # fmt: skip

    for priority, hours in limits.items():
        case(priority, opened, opened + timedelta(hours=hours))
        case(priority, opened, opened + timedelta(hours=hours, seconds=1))
        case(priority, ends - timedelta(hours=hours), None)  # just over, which is not yet beyond
        case(priority, ends - timedelta(hours=hours, seconds=1), None)
    read = marts(
        world(
            customers=[customer(date(2024, 3, 1)), customer(date(2024, 3, 10), 2, segment="Enterprise")],
            support_tickets=cases,
        )
    )
    rows = read(
        "SELECT segment, tickets, closed_tickets, due_tickets, within_sla_tickets, sla_share, median_resolution_hours "
        "FROM marts.support_load ORDER BY segment"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("Enterprise", 0, 0, 0, 0, None, None),
        ("SMB", 16, 8, 12, 4, 1 / 3, pytest.approx((24 + 1 / 3600 + 72) / 2)),
    ]


def test_a_customer_who_leaves_twice_in_a_month_is_one_customer(marts: Marts) -> None:
    ends = {1: date(2024, 1, 5), 2: date(2024, 1, 20)}
    read = marts(
        world(
            customers=[customer(date(2024, 1, 1))],
            subscriptions=[
                subscription(end - timedelta(days=3), end, price="10.05", subscription_id=key)
                for key, end in ends.items()
            ],
            churn_events=[
                {"churn_event_id": key, "subscription_id": key, "churned_on": end, "reason": "price", "score": key / 4}
                for key, end in ends.items()
            ],
        )
    )
    assert read("SELECT churn_events, customers, lost_mrr, average_score FROM marts.churn_reasons") == [
        {"churn_events": 2, "customers": 1, "lost_mrr": D("20.10"), "average_score": 0.375}
    ]


DAY = datetime(2024, 2, 29)
ONE_DAY: dict[str, Callable[[datetime], dict[str, Any]]] = {
    "customers": lambda at: customer(at.date()),
    "subscriptions": lambda at: subscription(at.date()),
    "orders": lambda at: {"ordered_at": at},
    "payments": lambda at: {"paid_at": at},
    "support_tickets": lambda at: {"opened_at": at},
    "churn_events": lambda at: {"churned_on": at.date()},
    "web_traffic": lambda at: {"month": at.date().replace(day=1), "channel": "email"},
}


@pytest.mark.parametrize("table", ONE_DAY)
def test_every_table_tells_which_months_there_are(marts: Marts, table: str) -> None:
    """From the first to the last of its days, across a year's end and up to a leap day."""
    rows = [
        {**ONE_DAY[table](at), next(iter(hopify.metadata.tables[table].primary_key)).name: key}
        if table != "web_traffic"
        else ONE_DAY[table](at)
        for key, at in enumerate((DAY.replace(year=2023, month=12, day=31), DAY))
    ]
    found = marts(world(**{table: rows}))("SELECT * FROM marts.months ORDER BY month")
    as_of = rows[-1]["month"] if table == "web_traffic" else DAY.date()
    complete = table != "web_traffic"
    assert [tuple(row.values()) for row in found] == [
        (date(2023, 12, 1), date(2023, 12, 31), True, as_of),
        (date(2024, 1, 1), date(2024, 1, 31), True, as_of),
        (date(2024, 2, 1), as_of, complete, as_of),
    ]


def test_codes_of_a_shop_without_orders(marts: Marts) -> None:
    days = {"valid_from": date(2024, 1, 1), "valid_to": date(2024, 1, 31)}
    read = marts(
        world(customers=[customer(date(2024, 1, 1))], discounts=[{"discount_id": 1, "code": "UNUSED", **days}])
    )
    row = read("SELECT * FROM marts.promo_codes")[0]
    counted = ("orders", "customers", "new_customers", "order_value", "amount_off", "revenue", "compared_orders")
    assert [row[name] for name in counted] == [0, 0, 0, D("0.00"), D("0.00"), D("0.00"), 0]
    assert {row[name] for name in row if name.startswith(("average", "uplift"))} == {None}


def test_of_two_orders_of_one_moment_the_first_is_the_one_with_the_lower_number(marts: Marts) -> None:
    """And a customer who is not there any more counts under unknown."""
    placed = {"ordered_at": datetime(2024, 1, 5), "status": "completed"}
    code = {"valid_from": date(2024, 1, 5), "valid_to": date(2024, 1, 5)}
    read = marts(
        world(
            customers=[customer(date(2024, 1, 1))],
            discounts=[{"discount_id": 1, "code": "A", **code}, {"discount_id": 2, "code": "B", **code}],
            orders=[
                {"order_id": 2, "customer_id": 1, **placed},
                {"order_id": 1, "customer_id": 1, **placed},
                {"order_id": 3, "customer_id": 99, **placed},
            ],
            products=[{"product_id": 1, "category": "security"}],
            order_items=[{"order_item_id": 1, "order_id": 3, "product_id": 1, "quantity": 1, "unit_price": D("5.00")}],
            order_discounts=[
                {"order_id": 1, "discount_id": 1, "amount_off": D("0.00")},
                {"order_id": 2, "discount_id": 2, "amount_off": D("0.00")},
            ],
        )
    )
    assert read("SELECT code, orders, new_customers FROM marts.promo_codes ORDER BY code") == [
        {"code": "A", "orders": 1, "new_customers": 1},
        {"code": "B", "orders": 1, "new_customers": 0},
    ]
    without = "SELECT segment, orders_without, order_value_without FROM marts.promo_codes_by_segment WHERE code = 'A'"
    assert [tuple(row.values()) for row in read(f"{without} ORDER BY segment")] == [
        ("SMB", 0, D("0.00")),
        ("unknown", 1, D("5.00")),
    ]
    assert read("SELECT segment, category, share FROM marts.product_mix") == [
        {"segment": "unknown", "category": "security", "share": 1.0}
    ]


def test_an_end_that_is_still_to_come_is_no_end(marts: Marts) -> None:
    """Left and back, and to leave again after the data's last day, a Friday, before its week is over."""
    friday = date(2024, 2, 2)
    read = marts(
        world(
            customers=[customer(date(2024, 1, 1))],
            subscriptions=[
                subscription(date(2024, 1, 1), date(2024, 1, 10)),
                subscription(date(2024, 1, 20), friday + timedelta(1), "7.00", subscription_id=2, status="changed"),
            ],
            churn_events=[
                {"churn_event_id": 1, "subscription_id": 1, "churned_on": date(2024, 1, 10), "reason": "price"},
            ],
            support_tickets=[ticket_on(friday)],
        )
    )
    assert read("SELECT churned_customers, returned_customers FROM marts.churn_by_cohort") == [
        {"churned_customers": 1, "returned_customers": 1}
    ]
    assert read("SELECT is_active, mrr FROM marts.customer_value") == [{"is_active": True, "mrr": D("7.00")}]
    weeks = read("SELECT active_customers, is_complete FROM marts.cohort_retention_weekly ORDER BY week")
    assert [tuple(row.values()) for row in weeks] == [(1, True), (0, True), (1, True), (1, True), (1, False)]


def test_two_subscriptions_at_once_and_two_churns_on_a_day_are_one_customer(marts: Marts) -> None:
    sunday = date(2024, 3, 31)
    both = {1: "competitor", 2: "price"}
    read = marts(
        world(
            customers=[customer(date(2024, 3, 25)), customer(date(2024, 3, 25), 2)],
            subscriptions=[
                subscription(date(2024, 3, 25), None, "10.00", subscription_id=8, customer_id=2),
                subscription(date(2024, 3, 25), None, "0.50", subscription_id=9, customer_id=2),
                *(subscription(date(2024, 3, 25), sunday, subscription_id=key) for key in both),
            ],
            churn_events=[
                {"churn_event_id": key, "subscription_id": key, "churned_on": sunday, "reason": reason}
                for key, reason in both.items()
            ],
        )
    )
    # Of two churns of a day the one recorded later is the latest.
    assert read("SELECT churned_customers, returned_customers, main_reason FROM marts.churn_by_cohort") == [
        {"churned_customers": 1, "returned_customers": 0, "main_reason": "price"}
    ]
    assert read("SELECT active_customers, mrr, is_complete FROM marts.cohort_retention_weekly") == [
        {"active_customers": 1, "mrr": D("10.50"), "is_complete": True}
    ]
    assert read("SELECT active_customers, mrr FROM marts.customer_growth") == [
        {"active_customers": 1, "mrr": D("10.50")}
    ]


def test_a_leap_days_anniversary_is_counted_in_calendar_months(marts: Marts) -> None:
    """Signed up on 29 February 2024: twelve months later is February 2025, which has no such day."""
    read = marts(
        world(
            customers=[customer(date(2024, 2, 29))],
            subscriptions=[
                subscription(date(2024, 2, 29), date(2025, 2, 28), "10.00", status="changed"),
                subscription(date(2025, 2, 28), None, "0.50", subscription_id=2, start_reason="downgrade"),
            ],
            support_tickets=[ticket_on(date(2025, 2, 28))],
        )
    )
    assert read("SELECT months_since, mrr, mrr_retention FROM marts.cohort_retention WHERE months_since >= 11") == [
        {"months_since": 11, "mrr": D("10.00"), "mrr_retention": 1.0},
        {"months_since": 12, "mrr": D("0.50"), "mrr_retention": 0.05},
    ]
    year = read(
        "SELECT net_retention_year, logo_retention_year FROM marts.revenue_retention WHERE month = '2025-02-01'"
    )
    assert year == [{"net_retention_year": 0.05, "logo_retention_year": 1.0}] * 2


def test_a_cohort_with_everybody_gone_stays_in_the_picture(marts: Marts) -> None:
    """The week of its leaving lies across a year's end."""
    read = marts(
        world(
            customers=[customer(date(2024, 12, 23), key) for key in (1, 2)],
            subscriptions=[
                subscription(date(2024, 12, 23), date(2025, 1, 5), subscription_id=key, customer_id=key)
                for key in (1, 2)
            ],
            churn_events=[
                {"churn_event_id": key, "subscription_id": key, "churned_on": date(2025, 1, 5), "reason": "price"}
                for key in (1, 2)
            ],
            support_tickets=[ticket_on(date(2025, 1, 31))],
        )
    )
    weeks = read("SELECT week, weeks_since, retention FROM marts.cohort_retention_weekly ORDER BY week")
    assert [(row["weeks_since"], row["retention"]) for row in weeks] == [(0, 1.0)] + [(n, 0.0) for n in range(1, 6)]
    assert weeks[1]["week"] == date(2024, 12, 30)
    months = read("SELECT months_since, retention, mrr_retention FROM marts.cohort_retention ORDER BY 1")
    assert [tuple(row.values()) for row in months] == [(0, 1.0, 1.0), (1, 0.0, 0.0)]
    assert read("SELECT DISTINCT monthly_churn_rate, expected_months, ltv_expected FROM marts.ltv_by_segment") == [
        {"monthly_churn_rate": 1.0, "expected_months": 1.0, "ltv_expected": 0.0}
    ]
