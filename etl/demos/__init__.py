"""`etl demo`: the whole course on a generated world, with nothing but files unless databases are named."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from etl.config import Config
from etl.errors import ConfigError

DEMOS = {"hopify": "etl.demos.hopify", "churn": "etl.demos.churn", "health": "etl.demos.health"}


def demo(
    world: str, base: Config, directory: Path, customers: int, seed: int, *, source: str = "", warehouse: str = ""
) -> None:
    """Run the demo of ``world`` with its files in ``directory``, or in databases of these URLs.

    Starts a fresh world every time: what an earlier demo of the same world left there is removed or
    loaded anew. Raises ``ConfigError`` for URLs where the demo is one of files, ``DifferenceError`` if
    something is not as it should be in the end, ``RunError`` where the directory cannot be written, and
    ``KeyError`` for a world without a demo.
    """
    if world == "hopify":
        from etl.demos import hopify  # noqa: PLC0415  # each world's demo has imports of its own

        hopify.demo(base, directory, customers, seed, source=source, warehouse=warehouse)
    elif source or warehouse:
        raise ConfigError(f"the demo of {world} is one of files", "call it without --source and --warehouse")
    else:
        import_module(DEMOS[world]).demo(base, directory, customers, seed)
