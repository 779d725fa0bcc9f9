"""The hopify demo: the whole course, from an empty directory to a dashboard over proven data."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from etl.config import Config
from etl.console import grid, out, row_progress
from etl.demos.steps import generated, headline, proven, remove_earlier, synced, timed, with_urls
from etl.session import Session, open_session
from etl.sync.table import Synced
from etl.urls import file_url, with_password, without_password
from generators import hopify

DAYS = 30


@dataclass(frozen=True, slots=True)
class DemoFiles:
    """The files of the demo, all in one directory."""

    directory: Path

    @property
    def source(self) -> Path:
        """The generated operational database."""
        return self.directory / "hopify.db"

    @property
    def warehouse(self) -> Path:
        """The warehouse it is copied into."""
        return self.directory / "warehouse.duckdb"

    @property
    def dashboard(self) -> Path:
        """The page to look at."""
        return self.directory / "dashboard.html"


def demo(base: Config, directory: Path, customers: int, seed: int, *, source: str = "", warehouse: str = "") -> None:
    """Generate, sync, verify, build marts, simulate, sync the change, verify, build again, draw.

    Starts a fresh world every time: what an earlier demo left in ``directory`` is removed, and what it
    left in a warehouse that is not a file is loaded anew. ``source`` and ``warehouse`` are URLs of
    databases that take the files' places. Raises ``DifferenceError`` if a table is not equal in the end.
    """
    files = DemoFiles(directory)
    source = with_password(source or file_url("sqlite", files.source), _secret(base))
    shown = {"Source": without_password(source), "Warehouse": warehouse or str(files.warehouse)}
    config = with_urls(base, source, warehouse or file_url("duckdb", files.warehouse), "hopify")
    with timed("The next `etl demo` starts a fresh world again."):
        remove_earlier(directory, (files.source, files.warehouse, Path(f"{files.warehouse}.wal"), files.dashboard))
        headline(f"Generating the hopify world: {customers:,} customers, 36 months, seed {seed}")
        generated("hopify", source, shown["Source"], customers, seed)
        with open_session(config, ()) as session:
            first = synced(session, "First sync: everything is new", full=bool(warehouse))
            _proven_and_built(session)
            _simulate(source, DAYS)
            second = synced(session, f"Second sync, {DAYS} days later: only what changed is moved")
            _proven_and_built(session)
            page = session.dashboard(files.dashboard)
            _closing(session, first, second)
        listed = "   ".join(f"{what}: {where}" for what, where in {"Dashboard": str(page), **shown}.items())
        out.print(f"\n{listed}")


def _secret(base: Config) -> str | None:
    return base.source.password.get_secret_value() if base.source.password else None


def _simulate(source: str, days: int) -> None:
    headline(f"Simulating {days} more days in the source")
    started = time.monotonic()
    with row_progress("simulating") as progress:
        changes = hopify.simulate(source, days=days, progress=progress.rows)
    columns = ("table", "inserted", "updated", "deleted", "silent")
    rows = [
        (table, *(f"{counts[name]:,}" for name in columns[1:]))
        for table, counts in changes.items()
        if any(counts.values())
    ]
    out.print(grid("", columns, rows, columns[1:]))
    out.print(
        f"{time.monotonic() - started:.1f} s. Silent changes do not move updated_at, and deletes leave no trace: "
        "the rowsum has to find both."
    )


def _proven_and_built(session: Session) -> None:
    proven(session)
    marts = session.build_marts()
    out.print(f"Gate open, {len(marts)} marts built and tested, {sum(m.seconds for m in marts):.1f} s")


def _closing(session: Session, first: Sequence[Synced], second: Sequence[Synced]) -> None:
    headline("What was moved and what was proven")
    before = {result.table: result for result in first}
    rows = []
    for result in second:
        full, check = before[result.table], result.check
        rate = full.extracted / full.seconds if full.seconds else 0.0
        rows.append(
            (
                result.table,
                f"{full.extracted:,}",
                f"{rate:,.0f}",
                f"{result.extracted:,}",
                f"{result.repaired:,}",
                f"{check.source_rows:,}",
                f"{check.warehouse_rows:,}",
                check.source_hash[:16],
                check.warehouse_hash[:16],
                "yes" if check.equal else "NO",
            )
        )
    columns = (
        "table",
        "moved first",
        "rows/s",
        "moved then",
        "found by rowsum",
        "source rows",
        "warehouse rows",
        "source hash",
        "warehouse hash",
        "equal",
    )
    out.print(grid("", columns, rows, columns[1:7]))
    _retention(session)


def _retention(session: Session) -> None:
    months = 6
    picks = ", ".join(f"MAX(CASE WHEN months_since = {m} THEN retention END) AS m{m}" for m in range(months + 1))
    relation = session.warehouse.relation("marts", "cohort_retention")
    table = session.warehouse.query(
        f"SELECT signup_month, MAX(cohort_size) AS customers, {picks} FROM {relation} "
        "GROUP BY signup_month ORDER BY signup_month LIMIT 8"
    )
    rows = [
        (f"{row['signup_month']:%Y-%m}", f"{row['customers']:,}", *(_percent(row[f"m{m}"]) for m in range(months + 1)))
        for row in table.to_pylist()
    ]
    columns = ("signed up", "customers", *(f"month {m}" for m in range(months + 1)))
    headline("Retention by signup cohort: the share still subscribed, the first cohorts")
    out.print(grid("", columns, rows, columns[1:]))


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"
