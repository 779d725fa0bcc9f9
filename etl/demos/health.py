"""The health demo: 24 months of MRR into SQLite, copied and proven, summed up in marts and drawn as a dashboard."""

from __future__ import annotations

from pathlib import Path

from etl.config import Config
from etl.console import out
from etl.demos.steps import generated, headline, proven, remove_earlier, synced, timed, with_files
from etl.session import open_session
from etl.urls import file_url
from generators.health.stored import read
from generators.health.summary import summary


def demo(base: Config, directory: Path, customers: int, seed: int) -> None:
    """Generate, summarise, sync, verify, build marts, draw; raises ``DifferenceError`` if a table is not equal."""
    source, warehouse, page = directory / "health.db", directory / "health.duckdb", directory / "health.html"
    with timed("The next `etl demo --world health` starts a fresh world again."):
        remove_earlier(directory, (source, warehouse, Path(f"{warehouse}.wal"), page))
        headline(f"Generating the health world: {customers:,} customers, 24 months, seed {seed}")
        generated("health", file_url("sqlite", source), source, customers, seed)
        out.print()
        out.print(summary(read(source), source), markup=False)
        with open_session(with_files(base, source, warehouse, "health"), ()) as session:
            synced(session, "Sync: everything is new")
            proven(session)
            marts = session.build_marts()
            out.print(f"Gate open, {len(marts)} marts built and tested, {sum(m.seconds for m in marts):.1f} s")
            session.dashboard(page)
        out.print(f"\nDashboard: {page}   Source: {source}   Warehouse: {warehouse}")
