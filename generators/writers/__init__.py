"""Where rows go: one file a target, chosen by the URL's scheme.

A writer's file is imported when a URL asks for it, so that only its own users need its drivers.
"""

from __future__ import annotations

from importlib import import_module

from sqlalchemy import MetaData

from generators.targets import target
from generators.writers.base import Writer

__all__ = ["Writer", "open_writer"]

_WRITERS = {
    "sqlite": "generators.writers.sqlite",
    "parquet": "generators.writers.parquet",
    "postgresql": "generators.writers.postgresql",
    "mssql": "generators.writers.mssql",
}


def open_writer(url: str, metadata: MetaData, *, replace: bool = False) -> Writer:
    """The writer for ``url``, to be used as a context manager.

    Raises ``GeneratorError`` for a URL that no writer knows, for a target that already has
    tables unless ``replace``, and for a driver that is not installed.
    """
    to = target(url)
    writer: Writer = import_module(_WRITERS[to.engine]).writer(to, metadata, replace=replace)
    return writer
