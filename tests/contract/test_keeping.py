"""Deleted rows that stay in the copy, and histories that keep every version: both proven with the table."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest
from support.items import ITEMS, KEYLESS, ROWS, changing, item, items, moment
from support.project import Project

from etl.errors import StoppedTableError
from etl.sync.backfill import Wanted
from etl.warehouses.base import STAGING
from schemas import types
from schemas.table import Column, Table

SOFT: dict[str, Any] = {"items": {"deletes": "soft"}}
HISTORY: dict[str, Any] = {"items": {"history": True}}
BOTH: dict[str, Any] = {"items": {"history": True, "deletes": "soft"}}


@pytest.fixture
def filled(project: Project) -> Project:
    project.source.create(ITEMS)
    project.source.insert(ITEMS, items())
    return project


def _copy(project: Project) -> dict[int, tuple[Any, datetime | None]]:
    """By id: the row's name, and when it was deleted."""
    with project.warehouse.opened() as warehouse:
        rows = warehouse.query(f"SELECT * FROM {warehouse.relation('raw', 'items')}").to_pylist()
    assert len({row["id"] for row in rows}) == len(rows)
    return {row["id"]: (row["name"], row["_deleted_at"]) for row in rows}


def _deleted(project: Project) -> set[int]:
    return {key for key, (_, at) in _copy(project).items() if at is not None}


def _assert_live_rows_equal(project: Project) -> None:
    live = Counter((key, name) for key, (name, at) in _copy(project).items() if at is None)
    assert live == Counter(project.source.rows(project.source.quote("items"), ["id", "name"]))
    with project.warehouse.opened() as warehouse:
        assert [name for name in warehouse.tables("raw") if name.startswith(STAGING)] == []


# --- soft deletes ---------------------------------------------------------------------------------


@pytest.mark.every_warehouse
def test_a_deleted_row_stays_marked_and_the_live_ones_are_proven(filled: Project) -> None:
    assert filled.synced(tables=SOFT).check.equal
    filled.source.execute("DELETE FROM items WHERE id IN (10, 20)")
    check = filled.synced(tables=SOFT).check
    assert (check.equal, check.warehouse_rows) == (True, ROWS - 2)
    marked = _copy(filled)
    assert (marked[10][0], _deleted(filled)) == ("item 10", {10, 20})
    assert marked[10][1] == filled.loads()[-1].snapshot_at
    _assert_live_rows_equal(filled)
    assert filled.gate() == ""
    assert filled.verified(tables=SOFT).check.equal
    filled.synced(tables=SOFT)
    assert _copy(filled)[10] == marked[10]


@pytest.mark.parametrize("minute", [ROWS + 1, 3], ids=["seen by the cursor", "found by the rowsum"])
def test_a_row_that_comes_back_is_live_again(filled: Project, minute: int) -> None:
    filled.synced(tables=SOFT)
    filled.source.execute("DELETE FROM items WHERE id IN (10, 20)")
    filled.synced(tables=SOFT)
    filled.source.insert(ITEMS, [(10, "again", 1, moment(minute))])
    assert filled.synced(tables=SOFT).check.equal
    assert _deleted(filled) == {20}
    assert _copy(filled)[10] == ("again", None)
    _assert_live_rows_equal(filled)


def test_marked_rows_outlive_a_reload(filled: Project) -> None:
    filled.synced(tables=SOFT)
    filled.source.execute("DELETE FROM items WHERE id IN (10, 20)")
    filled.synced(tables=SOFT)
    at = _copy(filled)[10][1]
    filled.source.execute("DELETE FROM items WHERE id = 30", changing("id > 500", None, name="'other'"))
    assert filled.synced(tables=SOFT).check.equal
    assert filled.loads()[-1].kind == "reload"
    filled.source.execute("DELETE FROM items WHERE id = 40")
    assert filled.synced(tables=SOFT, full=True).check.equal
    assert _deleted(filled) == {10, 20, 30, 40}
    assert _copy(filled)[10][1] == at
    _assert_live_rows_equal(filled)


def test_soft_deletes_from_now_on(filled: Project) -> None:
    filled.source.execute("DELETE FROM items WHERE id = 5")
    filled.synced()
    filled.source.execute("DELETE FROM items WHERE id = 10")
    assert filled.synced(tables=SOFT).drift == "new column _deleted_at"
    assert _deleted(filled) == {10}
    assert filled.json("status")[0]["gone_columns"] == []


def test_hard_deletes_from_now_on_ask_first(filled: Project) -> None:
    filled.synced(tables=SOFT)
    filled.source.execute("DELETE FROM items WHERE id = 10")
    filled.synced(tables=SOFT)
    failed = filled.failed()
    assert isinstance(failed.error, StoppedTableError)
    assert "--full" in failed.error.remedy
    for command in (("verify", "--repair"), ("backfill", "items", "--key", "10")):
        refused = filled.etl(*command)
        assert (refused.code, "marked as deleted" in refused.err) == (3, True)
    assert _deleted(filled) == {10}
    assert filled.synced(full=True).check.equal
    filled.assert_equal(ITEMS)
    with filled.warehouse.opened() as warehouse:
        assert "_deleted_at" not in warehouse.columns("raw", "items")


def test_queries_read_live_rows_and_the_columns_of_the_source(filled: Project) -> None:
    filled.synced(tables=SOFT)
    filled.source.execute("DELETE FROM items WHERE id < 100")
    filled.synced(tables=SOFT)
    done = filled.etl("query", "SELECT COUNT(*) AS n FROM raw.items", "--format", "json")
    assert json.loads(done.out) == [{"n": ROWS - 100}]
    done = filled.etl("query", "SELECT * FROM raw.items AS i WHERE i.id = 100", "--format", "json")
    assert list(json.loads(done.out)[0]) == ["id", "name", "amount", "updated_at"]


def test_a_sudden_emptiness_stops_here_too(filled: Project) -> None:
    filled.synced(tables=SOFT)
    filled.source.execute("DELETE FROM items")
    assert isinstance(filled.failed(tables=SOFT).error, StoppedTableError)
    assert _deleted(filled) == set()


def test_backfill_and_repair_mark_too(filled: Project) -> None:
    filled.synced(tables=SOFT)
    filled.source.execute("DELETE FROM items WHERE id = 10")
    with filled.session(SOFT) as session:
        session.backfill("items", Wanted(low="2024-01-01", high="2024-01-01"))
    filled.source.execute("DELETE FROM items WHERE id = 20")
    assert filled.verified(repair=True, tables=SOFT).check.equal
    assert _deleted(filled) == {10, 20}
    _assert_live_rows_equal(filled)


# --- history --------------------------------------------------------------------------------------


def _versions(project: Project) -> dict[int, list[tuple[Any, datetime, datetime | None]]]:
    """By id: name, from and to of every version, in order."""
    with project.warehouse.opened() as warehouse:
        rows = warehouse.query(f"SELECT * FROM {warehouse.relation('raw_history', 'items')}").to_pylist()
    found: dict[int, list[tuple[Any, datetime, datetime | None]]] = {}
    for row in sorted(rows, key=lambda row: (row["valid_from"], row["valid_to"] is None)):
        found.setdefault(row["id"], []).append((row["name"], row["valid_from"], row["valid_to"]))
    return found


def _assert_history(project: Project) -> None:
    """No two versions of a key overlap, and the current ones are the source's rows."""
    versions = _versions(project)
    for one in versions.values():
        for (_, from_, to), (_, next_from, _) in pairwise(one):
            assert to is not None
            assert from_ <= to <= next_from
    current = Counter((key, one[-1][0]) for key, one in versions.items() if one[-1][2] is None)
    assert current == Counter(project.source.rows(project.source.quote("items"), ["id", "name"]))


def _names(project: Project, key: int) -> list[Any]:
    return [name for name, _, _ in _versions(project)[key]]


@pytest.mark.every_warehouse
@pytest.mark.parametrize("tables", [HISTORY, BOTH], ids=["hard", "soft"])
def test_every_version_is_kept(filled: Project, tables: dict[str, Any]) -> None:
    assert filled.synced(tables=tables).check.versions == ROWS
    filled.source.execute(changing("id IN (1, 2)", ROWS + 1, name="'seen'"))
    filled.synced(tables=tables)
    filled.source.execute(changing("id IN (2, 3)", None, name="'unseen'"), "DELETE FROM items WHERE id = 4")
    filled.source.insert(ITEMS, [(5_000, "new", 1, moment(ROWS + 1))])
    check = filled.synced(tables=tables).check
    assert (check.equal, check.versions) == (True, ROWS + 2 + 2 + 1)
    _assert_history(filled)
    assert [_names(filled, key) for key in (0, 1, 2, 3, 5000)] == [
        ["item 0"],
        ["item 1", "seen"],
        ["item 2", "seen", "unseen"],
        ["item 3", "unseen"],
        ["new"],
    ]
    assert _versions(filled)[4][-1][2] is not None
    filled.source.insert(ITEMS, [item(4)])
    assert filled.synced(tables=tables).check.versions == ROWS + 6
    assert _names(filled, 4) == ["item 4", "item 4"]
    _assert_history(filled)
    assert filled.synced(tables=tables).check.versions == ROWS + 6
    assert filled.verified(tables=tables).check.equal
    assert filled.gate() == ""


def test_a_reload_closes_only_what_differs(filled: Project) -> None:
    filled.synced(tables=HISTORY)
    filled.source.execute(changing("id < 200", None, name="'other'"))
    assert filled.synced(tables=HISTORY).check.versions == ROWS + 200
    assert filled.loads()[-1].kind == "reload"
    assert filled.synced(tables=HISTORY, full=True).check.versions == ROWS + 200
    _assert_history(filled)


def test_a_history_that_begins_later(filled: Project) -> None:
    filled.synced()
    assert filled.synced(tables=HISTORY).check.versions == ROWS
    assert filled.loads()[-1].kind == "history"
    assert filled.gate() == ""
    _assert_history(filled)


def test_a_history_edited_by_hand_is_brought_back(filled: Project) -> None:
    filled.synced(tables=HISTORY)
    with filled.warehouse.opened() as warehouse:
        history = warehouse.relation("raw_history", "items")
        warehouse.commit([f"DELETE FROM {history} WHERE id < 3", f"UPDATE {history} SET name = 'edited' WHERE id = 7"])
    with filled.session(HISTORY) as session:
        (result,) = session.verify()
    assert "current versions are not the 1,000 rows" in str(getattr(result, "error", ""))
    assert filled.synced(tables=HISTORY).check.equal
    assert _names(filled, 7) == ["edited", "item 7"]
    _assert_history(filled)


def test_versions_that_overlap_are_named(filled: Project) -> None:
    filled.synced(tables=HISTORY)
    with filled.warehouse.opened() as warehouse:
        history = warehouse.relation("raw_history", "items")
        warehouse.commit([f"INSERT INTO {history} SELECT * FROM {history} WHERE id = 7"])
    failed = filled.failed(tables=HISTORY)
    assert "versions of id=7 overlap" in failed.error.message


def test_columns_that_come_and_go_in_a_history(filled: Project) -> None:
    filled.synced(tables=HISTORY)
    filled.source.execute(
        "ALTER TABLE items DROP COLUMN amount",
        f"ALTER TABLE items {filled.source.add_column} {filled.source.column_ddl(Column('extra', types.STRING))}",
    )
    filled.source.execute(changing("id = 3", ROWS + 1, extra="'filled'"))
    assert filled.synced(tables=HISTORY).check.equal
    with filled.warehouse.opened() as warehouse:
        history = warehouse.relation("raw_history", "items")
        rows = warehouse.query(f"SELECT amount, extra FROM {history} WHERE id = 3 ORDER BY valid_from").to_pylist()
    assert rows == [{"amount": 21, "extra": None}, {"amount": None, "extra": "filled"}]
    _assert_history(filled)


def test_a_query_reads_a_history(filled: Project) -> None:
    filled.synced(tables=HISTORY)
    done = filled.etl("query", "SELECT COUNT(*) AS n FROM raw_history.items WHERE valid_to IS NULL", "--format", "json")
    assert json.loads(done.out) == [{"n": ROWS}]


@pytest.mark.parametrize("wish", [{"deletes": "soft"}, {"history": True}], ids=str)
def test_what_cannot_be_kept_is_refused(project: Project, wish: dict[str, Any]) -> None:
    project.source.create(replace(KEYLESS, name="keyless"))
    own = (*ITEMS.columns, Column("_deleted_at", types.DATETIME), Column("valid_to", types.DATETIME))
    project.source.create(Table("items", own, ("id",)))
    for name, says in (("keyless", "no key"), ("items", "of its own")):
        done = project.etl("sync", ETL_SYNC_REPAIR="true")
        assert done.code == 0
        with pytest.raises(Exception, match=says):
            project.sync(tables={name: wish})
