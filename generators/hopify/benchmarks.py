"""Targets for the company's measures, read from the file beside this module.

Amounts and counts are for a world of the default size, 20,000 customers; rates hold at any size.
"""

from __future__ import annotations

import csv
from decimal import Decimal
from importlib.resources import files

import numpy as np
import pyarrow as pa

from generators.hopify.columns import batch
from generators.hopify.days import DAY, HOUR, START
from schemas.hopify import benchmarks as table


def benchmark_rows() -> pa.RecordBatch:
    """The benchmarks table: ``segment, metric_name, target_value, target_period`` as the file has them."""
    text = (files("generators.hopify") / "benchmarks.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    return batch(
        table,
        {
            "segment": pa.array([row["segment"] for row in rows]),
            "metric_name": pa.array([row["metric_name"] for row in rows]),
            "target_period": pa.array([row["target_period"] for row in rows]),
            "target_value": np.array([int(Decimal(row["target_value"]).scaleb(4)) for row in rows]),
            "updated_at": np.full(len(rows), (START + 1_000) * DAY + 8 * HOUR),
        },
    )
