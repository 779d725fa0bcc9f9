"""The health world: customers, subscriptions and MRR movements of a SaaS company. Standard library only.

``core`` makes the rows and the SQLite file; ``measures``, ``integrity`` and ``summary`` read it.
What needs more than the standard library (``batches``, ``calibration``) is imported by itself.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from generators.errors import GeneratorError
from generators.health.core import CUSTOMERS, DB_PATH, SEED, world, write

__all__ = ["generate"]


def generate(path: Path = DB_PATH, *, customers: int = CUSTOMERS, seed: int = SEED) -> dict[str, int]:
    """Write the world to a SQLite database at ``path`` and return the rows of each table.

    Raises ``GeneratorError`` for a negative size and where ``path`` cannot be written.
    """
    try:
        rows = world(customers, seed)
    except ValueError as error:
        raise GeneratorError(str(error)) from error
    try:
        write(path, rows)
    except (OSError, sqlite3.Error) as error:
        raise GeneratorError(f"{path} cannot be written: {error}. Check its directory's rights and space.") from error
    return {
        "day06_customers": len(rows.customers),
        "day06_subscriptions": len(rows.subscriptions),
        "day06_mrr_movements": len(rows.movements),
    }
