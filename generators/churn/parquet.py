"""The world's rows in order, made by several threads; and as four Parquet files."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa

from generators.ahead import in_order
from generators.churn.rows import batches, shards
from generators.churn.specification import REFERENCE_CUSTOMERS
from generators.errors import GeneratorError
from generators.loading import Progress, load
from schemas.churn import metadata


def generate(
    directory: Path,
    *,
    customers: int = REFERENCE_CUSTOMERS,
    seed: int = 42,
    workers: int = 2,
    progress: Progress | None = None,
) -> dict[str, int]:
    """Write ``customers.parquet`` and the others under ``directory`` and return the rows of each table.

    Files of an earlier world give way. Each appears under its name only when all are whole.
    ``progress`` is told each table's new rows as they are written. Raises ``GeneratorError`` for
    numbers out of range and where ``directory`` cannot be written.
    """
    made = world_batches(customers, seed, workers)
    return load(f"parquet:{directory}", metadata, made, replace=True, progress=progress)


def world_batches(customers: int, seed: int, workers: int) -> Iterator[tuple[str, pa.RecordBatch]]:
    """(table, batch) for every row, shard by shard and parents first, the same for any number of ``workers``.

    Workers are threads: numpy and Arrow let go of the interpreter while they work. Raises
    ``GeneratorError`` for numbers out of range, before anything is made.
    """
    if workers < 1:
        raise GeneratorError(f"{workers} workers can do nothing. Ask for 1 or more.")
    made = in_order(partial(batches, customers, seed), shards(customers), workers)
    return (item for shard in made for item in shard.items())
