"""How fast SQL Server is read, beside the raw driver on the same query.

    ETL_SOURCE_URL=mssql://user@host/db python benchmarks/mssql_read.py [--rows 1000000] [--repeat 3]

A table of eight columns and one of max-length text is made in a database that may be written to, and
dropped again. *Raw* is ``arrow_reader`` of mssql-python on the very query that the source asks, within
the same snapshot; *ours* is what the source delivers: typed, converted, checked. Exit code 1 if ours
is slower than 80 % of raw. Figures mean something only on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import closing

from etl.config import load
from etl.engines import open_source
from etl.sources import mssql_sql as sql
from etl.sources.mssql import MssqlSnapshot
from etl.sources.mssql_session import MOST_ROWS
from etl.urls import with_password
from schemas.mssql import connect
from schemas.table import Table

ENOUGH = 0.8
PLAIN, LONG = "etl_read_plain", "etl_read_long"
_COLUMNS = (
    "id bigint NOT NULL PRIMARY KEY, customer bigint, amount decimal(18, 2), note nvarchar(100), settled bit, "
    "day date, at datetime2(6), ratio float"
)
_VALUES = (
    "n, n % 9973, CAST(n % 100000 AS decimal(18, 2)) / 100, CONCAT(N'payment no. ', n), n % 2, "
    "DATEADD(day, n % 3650, CAST('20200101' AS date)), "
    "DATEADD(second, n, CAST('2020-01-01T00:00:00' AS datetime2(6))), n / 7e0"
)
_DIGITS = "(VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9))"
_AT_ONCE = 100_000


def main() -> int:
    """Make the tables, measure, say it, drop them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    if not os.environ.get("ETL_SOURCE_URL"):
        print("ETL_SOURCE_URL names no SQL Server: nothing was measured")
        return 0
    config = load()
    password = config.source.password.get_secret_value() if config.source.password else None
    with closing(connect(with_password(config.source.url, password))) as connection:
        cursor = connection.cursor()
        try:
            _make(cursor.execute, arguments.rows)
            shares = [_measured(name, arguments.repeat) for name in (PLAIN, LONG)]
        finally:
            for name in (PLAIN, LONG):
                cursor.execute(f"DROP TABLE IF EXISTS {name}")
    return 0 if min(shares) >= ENOUGH else 1


def _make(run: Callable[[str], object], rows: int) -> None:
    for name, column, value in ((PLAIN, "", ""), (LONG, ", memo nvarchar(max)", ", CONCAT(N'memo ', n)")):
        run(f"DROP TABLE IF EXISTS {name}")
        run(f"CREATE TABLE {name} ({_COLUMNS}{column})")
        for start in range(0, rows, _AT_ONCE):
            places = " + ".join(f"{10**i} * d{i}.d" for i in range(5))
            digits = " CROSS JOIN ".join(f"{_DIGITS} AS d{i}(d)" for i in range(5))
            numbers = f"(SELECT CAST({start} + {places} AS bigint) AS n FROM {digits}) AS numbers"
            run(f"INSERT INTO {name} SELECT {_VALUES}{value} FROM {numbers} WHERE n < {rows}")


def _measured(name: str, repeat: int) -> float:
    """Ours as a share of raw, by the median of some runs taken in turn."""
    raw, ours = [], []
    with open_source(load()).snapshot() as snapshot:
        if not isinstance(snapshot, MssqlSnapshot):
            sys.exit("ETL_SOURCE_URL names another engine than SQL Server")
        table = next(table for table in snapshot.tables() if table.name == name)
        rows = snapshot.count(table)
        query = _query(snapshot, table)
        for _ in range(repeat):
            raw.append(_timed(lambda: _drain_raw(snapshot, query), rows))
            ours.append(_timed(lambda: sum(batch.num_rows for batch in snapshot.read(table)), rows))
    share = statistics.median(raw) / statistics.median(ours)
    print(
        f"{name}: {rows:,} rows, raw {rows / statistics.median(raw):,.0f} rows/s, "
        f"ours {rows / statistics.median(ours):,.0f} rows/s, {share:.0%} of raw"
    )
    return share


def _query(snapshot: MssqlSnapshot, table: Table) -> str:
    """What the source asks for rows without long values."""
    reader = snapshot.reader
    readings = [reader.reading(column, reader.physical(table)) for column in table.columns]
    return sql.select([one.sql for one in readings], f"{sql.relation(table)} AS t", "")


def _drain_raw(snapshot: MssqlSnapshot, query: str) -> int:
    with snapshot.link.session.cursor(query) as cursor:
        return sum(batch.num_rows for batch in cursor.arrow_reader(MOST_ROWS))


def _timed(work: Callable[[], int], rows: int) -> float:
    started = time.perf_counter()
    if work() != rows:
        sys.exit(f"{rows:,} rows were to be read")
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
