"""The world in shards: each is made by itself, from its number alone, in whatever order and process."""

from __future__ import annotations

import pyarrow as pa

from generators.churn import billing, support, usage
from generators.churn.customers import draw
from generators.errors import GeneratorError

SHARD = 5_000
"""Customers a shard: about 200,000 rows of usage, some 20 MB while it is made."""


def shards(customers: int) -> int:
    """How many shards ``customers`` make; raises ``GeneratorError`` for a negative number."""
    if customers < 0:
        raise GeneratorError(f"A world cannot have {customers:,} customers. Ask for 0 or more.")
    return -(-customers // SHARD)


def batches(customers: int, seed: int, shard: int) -> dict[str, pa.RecordBatch]:
    """The rows of one shard by table, parents first; a table's rows are the shards' in order.

    Columns are in ``schemas.churn``'s order and logical Arrow types. Raises ``GeneratorError`` for
    a shard that ``customers`` do not make.
    """
    if not 0 <= shard < shards(customers):
        raise GeneratorError(f"{customers:,} customers have no shard {shard}. Ask for one below {shards(customers)}.")
    first = shard * SHARD
    people = draw(seed, shard, first + 1, min(SHARD, customers - first))
    return {
        "customers": people.batch,
        "usage_daily": usage.batch(seed, shard, people),
        "billing": billing.batch(seed, shard, people),
        "support": support.batch(seed, shard, people),
    }
