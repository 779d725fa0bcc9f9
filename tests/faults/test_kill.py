"""A process that is killed at any instant is continued by the same command."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from support import driver
from support.commands import ETL
from support.items import CURSORLESS, ITEMS, changing, items, moment
from support.project import Project
from support.sources import PostgresEngine, SqliteEngine
from support.warehouses import DuckDbEngine

from etl.publish.gate import shut
from etl.sync.table import Synced
from schemas import types
from schemas.table import Column, Table

ROWS = 2_000
WIDER = Table("items", (*ITEMS.columns, Column("extra", types.STRING)), ("id",), ITEMS.cursor)
PLAIN = Table("plain", CURSORLESS.columns, ("id",))

INCREMENTAL = [
    ("items", "drift", 1),
    ("items", "extract", 1),
    ("items", "extract", 2),
    ("items", "merge", 1),
    ("items", "sum", 1),
    ("items", "repair", 1),
    ("items", "check", 1),
    ("plain", "repair", 1),
    ("plain", "compare", 2),
]
FULL = [("items", step, 1) for step in ("extract", "merge", "compare")]
RELOAD = [("items", "extract", 4), ("items", "merge", 2)]


class Course:
    """A project that can be put back to where it was, at the same place."""

    def __init__(self, directory: Path) -> None:
        self.project = Project(directory, SqliteEngine(directory), DuckDbEngine(directory))
        self._directory, self._kept = directory, directory / "kept"
        self.project.source.create(ITEMS)
        self.project.source.insert(ITEMS, items(range(ROWS)))
        self.project.source.create(PLAIN)
        self.project.source.insert(PLAIN, (row[:3] for row in items(range(ROWS))))

    def keep(self) -> None:
        """This is where every test begins."""
        self._kept.mkdir()
        for file in self._files(self._directory):
            shutil.copy(file, self._kept)

    def restore(self) -> Project:
        """Back to the beginning."""
        for file in self._files(self._directory):
            file.unlink()
        for file in self._kept.iterdir():
            shutil.copy(file, self._directory)
        return self.project

    def _files(self, directory: Path) -> list[Path]:
        return [*directory.glob("source.db*"), *directory.glob("warehouse.duckdb*")]


@pytest.fixture(scope="module")
def unsynced(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """A source and no warehouse."""
    course = Course(tmp_path_factory.mktemp("unsynced"))
    course.keep()
    return course


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """A synced source in which everything then happened: drift, changes seen and unseen, deletes, late rows."""
    course = Course(tmp_path_factory.mktemp("changed"))
    course.project.sync()
    source = course.project.source
    source.execute(
        "ALTER TABLE items ADD COLUMN extra TEXT",
        changing("id < 40", ROWS + 1, extra="'seen'"),
        changing("id BETWEEN 100 AND 120", None, extra="'unseen'"),
        "DELETE FROM items WHERE id BETWEEN 200 AND 220",
        "UPDATE plain SET amount = -1 WHERE id < 30",
        "DELETE FROM plain WHERE id BETWEEN 200 AND 220",
    )
    source.insert(ITEMS, [(90_001, "late", 1, moment(3))])
    course.keep()
    return course


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """A synced source whose copy was then changed by hand."""
    course = Course(tmp_path_factory.mktemp("damaged"))
    course.project.source.execute("ALTER TABLE items ADD COLUMN extra TEXT")
    course.project.sync()
    course.project.warehouse.execute(
        "UPDATE raw.items SET amount = 1234567 WHERE id < 300",
        "DELETE FROM raw.plain WHERE id < 300",
        "INSERT INTO raw.plain SELECT id + 90000, name, amount FROM raw.plain WHERE id < 350",
    )
    course.keep()
    return course


@pytest.fixture(scope="module")
def replaced(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """A synced source of which half then changed without a trace, so that it is loaded anew."""
    course = Course(tmp_path_factory.mktemp("replaced"))
    course.project.sync()
    course.project.source.execute(
        changing(f"id < {ROWS // 2}", None, amount="-1"), changing("id = 1", ROWS + 1, amount="-2")
    )
    course.keep()
    return course


def _continued(project: Project, *tables: Table) -> None:
    """The same command again: the end state is that of an undisturbed run."""
    results = project.sync()
    for table in tables:
        result = results[table.target]
        assert isinstance(result, Synced), result
        assert result.check.equal
    project.assert_equal(*tables)
    with project.session() as session:
        relation = session.warehouse.relation("etl", "loads")
        numbered = session.warehouse.query(f"SELECT table_name, load_no FROM {relation} ORDER BY load_no").to_pylist()
        for table in tables:
            numbers = [load["load_no"] for load in numbered if load["table_name"] == table.target]
            assert numbers == list(range(1, len(numbers) + 1))
        assert shut(session.ledger, [table.target for table in tables]) == {}


def _killed_at(project: Project, table: str, step: str, times: int) -> None:
    process = driver.started(project.source.url, project.warehouse.url, (table, step, times))
    process.join(timeout=60)
    assert process.exitcode == -signal.SIGKILL, "the step was not reached"


@pytest.mark.parametrize(("table", "step", "times"), INCREMENTAL)
def test_killed_at_a_step_of_an_incremental_sync(changed: Course, table: str, step: str, times: int) -> None:
    project = changed.restore()
    _killed_at(project, table, step, times)
    _continued(project, WIDER, PLAIN)


@pytest.mark.parametrize(("table", "step", "times"), FULL)
def test_killed_at_a_step_of_the_first_load(unsynced: Course, table: str, step: str, times: int) -> None:
    project = unsynced.restore()
    _killed_at(project, table, step, times)
    _continued(project, ITEMS, PLAIN)


@pytest.mark.parametrize(("table", "step", "times"), RELOAD)
def test_killed_at_a_step_of_a_reload(replaced: Course, table: str, step: str, times: int) -> None:
    project = replaced.restore()
    _killed_at(project, table, step, times)
    _continued(project, ITEMS, PLAIN)


@pytest.mark.parametrize("seed", range(3))
def test_killed_again_and_again_at_random_instants(changed: Course, seed: int) -> None:
    project = changed.restore()
    instants = random.Random(seed)  # noqa: S311
    for _ in range(3):
        process = driver.started(project.source.url, project.warehouse.url)
        time.sleep(instants.uniform(0.0, 0.8))
        process.kill()
        process.join()
    _continued(project, WIDER, PLAIN)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("commit", [2, 3, 4, 5])
def test_killed_at_a_commit_of_a_repair(damaged: Course, commit: int, after: bool) -> None:
    project = damaged.restore()
    process = driver.repairing(project.source.url, project.warehouse.url, commit, after=after)
    process.join(timeout=60)
    assert process.exitcode == -signal.SIGKILL, "the commit was not reached"
    assert project.etl("verify", "--repair").code == 0
    project.assert_equal(WIDER, PLAIN)
    assert project.gate() == project.gate("plain") == ""


def test_a_repair_that_is_killed(damaged: Course) -> None:
    project = damaged.restore()
    environment = {"ETL_SOURCE_URL": project.source.url, "ETL_WAREHOUSE_URL": project.warehouse.url}
    command = [str(ETL), "verify", "--repair"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:  # noqa: S603
        time.sleep(1.2)
        process.kill()
    assert project.etl("verify", "--repair").code == 0
    project.assert_equal(WIDER, PLAIN)
    assert project.gate() == ""


@pytest.mark.parametrize(("table", "step"), [("items", "extract"), ("items", "sum"), ("plain", "repair")])
def test_killed_while_postgres_is_read(tmp_path: Path, table: str, step: str) -> None:
    """The server ends the dead process's transaction by itself: nothing there needs a hand either."""
    project = Project(tmp_path, PostgresEngine(tmp_path), DuckDbEngine(tmp_path))
    for made, rows in ((ITEMS, items(range(200))), (PLAIN, [row[:3] for row in items(range(200))])):
        project.source.create(made)
        project.source.insert(made, rows)
    project.sync()
    project.source.execute(
        changing("id < 5", ROWS + 1, amount="-1"),
        "UPDATE plain SET amount = -1 WHERE id < 5",
        "DELETE FROM plain WHERE id = 9",
    )
    _killed_at(project, table, step, 1)
    project.source.execute(
        "ALTER TABLE items ADD COLUMN more text", "TRUNCATE plain; INSERT INTO plain VALUES (1, 'x', 1)"
    )
    project.source.execute("INSERT INTO plain SELECT g, 'x', g FROM generate_series(2, 200) AS g")
    _continued(project, ITEMS, PLAIN)


def test_two_at_once(changed: Course) -> None:
    """The second waits for the first, and finds nothing left to do."""
    project = changed.restore()
    processes = [driver.started(project.source.url, project.warehouse.url) for _ in range(2)]
    for process in processes:
        process.join(timeout=60)
    assert [process.exitcode for process in processes] == [0, 0]
    assert len([load for load in project.loads() if load.kind == "drift"]) == 1
    _continued(project, WIDER, PLAIN)
