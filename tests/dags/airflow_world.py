"""What the tests of the DAGs share: where the DAGs are, and the configuration of a tiny world."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from schemas.hopify import metadata

DAGS = Path(__file__).parents[2] / "dags"
DAG_IDS = ("source_simulation", "warehouse_backfill", "warehouse_marts", "warehouse_sync")
Run = Callable[..., Any]
"""Runs a DAG, with parameters if it takes any, to its end and returns its run."""


def states(ended: Any) -> dict[str, Counter[str]]:
    """By task, how many of its instances ended in which state."""
    found: dict[str, Counter[str]] = {}
    for instance in ended.get_task_instances():
        found.setdefault(instance.task_id, Counter())[str(instance.state)] += 1
    return found


def write_config(directory: Path, *, only: tuple[str, ...] = (), repair: bool = True) -> Path:
    """Write the etl.toml of a world, excluding all tables but ``only`` if any are named."""
    excluded = [name for name in metadata.tables if only and name not in only]
    file = directory / "etl.toml"
    file.write_text(
        f'source = {{ url = "sqlite:///{directory}/hopify.db" }}\n'
        f'warehouse = {{ url = "duckdb:///{directory}/warehouse.duckdb", memory_limit = "1GB" }}\n'
        f"sync = {{ repair = {str(repair).lower()} }}\n"
        + "".join(f"[tables.{name}]\nexclude = true\n" for name in excluded)
    )
    return file
