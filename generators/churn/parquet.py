"""The world as four Parquet files, made by several threads and written in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from generators.churn.arrow import schema
from generators.churn.rows import batches, shards
from generators.churn.specification import REFERENCE_CUSTOMERS
from generators.errors import GeneratorError
from schemas.churn import metadata

Progress = Callable[[str, int], None]
Rows = dict[str, pa.RecordBatch]

TABLES = tuple(table.name for table in metadata.sorted_tables)


def generate(
    directory: Path,
    *,
    customers: int = REFERENCE_CUSTOMERS,
    seed: int = 42,
    workers: int = 2,
    progress: Progress | None = None,
) -> dict[str, int]:
    """Write ``customers.parquet`` and the others under ``directory`` and return the rows of each table.

    The files are the same for any number of ``workers``, which are threads: numpy and Arrow let
    go of the interpreter while they work. Each appears under its name only when all are whole.
    ``progress`` is told each table's new rows as they are written. Raises ``GeneratorError`` for
    numbers out of range and where ``directory`` cannot be written.
    """
    if workers < 1:
        raise GeneratorError(f"{workers} workers can do nothing. Ask for 1 or more.")
    count = shards(customers)
    partials = {table: directory / f".{table}.parquet.partial" for table in TABLES}
    try:
        directory.mkdir(parents=True, exist_ok=True)
        rows = _write(partials, _in_order(partial(batches, customers, seed), count, workers), progress)
        for table, path in partials.items():
            path.replace(directory / f"{table}.parquet")
    except OSError as error:
        raise GeneratorError(f"{directory} cannot be written: {error}. Check its rights and free space.") from error
    finally:
        _remove(partials)
    return rows


def _in_order(make: Callable[[int], Rows], count: int, workers: int) -> Iterator[Rows]:
    """``make(0)`` to ``make(count - 1)`` in order, no more than ``workers`` made ahead of the reader."""
    with ThreadPoolExecutor(workers) as pool:
        ahead: deque[Future[Rows]] = deque()
        try:
            for shard in range(count):
                ahead.append(pool.submit(make, shard))
                if len(ahead) > workers:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _write(paths: dict[str, Path], made: Iterator[Rows], progress: Progress | None) -> dict[str, int]:
    """Append every batch to its table's file, a row group each, and count the rows."""
    rows = dict.fromkeys(paths, 0)
    with ExitStack() as files:
        # Snappy took 0.38 s of 100,000 customers' writing, zstd 0.50 s; no compression 0.38 s and more disk.
        writers = {
            name: files.enter_context(pq.ParquetWriter(path, schema(metadata.tables[name]), compression="snappy"))
            for name, path in paths.items()
        }
        for shard in made:
            for name, batch in shard.items():
                writers[name].write_batch(batch)
                rows[name] += batch.num_rows
                if progress:
                    progress(name, batch.num_rows)
    return rows


def _remove(partials: dict[str, Path]) -> None:
    """Delete what an interrupted run left; a directory that cannot be read holds nothing of ours."""
    for path in partials.values():
        try:
            path.unlink(missing_ok=True)
        except OSError:
            continue
