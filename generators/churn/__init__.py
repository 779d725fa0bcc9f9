"""The churn world: 18 months of a SaaS product's customers, usage, bills and support tickets."""

from __future__ import annotations

from generators.churn.parquet import generate
from generators.churn.rows import batches, shards

__all__ = ["batches", "generate", "shards"]
