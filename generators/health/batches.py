"""The health world's rows as Arrow batches, for targets other than its SQLite file."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa

from generators.errors import GeneratorError
from generators.health.core import CUSTOMERS, SEED, world
from schemas.health import metadata
from schemas.types import Kind


def batches(customers: int = CUSTOMERS, seed: int = SEED) -> dict[str, pa.RecordBatch]:
    """One batch a table, parents first, with the columns of ``schemas.health`` in logical Arrow types.

    Raises ``GeneratorError`` for a negative size.
    """
    try:
        rows = world(customers, seed)
    except ValueError as error:
        raise GeneratorError(str(error)) from error
    return {
        "day06_customers": _batch("day06_customers", rows.customers),
        "day06_subscriptions": _batch("day06_subscriptions", rows.subscriptions),
        "day06_mrr_movements": _batch("day06_mrr_movements", rows.movements),
    }


def _batch(table: str, rows: Sequence[tuple[Any, ...]]) -> pa.RecordBatch:
    columns: Any = metadata.tables[table].columns
    arrays, fields = [], []
    for number, column in enumerate(columns):
        type_ = column.type.logical
        values = [row[number] for row in rows]
        if type_.kind is Kind.DECIMAL:
            values = [Decimal(cents).scaleb(-2) for cents in values]
        arrays.append(pa.array(values, type_.arrow))
        fields.append(pa.field(column.name, type_.arrow))
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))
