"""Queries are proven three ways: against GoogleSQL itself, against plain computations, and by hand."""

from __future__ import annotations

import contextlib
import fcntl
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import wasmtime
import zetasql.core.wasm_client
from zetasql.types import LanguageOptions

from etl.publish.queries import Query, load


class _CachingConfig(wasmtime.Config):
    """Compiling the reference implementation takes 15 s; wasmtime keeps the result if asked to."""

    def __init__(self) -> None:
        super().__init__()
        with contextlib.suppress(wasmtime.WasmtimeError):
            self.cache = True


@pytest.fixture(scope="session", autouse=True)
def reference() -> Iterator[None]:
    """The reference implementation, compiled by one of several test processes at a time."""
    patch = pytest.MonkeyPatch()
    patch.setattr(zetasql.core.wasm_client, "Config", _CachingConfig)
    with Path(tempfile.gettempdir(), "zetasql-compile.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        LanguageOptions.maximum_features()
    yield
    patch.undo()


@pytest.fixture(scope="session")
def queries() -> dict[str, Query]:
    return load("hopify")


def pytest_generate_tests(metafunc: Any) -> None:
    """A test that asks for ``mart`` runs for each of them."""
    if "mart" in metafunc.fixturenames:
        metafunc.parametrize("mart", load("hopify"))
