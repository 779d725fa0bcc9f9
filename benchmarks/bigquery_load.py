"""How long a table takes to be loaded, merged into and summed on BigQuery, with DuckDB's time beside it.

    python scripts/bigquery_emulator.py run python benchmarks/bigquery_load.py [--rows 1000000] [--share 0.2]

Both warehouses are used through the same contract, with the same Arrow batches from memory. On an emulator
the figures say what the toolkit itself costs, and nothing about BigQuery; point ``ETL_WAREHOUSE_URL`` at a
project to measure that (and ``maximum_bytes_billed`` at what it may cost). They mean something only on a
machine that does nothing else, so its load is printed.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import duckdb
import pyarrow as pa

from etl.config import Config
from etl.engines import open_warehouse
from etl.scratch import Scratch
from etl.verify.proof import EngineProof
from etl.verify.rowsum import PushdownSide, StreamSide
from etl.warehouses.base import Warehouse, staging_name
from schemas import types
from schemas.table import Column, Table

TABLE = Table(
    "payments",
    (
        Column("id", types.INT, nullable=False),
        Column("customer", types.INT),
        Column("amount", types.decimal(18, 2)),
        Column("note", types.STRING),
        Column("settled", types.BOOL),
        Column("day", types.DATE),
        Column("at", types.DATETIME),
    ),
    key=("id",),
)
_ROWS = """
SELECT i AS id, i % 9973 AS customer, CAST(i * 7919 % 1000000 AS DECIMAL(18,2)) + {change} AS amount,
'payment no. ' || i AS note, i % 3 = 0 AS settled, DATE '2024-01-01' + CAST(i % 700 AS INTEGER) AS day,
TIMESTAMP '2024-01-01' + to_seconds(i) AS at FROM range({low}, {high}) AS numbers (i)
"""


def main() -> None:
    """Print a line a warehouse."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--share", type=float, default=0.2, help="of the rows that are merged again, changed")
    chosen = parser.parse_args()
    changed = int(chosen.rows * chosen.share)
    first, second = _batch(0, chosen.rows, 0), _batch(chosen.rows - changed // 2, chosen.rows + changed // 2, 1)
    print(f"{chosen.rows:,} rows of {len(TABLE.columns)} columns, {changed:,} merged; load {os.getloadavg()[0]:.1f}")
    sums = set()
    with tempfile.TemporaryDirectory() as directory:
        named = os.environ.get("ETL_WAREHOUSE_URL", f"bigquery://local/bench_{uuid.uuid4().hex[:8]}?location=EU")
        for url in (f"duckdb:///{Path(directory, 'w.duckdb')}", named):
            sums.add(_measured(url, first, second))
    if len(sums) > 1:
        raise SystemExit("the warehouses do not hold the same rows")


def _measured(url: str, first: pa.Table, second: pa.Table) -> str:
    seconds: dict[str, float] = {}
    config = Config.model_validate({"warehouse": {"url": url}, "tables": {"payments": {"partition": "day"}}})
    warehouse = open_warehouse(config)
    try:
        with _timed(seconds, "load"):
            warehouse.replace(_staged(warehouse, first), TABLE.target, [])
        staged = _staged(warehouse, second)
        with _timed(seconds, "merge"):
            warehouse.commit([warehouse.merge(TABLE, staged)])
        warehouse.drop(staged)
        with _timed(seconds, "read"):
            rows = sum(batch.num_rows for batch in warehouse.read(TABLE))
        with _timed(seconds, "rowsum"):
            mode, digest = _summed(warehouse)
        warehouse.drop(TABLE.target)
    finally:
        warehouse.close()
    listed = "  ".join(f"{what} {taken:6.2f} s" for what, taken in seconds.items())
    print(f"{url.partition(':')[0]:<9} {rows:>11,} rows  {listed} ({mode})")
    return digest


def _summed(warehouse: Warehouse) -> tuple[str, str]:
    if EngineProof(warehouse, warehouse.dialect).failures(TABLE):
        scratch = Scratch()
        stream = StreamSide(scratch, TABLE, lambda: warehouse.read(TABLE), lambda _: []).add_all()
        return stream.mode, stream.totals().digest
    relation = warehouse.relation("raw", TABLE.target)
    read, read_keys = partial(warehouse.read, TABLE), partial(warehouse.read_keys, TABLE)
    side = PushdownSide(warehouse, warehouse.dialect, relation, TABLE, read, read_keys)
    digest = side.totals().digest
    side.close()
    return side.mode, digest


def _staged(warehouse: Warehouse, rows: pa.Table) -> str:
    name = staging_name(TABLE.target)
    warehouse.create(name, {c.name: warehouse.dialect.ddl(c.type) for c in TABLE.columns}, TABLE)
    warehouse.append(name, TABLE, rows.to_batches(max_chunksize=262_144))
    warehouse.flush(name)
    return name


def _batch(low: int, high: int, change: int) -> pa.Table:
    return duckdb.sql(_ROWS.format(low=low, high=high, change=change)).to_arrow_table().cast(TABLE.arrow)


@contextmanager
def _timed(seconds: dict[str, float], what: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    seconds[what] = time.monotonic() - started


if __name__ == "__main__":
    main()
