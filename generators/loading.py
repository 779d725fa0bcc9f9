"""Rows of any world into any target."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

import pyarrow as pa
from sqlalchemy import MetaData

from generators.writers import open_writer

Progress = Callable[[str, int], None]
Batches = Iterable[tuple[str, pa.RecordBatch]]


def load(
    url: str, metadata: MetaData, batches: Batches, *, replace: bool = False, progress: Progress | None = None
) -> dict[str, int]:
    """Create the tables of ``metadata`` at ``url`` and fill them from ``batches``; the number of rows by table.

    ``progress(table, rows)`` is called after every batch written. Raises ``GeneratorError`` for a
    target that has the tables unless ``replace``, and for one that cannot be written; the target
    is then as it was, where its engine can go back (see the writers).
    """
    written = Counter(dict.fromkeys(metadata.tables, 0))
    with open_writer(url, metadata, replace=replace) as writer:
        for table, batch in batches:
            if batch.num_rows:
                writer.write(table, batch)
            written[table] += batch.num_rows
            if progress is not None:
                progress(table, batch.num_rows)
    return dict(written)
