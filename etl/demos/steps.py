"""What the demos have in common."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from etl.config import Config
from etl.console import out, row_progress, show_synced
from etl.errors import DifferenceError, RunError
from etl.session import Session
from etl.sync.run import Failed
from etl.sync.table import Synced
from etl.urls import file_url
from etl.verify.verify import Verified
from generators import worlds


def headline(text: str) -> None:
    """What comes next."""
    out.print()
    out.rule(text, align="left", style="dim")


def remove_earlier(directory: Path, files: Iterable[Path]) -> None:
    """Make ``directory`` and remove an earlier demo's ``files`` in it; raises ``RunError``."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for path in files:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise RunError(f"{directory} cannot be written: {error.strerror}", "name another with --dir") from error


def with_files(base: Config, source: Path, warehouse: Path, world: str) -> Config:
    """``base`` with these files as source and warehouse."""
    return with_urls(base, file_url("sqlite", source), file_url("duckdb", warehouse), world)


def with_urls(base: Config, source: str, warehouse: str, world: str) -> Config:
    """``base`` with these databases as source and warehouse, and no wishes for tables."""
    return base.model_copy(
        update={
            "source": base.source.model_copy(update={"url": source}),
            "warehouse": base.warehouse.model_copy(update={"url": warehouse}),
            "publish": base.publish.model_copy(update={"world": world}),
            "tables": {},
        }
    )


def generated(world: str, to: str, place: Path | str, customers: int, seed: int, workers: int = 1) -> dict[str, int]:
    """Generate ``world`` at the URL ``to``, and say how many rows went to ``place``; the rows by table."""
    started = time.monotonic()
    with row_progress("generating") as progress:
        rows = worlds.generate(
            world, to, customers=customers, seed=seed, workers=workers, replace=True, progress=progress.rows
        )
    out.print(f"{sum(rows.values()):,} rows in {len(rows)} tables, {time.monotonic() - started:.1f} s, {place}")
    return rows


def synced(session: Session, title: str, *, full: bool = False) -> list[Synced]:
    """Sync everything and show it; raises the first failed table's error."""
    headline(title)
    with row_progress("syncing") as progress:
        results = list(session.sync(progress=progress, full=full))
    show_synced(results)
    failed = [result for result in results if isinstance(result, Failed)]
    if failed:
        raise failed[0].error
    return [result for result in results if isinstance(result, Synced)]


def proven(session: Session) -> None:
    """Verify everything from a fresh snapshot; raises ``DifferenceError`` if a table is not equal."""
    started = time.monotonic()
    verified = list(session.verify())
    unequal = [v.table if isinstance(v, Failed) else v.check.table_name for v in verified if not _is_equal(v)]
    if unequal:
        raise DifferenceError(f"not equal to the source: {', '.join(unequal)}", "run: etl verify")
    seconds = time.monotonic() - started
    out.print(f"\nVerified once more from a fresh snapshot: {len(verified)} tables equal, {seconds:.1f} s")


def _is_equal(result: Verified | Failed) -> bool:
    return not isinstance(result, Failed) and result.check.equal


@contextmanager
def timed(done: str) -> Iterator[None]:
    """Say at the end how long all of it took."""
    started = time.monotonic()
    yield
    out.print(f"\nDone in {time.monotonic() - started:.1f} s. {done}")
