"""Kills and races where a lease, not a file's lock, keeps runs apart: continued without doubles."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import leased
from support.items import ITEMS, changing, items, moment
from support.processes import PROCESSES
from support.project import Project
from support.sources import SqliteEngine
from support.warehouses import BigQueryEngine

from etl.config import Config
from etl.session import open_session
from etl.sync.table import Synced
from etl.warehouses.bigquery import BigQueryWarehouse

pytestmark = pytest.mark.thorough

ROWS = 200


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A synced source in which everything then happened: changes seen and unseen, deletes, late rows."""
    engine = BigQueryEngine(tmp_path)
    project = Project(tmp_path, SqliteEngine(tmp_path), engine)
    project.source.create(ITEMS)
    project.source.insert(ITEMS, items(range(ROWS)))
    yield project
    engine.remove()


def _change(project: Project) -> None:
    project.source.execute(
        changing("id < 20", ROWS + 1, amount="-1"),
        changing("id = 50", None, amount="-2"),
        "DELETE FROM items WHERE id BETWEEN 60 AND 62",
    )
    project.source.insert(ITEMS, [(9_001, "late", 1, moment(3))])


def _killed_at(project: Project, step: str) -> None:
    process = leased.started(project.source.url, project.warehouse.url, step)
    process.join(timeout=300)
    assert process.exitcode == -signal.SIGKILL, "the step was not reached"


def _continued(project: Project) -> None:
    """The same command again waits for the dead run's lease, and leaves what an undisturbed run would."""
    result = project.synced()
    assert isinstance(result, Synced)
    assert result.check.equal
    project.assert_equal(ITEMS)
    numbers = [load.load_no for load in project.loads()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert project.gate() == ""


def test_killed_between_the_load_job_and_the_merge(project: Project) -> None:
    project.synced()
    _change(project)
    _killed_at(project, "merge")
    assert len(project.loads()) == 1
    _continued(project)


def test_killed_between_the_merge_and_the_check(project: Project) -> None:
    project.synced()
    _change(project)
    _killed_at(project, "sum")
    assert [load.kind for load in project.loads()] == ["full", "incremental"]
    _continued(project)


def test_killed_between_the_first_load_job_and_the_rename(project: Project) -> None:
    _killed_at(project, "merge")
    _continued(project)


def _dies_redefining(sections: dict[str, Any], done: int, environment: dict[str, str]) -> None:
    """Sync everything and be killed when so many statements of the first DDL have been run."""
    os.environ.update(environment)
    redefine = BigQueryWarehouse._redefine

    def dies(warehouse: BigQueryWarehouse, changes: list[str]) -> None:
        if done:
            redefine(warehouse, changes[:done])
        os.kill(os.getpid(), signal.SIGKILL)

    with open_session(Config.model_validate(sections), ()) as session:
        BigQueryWarehouse._redefine = dies  # type: ignore[assignment,method-assign]
        list(session.sync(full=True))


@pytest.mark.parametrize("done", [0, 1], ids=["before the table is dropped", "between its drop and the renaming"])
def test_killed_while_a_table_is_loaded_anew_with_another_layout(project: Project, done: int) -> None:
    """The ledger is written first: the gate is shut at once, and the next run loads the table again, laid out so."""
    project.synced()
    _change(project)
    wish = {"items": {"partition": "id", "partition_size": 50}}
    sections = {
        "source": {"url": project.source.url},
        "warehouse": {"url": project.warehouse.url, **leased.SETTINGS},
        "tables": wish,
    }
    process = PROCESSES.Process(target=_dies_redefining, args=(sections, done, dict(os.environ)))
    process.start()
    process.join(timeout=300)
    assert process.exitcode == -signal.SIGKILL, "the step was not reached"
    assert [load.kind for load in project.loads()] == ["full", "full"]
    assert project.gate() != ""
    with project.warehouse.opened() as warehouse:
        assert ("items" in warehouse.tables("raw")) is (done == 0)
    result = project.synced(tables=wish)
    assert result.check.equal
    project.assert_equal(ITEMS)
    assert project.gate() == ""
    project.synced(tables=wish, full=True)
    with project.warehouse.opened() as warehouse:
        assert isinstance(warehouse, BigQueryWarehouse)
        stored = warehouse._table("raw", "items")
    assert stored is not None
    assert stored.range_partitioning.range_.interval == 50


def test_two_at_once(project: Project) -> None:
    """The second waits for the first; nothing is loaded twice and nothing taken back."""
    project.synced()
    _change(project)
    processes = [leased.started(project.source.url, project.warehouse.url) for _ in range(2)]
    for process in processes:
        process.join(timeout=300)
    assert [process.exitcode for process in processes] == [0, 0]
    _continued(project)
