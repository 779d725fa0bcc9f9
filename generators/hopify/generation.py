"""Making a world: its rows into a writer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from generators.errors import GeneratorError
from generators.hopify.rows import world_rows
from generators.writers import open_writer
from schemas.hopify import metadata

Progress = Callable[[str, int], None]


def generate(
    url: str,
    *,
    customers: int = 20_000,
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
    if customers < 0:
        raise GeneratorError(f"A world cannot have {customers} customers. Ask for 0 or more.")
    if not -(2**63) <= seed < 2**63:
        raise GeneratorError(f"The seed {seed} is too long to be stored. Give one of 64 bits.")
    if workers < 1:
        raise GeneratorError(f"{workers} workers make no rows. Ask for 1 or more.")
    written = Counter(dict.fromkeys(metadata.tables, 0))
    with open_writer(url, metadata, replace=replace) as writer:
        for table, batch in world_rows(seed, customers, workers):
            if batch.num_rows:
                writer.write(table, batch)
            written[table] += batch.num_rows
            if progress is not None:
                progress(table, batch.num_rows)
    return dict(written)
