"""Rows behind the cursor, brought again by range, by key, or all, in slices that are not repeated."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.backfilling import killed_at
from support.items import CURSORLESS, ITEMS, KEYLESS, ROWS, changing, items, moment, stored
from support.project import Project
from support.sources import SqliteEngine
from support.warehouses import DuckDbEngine

from etl import tasks
from etl.errors import ConfigError, EtlError, RunError, StoppedTableError
from etl.sync.backfill import Backfilled, Estimate, Wanted
from schemas import types
from schemas.table import Column, Table

DAY = 24 * 60
DAYS = 6


@pytest.fixture
def loaded(project: Project) -> Project:
    """A thousand items over six days, synced once."""
    project.source.create(ITEMS)
    project.source.insert(ITEMS, [(i, f"item {i}", i, moment(i * DAYS * DAY // ROWS)) for i in range(ROWS)])
    assert project.synced().check.equal
    return project


def _backfilled(
    project: Project, wanted: Wanted, slice_rows: int = 100, name: str = "items", **options: bool
) -> Backfilled:
    with project.session() as session:
        done = session.backfill(name, wanted, slice_rows=slice_rows, **options)
    assert done
    return done


def _estimated(project: Project, wanted: Wanted, slice_rows: int = 100) -> Estimate:
    estimates: list[Estimate] = []
    with project.session() as session:
        session.backfill("items", wanted, slice_rows=slice_rows, dry_run=True, announce=estimates.append)
    return estimates[0]


def test_rows_changed_behind_the_cursor_are_fixed_in_the_range_and_the_watermark_is_kept(loaded: Project) -> None:
    watermark = loaded.loads()[-1].watermark
    loaded.source.execute(changing("id BETWEEN 10 AND 20", None, name="'changed'"), "DELETE FROM items WHERE id = 30")
    loaded.source.insert(ITEMS, [(5_000, "late", 1, moment(7))])
    done = _backfilled(loaded, Wanted(low="2024-01-01", high="2024-01-01"))
    assert (done.slices, done.rows, done.changed) == (1, 167, 13)
    loaded.assert_equal(ITEMS)
    assert loaded.gate() == ""
    backfill = [load for load in loaded.loads() if load.kind == "backfill"]
    assert [(load.changed, load.extracted, load.watermark) for load in backfill] == [(13, 12, watermark)]


def test_the_last_day_is_included_and_what_lies_outside_is_left_to_the_sync(loaded: Project) -> None:
    loaded.source.execute(changing("id IN (1, 999)", None, name="'changed'"))
    done = _backfilled(loaded, Wanted(low="2024-01-06", high="2024-01-06 12:00:00"))
    assert done.changed == 1
    loaded.assert_equal(ITEMS)
    assert [load.kind for load in loaded.loads()] == ["full", "backfill", "incremental", "repair"]


def test_again_it_finds_nothing_to_bring(loaded: Project) -> None:
    loaded.source.execute(changing("id < 50", None, name="'changed'"))
    wanted = Wanted(low="2024-01-01", high="2024-01-02")
    assert [_backfilled(loaded, wanted).changed for _ in range(2)] == [50, 0]
    loaded.assert_equal(ITEMS)


def test_by_a_column_that_is_not_the_cursor(loaded: Project) -> None:
    loaded.source.execute(changing("id IN (7, 700)", None, name="'changed'"))
    done = _backfilled(loaded, Wanted("amount", "600", "799"))
    assert (done.slices, done.rows, done.changed) == (2, 200, 1)
    loaded.assert_equal(ITEMS)


def test_a_row_that_left_the_range_in_the_source(loaded: Project) -> None:
    """It is in the warehouse's range still, so that it is found there, and brought wherever it lies now."""
    loaded.source.execute(changing("id = 5", 5 * DAY, name="'moved'"))
    assert _backfilled(loaded, Wanted(low="2024-01-01", high="2024-01-01")).changed == 1
    loaded.assert_equal(ITEMS)


def test_everything_with_rows_without_a_value(loaded: Project) -> None:
    loaded.source.insert(ITEMS, [(5_000, "no amount", None, moment(3))])
    loaded.source.execute(changing("id % 100 = 3", None, name="'changed'"))
    done = _backfilled(loaded, Wanted("amount"), 250)
    assert (done.rows, done.changed) == (ROWS + 1, 11)
    loaded.source.execute(changing("id % 100 = 4", None, name="'changed'"))
    assert (_backfilled(loaded, Wanted()).rows, loaded.loads()[-2].kind) == (ROWS + 1, "backfill")
    loaded.assert_equal(ITEMS)


def test_keys(loaded: Project) -> None:
    loaded.source.execute(changing("id IN (3, 4, 5)", None, name="'changed'"), "DELETE FROM items WHERE id = 9")
    done = _backfilled(loaded, Wanted(keys=("3", "4", "9")))
    assert done.changed == 3
    loaded.assert_equal(ITEMS)
    load = next(load for load in loaded.loads() if load.kind == "backfill")
    assert (load.extracted, load.changed) == (2, 3)


@pytest.mark.parametrize("text", ["7,x y", '[7, "x y"]'])
def test_a_key_of_several_columns(project: Project, text: str) -> None:
    columns = (Column("n", types.INT, False), Column("s", types.STRING, False), Column("v", types.INT))
    table = Table("pairs", columns, ("n", "s"))
    project.source.create(table)
    project.source.insert(table, [(7, "x y", 1), (7, "z", 1)])
    project.sync()
    project.source.execute("UPDATE pairs SET v = 2 WHERE s = 'x y'")
    assert _backfilled(project, Wanted(keys=(text,)), name="pairs").changed == 1
    project.assert_equal(table)


def test_tables_without_a_cursor_or_a_key(project: Project) -> None:
    project.source.create(replace(KEYLESS, name="keyless"))
    project.source.create(CURSORLESS)
    project.source.insert(CURSORLESS, [row[:3] for row in items(range(50))])
    project.source.insert(replace(KEYLESS, name="keyless"), [("twice", 2), ("twice", 2), ("once", 1)])
    project.sync()
    project.source.execute(
        "UPDATE items SET amount = -1 WHERE id = 5", "UPDATE keyless SET amount = 3 WHERE amount = 1"
    )
    assert _backfilled(project, Wanted()).changed == 1
    assert _backfilled(project, Wanted("amount", "3", "3"), name="keyless").changed == 1
    assert _backfilled(project, Wanted(), name="keyless").changed == 0
    project.assert_equal(CURSORLESS, replace(KEYLESS, name="keyless"))


def test_the_estimate(loaded: Project) -> None:
    estimate = _estimated(loaded, Wanted(low="2024-01-02", high="2024-01-04"))
    assert (estimate.rows, estimate.slices, estimate.done) == (500, 3, 0)  # three days are at most three slices
    assert estimate.seconds
    assert "500 rows of updated_at from 2024-01-02 to 2024-01-04 in 3 slices" in str(estimate)
    assert len(loaded.loads()) == 1


@pytest.mark.parametrize(
    ("wanted", "slices"),
    [(Wanted(low="2024-01-01", high="2024-01-06"), 4), (Wanted("amount"), 5)],
    ids=["range", "all"],
)
def test_killed_in_mid_course_it_goes_on_where_it_was(loaded: Project, wanted: Wanted, slices: int) -> None:
    loaded.source.insert(ITEMS, [(5_000, "no amount", None, moment(3))])
    loaded.source.execute(changing("id % 7 = 3", None, name="'changed'"))
    killed_at(loaded.source.url, loaded.warehouse.url, "items", wanted, 300, f"slice 3 of {slices}")
    assert loaded.gate() == "was loaded after its newest check"
    loaded.source.execute(changing("id = 1", None, name="'after the first slice was done'"))
    estimate = _estimated(loaded, wanted, 300)
    assert (estimate.done, estimate.slices) == (2, slices - 2)
    done = _backfilled(loaded, wanted, 300)
    assert (done.slices, loaded.gate()) == (slices - 2, "")
    loaded.assert_equal(ITEMS)
    assert _estimated(loaded, wanted, 300).done == 0  # it came to its end


def test_killed_it_can_be_started_anew(loaded: Project) -> None:
    wanted = Wanted(low="2024-01-01", high="2024-01-06")
    killed_at(loaded.source.url, loaded.warehouse.url, "items", wanted, 300, "slice 2 of 4")
    assert _backfilled(loaded, wanted, 300, restart=True).slices == 4


def test_a_range_that_was_emptied_stops_before_anything_is_deleted(loaded: Project) -> None:
    loaded.source.execute("DELETE FROM items WHERE id < 400")
    with pytest.raises(StoppedTableError, match="400 of the warehouse's 1,000 rows"):
        _backfilled(loaded, Wanted(low="2024-01-01", high="2024-01-04"))
    assert len(loaded.loads()) == 1


REFUSED = (
    (Wanted(low="5", high="6"), "'5' is no datetime, which column updated_at is"),
    (Wanted("id", "a"), "'a' is no int"),
    (Wanted("id", str(2**63)), "is no int"),
    (Wanted(low="2024-02-01", high="2024-01-01"), "lies after --to"),
    (Wanted("name", "a"), "column name of items is string"),
    (Wanted("nothing", "1"), "no column nothing"),
    (Wanted(keys=("5000", "3")), "neither side of items has a row with id=5000"),
    (Wanted(keys=("x",)), "'x' is no int, which column id is"),
)


def test_what_cannot_be_is_refused_before_anything_is_done(loaded: Project) -> None:
    for wanted, says in REFUSED:
        with pytest.raises(ConfigError) as refused:
            _backfilled(loaded, wanted)
        assert says in refused.value.message
    assert len(loaded.loads()) == 1


def test_a_table_without_a_cursor_asks_for_a_column(project: Project) -> None:
    project.source.create(CURSORLESS)
    project.sync()
    with pytest.raises(ConfigError) as refused:
        _backfilled(project, Wanted(low="1"))
    assert "one of id, amount" in refused.value.remedy


def test_what_a_sync_has_to_do_first(project: Project) -> None:
    project.source.create(ITEMS)
    project.source.insert(ITEMS, items(range(5)))
    with pytest.raises(RunError, match="has not been synced"):
        _backfilled(project, Wanted())
    project.sync()
    project.source.execute(f"ALTER TABLE items {project.source.add_column} later TEXT")
    with pytest.raises(RunError, match="new column later"):
        _backfilled(project, Wanted())


def test_the_command(loaded: Project) -> None:
    loaded.source.execute(changing("id = 5", None, name="'changed'"))
    done = loaded.etl("backfill", "items", "--from", "2024-01-01", "--to", "2024-01-02", "--slice-rows", "200")
    assert done.code == 0, done.err
    assert "items: 334 rows of updated_at from 2024-01-01 to 2024-01-02 in 2 slices, about 1 s" in done.err
    assert "items: slice 1 of 2, updated_at from 2024-01-01 to 2024-01-01: 167 rows compared, 1 brought" in done.err
    assert "334 rows compared in 2 slices, 1 brought" in done.out
    loaded.assert_equal(ITEMS)


WRONG_CALLS = (
    (),
    ("--all", "--key", "1"),
    ("--from", "2024-01-01", "--all"),
    ("--from", "yesterday"),
    ("--key", "99999"),
    ("--key", "1", "--column", "id"),
    ("--slice-rows", "0", "--all"),
)


def test_wrong_calls_exit_with_2(loaded: Project) -> None:
    for arguments in WRONG_CALLS:
        done = loaded.etl("backfill", "items", *arguments)
        assert done.code == 2, arguments
        assert done.err.strip()
    assert loaded.etl("backfill", "nothing", "--all").code == 2


def test_the_task(loaded: Project) -> None:
    loaded.source.execute(changing("id = 5", None, name="'changed'"))
    done = tasks.backfill(loaded.config(), "items", low=stored(0)[:10], high=stored(0)[:10])
    assert (done["compared"], done["changed"], done["slices"]) == (167, 1, 1)
    with pytest.raises(EtlError):
        tasks.backfill(loaded.config(), "items", column="name", low="x")
    loaded.assert_equal(ITEMS)


def test_days_of_instants_in_utc(project: Project) -> None:
    """Midnight belongs to the day it begins, on both sides, whatever zone the source's session is in."""
    columns = (Column("id", types.INT, False), Column("v", types.INT), Column("updated_at", types.TIMESTAMP))
    table = Table("events", columns, ("id",))
    start = datetime(2024, 1, 1, tzinfo=UTC)
    project.source.create(table)
    project.source.insert(table, [(i, 0, start + timedelta(hours=i)) for i in range(96)])
    assert project.synced("events").check.equal
    project.source.execute("UPDATE events SET v = 1 WHERE id IN (23, 24, 47, 48)")
    done = _backfilled(project, Wanted(low="2024-01-02", high="2024-01-02"), name="events")
    assert (done.rows, done.changed) == (24, 2)
    assert project.verified("events").check.equal


SPELLED = {
    1: ("2024-01-01 22:00:00-05:00", 2),
    2: ("2024-01-02 01:00:00+02:00", 1),
    3: ("2024-01-02 00:00:00+00", 2),
    4: ("2024-01-01T23:59:59.999999Z", 1),
    5: ("2024-01-02 23:30:00-0100", 3),
    6: ("2024-01-02T12:00:00+00:00", 2),
}
"""Instants as SQLite holds them, and the day of January that each is in."""


def test_instants_whose_texts_order_otherwise_than_they_do(tmp_path: Path) -> None:
    """SQLite compares texts, whatever the offsets in them mean; a slice has what the warehouse has in it."""
    project = Project(tmp_path, SqliteEngine(tmp_path), DuckDbEngine(tmp_path))
    columns = (Column("id", types.INT, False), Column("v", types.INT), Column("at", types.TIMESTAMP))
    project.source.create(Table("events", columns, ("id",)))
    project.source.execute(*(f"INSERT INTO events VALUES ({i}, 0, '{text}')" for i, (text, _) in SPELLED.items()))
    assert project.synced("events").check.equal
    for day, rows in ((1, 2), (2, 3), (3, 1)):
        of_day = f"id IN ({', '.join(str(i) for i, (_, at) in SPELLED.items() if at == day)})"
        project.source.execute(f"UPDATE events SET v = {day} WHERE {of_day}")
        done = _backfilled(project, Wanted("at", f"2024-01-0{day}", f"2024-01-0{day}"), name="events")
        assert (done.rows, done.changed) == (rows, rows)
    assert project.verified("events").check.equal


BY_HUNDREDS = {"items": {"verify": "touched", "partition": "id", "partition_size": 100}}


@pytest.mark.parametrize(
    ("wanted", "proven"),
    [
        (Wanted(low="2024-01-01", high="2024-01-02"), {"0", "1", "2", "3"}),  # ids up to 333
        (Wanted("id", "450", "520"), {"4", "5"}),
        (Wanted(keys=("450", "620")), {"4", "6"}),
        (Wanted(), set("0123456789")),
    ],
    ids=["by the cursor", "by the partition's column", "keys", "all"],
)
def test_what_was_brought_is_in_the_scope_of_the_check_that_follows(
    loaded: Project, wanted: Wanted, proven: set[str]
) -> None:
    """Where a sync proves what it has touched, a backfill has touched its range, changed or not."""
    with loaded.session(BY_HUNDREDS) as session:
        list(session.sync())
        session.backfill("items", wanted)
    check = loaded.checks()[-1]
    with loaded.session() as session:
        times = session.ledger.partition_checks("items", "id/100")
    assert {label for label, at in times.items() if at == check.at} == proven | {"9"}  # where the cursor's tie is
    assert check.scope == f"{len(proven | {'9'})} of 11 partitions"


def test_killed_before_its_check_the_next_sync_proves_what_it_has_touched(loaded: Project) -> None:
    with loaded.session(BY_HUNDREDS) as session:
        list(session.sync())
    loaded.source.execute(changing("id IN (250, 350, 777)", None, name="'changed'"))
    wanted = Wanted("id", "200", "399")
    killed_at(loaded.source.url, loaded.warehouse.url, "items", wanted, 100, "extract", BY_HUNDREDS)
    check = loaded.synced(tables=BY_HUNDREDS).check
    assert (check.equal, check.scope) == (True, "3 of 11 partitions")
