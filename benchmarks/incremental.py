"""That the cost of a sync follows what changed: rows moved, and seconds beside a raw read and merge of those rows.

    python benchmarks/incremental.py [--rows 10000000] [--share 0.01] [--repeat 3]

One SQLite table is synced whole, then with nothing changed, then with a share of its rows changed, once by a
cursor and once without any. *Raw* is the source's own Arrow reader, asked for the changed rows alone, drained
into DuckDB with explicit types and merged by key in one transaction. *Moved* is ours from the first row extracted
to the merge in the ledger; *sync* is the whole command, with the proof that reads both sides. What the ledger
says was extracted has to be the changed rows (and at most the ties), or the exit code is 1.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
from adbc_driver_sqlite import dbapi
from rowsum import TABLE, fill

from etl.config import Config
from etl.session import open_session
from etl.sync.run import Failed
from etl.sync.table import Synced
from schemas.mappings import ddl_type

MOVED_BOUND = 3.0
"""Of the raw read and merge. Ours also counts what would vanish, and writes the ledger."""

TIES = 1
"""Rows that have the watermark itself as their cursor's value: the newest one."""

_LATER = "strftime('%Y-%m-%d %H:%M:%S', 1735689600 + id, 'unixepoch') || '.123456'"
"""An instant of 2025, later than every row's own, and than those of the turn before."""
_NAMES = [column.name for column in TABLE.columns]
_COLUMNS = ", ".join(f'"{name}"' for name in _NAMES)
_DDL = ", ".join(f'"{column.name}" {ddl_type("duckdb", column.type)}' for column in TABLE.columns)
_CASTS = ", ".join(f'CAST("{column.name}" AS {ddl_type("duckdb", column.type)})' for column in TABLE.columns)


@dataclass(slots=True)
class Clock:
    """When each step began."""

    began: list[tuple[str, float]] = field(default_factory=list)

    def __call__(self, _table: str, step: str, rows: int) -> None:
        if not rows:
            self.began.append((step, time.perf_counter()))

    def between(self, first: str, last: str) -> float:
        """Seconds from the beginning of one step to that of another."""
        times = dict(reversed(self.began))
        return times[last] - times[first]


def main() -> None:
    """Measure both kinds of table, and print what was moved."""
    arguments = _arguments()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.2f}, {arguments.rows:,} rows of {len(TABLE.columns)}")
    print(f"{'':<44} {'seconds':>9} {'rows moved':>12} {'ratio':>7} {'bound':>9}")
    with tempfile.TemporaryDirectory(prefix="etl-incremental-") as name:
        directory = Path(name)
        fill(directory / "source.db", arguments.rows)
        held = [*_measured(directory, "at", arguments), *_measured(directory, "full", arguments)]
    sys.exit(0 if all(held) else 1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--share", type=float, default=0.01, help="of the rows that change between two syncs")
    parser.add_argument("--repeat", type=int, default=3)
    return parser.parse_args()


def _measured(directory: Path, cursor: str, arguments: argparse.Namespace) -> Iterator[bool]:
    """Syncs of a table with this cursor; yields whether what was moved is what changed, and the bound holds."""
    source, warehouse = directory / "source.db", directory / f"{cursor}.duckdb"
    named = "a cursor" if cursor == "at" else "no cursor"
    changed = int(arguments.rows * arguments.share)
    synced, _, seconds = _sync(source, warehouse, cursor)
    yield _show(f"{named}: the first sync", seconds, synced.extracted, arguments.rows)
    synced, _, seconds = _sync(source, warehouse, cursor)
    yield _show(f"{named}: nothing changed", seconds, synced.extracted, 0, ties=cursor == "at")
    syncs, moves, raws = [], [], []
    for turn in range(arguments.repeat):
        where = f"id BETWEEN {1 + turn * changed} AND {(turn + 1) * changed}"
        _change(source, f"UPDATE payments SET note = '{cursor} {turn}', at = {_LATER} WHERE {where}")
        # There is no index on the cursor, so that both look through the whole table for what changed.
        raws.append(raw(source, warehouse, f"at >= {_LATER.replace('id', str(1 + turn * changed), 1)}"))
        synced, clock, seconds = _sync(source, warehouse, cursor)
        syncs.append(seconds)
        if cursor == "at":
            moves.append(clock.between("extract", "sum"))
    what = f"{named}: {arguments.share:.0%} changed"
    yield _show(f"{what}, sync", min(syncs), synced.extracted, changed, ties=cursor == "at")
    print(f"{f'{named}: the same rows, raw':<44} {min(raws):>9.2f} {changed:>12,}")
    if cursor == "at":
        yield _bound(f"{what}, moved", min(moves), synced.extracted, min(raws))


def _sync(source: Path, warehouse: Path, cursor: str) -> tuple[Synced, Clock, float]:
    """The command, in this process; raises unless the table was proven."""
    config = Config.model_validate(
        {
            "source": {"url": f"sqlite:///{source}"},
            "warehouse": {"url": f"duckdb:///{warehouse}"},
            "tables": {"payments": {"cursor": cursor}},
        }
    )
    clock, begun = Clock(), time.perf_counter()
    with open_session(config, ()) as session:
        (result,) = session.sync(progress=clock)
    if isinstance(result, Failed):
        raise result.error
    if not result.check.equal:
        raise RuntimeError(f"not proven: {result}")
    return result, clock, time.perf_counter() - begun


def raw(source: Path, warehouse: Path, where: str) -> float:
    """Seconds for the rows alone: read by the driver, staged with their types, merged by key, and taken back."""
    begun = time.perf_counter()
    with (
        closing(duckdb.connect(str(warehouse))) as target,
        closing(dbapi.connect(f"{source.as_uri()}?mode=ro")) as ours,
    ):
        target.execute(f"CREATE TEMPORARY TABLE changed ({_DDL})").complete()
        with ours.cursor() as cursor:
            cursor.execute(f"SELECT {_COLUMNS} FROM payments WHERE {where}")
            target.register("reader", cursor.fetch_record_batch())
            target.execute(f"INSERT INTO changed ({_COLUMNS}) SELECT {_CASTS} FROM reader").complete()
            target.unregister("reader")
        target.execute("BEGIN").complete()
        target.execute('DELETE FROM raw.payments WHERE "id" IN (SELECT "id" FROM changed)').complete()
        target.execute(f"INSERT INTO raw.payments ({_COLUMNS}) SELECT {_COLUMNS} FROM changed").complete()
        seconds = time.perf_counter() - begun
        target.execute("ROLLBACK").complete()
    return seconds


def _change(source: Path, statement: str) -> None:
    with closing(sqlite3.connect(source)) as connection, connection:
        connection.execute(statement)


def _show(name: str, seconds: float, moved: int, wanted: int, *, ties: bool = False) -> bool:
    """Print it; whether what was moved is what was wanted, and at most the rows that tie with the watermark."""
    holds = moved == wanted or (ties and wanted <= moved <= wanted + TIES)
    print(f"{name:<44} {seconds:>9.2f} {moved:>12,} {'' if holds else f'WANTED {wanted:,}'}")
    return holds


def _bound(name: str, seconds: float, moved: int, least: float) -> bool:
    holds = seconds <= MOVED_BOUND * least
    ratio = f"{seconds / least:>6.2f}x {f'{MOVED_BOUND}x':>9}"
    print(f"{name:<44} {seconds:>9.2f} {moved:>12,} {ratio} {'' if holds else 'MISSED'}")
    return holds


if __name__ == "__main__":
    main()
