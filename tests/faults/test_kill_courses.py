"""Loads by ranges, soft deletes, histories, backfills and repairs, killed at their instants: the same command goes on.

The end state is the one of an undisturbed run. The suite kills at a few instants of each course, `make thorough` at
the first of each name, and with ``ETL_SOAK`` set at every one.
"""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from support.items import ITEMS, ROWS, changing, items, moment
from support.killing import Command, instants, kill
from support.project import Project
from support.sources import SqliteEngine
from support.warehouses import DuckDbEngine

from etl.publish.gate import shut
from etl.sync.backfill import Wanted
from schemas.table import Table

PLAIN = Table("plain", ITEMS.columns[:3], ("id",))
KEPT: dict[str, Any] = {"items": {"history": True, "deletes": "soft"}, "plain": {"deletes": "soft"}}
State = dict[str, Counter[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Course:
    """What happened before the command, and the command."""

    before: Callable[[Project], None]
    command: str = "sync"
    tables: dict[str, Any] = field(default_factory=dict)
    sync: dict[str, Any] = field(default_factory=dict)
    wanted: Wanted = field(default_factory=Wanted)
    full: bool = False


def _nothing(_project: Project) -> None:
    """The first load."""


def _changes(project: Project) -> None:
    """Changes that the cursor sees and that it does not, deletes, and rows that came late or back."""
    project.source.execute(
        changing("id < 20", ROWS + 1, name="'seen'"),
        changing("id BETWEEN 100 AND 110", None, name="'unseen'"),
        "DELETE FROM items WHERE id BETWEEN 200 AND 210",
        "UPDATE plain SET amount = -1 WHERE id < 10",
        "DELETE FROM plain WHERE id BETWEEN 200 AND 210",
    )
    project.source.insert(ITEMS, [(5_000, "late", 1, moment(3))])


def _replacement(project: Project) -> None:
    """So much changes that the tables are loaded anew."""
    project.source.execute(
        changing("id < 500", None, name="'other'"), "UPDATE plain SET amount = -1", "DELETE FROM items WHERE id = 700"
    )


def _damage(project: Project) -> None:
    """The copies are changed by hand, the history with them."""
    project.warehouse.execute(
        "UPDATE raw.items SET amount = 1234567 WHERE id < 30",
        "DELETE FROM raw.plain WHERE id < 30",
        "INSERT INTO raw.plain SELECT id + 90000, name, amount FROM raw.plain WHERE id < 35",
    )


RANGES = {"jobs": 2, "range_rows": 250}
COURSES = {
    "ranges": Course(_nothing, sync=RANGES),
    "ranges anew, kept": Course(_changes, tables=KEPT, sync=RANGES, full=True),
    "soft deletes and history": Course(_changes, tables=KEPT),
    "reload, kept": Course(_replacement, tables=KEPT),
    "backfill": Course(_changes, "backfill", wanted=Wanted("id", "0", "399")),
    "backfill of all, kept": Course(_changes, "backfill", tables=KEPT),
    "repair": Course(_damage, "verify"),
}


class Played:
    """A course with the files it begins with, how many instants it has, and the state it ends in."""

    def __init__(self, directory: Path, course: Course) -> None:
        self.project = Project(directory, SqliteEngine(directory), DuckDbEngine(directory))
        self._directory, self._kept = directory, directory / "kept"
        config = self.project.config(course.tables, **course.sync)
        sections = config.model_dump(mode="json", include={"source": {"url"}, "warehouse": {"url"}, "sync": True})
        sections["tables"] = course.tables
        self.command = Command(sections, course.command, course.wanted, 200, course.full)
        for table, rows in ((ITEMS, items()), (PLAIN, [row[:3] for row in items()])):
            self.project.source.create(table)
            self.project.source.insert(table, rows)
        if course.before is not _nothing:
            self.project.sync(tables=course.tables)
        course.before(self.project)
        self._kept.mkdir()
        for file in self._files(directory):
            shutil.copy(file, self._kept)
        self.instants = instants(self.command)
        self.end = self.state()

    def restore(self) -> None:
        """Back to the beginning."""
        for file in self._files(self._directory):
            file.unlink()
        for file in self._kept.iterdir():
            shutil.copy(file, self._directory)

    def state(self) -> State:
        """All rows of all copies and histories; of instants only whether there is one."""
        with self.project.warehouse.opened() as warehouse:
            found: State = {}
            for room in ("raw", "raw_history"):
                for name in warehouse.tables(room):
                    rows = warehouse.query(f"SELECT * FROM {warehouse.relation(room, name)}").to_pylist()
                    found[f"{room}.{name}"] = Counter(tuple(_timeless(row)) for row in rows)
        return found

    def require_end(self) -> None:
        """The state is that of the undisturbed run, the gate is open, and no load is missing or doubled."""
        assert self.state() == self.end
        with self.project.session() as session:
            assert shut(session.ledger, ["items", "plain"]) == {}
            relation = session.warehouse.relation("etl", "loads")
            loads = session.warehouse.query(f"SELECT table_name, load_no FROM {relation} ORDER BY load_no").to_pylist()
        for table in ("items", "plain"):
            numbers = [load["load_no"] for load in loads if load["table_name"] == table]
            assert numbers == list(range(1, len(numbers) + 1))

    def _files(self, directory: Path) -> list[Path]:
        return [*directory.glob("source.db*"), *directory.glob("warehouse.duckdb*")]


def _timeless(row: dict[str, Any]) -> list[Any]:
    kept = ("_deleted_at", "valid_from", "valid_to")
    return [value is not None if name in kept else value for name, value in row.items()]


@pytest.fixture(scope="module", params=COURSES)
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Played:
    return Played(tmp_path_factory.mktemp("course"), COURSES[request.param])


def _kill_and_go_on(played: Played, instant: int) -> None:
    played.restore()
    kill(played.command, instant)
    played.command.run()
    played.require_end()


def test_killed_at_some_instants(played: Played) -> None:
    for instant in random.Random(len(played.instants)).sample(range(1, len(played.instants) + 1), 4):  # noqa: S311
        _kill_and_go_on(played, instant)


@pytest.mark.thorough
def test_killed_at_the_first_instant_of_each_name(played: Played) -> None:
    every = range(1, len(played.instants) + 1)
    first = [played.instants.index(name) + 1 for name in dict.fromkeys(played.instants)]
    for instant in every if os.environ.get("ETL_SOAK") else first:
        _kill_and_go_on(played, instant)
