"""The source or the warehouse gone in the middle: one message, exit 3, and the same command goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from support.items import CURSORLESS, ITEMS, changing, items
from support.project import Project
from support.sources import PostgresEngine
from support.warehouses import DuckDbEngine

from etl.errors import RunError, SourceError, WarehouseError
from etl.sources import postgres
from etl.sync.move import Progress
from etl.sync.run import Failed
from etl.sync.table import Synced
from etl.verify import rowsum
from schemas import types
from schemas.table import Column, Table

WIDE = Table("wide", (Column("id", types.INT, nullable=False), Column("v", types.STRING)), ("id",))
OTHER = Table("zz_other", CURSORLESS.columns, ("id",))
"""Taken before the other tables: children come first, and where there are none the last name does."""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Two small tables of PostgreSQL."""
    project = Project(tmp_path, PostgresEngine(tmp_path), DuckDbEngine(tmp_path))
    project.source.create(ITEMS)
    project.source.insert(ITEMS, items(range(50)))
    project.source.create(OTHER)
    project.source.insert(OTHER, (row[:3] for row in items(range(50))))
    return project


def _once(act: Callable[[], None], table: str, step: str, *, moving: bool = False) -> Progress:
    """Act once, at a step of a table, and if ``moving`` when rows have been moved in it."""
    reached: list[str] = []

    def progress(at: str, in_: str, rows: int) -> None:
        if (at, in_, bool(rows)) == (table, step, moving) and not reached:
            reached.append(step)
            act()

    return progress


def _ends_all_connections(project: Project) -> Callable[[], None]:
    def act() -> None:
        with psycopg.connect(project.source.url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )

    return act


def _stopped(project: Project, progress: Progress, *, table: str = "items", full: bool = False) -> RunError:
    """The error with which the table stopped, the other one being done."""
    results = project.sync(progress=progress, full=full)
    failed = results.pop(table)
    assert isinstance(failed, Failed), failed
    assert all(isinstance(result, Synced) and result.check.equal for result in results.values())
    assert "\n" not in failed.error.message
    assert failed.error.remedy
    return failed.error


@pytest.mark.parametrize("step", ["drift", "extract", "merge", "sum", "compare", "repair", "check"])
def test_the_source_gone_at_a_step(project: Project, step: str) -> None:
    project.sync()
    project.source.execute(
        "ALTER TABLE items ADD COLUMN extra text",
        changing("id < 2", 60, amount="-1"),
        changing("id IN (3, 4)", None, amount="-1"),
        "DELETE FROM items WHERE id = 7",
    )
    held = project.warehouse.rows("items")
    progress = _once(_ends_all_connections(project), "items", step)
    if step == "check":
        # All is proven by then, and nothing more is asked of the source.
        assert isinstance(project.sync(progress=progress)["items"], Synced)
        return
    error = _stopped(project, progress)
    assert isinstance(error, SourceError)
    assert "run the same command again" in error.remedy
    assert {row[0] for row in project.warehouse.rows("items")} >= {row[0] for row in held}
    assert project.etl("sync").code == 0
    project.assert_equal(ITEMS, OTHER)
    assert project.gate() == ""


def test_the_source_gone_in_the_middle_of_a_read(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the table has been staged by then; what the warehouse holds is what it held."""
    monkeypatch.setattr(rowsum, "CHUNK_ROWS", 1_000)
    project.source.create(WIDE)
    project.source.execute("INSERT INTO wide SELECT g, repeat(md5(g::text), 10) FROM generate_series(1, 100000) AS g")
    progress = _once(_ends_all_connections(project), "wide", "extract", moving=True)
    results = project.sync("wide", "zz_other", progress=progress)
    failed = results["wide"]
    assert isinstance(failed, Failed), failed
    assert "server closed the connection" in failed.error.message
    with project.warehouse.opened() as warehouse:
        assert warehouse.tables("raw") == ["zz_other"]
    assert project.etl("sync", "wide").code == 0
    project.assert_equal(WIDE)


def test_every_table_after_the_loss_is_named_and_the_run_is_written_down(project: Project) -> None:
    results = project.sync(progress=_once(_ends_all_connections(project), "zz_other", "extract"))
    assert [type(result) for result in results.values()] == [Failed, Failed]
    with project.session() as session:
        assert session.ledger.runs(1)[0].exit_code == 3
    assert project.etl("sync").code == 0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("DROP TABLE items", "does not exist"),
        ("ALTER TABLE items DROP COLUMN amount", "amount does not exist"),
        ("ALTER TABLE items RENAME COLUMN amount TO total", "amount does not exist"),
        ("ALTER TABLE items ALTER COLUMN amount TYPE text", "rewritten"),
        ("DROP TABLE items; CREATE TABLE items (id bigint PRIMARY KEY, name text, amount bigint, updated_at timestamp)",
         "replaced"),
    ],
)  # fmt: skip
def test_a_table_that_changes_between_plan_and_read(project: Project, change: str, says: str) -> None:
    project.sync()
    held = project.warehouse.rows("items")
    change_it = _once(lambda: project.source.execute(*change.split(";")), "zz_other", "compare")
    error = _stopped(project, change_it)
    assert says in error.message
    assert error.remedy.endswith("run the same command again")
    assert project.warehouse.rows("items") == held


def test_a_table_somebody_has_to_himself_is_waited_for_and_then_named(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "LOCK_PATIENCE", "SET lock_timeout = '50ms'")
    with psycopg.connect(project.source.url) as other:
        other.execute("LOCK TABLE items IN ACCESS EXCLUSIVE MODE")
        error = _stopped(project, lambda *_: None)
    assert "lock timeout" in error.message
    assert project.etl("sync").code == 0


@pytest.mark.parametrize("step", ["extract", "merge", "compare"])
def test_the_warehouse_gone_in_mid_load(project: Project, step: str) -> None:
    """What is written to a file that has no name any more is lost, so no sync may say that it is equal."""
    path = Path(project.warehouse.url.removeprefix("duckdb:///"))
    with pytest.raises(WarehouseError, match="removed or replaced"):
        project.sync(progress=_once(path.unlink, "items", step))
    assert project.etl("sync").code == 0
    project.assert_equal(ITEMS, OTHER)
