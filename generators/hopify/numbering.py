"""Keys counted from 1 within a shard or a day, moved behind those that are already there."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from generators.hopify.columns import Batches

NUMBERED: Mapping[str, Mapping[str, str]] = {
    "subscriptions": {"subscription_id": "subscriptions"},
    "orders": {"order_id": "orders"},
    "order_items": {"order_item_id": "order_items", "order_id": "orders"},
    "order_discounts": {"order_id": "orders"},
    "payments": {"payment_id": "payments", "order_id": "orders"},
    "support_tickets": {"ticket_id": "support_tickets"},
    "churn_events": {"churn_event_id": "churn_events", "subscription_id": "subscriptions"},
    "app_installs": {"install_id": "app_installs"},
}
"""By table, the columns that count rows of the batch's own shard or day, with the table they count."""


def moved(batches: Batches, taken: Mapping[str, int]) -> Batches:
    """``batches`` with every counted key raised by the highest key ``taken`` in the table it counts."""
    return {table: _moved(rows, NUMBERED.get(table, {}), taken) for table, rows in batches.items()}


def _moved(rows: pa.RecordBatch, counted: Mapping[str, str], taken: Mapping[str, int]) -> pa.RecordBatch:
    columns = [
        pc.add(values, taken.get(counted[name], 0)) if name in counted else values
        for name, values in zip(rows.schema.names, rows.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=rows.schema)
