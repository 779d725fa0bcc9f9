"""All rows of a world as batches, in the same order whatever the number of processes."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import pyarrow as pa

from generators.hopify.columns import Batches
from generators.hopify.numbering import moved
from generators.hopify.shard import shard_rows
from generators.hopify.world import World, reference_rows, world


def world_rows(seed: int, customers: int, workers: int = 1) -> Iterator[tuple[str, pa.RecordBatch]]:
    """(table, batch) for every row, parents before children; batches are in logical Arrow types.

    Memory holds at most ``workers`` + 1 shards, whatever the world's size.
    """
    of = world(seed, customers)
    yield from reference_rows(of).items()
    taken: Counter[str] = Counter()
    for rows in _shards(of, workers):
        yield from moved(rows, taken).items()
        taken.update({table: batch.num_rows for table, batch in rows.items()})


def _shards(of: World, workers: int) -> Iterator[Batches]:
    """Every shard's rows, in order."""
    if min(workers, of.shards) <= 1:
        yield from (shard_rows(of, shard) for shard in range(of.shards))
        return
    # Arrow and ADBC run threads, which a forked child would find locked; so children start afresh.
    with ProcessPoolExecutor(min(workers, of.shards), mp_context=get_context("spawn")) as pool:
        make = partial(_shard, of.seed, of.customers)
        ahead: deque[Future[Batches]] = deque()
        for shard in range(of.shards):
            ahead.append(pool.submit(make, shard))
            if len(ahead) > workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _shard(seed: int, customers: int, shard: int) -> Batches:
    """A shard made in a child process, which plans the world once and keeps it."""
    return shard_rows(world(seed, customers), shard)
