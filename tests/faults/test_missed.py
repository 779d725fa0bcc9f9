"""What a cursor misses: the next sync finds it by the rowsum, and the ledger says so.

Each change is made to a table of its own, by a transaction that is open while a sync runs, and is committed after it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from support.items import ITEMS, changing, items, stored
from support.project import Project
from support.sources import SOURCES
from support.warehouses import DuckDbEngine
from support.writers import SqliteWriters, Writers, writers_on

from etl.publish.gate import shut
from etl.records import Check, Load
from etl.session import Session
from etl.sync.table import Synced
from schemas.table import Table

ROWS = 100
NEWEST = 1_100
"""The minute at which somebody else changes something while the transaction is open: the watermark of the next sync."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a late transaction does.

    ``taken`` rows are brought by the cursor, beside the tie; then ``found`` differ by the rowsum,
    which are ``keys`` keys that a load of its own brings: a repair, or where they are many a ``reload``.
    """

    statements: tuple[str, ...]
    taken: int
    found: int
    keys: int
    reload: bool = False


def _insert(key: int, minute: int | None) -> str:
    at = f"'{stored(minute)}'" if minute is not None else "NULL"
    return f"INSERT INTO items VALUES ({key}, 'late', 1, {at})"


def _refill(first: int, minute: int) -> tuple[str, ...]:
    return ("DELETE FROM items WHERE id < 1000", *(_insert(key, minute) for key in range(first, first + ROWS)))


CHANGES = {
    "a new row from before the watermark": Change((_insert(5_000, 1_000),), 0, 1, 1),
    "an update from before the watermark": Change((changing("id = 7", 1_001, amount="-1"),), 0, 2, 1),
    "a tie on the watermark": Change((_insert(5_000, NEWEST),), 1, 0, 0),
    "a row without a cursor value": Change((_insert(5_000, None),), 1, 0, 0),
    "a cursor value that is taken away": Change(("UPDATE items SET updated_at = NULL WHERE id = 7",), 1, 0, 0),
    "a clock that ran backwards": Change((_insert(5_000, -1_440), _insert(5_001, 2_000)), 1, 1, 1),
    "an update that forgot the cursor": Change((changing("id IN (3, 5, 7)", None, amount="-1"),), 0, 6, 3),
    "a delete": Change(("DELETE FROM items WHERE id IN (10, 20)",), 0, 2, 2),
    "another key, the cursor with it": Change((changing("id = 10", 1_200, id="90010"),), 1, 1, 1),
    "another key, the cursor forgotten": Change((changing("id = 10", None, id="90010"),), 0, 2, 2),
    "two keys that change places": Change(
        (changing("id = 10", None, id="-1"), changing("id = 20", None, id="10"), changing("id = -1", None, id="20")),
        0,
        4,
        2,
    ),
    "a delete and the same key again, later": Change(("DELETE FROM items WHERE id = 10", _insert(10, 1_200)), 1, 0, 0),
    "a delete and the same key again, backdated": Change(("DELETE FROM items WHERE id = 10", _insert(10, 10)), 0, 2, 1),
    "a refill, later": Change(_refill(0, 1_200), ROWS, 0, 0),
    "a refill, backdated": Change(_refill(0, 10), 0, 2 * ROWS, 0, reload=True),
}


@dataclass(frozen=True, slots=True)
class Told:
    """The sync while a transaction was open, the one after it, and what the ledger says of that."""

    during: Synced
    after: Synced
    loads: list[Load]
    check: Check
    differing: Counter[str]
    gate: str


@pytest.fixture(scope="module", params=["mssql", "postgresql", "sqlite"])
def course(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    """All of the changes made, each to its own table."""
    directory = tmp_path_factory.mktemp("course")
    project = Project(directory, SOURCES[request.param](directory), DuckDbEngine(directory))
    tables = {name: replace(ITEMS, name=f"items{i}") for i, name in enumerate(CHANGES)}
    for table in tables.values():
        project.source.create(table)
        project.source.insert(table, items(range(ROWS)))
    project.sync()
    with writers_on(project.source) as writers:
        _open_late(writers, tables)
        during = project.sync()
        writers.end(0, commit=True)
        after = project.sync()
    with project.session() as session:
        loads = [Load(**row) for row in _ledger(session, "loads")]
        checks = [Check(**row) for row in _ledger(session, "checks")]
        gates = shut(session.ledger, [table.name for table in tables.values()])
    told = {}
    for name, table in tables.items():
        first, last = during[table.name], after[table.name]
        assert isinstance(first, Synced), first
        assert isinstance(last, Synced), last
        its = [load for load in loads if (load.table_name, load.run_id) == (table.name, last.check.run_id)]
        its.sort(key=lambda load: load.load_no)
        check = next(check for check in checks if check.check_id == last.check.check_id)
        told[name] = Told(first, last, its, check, project.differing_rows(table), gates.get(table.name, ""))
    return told


def _ledger(session: Session, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = session.warehouse.query(
        f"SELECT * FROM {session.warehouse.relation('etl', name)} ORDER BY run_id"
    ).to_pylist()
    return rows


def _open_late(writers: Writers, tables: dict[str, Table]) -> None:
    """Writer 0 has done everything and not committed; meanwhile writer 1 has gone past it.

    SQLite has one writer at a time, so there the other one was earlier: it is the value that is late.
    """
    meanwhile = [f"INSERT INTO {table.name} VALUES (6000, 'x', 1, '{stored(NEWEST)}')" for table in tables.values()]
    together = not isinstance(writers, SqliteWriters)
    if not together:
        assert writers.write(1, meanwhile)
    writers.begin(0)
    for name, table in tables.items():
        assert writers.write(0, [sql.replace("items", table.name) for sql in CHANGES[name].statements])
    if together:
        assert writers.write(1, meanwhile)


@pytest.mark.parametrize("name", CHANGES)
def test_what_commits_late_is_brought_by_the_next_sync_and_told(course: dict[str, Told], name: str) -> None:
    change, told = CHANGES[name], course[name]
    tie, other = 1, 1
    assert (told.during.extracted, told.during.check.found, told.during.check.equal) == (tie + other, 0, True)
    kinds = ["incremental", *(["reload"] if change.reload else ["repair"] if change.keys else [])]
    assert [load.kind for load in told.loads] == kinds
    assert told.loads[0].extracted == tie + change.taken
    assert told.after.repaired == change.keys
    if change.keys:
        assert told.loads[-1].changed == change.keys
    assert (told.check.equal, told.check.found) == (True, change.found)
    assert told.check.load_id == told.loads[-1].load_id
    assert not told.differing
    assert told.gate == ""


@pytest.fixture(params=["postgresql", "sqlite"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    """A project whose hundred items have been synced once."""
    project = Project(tmp_path, SOURCES[request.param](tmp_path), DuckDbEngine(tmp_path))
    project.source.create(ITEMS)
    project.source.insert(ITEMS, items(range(ROWS)))
    project.synced()
    return project


def test_truncate_and_refill_with_other_keys_stops_until_it_is_allowed(shop: Project) -> None:
    with writers_on(shop.source) as writers:
        assert writers.alone(("TRUNCATE items", *_refill(1_000, 1_200)[1:]))
    assert "100 of the warehouse's 100 rows" in shop.failed().error.message
    assert {row[0] for row in shop.warehouse.rows("items")} == set(range(ROWS))
    assert shop.etl("sync", ETL_SYNC_MAX_DELETE_SHARE="1").code == 0
    shop.assert_equal(ITEMS)


def test_many_writers_at_once(shop: Project) -> None:
    """Each takes its cursor value before the others and commits after them, sync by sync."""
    if shop.source.name == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    with writers_on(shop.source) as writers:
        for round_ in range(2):
            for writer in range(3):
                writers.begin(writer)
                assert writers.write(writer, [_insert(1_000 + 10 * round_ + writer, 2_000 + 100 * round_ + writer)])
            for writer in (2, 0, 1):
                writers.end(writer, commit=True)
                assert shop.synced().check.equal
                shop.assert_equal(ITEMS)
    assert [check.found for check in shop.checks()] == [0, *[0, 1, 1] * 2]
