"""Every kind of defect planted into a good world is found, and named."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from generators.hopify import generate
from generators.hopify.invariants import invariants

DEFECTS = {
    "orders.customer_id refers to nothing": "UPDATE orders SET customer_id = 999999 WHERE order_id = 5",
    "order before signup": "UPDATE orders SET ordered_at = '2022-05-01 00:00:00.000000' WHERE order_id = 5",
    "order outside every active span": "UPDATE orders SET ordered_at = '2022-05-01 00:00:00.000000' WHERE order_id = 5",
    "ticket outside every active span": "UPDATE support_tickets SET opened_at = '2022-05-01 00:00:00.000000'"
    " WHERE ticket_id = 3",
    "payment before its order": "UPDATE payments SET paid_at = '2022-05-01 00:00:00.000000' WHERE payment_id = 3",
    "item price not above zero": "UPDATE order_items SET unit_price = '-1.00' WHERE order_item_id = 3",
    "payment other than its order's total": "UPDATE payments SET amount = '0.01' WHERE payment_id = 3",
    "gap in the attempts to pay": "UPDATE payments SET attempt = 9 WHERE payment_id = 3",
    "two active subscriptions": "UPDATE subscriptions SET status = 'active', ended_on = NULL WHERE customer_id ="
    " (SELECT MIN(customer_id) FROM subscriptions WHERE start_reason = 'upgrade')",
    "overlapping subscriptions": "UPDATE subscriptions SET ended_on = '2025-12-31' WHERE subscription_id ="
    " (SELECT MIN(subscription_id) FROM subscriptions WHERE status = 'changed')",
    "cancelled subscription without a churn event": "DELETE FROM churn_events WHERE churn_event_id = 1",
    "upgrade or downgrade in the wrong direction": "UPDATE subscriptions SET start_reason = 'downgrade'"
    " WHERE start_reason = 'upgrade'",
    "discount used when not valid": "UPDATE discounts SET valid_to = valid_from",
    "discount used more often than allowed": "UPDATE discounts SET max_uses = 1",
    "product ordered before its launch": "UPDATE products SET launched_on = '2025-12-31'",
    "campaign's customer signed up outside it or by another channel": "UPDATE campaigns SET ends_on = starts_on",
    "orders changed before its ordered_at": "UPDATE orders SET updated_at = '2022-01-01 00:00:00.000000'"
    " WHERE order_id = 5",
    "orders changed after the world's last day": "UPDATE orders SET updated_at = '2026-01-01 00:00:00.000000'"
    " WHERE order_id = 5",
    "more than one payment that went through": "UPDATE payments SET status = 'succeeded', failure_code = NULL"
    " WHERE order_id IN (SELECT order_id FROM payments WHERE attempt = 2)",
    "order without items": "DELETE FROM order_items WHERE order_id = 5",
    "customer without a subscription from signup on": "DELETE FROM subscriptions WHERE customer_id = 5",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hopify") / "world.db"
    generate(f"sqlite:///{path}", customers=300, seed=11)
    return path


@pytest.mark.parametrize("name", list(DEFECTS))
def test_a_planted_defect_is_named(world: Path, tmp_path: Path, name: str) -> None:
    spoilt = tmp_path / "spoilt.db"
    shutil.copy(world, spoilt)
    with closing(sqlite3.connect(spoilt)) as connection:
        assert connection.execute(invariants()[name]).fetchall() == []
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(DEFECTS[name])
        assert connection.execute(invariants()[name]).fetchall() != []


def test_every_engine_has_its_spelling() -> None:
    for engine in ("sqlite", "postgresql", "mssql"):
        assert not any("DAY_OF" in query for query in invariants(engine).values())
    with pytest.raises(KeyError):
        invariants("oracle")
