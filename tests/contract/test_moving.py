"""A source that moves while it is read: equal is not proven then, unless the user says that it will do."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.items import ITEMS, items
from support.project import Project
from support.sources import SqliteEngine
from support.warehouses import DuckDbEngine

from etl.sources.sqlite import SqliteSnapshot

QUESTION = "SELECT COUNT(*) AS n FROM raw.items"


@pytest.fixture
def moving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A thousand items that were synced from a source which says that it gives no consistent read."""
    monkeypatch.setattr(SqliteSnapshot, "consistent", False)
    project = Project(tmp_path, SqliteEngine(tmp_path), DuckDbEngine(tmp_path))
    project.source.create(ITEMS)
    project.source.insert(ITEMS, items())
    assert project.synced().check.moving
    return project


def test_the_gate_and_questions_say_that_it_moved(moving: Project) -> None:
    assert "moved while it was compared" in moving.gate()
    asked = moving.etl("query", QUESTION, "--format", "csv")
    assert asked.code == 0
    assert "raw.items is not proven: it moved while it was compared" in " ".join(asked.err.split())


def test_a_user_who_accepts_it_hears_no_more_of_it(moving: Project) -> None:
    asked = moving.etl("query", QUESTION, "--format", "csv", ETL_SYNC_ACCEPT_MOVING="true")
    assert (asked.code, "1000" in asked.out, asked.err) == (0, True, "")
    assert '"gate": ""' in moving.etl("status", "--json", ETL_SYNC_ACCEPT_MOVING="true").out
