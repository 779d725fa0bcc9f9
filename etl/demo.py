"""`etl demo`: the whole course on a generated world, with nothing but files."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from etl.config import Config
from etl.console import grid, out, row_progress, show_synced
from etl.errors import DifferenceError, RunError
from etl.session import Session, open_session
from etl.sync.run import Failed
from etl.sync.table import Synced
from etl.urls import file_url
from etl.verify.verify import Verified
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

    def config(self, base: Config) -> Config:
        """``base`` with these files as source and warehouse."""
        return base.model_copy(
            update={
                "source": base.source.model_copy(update={"url": file_url("sqlite", self.source)}),
                "warehouse": base.warehouse.model_copy(update={"url": file_url("duckdb", self.warehouse)}),
                "publish": base.publish.model_copy(update={"world": "hopify"}),
                "tables": {},
            }
        )


def demo(base: Config, directory: Path, customers: int, seed: int) -> None:
    """Generate, sync, verify, build marts, simulate, sync the change, verify, build again, draw.

    Starts a fresh world every time: what an earlier demo left in ``directory`` is removed.
    Raises ``DifferenceError`` if a table is not equal in the end.
    """
    started = time.monotonic()
    files = DemoFiles(directory)
    _remove_earlier(files)
    _generate(files, customers, seed)
    with open_session(files.config(base), ()) as session:
        first = _synced(session, "First sync: everything is new")
        _proven_and_built(session)
        _simulate(files, DAYS)
        second = _synced(session, f"Second sync, {DAYS} days later: only what changed is moved")
        _proven_and_built(session)
        page = session.dashboard(files.dashboard)
        _closing(session, first, second)
    out.print(f"\nDashboard: {page}   Source: {files.source}   Warehouse: {files.warehouse}")
    out.print(f"Done in {time.monotonic() - started:.1f} s. The next `etl demo` starts a fresh world again.")


def _remove_earlier(files: DemoFiles) -> None:
    try:
        files.directory.mkdir(parents=True, exist_ok=True)
        for path in (files.source, files.warehouse, Path(f"{files.warehouse}.wal"), files.dashboard):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise RunError(f"{files.directory} cannot be written: {error.strerror}", "name another with --dir") from error


def _headline(text: str) -> None:
    out.print()
    out.rule(text, align="left", style="dim")


def _generate(files: DemoFiles, customers: int, seed: int) -> None:
    _headline(f"Generating the hopify world: {customers:,} customers, 36 months, seed {seed}")
    started = time.monotonic()
    with row_progress("generating") as progress:
        rows = hopify.generate(file_url("sqlite", files.source), customers=customers, seed=seed, progress=progress.rows)
    total, seconds = sum(rows.values()), time.monotonic() - started
    out.print(f"{total:,} rows in {len(rows)} tables, {seconds:.1f} s, {files.source}")


def _simulate(files: DemoFiles, days: int) -> None:
    _headline(f"Simulating {days} more days in the source")
    started = time.monotonic()
    with row_progress("simulating") as progress:
        changes = hopify.simulate(file_url("sqlite", files.source), days=days, progress=progress.rows)
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


def _synced(session: Session, title: str) -> list[Synced]:
    _headline(title)
    with row_progress("syncing") as progress:
        results = list(session.sync(progress=progress))
    show_synced(results)
    failed = [result for result in results if isinstance(result, Failed)]
    if failed:
        raise failed[0].error
    return [result for result in results if isinstance(result, Synced)]


def _proven_and_built(session: Session) -> None:
    started = time.monotonic()
    verified = list(session.verify())
    unequal = [v.table if isinstance(v, Failed) else v.check.table_name for v in verified if not _is_equal(v)]
    if unequal:
        raise DifferenceError(f"not equal to the source: {', '.join(unequal)}", "run: etl verify")
    seconds = time.monotonic() - started
    out.print(f"\nVerified once more from a fresh snapshot: {len(verified)} tables equal, {seconds:.1f} s")
    marts = session.build_marts()
    out.print(f"Gate open, {len(marts)} marts built and tested, {sum(m.seconds for m in marts):.1f} s")


def _is_equal(result: Verified | Failed) -> bool:
    return not isinstance(result, Failed) and result.check.equal


def _closing(session: Session, first: Sequence[Synced], second: Sequence[Synced]) -> None:
    _headline("What was moved and what was proven")
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
    _headline("Retention by signup cohort: the share still subscribed, the first cohorts")
    out.print(grid("", columns, rows, columns[1:]))


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"
