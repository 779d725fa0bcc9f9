"""Fixtures of all suites. The engines they run on are listed in ``support``."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.project import Project
from support.sources import SOURCES, SourceEngine
from support.warehouses import WAREHOUSES, WarehouseEngine


@pytest.fixture(params=sorted(SOURCES))
def source(request: pytest.FixtureRequest, tmp_path: Path) -> SourceEngine:
    """An empty database of every source engine in turn."""
    return SOURCES[request.param](tmp_path)


@pytest.fixture(params=sorted(WAREHOUSES))
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> WarehouseEngine:
    """An empty warehouse of every engine in turn."""
    return WAREHOUSES[request.param](tmp_path)


@pytest.fixture
def project(source: SourceEngine, warehouse: WarehouseEngine, tmp_path: Path) -> Project:
    """Every pair of a source and a warehouse in turn, both empty."""
    return Project(tmp_path, source, warehouse)
