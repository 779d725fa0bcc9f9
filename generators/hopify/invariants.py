"""What no row of the world may be: by name, a query that returns the offending rows' keys.

The SQL is the part of the language that SQLite, PostgreSQL and SQL Server share, but for
``DAY_OF(instant)``, which each spells in its own way. In SQLite dates
and datetimes are ISO texts, whose order is that of time, also between a date and a datetime.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from schemas.hopify import metadata

_MONEY = "CAST({} AS DECIMAL(18, 2))"
_COVERED = (
    "NOT EXISTS (SELECT 1 FROM subscriptions s WHERE s.customer_id = {0}.customer_id"
    " AND s.started_on <= {0}.{1} AND (s.ended_on IS NULL OR s.ended_on > {0}.{1}))"
)
_ORDER_TOTAL = """
SELECT o.order_id, SUM(i.quantity * CAST(i.unit_price AS DECIMAL(18, 2))) - COALESCE(
    (SELECT SUM(CAST(d.amount_off AS DECIMAL(18, 2))) FROM order_discounts d WHERE d.order_id = o.order_id), 0) AS total
FROM orders o JOIN order_items i ON i.order_id = o.order_id GROUP BY o.order_id
"""
_NEXT = """
SELECT s.*, LEAD(started_on) OVER (PARTITION BY customer_id ORDER BY started_on, subscription_id) AS next_start,
    LEAD(start_reason) OVER (PARTITION BY customer_id ORDER BY started_on, subscription_id) AS next_reason,
    LEAD(plan_id) OVER (PARTITION BY customer_id ORDER BY started_on, subscription_id) AS next_plan,
    ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY started_on, subscription_id) AS nth
FROM subscriptions s
"""

_TIME = {
    "order before signup": "SELECT order_id FROM orders o JOIN customers c ON c.customer_id = o.customer_id"
    " WHERE o.ordered_at < c.created_at",
    "order outside every active span": f"SELECT order_id FROM orders o WHERE {_COVERED.format('o', 'ordered_at')}",
    "order entered before it was placed": "SELECT order_id FROM orders WHERE created_at < ordered_at",
    "ticket before signup": "SELECT ticket_id FROM support_tickets t JOIN customers c ON c.customer_id = t.customer_id"
    " WHERE t.opened_at < c.created_at",
    "ticket outside every active span": "SELECT ticket_id FROM support_tickets t"
    f" WHERE {_COVERED.format('t', 'opened_at')}",
    "ticket closed before it was opened": "SELECT ticket_id FROM support_tickets WHERE closed_at < opened_at",
    "install before signup": "SELECT install_id FROM app_installs i JOIN customers c ON c.customer_id = i.customer_id"
    " WHERE i.installed_at < c.created_at",
    "install outside every active span": "SELECT install_id FROM app_installs i"
    f" WHERE {_COVERED.format('i', 'installed_at')}",
    "install removed before it was made": "SELECT install_id FROM app_installs WHERE removed_at < installed_at",
    "payment before its order": "SELECT payment_id FROM payments p JOIN orders o ON o.order_id = p.order_id"
    " WHERE p.paid_at < o.ordered_at",
    "product ordered before its launch": "SELECT order_item_id FROM order_items i"
    " JOIN orders o ON o.order_id = i.order_id JOIN products p ON p.product_id = i.product_id"
    " WHERE o.ordered_at < p.launched_on",
    "discount used when not valid": "SELECT u.order_id, u.discount_id FROM order_discounts u"
    " JOIN orders o ON o.order_id = u.order_id JOIN discounts d ON d.discount_id = u.discount_id"
    " WHERE o.ordered_at < d.valid_from OR DAY_OF(o.ordered_at) > d.valid_to",
}

_SUBSCRIPTIONS = {
    "customer without a subscription from signup on": "SELECT customer_id FROM customers c WHERE NOT EXISTS"
    " (SELECT 1 FROM subscriptions s WHERE s.customer_id = c.customer_id AND s.started_on = c.signed_up_on)",
    "two active subscriptions": "SELECT customer_id FROM subscriptions WHERE status = 'active'"
    " GROUP BY customer_id HAVING COUNT(*) > 1",
    "overlapping subscriptions": f"SELECT subscription_id FROM ({_NEXT}) n WHERE next_start IS NOT NULL"
    " AND (ended_on IS NULL OR ended_on > next_start)",
    "first subscription that is not new, or later one that is": f"SELECT subscription_id FROM ({_NEXT}) n"
    " WHERE (nth = 1 AND start_reason <> 'new') OR (nth > 1 AND start_reason = 'new')",
    "changed subscription without a successor that day": f"SELECT subscription_id FROM ({_NEXT}) n"
    " WHERE status = 'changed' AND (next_start IS NULL OR next_start <> ended_on"
    " OR next_reason NOT IN ('upgrade', 'downgrade'))",
    "cancelled subscription followed by other than a reactivation": f"SELECT subscription_id FROM ({_NEXT}) n"
    " WHERE status = 'cancelled' AND next_reason <> 'reactivation'",
    "upgrade or downgrade in the wrong direction": f"SELECT n.subscription_id FROM ({_NEXT}) n"
    " JOIN plans a ON a.plan_id = n.plan_id JOIN plans b ON b.plan_id = n.next_plan"
    " WHERE (n.next_reason = 'upgrade' AND b.tier <= a.tier) OR (n.next_reason = 'downgrade' AND b.tier >= a.tier)",
    "plan of another segment": "SELECT subscription_id FROM subscriptions s JOIN plans p ON p.plan_id = s.plan_id"
    " JOIN customers c ON c.customer_id = s.customer_id WHERE p.segment <> c.segment",
    "subscription price not above zero": "SELECT subscription_id FROM subscriptions"
    f" WHERE {_MONEY.format('monthly_price')} <= 0",
    "churn event of a subscription not cancelled that day": "SELECT churn_event_id FROM churn_events e"
    " JOIN subscriptions s ON s.subscription_id = e.subscription_id"
    " WHERE s.status <> 'cancelled' OR s.ended_on <> e.churned_on",
    "cancelled subscription without a churn event": "SELECT subscription_id FROM subscriptions s"
    " WHERE status = 'cancelled' AND NOT EXISTS"
    " (SELECT 1 FROM churn_events e WHERE e.subscription_id = s.subscription_id)",
    "churn score outside 0 to 1": "SELECT churn_event_id FROM churn_events WHERE score < 0 OR score > 1",
}

_MONEY_FLOW = {
    "item price not above zero": f"SELECT order_item_id FROM order_items WHERE {_MONEY.format('unit_price')} <= 0",
    "order without items": "SELECT order_id FROM orders o WHERE NOT EXISTS"
    " (SELECT 1 FROM order_items i WHERE i.order_id = o.order_id)",
    "payment other than its order's total": f"SELECT p.payment_id FROM payments p JOIN ({_ORDER_TOTAL}) t"
    f" ON t.order_id = p.order_id WHERE ABS({_MONEY.format('p.amount')} - t.total) > 0.005",
    "order that comes to nothing": f"SELECT order_id FROM ({_ORDER_TOTAL}) t WHERE total < 0.005",
    "gap in the attempts to pay": "SELECT order_id FROM payments GROUP BY order_id"
    " HAVING MIN(attempt) <> 1 OR MAX(attempt) <> COUNT(*)",
    "attempt to pay made before an earlier one": "SELECT b.payment_id FROM payments a JOIN payments b"
    " ON b.order_id = a.order_id AND b.attempt = a.attempt + 1 WHERE b.paid_at < a.paid_at",
    "more than one payment that went through": "SELECT order_id FROM payments WHERE status <> 'failed'"
    " GROUP BY order_id HAVING COUNT(*) > 1",
    "attempt to pay after one that went through": "SELECT b.payment_id FROM payments a JOIN payments b"
    " ON b.order_id = a.order_id AND b.attempt > a.attempt WHERE a.status <> 'failed'",
    "completed order without its payment": "SELECT order_id FROM orders o WHERE status = 'completed' AND NOT EXISTS"
    " (SELECT 1 FROM payments p WHERE p.order_id = o.order_id AND p.status = 'succeeded')",
    "refunded order without its refund": "SELECT order_id FROM orders o WHERE status = 'refunded' AND NOT EXISTS"
    " (SELECT 1 FROM payments p WHERE p.order_id = o.order_id AND p.status = 'refunded')",
    "payment that went through for an order that did not": "SELECT p.payment_id FROM payments p"
    " JOIN orders o ON o.order_id = p.order_id"
    " WHERE (p.status = 'succeeded' AND o.status <> 'completed') OR (p.status = 'refunded' AND o.status <> 'refunded')",
    "discount used more often than allowed": "SELECT d.discount_id FROM discounts d"
    " JOIN order_discounts u ON u.discount_id = d.discount_id GROUP BY d.discount_id, d.max_uses"
    " HAVING COUNT(*) > d.max_uses",
}

_MARKETING = {
    "campaign's customer signed up outside it or by another channel": "SELECT customer_id FROM customers c"
    " JOIN campaigns k ON k.campaign_id = c.campaign_id WHERE c.signed_up_on < k.starts_on"
    " OR c.signed_up_on > k.ends_on OR c.acquisition_source <> k.channel",
    "customer created on another day than signed up": "SELECT customer_id FROM customers"
    " WHERE DAY_OF(created_at) <> signed_up_on",
}

# By table, every instant and date that the row's last change cannot come before.
_SEEN = {
    "customers": ("signed_up_on", "created_at"),
    "subscriptions": ("started_on", "ended_on", "created_at"),
    "orders": ("ordered_at", "created_at"),
    "payments": ("paid_at",),
    "support_tickets": ("opened_at", "closed_at"),
    "churn_events": ("churned_on",),
    "app_installs": ("installed_at", "removed_at"),
    "web_traffic": ("month",),
}
_UPDATED = {
    f"{table} changed before its {column}": f"SELECT * FROM {table} WHERE updated_at < {column}"
    for table, columns in _SEEN.items()
    for column in columns
}
_FUTURE = {
    f"{table} changed after the world's last day": f"SELECT * FROM {table} WHERE updated_at >"
    " (SELECT MAX(updated_at) FROM world_state)"
    for table in metadata.tables
    if table != "world_state"
}
_ORPHANS = {
    f"{table.name}.{key.parent.name} refers to nothing": f"SELECT * FROM {table.name}"
    f" WHERE {key.parent.name} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {key.column.table.name} parent"
    f" WHERE parent.{key.column.name} = {table.name}.{key.parent.name})"
    for table in metadata.sorted_tables
    for key in sorted(table.foreign_keys, key=lambda key: key.parent.name)
}

_DAY_OF: Mapping[str, str] = {
    "sqlite": r"substr(\1, 1, 10)",
    "postgresql": r"CAST(\1 AS date)",
    "mssql": r"CAST(\1 AS date)",
}
_ALL = _TIME | _SUBSCRIPTIONS | _MONEY_FLOW | _MARKETING | _UPDATED | _FUTURE | _ORPHANS


def invariants(engine: str = "sqlite") -> dict[str, str]:
    """By name, the query for ``engine`` that returns offending rows; raises ``KeyError`` for another engine."""
    return {name: re.sub(r"DAY_OF\(([\w.]+)\)", _DAY_OF[engine], query) for name, query in _ALL.items()}
