"""`etl demo`: the whole course on a generated world, with nothing but files."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from etl.config import Config

DEMOS = {"hopify": "etl.demos.hopify", "churn": "etl.demos.churn", "health": "etl.demos.health"}


def demo(world: str, base: Config, directory: Path, customers: int, seed: int) -> None:
    """Run the demo of ``world`` with its files in ``directory``.

    Starts a fresh world every time: what an earlier demo of the same world left there is removed.
    Raises ``DifferenceError`` if something is not as it should be in the end, ``RunError`` where
    the directory cannot be written, and ``KeyError`` for a world without a demo.
    """
    import_module(DEMOS[world]).demo(base, directory, customers, seed)
