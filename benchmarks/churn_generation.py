"""How fast the churn world is generated: wall time, rows a second and memory, beside the raw limits.

    python benchmarks/churn_generation.py [CUSTOMERS ...]

Each size runs in a process of its own, so that its peak memory is its own. *Rows* is one thread
making the rows without writing them, *write* one thread writing rows that are there already; no
program with these libraries could be faster than the larger of write and rows over the cores.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

SIZES = (100_000, 1_000_000)
WORKERS = 2
# The limits are measured on this many customers and scaled: all the rows of a large world would not fit in memory.
LIMIT_CUSTOMERS = 100_000


@dataclass(frozen=True, slots=True)
class Measured:
    """One size: seconds of imports and of generation, rows by table, bytes on disk, peak memory in MB."""

    customers: int
    imports: float
    seconds: float
    rows: dict[str, int]
    size: int
    memory: float


def main() -> None:
    """Print a line for every size asked for, then the limits."""
    sizes = [int(argument) for argument in sys.argv[1:]] or list(SIZES)
    print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.2f}, {WORKERS} workers, Parquet on {tempfile.gettempdir()}"
    )
    heads = ("customers", "rows", "import s", "generate s", "rows/s", "MB disk", "MB peak")
    print("{:>10} {:>12} {:>9} {:>11} {:>12} {:>8} {:>8}".format(*heads))
    context = multiprocessing.get_context("spawn")
    for customers in sizes:
        with context.Pool(1) as pool:
            done = pool.apply(measure, (customers,))
        rows = sum(done.rows.values())
        print(
            f"{customers:>10,} {rows:>12,} {done.imports:>9.2f} {done.seconds:>11.2f} {rows / done.seconds:>12,.0f} "
            f"{done.size / 1e6:>8.1f} {done.memory:>8.0f}"
        )
    with context.Pool(1) as pool:
        made, written = pool.apply(limits)
    print(f"limits for {LIMIT_CUSTOMERS:,} customers on one thread: rows {made:.2f} s, write {written:.2f} s")


def measure(customers: int) -> Measured:
    """Generate a world once, in this process."""
    start = time.perf_counter()
    from generators.churn import generate

    imported = time.perf_counter()
    with tempfile.TemporaryDirectory() as directory:
        rows = generate(Path(directory), customers=customers, workers=WORKERS)
        done = time.perf_counter()
        size = sum(path.stat().st_size for path in Path(directory).iterdir())
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Measured(customers, imported - start, done - imported, rows, size, memory)


def limits() -> tuple[float, float]:
    """Seconds one thread takes to make the rows, and to write them."""
    import pyarrow.parquet as pq

    from generators.churn import batches, shards

    start = time.perf_counter()
    made = [batches(LIMIT_CUSTOMERS, 42, shard) for shard in range(shards(LIMIT_CUSTOMERS))]
    rows = time.perf_counter()
    with tempfile.TemporaryDirectory() as directory:
        for table, first in made[0].items():
            with pq.ParquetWriter(Path(directory) / table, first.schema, compression="snappy") as writer:
                for shard in made:
                    writer.write_batch(shard[table])
    return rows - start, time.perf_counter() - rows


if __name__ == "__main__":
    main()
