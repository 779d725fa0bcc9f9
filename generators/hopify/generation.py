"""Making a world: its rows into a writer."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from generators.errors import GeneratorError
from generators.hopify.rows import world_rows
from generators.loading import Progress, load
from schemas.hopify import metadata

CUSTOMERS = 20_000


def generate(
    url: str,
    *,
    customers: int = CUSTOMERS,
    seed: int = 42,
    workers: int = 1,
    replace: bool = False,
    progress: Progress | None = None,
) -> dict[str, int]:
    """Create the hopify tables at ``url`` and fill them; the number of rows by table.

    The rows follow from ``seed`` and ``customers`` alone. ``progress(table, rows)`` is called
    after every batch written. Raises ``GeneratorError`` for a negative size, for a seed of more
    than 64 bits, for a target that has tables unless ``replace``, and for one that cannot be
    written; the target is then as it was.
    """
    return load(url, metadata, batches(customers, seed, workers), replace=replace, progress=progress)


def batches(customers: int, seed: int, workers: int) -> Iterator[tuple[str, pa.RecordBatch]]:
    """(table, batch) for every row, parents before children, made by ``workers`` processes.

    Raises ``GeneratorError`` for numbers out of range, before anything is made.
    """
    if customers < 0:
        raise GeneratorError(f"A world cannot have {customers} customers. Ask for 0 or more.")
    if not -(2**63) <= seed < 2**63:
        raise GeneratorError(f"The seed {seed} is too long to be stored. Give one of 64 bits.")
    if workers < 1:
        raise GeneratorError(f"{workers} workers make no rows. Ask for 1 or more.")
    return world_rows(seed, customers, workers)
