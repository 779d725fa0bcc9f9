"""The health demo: 24 months of MRR into SQLite, copied and proven, with the world's own summary."""

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
    """Generate, summarise, sync, verify; raises ``DifferenceError`` if a table is not equal in the end."""
    source, warehouse = directory / "health.db", directory / "health.duckdb"
    with timed("The next `etl demo --world health` starts a fresh world again."):
        remove_earlier(directory, (source, warehouse, Path(f"{warehouse}.wal")))
        headline(f"Generating the health world: {customers:,} customers, 24 months, seed {seed}")
        generated("health", file_url("sqlite", source), source, customers, seed)
        out.print()
        out.print(summary(read(source), source), markup=False)
        with open_session(with_files(base, source, warehouse, "health"), ()) as session:
            synced(session, "Sync: everything is new")
            proven(session)
        out.print(f"\nSource: {source}   Warehouse: {warehouse}")
