"""Queries are proven three ways: against GoogleSQL itself, against plain computations, and by hand."""

from __future__ import annotations

from typing import Any

import pytest
from support.googlesql import language

from etl.publish.queries import Query, load


@pytest.fixture(scope="session", autouse=True)
def reference() -> None:
    """The reference implementation, started before the first test is timed."""
    language()


@pytest.fixture(scope="session")
def queries() -> dict[str, Query]:
    return load("hopify")


def pytest_generate_tests(metafunc: Any) -> None:
    """A test that asks for ``mart`` runs for each of its module's ``WORLD``."""
    if "mart" in metafunc.fixturenames:
        metafunc.parametrize("mart", load(getattr(metafunc.module, "WORLD", "hopify")))
