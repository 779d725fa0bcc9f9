"""Loads that would do harm stop with exit 3, say how to go on, and have deleted nothing."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from support.items import ITEMS, ROWS, changing, items, moment
from support.messages import assert_one_clear_error
from support.project import Project
from support.sources import PostgresEngine, SqliteEngine
from support.warehouses import DuckDbEngine


@pytest.fixture
def loaded(project: Project) -> Project:
    """A project whose thousand items have been synced once."""
    project.source.create(ITEMS)
    project.source.insert(ITEMS, items())
    project.synced()
    return project


def _stops(project: Project, *words: str, **environment: str) -> None:
    """The command stops, says these words, and the warehouse is as it was."""
    held, loads = project.warehouse.rows("items"), project.loads()
    assert_one_clear_error(project.etl("sync", **environment), 3, *words)
    assert project.warehouse.rows("items") == held
    assert project.loads() == loads


def test_a_source_that_is_suddenly_empty(loaded: Project) -> None:
    loaded.source.execute("DELETE FROM items")
    _stops(loaded, "1,000 of the warehouse's 1,000 rows are gone", "ETL_SYNC_MAX_DELETE_SHARE=1")
    assert loaded.etl("sync", ETL_SYNC_MAX_DELETE_SHARE="1").code == 0
    loaded.assert_equal(ITEMS)


def test_more_than_may_be_deleted(loaded: Project) -> None:
    loaded.source.execute("DELETE FROM items WHERE id < 301")
    _stops(loaded, "301 of the warehouse's 1,000 rows are gone")
    _stops(loaded, "301 of the warehouse's 1,000 rows are gone", ETL_SYNC_MAX_DELETE_SHARE="0.3009")
    assert loaded.etl("sync", ETL_SYNC_MAX_DELETE_SHARE="0.301").code == 0
    loaded.assert_equal(ITEMS)


def test_another_database_of_the_same_name_on_the_same_server(tmp_path: Path) -> None:
    """Its rows are the same here, which nobody can know before they have been read."""
    project = Project(tmp_path, PostgresEngine(tmp_path), DuckDbEngine(tmp_path))
    project.source.create(ITEMS)
    project.source.insert(ITEMS, items())
    project.synced()
    parts = urlsplit(project.source.url)
    name = parts.path.removeprefix("/")
    with psycopg.connect(urlunsplit(parts._replace(path="/postgres")), autocommit=True) as server:
        server.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())
        server.execute(f'CREATE DATABASE "{name}" TEMPLATE template0'.encode())
    project.source.create(ITEMS)
    project.source.insert(ITEMS, items())
    _stops(project, "was loaded from postgresql:", "--full")
    assert project.etl("sync", "items", "--full").code == 0
    assert project.etl("sync").code == 0
    project.assert_equal(ITEMS)


def _backup(project: Project) -> None:
    """Keep the rows as they are, beside the database."""
    assert isinstance(project.source, SqliteEngine)
    project.source.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(project.source.path, project.directory / "backup.db")


def _restore(project: Project) -> None:
    assert isinstance(project.source, SqliteEngine)
    for file in project.source.path.parent.glob(f"{project.source.path.name}-*"):
        file.unlink()
    shutil.copy(project.directory / "backup.db", project.source.path)


@pytest.mark.parametrize("later", [100, 600])
def test_an_older_backup_that_was_restored(tmp_path: Path, later: int) -> None:
    """What was lost beyond the allowed share stops; less is brought, and said."""
    project = Project(tmp_path, SqliteEngine(tmp_path), DuckDbEngine(tmp_path))
    project.source.create(ITEMS)
    project.source.insert(ITEMS, items())
    project.synced()
    _backup(project)
    project.source.insert(ITEMS, [(ROWS + i, "later", i, moment(ROWS + i)) for i in range(later)])
    project.source.execute(changing("id < 50", 2 * ROWS, amount="-1"))
    assert project.synced().check.equal
    _restore(project)
    if later > 0.3 * (ROWS + later):
        _stops(project, "600 of the warehouse's 1,600 rows are gone", "ETL_SYNC_MAX_DELETE_SHARE=1")
        assert project.etl("sync", ETL_SYNC_MAX_DELETE_SHARE="1").code == 0
    else:
        done = project.etl("sync")
        assert done.code == 0
        assert "older" in done.err
    project.assert_equal(ITEMS)
