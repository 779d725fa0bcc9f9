"""How fast tables are loaded, and loaded and proven, beside the source's reader straight into DuckDB.

    python benchmarks/load.py [--rows 1000000] [--large 10000000] [--repeat 3] [--no-postgres]

*Raw* is the source's own Arrow reader drained by one DuckDB statement that casts every column to its type:
nothing is compared, nothing is checked, nothing is written down. *Load* is ours without the proof, *sync*
is the command: load, rowsums of both sides, ledger. Figures are the best of some runs; they mean something
only on a machine that does nothing else, so its load is printed. A bound that is missed makes the exit code 1.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from rowsum import TABLE, best, fill, postgres

from etl.config import Config
from etl.engines import open_source
from etl.readahead import readahead
from etl.session import open_session
from etl.sync.run import Failed
from etl.sync.table import Synced
from etl.verify.rowsum import PIECE_ROWS, chunks
from etl.warehouses.duckdb import DuckDbWarehouse
from schemas.mappings import ddl_type

LOAD_BOUND, SYNC_BOUND = 1.3, 3.0
FLAT, MOST_MB = 1.25, 500
MEMORY_LIMIT = "128MB"
"""Of each of the two DuckDBs: the warehouse's, and the one in which streamed rows are summed."""

_COLUMNS = ", ".join(f'"{column.name}"' for column in TABLE.columns)
_DDL = ", ".join(f'"{column.name}" {ddl_type("duckdb", column.type)}' for column in TABLE.columns)
_CASTS = ", ".join(f'CAST("{column.name}" AS {ddl_type("duckdb", column.type)})' for column in TABLE.columns)


@dataclass(frozen=True, slots=True)
class Engine:
    """A filled source: its URL, its driver, the query whose columns DuckDB can cast, and a way to change rows."""

    name: str
    url: str
    connect: Callable[[], Any]
    query: str
    change: Callable[[str], None]


def main() -> None:
    """Measure everything and print it against its bound."""
    arguments = _arguments()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.2f}, {arguments.rows:,} rows of {len(TABLE.columns)}")
    print(f"{'':<44} {'seconds':>9} {'rows/s':>12} {'ratio':>7} {'bound':>9}")
    held: list[bool] = []
    with tempfile.TemporaryDirectory(prefix="etl-load-") as name:
        directory = Path(name)
        with _sqlite(directory / "source.db", arguments.rows) as engine:
            held += _measured(engine, directory, arguments.rows, arguments.repeat)
        if not arguments.no_postgres:
            with _postgres(arguments.rows) as engine:
                held += _measured(engine, directory, arguments.rows, arguments.repeat)
        if arguments.large:
            held += _memory(directory, arguments.rows, arguments.large)
    sys.exit(0 if all(held) else 1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--large", type=int, default=10_000_000, help="rows of the larger table for memory; 0 for none")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--no-postgres", action="store_true")
    return parser.parse_args()


def _measured(engine: Engine, directory: Path, rows: int, repeat: int) -> Iterator[bool]:
    """Every measure of time on one engine; yields whether its bound holds."""
    path = directory / "warehouse.duckdb"
    raw = best(lambda: raw_load(engine, _fresh(path)), repeat)
    _show(f"{engine.name} -> DuckDB, raw", raw, rows)
    load = best(lambda: load_alone(engine, _fresh(path)), repeat)
    yield _show(f"{engine.name} -> DuckDB, load", load, rows, raw, LOAD_BOUND)
    seconds = best(lambda: sync(engine, _fresh(path), rows), repeat)
    yield _show(f"{engine.name} -> DuckDB, sync", seconds, rows, raw, SYNC_BOUND)
    changed = rows // 100
    engine.change(f"UPDATE payments SET note = 'changed', at = '2099-01-01 00:00:00.000000' WHERE id <= {changed}")
    # Rows of the future stay at or past every watermark, so that each run moves the same ones.
    seconds = best(lambda: incremental(engine, path, changed), repeat)
    _show(f"{engine.name} -> DuckDB, 1 % changed, moved", seconds, changed)


def raw_load(engine: Engine, path: Path) -> None:
    """The driver's reader into one statement."""
    with closing(duckdb.connect(str(path))) as warehouse, closing(engine.connect()) as connection:
        warehouse.execute(f"CREATE TABLE payments ({_DDL})").complete()
        with connection.cursor() as cursor:
            cursor.execute(engine.query)
            warehouse.register("reader", cursor.fetch_record_batch())
            warehouse.execute(f"INSERT INTO payments ({_COLUMNS}) SELECT {_CASTS} FROM reader").complete()
            warehouse.unregister("reader")


def load_alone(engine: Engine, path: Path) -> None:
    """What a full load does, without its sums."""
    source = open_source(_config(engine, path))
    with closing(DuckDbWarehouse(path, memory_limit="2GB")) as warehouse, source.snapshot() as snapshot:
        warehouse.create("staging", {c.name: warehouse.dialect.ddl(c.type) for c in TABLE.columns})
        pieces = readahead(chunks(snapshot.read(TABLE), TABLE, PIECE_ROWS))
        warehouse.append("staging", TABLE, (batch for piece in pieces for batch in piece.to_batches()))
        warehouse.replace("staging", TABLE.target, [])


def sync(engine: Engine, path: Path, rows: int) -> Synced:
    """The command, in this process; raises unless it extracted so many rows and proved the table."""
    with open_session(_config(engine, path), ()) as session:
        (result,) = session.sync()
    if isinstance(result, Failed):
        raise result.error
    if not result.check.equal or result.extracted != rows:
        raise RuntimeError(f"not a proven sync of {rows:,} rows: {result}")
    return result


def incremental(engine: Engine, path: Path, changed: int) -> None:
    """A sync beside which one row ties with the watermark, or none."""
    with open_session(_config(engine, path), ()) as session:
        (result,) = session.sync()
    if isinstance(result, Failed):
        raise result.error
    if not result.check.equal or not changed <= result.extracted <= changed + 1:
        raise RuntimeError(f"{changed:,} rows have changed, but this was moved: {result}")


def _memory(directory: Path, rows: int, large: int) -> Iterator[bool]:
    """Peak memory of a process that syncs, once for each size."""
    peaks = []
    for size in (rows, large):
        path = directory / f"memory-{size}.db"
        fill(path, size)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            peaks.append(pool.apply(peak, (path, directory / f"memory-{size}.duckdb", size)))
        path.unlink()
    low, high = peaks
    print(f"{'':<44} {'MB':>9} {'MB':>12}")
    holds = high <= FLAT * low and high <= MOST_MB
    bound = f"{FLAT}x, {MOST_MB}"
    print(
        f"{f'memory at {large:,} rows, and at {rows:,}':<44} {high:>9.0f} {low:>12.0f} {high / low:>6.2f}x {bound:>9}"
    )
    yield holds


def peak(path: Path, warehouse: Path, rows: int) -> float:
    """Sync a full load in this process; its peak memory in MB."""
    with _opened_sqlite(path) as engine:
        sync(engine, warehouse, rows)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _config(engine: Engine, path: Path) -> Config:
    limit = MEMORY_LIMIT if multiprocessing.parent_process() else "2GB"
    return Config.model_validate(
        {
            "source": {"url": engine.url},
            "warehouse": {"url": f"duckdb:///{path}", "memory_limit": limit},
            "tables": {"payments": {"cursor": "at"}},
        }
    )


def _fresh(path: Path) -> Path:
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()
    return path


@contextmanager
def _sqlite(path: Path, rows: int) -> Iterator[Engine]:
    fill(path, rows)
    with _opened_sqlite(path) as engine:
        yield engine


@contextmanager
def _opened_sqlite(path: Path) -> Iterator[Engine]:
    from adbc_driver_sqlite import dbapi

    def connect() -> Any:
        return dbapi.connect(f"{path.as_uri()}?mode=ro")

    def change(statement: str) -> None:
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(statement)

    yield Engine("SQLite", f"sqlite:///{path}", connect, f"SELECT {_COLUMNS} FROM payments", change)


@contextmanager
def _postgres(rows: int) -> Iterator[Engine]:
    from adbc_driver_postgresql import dbapi

    with postgres(rows) as (filled, url):
        # A numeric arrives as an opaque type, so it is read as its text.
        columns = _COLUMNS.replace('"amount"', 'CAST("amount" AS text) AS "amount"')
        query = f"SELECT {columns} FROM payments"
        yield Engine("PostgreSQL", url, lambda: dbapi.connect(url), query, filled.run)


def _show(name: str, seconds: float, rows: int, raw: float = 0, bound: float = 0) -> bool:
    holds = not bound or seconds <= bound * raw
    judged = f"{seconds / raw:>6.2f}x {f'{bound}x':>9} {'' if holds else 'MISSED'}" if bound else ""
    print(f"{name:<44} {seconds:>9.2f} {rows / seconds:>12,.0f} {judged}")
    return holds


if __name__ == "__main__":
    main()
