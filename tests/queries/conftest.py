"""Queries are proven three ways: against GoogleSQL itself, against plain computations, and by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mart_worlds import Marts, World, stored
from support.googlesql import language

from etl.publish.marts import build
from etl.publish.queries import Query, chosen, load
from etl.publish.translate import references
from etl.warehouses.duckdb import DuckDbWarehouse


@pytest.fixture(scope="session", autouse=True)
def reference() -> None:
    """The reference implementation, started before the first test is timed."""
    language()


@pytest.fixture(scope="session")
def queries() -> dict[str, Query]:
    return load("hopify")


@pytest.fixture
def marts(queries: dict[str, Query], tmp_path: Path) -> Iterator[Marts]:
    """Stores a world and returns a function that builds the marts a question needs, and answers it."""
    opened: list[DuckDbWarehouse] = []

    def with_contents(contents: World) -> Callable[[str], list[dict[str, Any]]]:
        warehouse = stored(contents, tmp_path / "warehouse.duckdb")
        opened.append(warehouse)

        def read(sql: str) -> list[dict[str, Any]]:
            needed = chosen(queries, (name for _, name in references(sql)))
            if not needed.keys() <= set(warehouse.tables("marts")):
                build(warehouse, needed, lambda: None)
            return warehouse.query(sql).to_pylist()

        return read

    yield with_contents
    for warehouse in opened:
        warehouse.close()


def pytest_generate_tests(metafunc: Any) -> None:
    """A test that asks for ``mart`` runs for each of its module's ``WORLD``."""
    if "mart" in metafunc.fixturenames:
        metafunc.parametrize("mart", load(getattr(metafunc.module, "WORLD", "hopify")))
