"""Tiny worlds for the measures of a company: retention by week, NRR and GRR, value, returns, targets."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from mart_worlds import Marts, customer, subscription, ticket_on, world

D = Decimal


def values(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in rows]


def test_weeks_end_on_sunday(marts: Marts) -> None:
    """Sunday 25 February and Monday 26 February 2024 are a week apart; the leap day lies in the second."""
    read = marts(
        world(
            customers=[customer(date(2024, 2, 25)), customer(date(2024, 2, 26), 2)],
            subscriptions=[
                subscription(date(2024, 2, 25), date(2024, 3, 3), "10.00"),  # Saturday was the last day covered
                subscription(date(2024, 2, 26), None, "7.00", customer_id=2, subscription_id=2),
            ],
            support_tickets=[ticket_on(date(2024, 3, 4))],
        )
    )
    rows = read(
        "SELECT signup_week, weeks_since, is_complete, cohort_size, active_customers, mrr, mrr_retention "
        "FROM marts.cohort_retention_weekly ORDER BY 1, 2"
    )
    assert values(rows) == [
        (date(2024, 2, 19), 0, True, 1, 1, D("10.00"), 1.0),
        (date(2024, 2, 19), 1, True, 1, 0, D("0.00"), 0.0),
        (date(2024, 2, 19), 2, False, 1, 0, D("0.00"), 0.0),
        (date(2024, 2, 26), 0, True, 1, 1, D("7.00"), 1.0),
        (date(2024, 2, 26), 1, False, 1, 1, D("7.00"), 1.0),
    ]


def test_net_and_gross_retention_over_a_month_and_a_year(marts: Marts) -> None:
    """Of two customers of January 2023 one doubles, one leaves and comes back dearer; a third, new, does not count."""
    read = marts(
        world(
            customers=[customer(date(2023, 1, 31), key) for key in (1, 2)]
            + [customer(date(2023, 12, 1), 3, segment="Enterprise")],
            subscriptions=[
                subscription(date(2023, 1, 31), date(2024, 1, 31), "10.00", status="changed"),
                subscription(date(2024, 1, 31), None, "20.00", subscription_id=2, start_reason="upgrade"),
                subscription(date(2023, 1, 31), date(2023, 2, 1), "10.00", subscription_id=3, customer_id=2),
                subscription(date(2024, 1, 1), None, "15.00", subscription_id=4, customer_id=2),
                subscription(date(2023, 12, 1), None, "99.00", subscription_id=5, customer_id=3),
            ],
            support_tickets=[ticket_on(date(2024, 1, 31))],
        )
    )
    query = (
        "SELECT month, net_retention_month, gross_retention_month, net_retention_year, gross_retention_year, "
        "logo_retention_year FROM marts.revenue_retention WHERE segment = '{}' "
        "AND month IN ('2023-01-01', '2023-02-01', '2024-01-01') ORDER BY month"
    )
    assert values(read(query.format("SMB"))) == [
        (date(2023, 1, 1), None, None, None, None, None),
        (date(2023, 2, 1), 0.5, 0.5, None, None, None),
        # A month ago there was the first customer alone.
        (date(2024, 1, 1), 2.0, 1.0, 1.75, 1.0, 1.0),
    ]
    assert values(read(query.format("all")))[-1][1:] == (119 / 109, 1.0, 1.75, 1.0, 1.0)
    assert values(read(query.format("Enterprise"))) == [(date(2024, 1, 1), 1.0, 1.0, None, None, None)]


def order(key: int, owner: int, at: datetime, amount: str) -> dict[str, list[dict[str, Any]]]:
    return {
        "orders": [{"order_id": key, "customer_id": owner, "ordered_at": at, "status": "completed"}],
        "payments": [
            {
                "payment_id": key,
                "order_id": key,
                "attempt": 1,
                "status": "succeeded",
                "amount": D(amount),
                "paid_at": at,
            }
        ],
    }


def test_value_where_nobody_has_left(marts: Marts) -> None:
    read = marts(
        world(
            customers=[customer(date(2024, 1, 1)), customer(date(2024, 1, 5), 2)],
            subscriptions=[subscription(date(2024, 1, 1))],
            support_tickets=[ticket_on(date(2024, 2, 29))],
            **order(1, 1, datetime(2024, 2, 29, 23, 59), "30.00"),
        )
    )
    assert read("SELECT * FROM marts.ltv_by_segment WHERE segment = 'SMB'") == [
        {
            "segment": "SMB",
            "customers": 2,
            "active_customers": 1,
            "revenue": D("30.00"),
            "ltv_so_far": 15.0,
            "arpu": 15.0,
            "monthly_churn_rate": 0.0,
            "expected_months": None,
            "ltv_expected": None,
        }
    ]


def test_value_before_the_first_month_is_whole(marts: Marts) -> None:
    read = marts(
        world(
            customers=[customer(date(2024, 1, 30))],
            subscriptions=[subscription(date(2024, 1, 30))],
            **order(1, 1, datetime(2024, 1, 30), "30.00"),
        )
    )
    columns = "segment, customers, active_customers, ltv_so_far, arpu, monthly_churn_rate, ltv_expected"
    assert values(read(f"SELECT {columns} FROM marts.ltv_by_segment ORDER BY 1")) == [
        ("SMB", 1, 1, 30.0, None, None, None),
        ("all", 1, 1, 30.0, None, None, None),
    ]
    assert read("SELECT * FROM marts.kpis") == []


def test_a_customer_who_pays_but_never_subscribes_has_no_value_a_month(marts: Marts) -> None:
    read = marts(world(customers=[customer(date(2024, 2, 1))], **order(1, 1, datetime(2024, 2, 29, 23, 59), "30.00")))
    assert values(read("SELECT arpu, ltv_expected, ltv_so_far FROM marts.ltv_by_segment WHERE segment = 'all'")) == [
        (None, None, 30.0)
    ]
    rows = read("SELECT metric_name, actual FROM marts.kpis WHERE segment = 'SMB' AND target_period = 'monthly'")
    found = {row["metric_name"]: row["actual"] for row in rows}
    assert (found["monthly_revenue"], found["mrr"], found["new_customers"]) == (30.0, 0.0, 1.0)
    assert [found[name] for name in ("arpu", "logo_churn_rate", "tickets_per_customer", "customer_satisfaction")] == (
        [None] * 4
    )


def test_campaigns_are_credited_with_those_who_name_them(marts: Marts) -> None:
    days = {"starts_on": date(2024, 1, 1), "ends_on": date(2024, 1, 31)}
    read = marts(
        world(
            campaigns=[
                {"campaign_id": 1, "name": "paid back", "spend": D("30.00"), **days},
                {"campaign_id": 2, "name": "nobody came", "spend": D("10.00"), **days},
                {"campaign_id": 3, "name": "free", "spend": D("0.00"), **days | {"ends_on": date(2024, 2, 1)}},
            ],
            customers=[customer(date(2024, 1, 1), campaign_id=1), customer(date(2024, 1, 31), 2)],
            **order(1, 1, datetime(2024, 1, 31), "30.00"),
        )
    )
    rows = read(
        "SELECT name, is_over, customers, cac, revenue, return_on_spend, is_paid_back "
        "FROM marts.campaign_return ORDER BY campaign_id"
    )
    assert values(rows) == [
        ("paid back", True, 1, 30.0, D("30.00"), 1.0, True),
        ("nobody came", True, 0, None, D("0.00"), 0.0, False),
        ("free", False, 0, None, D("0.00"), None, True),
    ]


def test_product_mix_counts_an_order_once_a_category(marts: Marts) -> None:
    item = {"unit_price": D("10.00")}
    read = marts(
        world(
            customers=[customer(date(2024, 2, 29))],
            products=[
                {"product_id": 1, "category": "security", "revenue_type": "one_time"},
                {"product_id": 2, "category": "security", "revenue_type": "one_time"},
                {"product_id": 3, "category": "training", "revenue_type": "subscription"},
            ],
            orders=[
                {"order_id": 1, "customer_id": 1, "ordered_at": datetime(2024, 2, 29), "status": "refunded"},
                {"order_id": 2, "customer_id": 1, "ordered_at": datetime(2024, 2, 29), "status": "cancelled"},
            ],
            order_items=[
                {"order_item_id": 1, "order_id": 1, "product_id": 1, "quantity": 1, **item},
                {"order_item_id": 2, "order_id": 1, "product_id": 2, "quantity": 2, **item},
                {"order_item_id": 3, "order_id": 1, "product_id": 3, "quantity": 1, **item},
                {"order_item_id": 4, "order_id": 2, "product_id": 3, "quantity": 9, **item},
            ],
        )
    )
    assert values(read("SELECT category, orders, quantity, amount, share FROM marts.product_mix ORDER BY 1")) == [
        ("security", 1, 3, D("30.00"), 0.75),
        ("training", 1, 1, D("10.00"), 0.25),
    ]


def test_an_install_is_in_use_until_the_day_of_its_removal(marts: Marts) -> None:
    last = datetime(2024, 1, 31, 23, 59, 59, tzinfo=UTC)
    read = marts(
        world(
            customers=[customer(date(2024, 1, 1))],
            locations=[{"location_id": 1}, {"location_id": 2}],
            app_installs=[
                {"install_id": 1, "location_id": 1, "customer_id": 1, "installed_at": last},
                {"install_id": 2, "location_id": 1, "customer_id": 1, "installed_at": last, "removed_at": last},
                {
                    "install_id": 3,
                    "location_id": 1,
                    "customer_id": 1,
                    "installed_at": last,
                    "removed_at": last + timedelta(seconds=1),
                },
            ],
            support_tickets=[ticket_on(date(2024, 2, 1))],
        )
    )
    rows = read(
        "SELECT location_id, month, installs, removals, installed, customers, share "
        "FROM marts.installs_by_location ORDER BY 1, 2"
    )
    january, february = date(2024, 1, 1), date(2024, 2, 1)
    assert values(rows) == [
        (1, january, 3, 1, 2, 1, 1.0),
        (1, february, 0, 1, 1, 1, 1.0),
        (2, january, 0, 0, 0, 0, 0.0),
        (2, february, 0, 0, 0, 0, 0.0),
    ]


def test_satisfaction_of_the_last_90_days_before_leaving(marts: Marts) -> None:
    left = date(2024, 5, 30)

    def ticket(days: int, satisfaction: int | None, **values: Any) -> dict[str, Any]:
        return {**ticket_on(left - timedelta(days)), "ticket_id": 100 + days, "satisfaction": satisfaction, **values}

    read = marts(
        world(
            customers=[customer(date(2024, 1, 1)), customer(date(2024, 1, 1), 2)],
            subscriptions=[subscription(date(2024, 1, 1), left)],
            churn_events=[
                {"churn_event_id": 1, "subscription_id": 1, "churned_on": left, "reason": "price", "score": 0.5}
            ],
            support_tickets=[
                ticket(91, 1),
                ticket(90, 5),
                ticket(1, 2),
                ticket(2, None),
                ticket(0, 1),
                ticket(3, 1, customer_id=2),
            ],
        )
    )
    assert values(read("SELECT tickets, answers, average_satisfaction FROM marts.churn_reasons")) == [(3, 2, 3.5)]


@pytest.mark.parametrize(
    ("target", "metric", "attainment", "met"),
    [
        ("10.0000", "mrr", 1.0, True),
        ("10.0001", "mrr", pytest.approx(10 / 10.0001), False),
        ("0.0000", "logo_churn_rate", None, True),
        ("5.0000", "no_such_measure", None, None),
    ],
)
def test_targets_at_their_limits(
    marts: Marts, target: str, metric: str, attainment: float | None, met: bool | None
) -> None:
    benchmark = {"metric_name": metric, "target_period": "monthly", "target_value": D(target)}
    read = marts(
        world(
            customers=[customer(date(2024, 1, 31))],
            subscriptions=[subscription(date(2024, 1, 31))],
            support_tickets=[ticket_on(date(2024, 2, 29))],
            benchmarks=[{"segment": segment, **benchmark} for segment in ("SMB", "all")],
        )
    )
    rows = read("SELECT segment, month, attainment, is_met FROM marts.benchmark_actuals ORDER BY segment")
    month = date(2024, 2, 1)
    assert values(rows) == [("SMB", month, attainment, met), ("all", month, attainment, met)]
