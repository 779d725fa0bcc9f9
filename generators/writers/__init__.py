"""Where rows go: one file a target, chosen by the URL's scheme."""

from __future__ import annotations

from sqlalchemy import MetaData

from generators.errors import GeneratorError
from generators.writers.base import Writer
from generators.writers.sqlite import SqliteWriter

__all__ = ["Writer", "open_writer"]


def open_writer(url: str, metadata: MetaData, *, replace: bool = False) -> Writer:
    """The writer for ``url``, to be used as a context manager.

    Raises ``GeneratorError`` for a scheme that no writer knows, and for a target that already has
    tables unless ``replace``.
    """
    scheme, _, path = url.partition(":///")
    if scheme != "sqlite" or not path:
        raise GeneratorError(f"No writer for {url!r}. Give a SQLite file as sqlite:///path/to/file.db.")
    return SqliteWriter(path, metadata, replace=replace)
