"""Fixtures of all suites. The engines they run on are listed in ``support``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.project import Project
from support.sources import SOURCES, SourceEngine
from support.warehouses import WAREHOUSES, WarehouseEngine


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Whole projects run on BigQuery where what is tested depends on the warehouse, and with one source then."""
    left, kept = [], []
    for item in items:
        if _params(item).get("warehouse") == "bigquery":
            item.add_marker(pytest.mark.thorough)
        (kept if _wanted(item) else left).append(item)
    if left:
        config.hook.pytest_deselected(items=left)
    # The histories take longest, so they begin first, and other tests run beside them.
    items[:] = sorted(kept, key=lambda item: item.path.name != "test_histories.py")


def _wanted(item: pytest.Item) -> bool:
    if not _on_bigquery(item):
        return True
    return item.get_closest_marker("every_warehouse") is not None and _params(item)["source"] == "sqlite"


def _on_bigquery(item: pytest.Item) -> bool:
    """Whether it takes a whole project through the emulator."""
    params = _params(item)
    return params.get("warehouse") == "bigquery" and "source" in params


def _params(item: pytest.Item) -> dict[str, object]:
    callspec = getattr(item, "callspec", None)
    return callspec.params if callspec else {}


@pytest.fixture(params=sorted(SOURCES))
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SourceEngine]:
    """An empty database of every source engine in turn."""
    engine = SOURCES[request.param](tmp_path)
    yield engine
    engine.remove()


@pytest.fixture(params=sorted(WAREHOUSES))
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[WarehouseEngine]:
    """An empty warehouse of every engine in turn."""
    engine = WAREHOUSES[request.param](tmp_path)
    yield engine
    engine.remove()


@pytest.fixture
def project(source: SourceEngine, warehouse: WarehouseEngine, tmp_path: Path) -> Project:
    """Every pair of a source and a warehouse in turn, both empty."""
    return Project(tmp_path, source, warehouse)
