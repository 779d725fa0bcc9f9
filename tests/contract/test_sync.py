"""One table's course through many syncs, on every pair of a source and a warehouse."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from support.items import CURSORLESS, ITEMS, KEYLESS, ROWS, changing, item, items, moment
from support.project import Project

from etl.errors import StoppedTableError, WarehouseError
from etl.records import LoadKind, new_id
from etl.warehouses.base import STAGING, staging_name
from schemas import types


@pytest.fixture
def loaded(project: Project) -> Project:
    """A project whose thousand items have been synced once."""
    project.source.create(ITEMS)
    project.source.insert(ITEMS, items())
    first = project.synced()
    assert (first.kind, first.extracted, first.repaired) == (LoadKind.FULL, ROWS, 0)
    return project


@pytest.mark.every_warehouse
def test_the_first_load_is_full_and_proven(loaded: Project) -> None:
    loaded.assert_equal(ITEMS)
    load, check = loaded.loads()[-1], loaded.checks()[-1]
    assert (load.load_no, load.kind, load.extracted) == (1, "full", ROWS)
    assert datetime.fromisoformat(load.watermark or "") == moment(ROWS - 1)
    assert (check.equal, check.load_id, check.source_rows, check.warehouse_rows) == (True, load.load_id, ROWS, ROWS)
    assert check.source_hash == check.warehouse_hash
    assert loaded.gate() == ""


@pytest.mark.every_warehouse
def test_only_what_changed_is_moved(loaded: Project) -> None:
    loaded.source.insert(ITEMS, items(range(ROWS, ROWS + 5)))
    loaded.source.execute(changing("id < 3", ROWS + 10, amount="-1"))
    result = loaded.synced()
    tie = 1
    assert (result.kind, result.extracted, result.repaired) == (LoadKind.INCREMENTAL, 5 + 3 + tie, 0)
    loaded.assert_equal(ITEMS)
    assert [load.kind for load in loaded.loads()] == ["full", "incremental"]
    assert datetime.fromisoformat(loaded.loads()[-1].watermark or "") == moment(ROWS + 10)
    assert loaded.gate() == ""


def test_with_nothing_changed_only_the_ties_are_read(loaded: Project) -> None:
    for _ in range(2):
        result = loaded.synced()
        assert (result.extracted, result.repaired) == (1, 0)
        assert result.check.equal
    assert loaded.gate() == ""


def test_a_row_that_ties_with_the_watermark_is_not_lost(loaded: Project) -> None:
    loaded.source.insert(ITEMS, [(5_000, "tie", 1, moment(ROWS - 1))])
    result = loaded.synced()
    assert (result.extracted, result.repaired) == (2, 0)
    loaded.assert_equal(ITEMS)


def test_rows_without_a_cursor_value_are_taken_every_time(loaded: Project) -> None:
    loaded.source.insert(ITEMS, [(5_000, "when?", 1, None)])
    assert loaded.synced().extracted == 2
    loaded.source.execute(changing("id = 5000", None, name="'still unknown'"))
    result = loaded.synced()
    assert (result.extracted, result.repaired) == (2, 0)
    loaded.assert_equal(ITEMS)


def test_a_late_commit_is_found_by_the_rowsum(loaded: Project) -> None:
    """Its cursor lies before the watermark: it was taken before, and committed after, the last snapshot."""
    loaded.source.insert(ITEMS, [(5_000, "late", 1, moment(500))])
    result = loaded.synced()
    assert (result.repaired, result.check.found, result.check.equal) == (1, 1, True)
    loaded.assert_equal(ITEMS)
    assert loaded.loads()[-1].kind == "repair"


def test_a_change_that_did_not_touch_the_cursor_is_found_by_the_rowsum(loaded: Project) -> None:
    loaded.source.execute(changing("id IN (3, 5, 7)", None, amount="-1"))
    result = loaded.synced()
    assert (result.repaired, result.check.equal) == (3, True)
    assert result.extracted < 10
    loaded.assert_equal(ITEMS)


@pytest.mark.every_warehouse
def test_a_delete_is_found_by_the_rowsum(loaded: Project) -> None:
    loaded.source.execute("DELETE FROM items WHERE id IN (10, 20)")
    result = loaded.synced()
    assert (result.repaired, result.check.warehouse_rows) == (2, ROWS - 2)
    loaded.assert_equal(ITEMS)


def test_a_key_that_changes(loaded: Project) -> None:
    loaded.source.execute(changing("id = 10", ROWS + 1, id="90010"), changing("id = 20", None, id="90020"))
    assert loaded.synced().check.equal
    loaded.assert_equal(ITEMS)


def test_keys_that_change_places(loaded: Project) -> None:
    loaded.source.execute(
        changing("id = 10", None, id="-1"), changing("id = 20", None, id="10"), changing("id = -1", None, id="20")
    )
    assert loaded.synced().repaired == 2
    loaded.assert_equal(ITEMS)


def test_delete_and_reinsert(loaded: Project) -> None:
    loaded.source.execute("DELETE FROM items WHERE id IN (10, 20, 30)")
    loaded.source.insert(ITEMS, [(10, "new", 0, moment(ROWS + 1)), (20, "old", 0, moment(20)), item(30)])
    result = loaded.synced()
    assert result.repaired == 1
    loaded.assert_equal(ITEMS)


def test_truncate_and_refill_with_the_same_keys(loaded: Project) -> None:
    loaded.source.execute("DELETE FROM items")
    loaded.source.insert(ITEMS, [(i, f"second {i}", i, moment(2 * ROWS)) for i in range(ROWS)])
    result = loaded.synced()
    assert (result.extracted, result.repaired) == (ROWS, 0)
    loaded.assert_equal(ITEMS)


@pytest.mark.parametrize("minute", [10, 5 * ROWS], ids=["before the watermark", "after it"])
def test_a_refill_with_other_keys_stops_and_goes_on_when_allowed(loaded: Project, minute: int) -> None:
    loaded.source.execute("DELETE FROM items")
    loaded.source.insert(ITEMS, [(i, "other", i, moment(minute)) for i in range(ROWS, 2 * ROWS)])
    failed = loaded.failed()
    assert isinstance(failed.error, StoppedTableError)
    assert {row[0] for row in loaded.warehouse.rows("items")} == set(range(ROWS))
    assert len(loaded.loads()) == 1
    assert loaded.synced(max_delete_share=1).check.equal
    loaded.assert_equal(ITEMS)


@pytest.mark.every_warehouse
def test_more_than_a_tenth_differing_is_loaded_anew(loaded: Project) -> None:
    loaded.source.execute(changing("id < 150", None, amount="-1"))
    result = loaded.synced()
    assert result.check.equal
    assert loaded.loads()[-1].kind == "reload"
    assert loaded.loads()[-1].extracted == ROWS
    loaded.assert_equal(ITEMS)


def test_less_than_a_tenth_differing_is_repaired_row_by_row(loaded: Project) -> None:
    loaded.source.execute(changing("id < 50", None, amount="-1"))
    assert loaded.synced().repaired == 50
    assert loaded.loads()[-1].kind == "repair"
    loaded.assert_equal(ITEMS)


def test_full_loads_everything_anew(loaded: Project) -> None:
    result = loaded.synced(full=True)
    assert (result.kind, result.extracted) == (LoadKind.FULL, ROWS)
    assert [load.load_no for load in loaded.loads()] == [1, 2]
    loaded.assert_equal(ITEMS)


MANY, ONE_PERCENT = 5_000, 50


def test_the_cost_follows_the_change(project: Project) -> None:
    project.source.create(ITEMS)
    project.source.insert(ITEMS, items(range(MANY)))
    assert project.synced().extracted == MANY
    project.source.execute(changing(f"id < {ONE_PERCENT}", MANY + 1, amount="-1"))
    changed = project.synced()
    tie = 1
    assert (changed.extracted, changed.repaired, changed.check.rows_fetched) == (ONE_PERCENT + tie, 0, 0)
    unchanged = project.synced()
    assert (unchanged.extracted, unchanged.check.rows_fetched) == (ONE_PERCENT, 0), "all of them are ties now"
    assert [load.extracted for load in project.loads()] == [MANY, ONE_PERCENT + tie, ONE_PERCENT]
    project.assert_equal(ITEMS)


def test_without_a_cursor_buckets_are_compared_first_and_only_what_differs_is_moved(project: Project) -> None:
    project.source.create(CURSORLESS)
    project.source.insert(CURSORLESS, (row[:3] for row in items(range(MANY))))
    project.synced()
    unchanged = project.synced()
    assert (unchanged.extracted, unchanged.check.rows_fetched, len(project.loads())) == (0, 0, 1)
    project.source.execute(f"UPDATE items SET amount = -1 WHERE id < {ONE_PERCENT}")
    changed = project.synced()
    assert (changed.extracted, changed.repaired, project.loads()[-1].extracted) == (ONE_PERCENT, 0, ONE_PERCENT)
    # A row that changed is one on each side; the others are rows that share a bucket with one.
    assert 2 * ONE_PERCENT <= changed.check.rows_fetched <= 4 * ONE_PERCENT, (
        "found by its buckets, not by reading the table"
    )
    project.assert_equal(CURSORLESS)


# --- other shapes of tables -----------------------------------------------------------------------


def test_a_table_without_a_cursor_moves_only_what_differs(project: Project) -> None:
    project.source.create(CURSORLESS)
    project.source.insert(CURSORLESS, (row[:3] for row in items()))
    assert project.synced().extracted == ROWS
    unchanged = project.synced()
    assert (unchanged.kind, unchanged.extracted) == (None, 0)
    assert len(project.loads()) == 1
    project.source.execute("UPDATE items SET amount = -1 WHERE id = 5", "DELETE FROM items WHERE id = 6")
    project.source.insert(CURSORLESS, [(5_000, "new", 1)])
    changed = project.synced()
    assert (changed.kind, changed.extracted, changed.repaired) == (LoadKind.INCREMENTAL, 2, 0)
    project.assert_equal(CURSORLESS)


@pytest.mark.every_warehouse
def test_a_table_without_a_key_is_a_multiset(project: Project) -> None:
    project.source.create(KEYLESS)
    project.source.insert(
        KEYLESS, [*(row[1:3] for row in items()), ("twice", 2), ("twice", 2), (None, None), (None, None)]
    )
    assert project.synced().extracted == ROWS + 4
    assert project.synced().extracted == 0
    project.source.insert(KEYLESS, [("twice", 2), ("new", None)])
    project.source.execute("DELETE FROM items WHERE name = 'item 7'")
    assert project.synced().check.equal
    project.assert_equal(KEYLESS)
    project.source.execute("DELETE FROM items WHERE name IS NULL")
    assert project.synced().check.equal
    project.assert_equal(KEYLESS)


def test_an_empty_table_and_its_first_rows(project: Project) -> None:
    project.source.create(ITEMS)
    assert project.synced().check.equal
    assert project.gate() == ""
    assert project.synced().extracted == 0
    project.source.insert(ITEMS, items(range(3)))
    assert (project.synced().extracted, project.synced().extracted) == (3, 1)
    project.assert_equal(ITEMS)


def test_a_cursor_that_is_named_only_later(project: Project) -> None:
    """The watermark of one cursor says nothing about another."""
    project.source.create(ITEMS)
    project.source.insert(ITEMS, items())
    assert project.synced(tables={"items": {"cursor": "amount"}}).check.equal
    project.source.execute(changing("id = 1", ROWS + 1, name="'changed'"))
    assert project.synced().check.equal
    project.assert_equal(ITEMS)


def test_a_row_dated_2099_does_not_blind_the_cursor(loaded: Project) -> None:
    loaded.source.execute("UPDATE items SET updated_at = '2099-01-01 00:00:00.000000' WHERE id = 1")
    assert loaded.synced().check.equal
    loaded.source.execute(changing("id = 2", ROWS + 5, name="'later'"))
    result = loaded.synced()
    assert (result.repaired, result.check.equal) == (0, True)
    loaded.assert_equal(ITEMS)


def test_children_come_before_their_parents(project: Project) -> None:
    project.source.execute(
        "CREATE TABLE a (id INTEGER PRIMARY KEY)",
        "CREATE TABLE b (id INTEGER PRIMARY KEY, a INTEGER REFERENCES a (id), self INTEGER REFERENCES b (id))",
        "CREATE TABLE c (id INTEGER PRIMARY KEY, b INTEGER REFERENCES b (id))",
    )
    assert list(project.sync()) == ["c", "b", "a"]
    assert list(project.sync("a", "c")) == ["c", "a"]


# --- dangerous loads ------------------------------------------------------------------------------


def test_a_table_that_is_suddenly_empty_stops(loaded: Project) -> None:
    loaded.source.execute("DELETE FROM items")
    failed = loaded.failed()
    assert isinstance(failed.error, StoppedTableError)
    assert "ETL_SYNC_MAX_DELETE_SHARE=1" in failed.error.remedy
    assert len(loaded.warehouse.rows("items")) == ROWS
    assert len(loaded.loads()) == 1
    assert loaded.etl("sync").code == 3
    assert len(loaded.warehouse.rows("items")) == ROWS
    assert loaded.etl("sync", ETL_SYNC_MAX_DELETE_SHARE="1").code == 0
    assert loaded.warehouse.rows("items") == []


def test_the_share_that_may_vanish_is_exact(loaded: Project) -> None:
    loaded.source.execute("DELETE FROM items WHERE id < 300")
    assert loaded.synced().check.equal
    loaded.source.execute("DELETE FROM items WHERE id < 511")
    assert isinstance(loaded.failed().error, StoppedTableError)
    loaded.source.execute("INSERT INTO items SELECT id - 1, name, amount, updated_at FROM items WHERE id = 511")
    assert loaded.synced().check.equal
    loaded.assert_equal(ITEMS)


def test_a_table_that_stops_does_not_stop_the_others(loaded: Project) -> None:
    loaded.source.execute("CREATE TABLE other (id INTEGER PRIMARY KEY)", "INSERT INTO other VALUES (1)")
    loaded.source.execute("DELETE FROM items")
    assert isinstance(loaded.failed().error, StoppedTableError)
    assert loaded.gate("other") == ""


def test_another_database_behind_the_same_ledger_stops(
    loaded: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = Project(loaded.directory, type(loaded.source)(tmp_path_factory.mktemp("other")), loaded.warehouse)
    elsewhere.source.create(ITEMS)
    elsewhere.source.insert(ITEMS, items())
    failed = elsewhere.failed()
    assert isinstance(failed.error, StoppedTableError)
    assert "--full" in failed.error.remedy
    assert len(loaded.loads()) == 1
    assert elsewhere.synced(full=True).check.equal
    assert elsewhere.synced().check.equal


# --- repair, gate, ledger -------------------------------------------------------------------------


def test_without_repair_differences_stay_and_are_named(loaded: Project) -> None:
    loaded.source.execute("DELETE FROM items WHERE id = 10", changing("id = 11", None, amount="-1"))
    result = loaded.synced(repair=False)
    assert not result.check.equal
    assert [(d.key, d.kind.value) for d in result.differences] == [({"id": "10"}, "extra"), ({"id": "11"}, "changed")]
    assert loaded.gate() == "has 2 differences"
    done = loaded.etl("sync", "--no-repair")
    assert done.code == 1
    assert "id=10" in done.out
    assert loaded.etl("sync").code == 0
    loaded.assert_equal(ITEMS)


@pytest.mark.every_warehouse
def test_an_edit_of_the_warehouse_is_repaired_by_the_next_sync(loaded: Project) -> None:
    loaded.warehouse.execute(
        "UPDATE raw.items SET amount = 12345 WHERE id = 1",
        "DELETE FROM raw.items WHERE id = 2",
        "INSERT INTO raw.items SELECT * FROM raw.items WHERE id = 3",
        "INSERT INTO raw.items VALUES (-1, 'invented', 0, NULL)",
    )
    assert loaded.synced().repaired == 4
    loaded.assert_equal(ITEMS)


@pytest.mark.every_warehouse
def test_staging_that_a_killed_run_left_is_dropped(loaded: Project) -> None:
    with loaded.warehouse.opened() as warehouse:
        integer = {"id": warehouse.dialect.ddl(types.INT)}
        warehouse.create(staging_name("items", "keys"), integer)
        if warehouse.exclusive:
            warehouse.create(f"{STAGING}gone", integer)
    loaded.synced()
    loaded.assert_equal(ITEMS)


@pytest.mark.every_warehouse
def test_staging_of_another_table_is_another_runs(loaded: Project) -> None:
    """Even of a table whose name begins with this one's."""
    with loaded.warehouse.opened() as warehouse:
        other = staging_name("items_more")
        warehouse.create(other, {"id": warehouse.dialect.ddl(types.INT)})
        assert warehouse.leftovers("items") == []
        assert warehouse.leftovers("items_more") == [other]


@pytest.mark.every_warehouse
def test_staging_of_a_table_that_failed_is_dropped(loaded: Project) -> None:
    def fail(_table: str, step: str, rows: int) -> None:
        if step == "extract" and rows:
            raise WarehouseError("planted")

    loaded.source.execute(changing("id = 1", ROWS + 1, amount="-1"))
    assert loaded.failed(progress=fail).error.message == "planted"
    with loaded.warehouse.opened() as warehouse:
        assert warehouse.tables("raw") == ["items"]


@pytest.mark.every_warehouse
def test_a_table_dropped_in_the_warehouse_is_loaded_anew(loaded: Project) -> None:
    loaded.warehouse.execute("DROP TABLE raw.items")
    assert loaded.synced().kind is LoadKind.FULL
    loaded.assert_equal(ITEMS)


def test_the_gate_asks_for_an_equal_check_that_names_the_newest_load(loaded: Project) -> None:
    assert loaded.gate() == ""
    loaded.warehouse.execute("UPDATE raw.items SET amount = 12345 WHERE id = 1")
    assert not loaded.verified().check.equal
    assert loaded.gate() == "has 1 difference"
    assert loaded.verified(repair=True).check.equal
    assert loaded.gate() == ""
    load = loaded.loads()[-1]
    assert load.kind == "repair"
    with loaded.session() as session:
        session.ledger.write(replace(load, load_no=load.load_no + 1, load_id=new_id()))
    assert loaded.gate() == "was loaded after its newest check"
    assert loaded.verified().check.equal
    assert loaded.gate() == ""


def test_ledger_numbers_follow_one_another_and_every_check_names_a_load(loaded: Project) -> None:
    for minute in range(3):
        loaded.source.execute(
            changing("id = 1", ROWS + minute, amount=str(minute)), f"DELETE FROM items WHERE id = {minute + 50}"
        )
        loaded.synced()
    loads, checks = loaded.loads(), loaded.checks()
    assert [load.load_no for load in loads] == list(range(1, len(loads) + 1))
    assert [load.kind for load in loads] == ["full", *["incremental", "repair"] * 3]
    assert {check.load_id for check in checks} <= {load.load_id for load in loads}
    assert [check.found for check in checks] == [0, 1, 1, 1]
    assert len({load.run_id for load in loads}) == 4
