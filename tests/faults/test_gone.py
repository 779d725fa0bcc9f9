"""The source or the warehouse gone in the middle: one message, exit 3, and the same command goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest
from support.items import CURSORLESS, ITEMS, changing, items
from support.project import Project
from support.sources import MssqlEngine, PostgresEngine, SourceEngine
from support.warehouses import DuckDbEngine

from etl.errors import RunError, SourceError, WarehouseError
from etl.sources import mssql, mssql_session, postgres
from etl.sync import move
from etl.sync.move import Progress
from etl.sync.run import Failed
from etl.sync.table import Synced
from schemas import types
from schemas.table import Column, Table

WIDE = Table("wide", (Column("id", types.INT, nullable=False), Column("v", types.STRING)), ("id",))
OTHER = Table("zz_other", CURSORLESS.columns, ("id",))
"""Taken before the other tables: children come first, and where there are none the last name does."""


SERVERS: dict[str, type[SourceEngine]] = {"postgresql": PostgresEngine, "mssql": MssqlEngine}


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SourceEngine]:
    """An empty database of every engine that is a server."""
    engine = SERVERS[request.param](tmp_path)
    yield engine
    engine.remove()


@pytest.fixture
def project(server: SourceEngine, tmp_path: Path) -> Project:
    """Two small tables."""
    project = Project(tmp_path, server, DuckDbEngine(tmp_path))
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
        f"ALTER TABLE items {project.source.add_column} extra varchar(9)",
        changing("id < 2", 60, amount="-1"),
        changing("id IN (3, 4)", None, amount="-1"),
        "DELETE FROM items WHERE id = 7",
    )
    held = project.warehouse.rows("items")
    progress = _once(project.source.disconnect, "items", step)
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
    monkeypatch.setattr(move, "PIECE_ROWS", 1_000)
    monkeypatch.setattr(mssql_session, "SOFT_BYTES", 1 << 16)
    project.source.create(WIDE)
    project.source.insert(WIDE, ((0, ""),))
    for power in range(16):
        project.source.execute(f"INSERT INTO wide SELECT id + {2**power}, '{'long ' * 60}' FROM wide")
    progress = _once(project.source.disconnect, "wide", "extract", moving=True)
    results = project.sync("wide", "zz_other", progress=progress)
    failed = results["wide"]
    assert isinstance(failed, Failed), failed
    assert "run the same command again" in failed.error.remedy
    assert "\n" not in failed.error.message
    with project.warehouse.opened() as warehouse:
        assert warehouse.tables("raw") == ["zz_other"]
    assert project.etl("sync", "wide").code == 0
    project.assert_equal(WIDE)


def test_every_table_after_the_loss_is_named_and_the_run_is_written_down(project: Project) -> None:
    results = project.sync(progress=_once(project.source.disconnect, "zz_other", "extract"))
    assert [type(result) for result in results.values()] == [Failed, Failed]
    with project.session() as session:
        assert session.ledger.runs(1)[0].exit_code == 3
    assert project.etl("sync").code == 0


ANEW = {
    "postgresql": "CREATE TABLE items (id bigint PRIMARY KEY, name text, amount bigint, updated_at timestamp)",
    "mssql": "CREATE TABLE items (id bigint PRIMARY KEY, name nvarchar(40), amount bigint, updated_at datetime2(6))",
}
RETYPED = {
    "postgresql": "ALTER TABLE items ALTER COLUMN amount TYPE text",
    "mssql": "ALTER TABLE items ALTER COLUMN amount nvarchar(40)",
}
CHANGES: dict[str, Callable[[SourceEngine], list[str]]] = {
    "dropped": lambda _: ["DROP TABLE items"],
    "without a column": lambda _: ["ALTER TABLE items DROP COLUMN amount"],
    "with a column renamed": lambda source: [source.renaming("items", "amount", "total")],
    "with a column of another type": lambda source: [RETYPED[source.name]],
    "made anew": lambda source: ["DROP TABLE items", ANEW[source.name]],
}
SAYS = {
    "dropped": "does not exist",
    "without a column": "amount does not exist",
    "with a column renamed": "amount does not exist",
    "with a column of another type": "rewritten",
    "made anew": "replaced",
}
"""PostgreSQL's words."""


@pytest.mark.parametrize("change", CHANGES)
def test_a_table_that_changes_between_plan_and_read(project: Project, change: str) -> None:
    source = project.source
    if change in ("with a column of another type", "made anew"):
        source.needs("changed tables")
    project.sync()
    held = project.warehouse.rows("items")
    error = _stopped(project, _once(lambda: source.execute(*CHANGES[change](source)), "zz_other", "compare"))
    assert error.message.startswith("table items")
    assert source.name != "postgresql" or SAYS[change] in error.message
    assert error.remedy.endswith("run the same command again")
    assert project.warehouse.rows("items") == held


def test_a_table_somebody_has_to_himself_is_waited_for_and_then_named(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "LOCK_PATIENCE", "SET lock_timeout = '50ms'")
    monkeypatch.setattr(mssql, "LOCK_PATIENCE", "SET LOCK_TIMEOUT 50")
    with _altering(project.source):
        error = _stopped(project, lambda *_: None)
    assert "lock" in error.message
    assert error.remedy.startswith("somebody is changing")
    assert project.etl("sync").code == 0


@contextmanager
def _altering(source: SourceEngine) -> Iterator[None]:
    """Somebody who is changing items, and does not come to an end."""
    with ExitStack() as stack:
        if isinstance(source, MssqlEngine):
            cursor = stack.enter_context(source.connected())
            cursor.execute("BEGIN TRANSACTION")
            cursor.execute("ALTER TABLE items ADD extra int")
        else:
            cursor = stack.enter_context(psycopg.connect(source.url))
            cursor.execute("LOCK TABLE items IN ACCESS EXCLUSIVE MODE")
        yield
        cursor.execute("ROLLBACK")


@pytest.mark.parametrize("step", ["extract", "merge", "compare"])
def test_the_warehouse_gone_in_mid_load(project: Project, step: str) -> None:
    """What is written to a file that has no name any more is lost, so no sync may say that it is equal."""
    path = Path(project.warehouse.url.removeprefix("duckdb:///"))
    with pytest.raises(WarehouseError, match="removed or replaced"):
        project.sync(progress=_once(path.unlink, "items", step))
    assert project.etl("sync").code == 0
    project.assert_equal(ITEMS, OTHER)
