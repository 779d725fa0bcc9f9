"""A disk that is full, a place that cannot be written: one message, and the next run goes on."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from support.commands import call_etl, run_etl
from support.messages import assert_one_clear_error
from support.project import Project
from support.sources import SqliteEngine
from support.warehouses import DuckDbEngine

from schemas import types
from schemas.table import Column, Table

ROOM = 2_000_000
LARGE = Table("large", (Column("id", types.INT, nullable=False), Column("v", types.STRING)), ("id",))
SMALL = Table("small", LARGE.columns, ("id",))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Two tables, of which one does not fit into what is left of the disk."""
    project = Project(tmp_path, SqliteEngine(tmp_path), DuckDbEngine(tmp_path))
    for table, rows in ((LARGE, 20_000), (SMALL, 10)):
        project.source.create(table)
        project.source.insert(table, ((i, f"{hash((i, 'x')):x}" * 8) for i in range(rows)))
    return project


def _environment(project: Project) -> dict[str, str]:
    return {"ETL_SOURCE_URL": project.source.url, "ETL_WAREHOUSE_URL": project.warehouse.url}


def test_a_disk_that_fills_up_during_a_first_sync(project: Project) -> None:
    done = run_etl(project.directory, "sync", environment=_environment(project), largest_file=ROOM)
    assert "Traceback" not in done.err
    assert done.code == 3, done.err
    assert "is full" in done.err
    assert project.etl("sync").code == 0
    project.assert_equal(LARGE, SMALL)


def test_a_disk_that_fills_up_during_a_later_sync_keeps_what_was_there(project: Project) -> None:
    project.source.execute("CREATE TABLE kept AS SELECT * FROM large", "DELETE FROM large WHERE id >= 100")
    project.sync("large", "small")
    held = project.warehouse.rows("large")
    project.source.execute("INSERT INTO large SELECT * FROM kept WHERE id >= 100", "DROP TABLE kept")
    done = run_etl(project.directory, "sync", environment=_environment(project), largest_file=ROOM)
    assert (done.code, "Traceback" in done.err) == (3, False), done.err
    assert "is full" in done.err
    assert project.warehouse.rows("large") == held
    assert project.etl("sync").code == 0
    project.assert_equal(LARGE, SMALL)


def test_a_disk_that_fills_up_while_a_world_is_generated(tmp_path: Path) -> None:
    generate = ("generate", "hopify", "--to", "sqlite:///world.db", "--customers")
    done = run_etl(tmp_path, *generate, "40", largest_file=100_000)
    assert_one_clear_error(done, 3, "world.db cannot be written", "free space")
    assert list(tmp_path.iterdir()) == []
    assert call_etl(tmp_path, *generate, "20").code == 0
    with closing(sqlite3.connect(tmp_path / "world.db")) as connection:
        assert connection.execute("SELECT COUNT(*) FROM customers").fetchone()[0] >= 20


def test_a_demo_on_a_full_disk(tmp_path: Path) -> None:
    done = run_etl(tmp_path, "demo", "--customers", "40", largest_file=100_000)
    assert_one_clear_error(done, 3, "hopify.db cannot be written", "free space")
    assert list((tmp_path / "data").iterdir()) == []


@pytest.mark.parametrize("place", ["/proc/etl-demo", "file/data"])
def test_a_demo_where_nothing_can_be_written(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    assert_one_clear_error(call_etl(tmp_path, "demo", "--customers", "20", "--dir", place), 3, place, "--dir")


@pytest.mark.parametrize("place", ["/proc/warehouse.duckdb", "file/warehouse.duckdb"])
def test_a_warehouse_where_nothing_can_be_written(project: Project, place: str) -> None:
    (project.directory / "file").touch()
    done = project.etl("sync", ETL_WAREHOUSE_URL=f"duckdb:///{place}")
    assert_one_clear_error(done, 3, "cannot be", "writable")


@pytest.mark.parametrize("format_", ["csv", "parquet"])
def test_an_answer_onto_a_full_disk(project: Project, format_: str) -> None:
    project.sync("small")
    for place in ("/dev/full", "/proc/answer"):
        done = project.etl("query", "SELECT 1 AS one", "--format", format_, "-o", place)
        assert_one_clear_error(done, 3, f"{place} cannot be written")
