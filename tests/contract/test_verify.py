"""What `etl verify` says of a copy that was changed behind its back, and of a source that moved on."""

from __future__ import annotations

import json
import time
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from support.items import CURSORLESS, ITEMS, KEYLESS, changing, items, moment, stored
from support.project import Project
from support.values import ODD, within

from etl.verify.differences import SHOWN
from schemas import types
from schemas.table import Column, Table
from schemas.types import LogicalType

ROWS = 200


@pytest.fixture
def loaded(project: Project) -> Project:
    project.source.create(ITEMS)
    project.source.insert(ITEMS, items(range(ROWS)))
    assert project.synced().check.equal
    return project


def _report(project: Project, *arguments: str, code: int) -> dict[str, Any]:
    done = project.etl("verify", "--json", *arguments)
    assert done.code == code, done.err
    (table,) = json.loads(done.out)
    return table


def _columns(difference: dict[str, Any]) -> dict[str, tuple[str | None, str | None]]:
    return {cell["name"]: (cell["source"], cell["warehouse"]) for cell in difference["columns"]}


def test_an_untouched_copy_is_equal(loaded: Project) -> None:
    report = _report(loaded, code=0)
    assert (report["equal"], report["differences"], report["pending"]) == (True, [], 0)
    assert (report["source_rows"], report["warehouse_rows"]) == (ROWS, ROWS)
    assert report["source_hash"] == report["warehouse_hash"]


EDITS = {
    "updated": ("UPDATE raw.items SET amount = 12345 WHERE id = 3", "changed", {"amount": ("21", "12345")}),
    "nulled": ("UPDATE raw.items SET name = NULL WHERE id = 3", "changed", {"name": ("item 3", None)}),
    "blanked": ("UPDATE raw.items SET name = 'item 3 ' WHERE id = 3", "changed", {"name": ("item 3", "item 3 ")}),
    "a microsecond": (
        "UPDATE raw.items SET updated_at = updated_at + INTERVAL 1 MICROSECOND WHERE id = 3",
        "changed",
        {"updated_at": ("2024-01-01 00:03:00", "2024-01-01 00:03:00.000001")},
    ),
    "deleted": (
        "DELETE FROM raw.items WHERE id = 3",
        "missing",
        {"name": ("item 3", None), "amount": ("21", None), "updated_at": ("2024-01-01 00:03:00", None)},
    ),
    "inserted": (
        "INSERT INTO raw.items VALUES (3000, 'invented', 7, NULL)",
        "extra",
        {"name": (None, "invented"), "amount": (None, "7"), "updated_at": (None, None)},
    ),
    "doubled": (
        "INSERT INTO raw.items SELECT * FROM raw.items WHERE id = 3",
        "extra",
        {"name": ("item 3", "item 3"), "amount": ("21", "21"), "updated_at": ("2024-01-01 00:03:00",) * 2},
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_of_the_warehouse_is_named_and_repaired(loaded: Project, edit: str) -> None:
    statement, kind, cells = EDITS[edit]
    loaded.warehouse.execute(statement)
    report = _report(loaded, code=1)
    (difference,) = report["differences"]
    assert difference["key"] == {"id": "3000" if edit == "inserted" else "3"}
    assert (difference["kind"], _columns(difference)) == (kind, cells)
    assert (difference["source_rows"], difference["warehouse_rows"]) == {
        "deleted": (1, 0),
        "inserted": (0, 1),
        "doubled": (1, 2),
    }.get(edit, (1, 1))
    assert report["rows_fetched"] < ROWS / 4, "located by its sums, not by fetching the table"
    assert loaded.etl("verify", "--repair").code == 0
    loaded.assert_equal(ITEMS)
    assert _report(loaded, code=0)["equal"]


def test_people_are_shown_table_key_column_and_both_values(loaded: Project) -> None:
    loaded.warehouse.execute("UPDATE raw.items SET name = 'Mallory' WHERE id = 3")
    done = loaded.etl("verify")
    assert done.code == 1
    for word in ("items", "id=3", "name", "item 3", "Mallory"):
        assert word in done.out
    with loaded.session() as session:
        relation = session.warehouse.relation("etl", "differences")
        (kept,) = session.warehouse.query(f"SELECT * FROM {relation}").to_pylist()
    assert (kept["table_name"], kept["key"], kept["column_name"]) == ("items", '{"id": "3"}', "name")
    assert (kept["source_value"], kept["warehouse_value"]) == ("item 3", "Mallory")


@pytest.mark.parametrize("mode", ["auto", "pushdown", "stream"])
def test_many_edits_in_every_mode(loaded: Project, mode: str) -> None:
    loaded.warehouse.execute(
        "UPDATE raw.items SET amount = -1 WHERE id BETWEEN 20 AND 29",
        "DELETE FROM raw.items WHERE id BETWEEN 50 AND 54",
        "INSERT INTO raw.items SELECT * FROM raw.items WHERE id BETWEEN 60 AND 62",
    )
    report = _report(loaded, "--mode", mode, code=1)
    kinds = [difference["kind"] for difference in report["differences"]]
    assert (kinds.count("changed"), kinds.count("missing"), kinds.count("extra")) == (10, 5, 3)
    assert report["mode"]["warehouse"] == ("stream" if mode == "stream" else "pushdown")
    assert loaded.etl("verify", "--repair", "--mode", mode).code == 0
    loaded.assert_equal(ITEMS)


# --- pending --------------------------------------------------------------------------------------


def test_a_source_that_moved_on_is_pending(loaded: Project) -> None:
    loaded.source.execute(changing("id = 1", ROWS + 1, amount="-1"), "DELETE FROM items WHERE id = 2")
    loaded.source.insert(ITEMS, [(900, "late", 1, moment(5))])
    report = _report(loaded, code=0)
    assert (report["equal"], report["pending"], report["differences"]) == (True, 3, [])
    assert "3 pending" in loaded.etl("verify").out
    assert loaded.synced().check.equal
    assert _report(loaded, code=0)["pending"] == 0


def test_pending_rows_are_told_from_edits(loaded: Project) -> None:
    loaded.source.execute(changing("id = 1", ROWS + 1, amount="-1"))
    loaded.source.insert(ITEMS, [(900, "new", 1, moment(ROWS + 2))])
    loaded.warehouse.execute("UPDATE raw.items SET amount = 12345 WHERE id = 3")
    report = _report(loaded, code=1)
    assert [difference["key"] for difference in report["differences"]] == [{"id": "3"}]
    assert report["pending"] == 2


def test_an_edited_row_that_ties_with_the_watermark_is_a_difference(loaded: Project) -> None:
    loaded.source.insert(ITEMS, [(900, "new", 1, moment(ROWS + 2))])
    loaded.warehouse.execute(f"UPDATE raw.items SET amount = 12345 WHERE id = {ROWS - 1}")
    report = _report(loaded, code=1)
    assert [difference["key"] for difference in report["differences"]] == [{"id": str(ROWS - 1)}]
    assert report["pending"] == 1


def test_an_edit_and_a_late_commit_cannot_be_told_apart_so_both_are_differences(loaded: Project) -> None:
    loaded.warehouse.execute("UPDATE raw.items SET amount = 12345 WHERE id = 3")
    loaded.source.insert(ITEMS, [(900, "late", 1, moment(5))])
    assert len(_report(loaded, code=1)["differences"]) == 2


def test_all_differences_are_counted_and_the_first_named(loaded: Project) -> None:
    loaded.source.insert(ITEMS, [(i, "late", 1, moment(1)) for i in range(10_000, 10_000 + 2 * SHOWN)])
    loaded.source.execute(changing("id < 70", None, amount="-1"), "DELETE FROM items WHERE id BETWEEN 190 AND 199")
    loaded.warehouse.execute("UPDATE raw.items SET name = 'edited' WHERE id = 0")
    report = _report(loaded, code=1)
    assert (report["missing"], report["extra"], report["changed"]) == (2 * SHOWN, ROWS - 190, 70)
    assert len(report["differences"]) == SHOWN
    assert [difference["key"]["id"] for difference in report["differences"][:3]] == ["0", "1", "2"]
    assert f"{2 * SHOWN + ROWS - 190 + 70:,} differences, the first 20" in loaded.etl("verify").out


def test_pending_by_an_integer_cursor(project: Project) -> None:
    tables = {"items": {"cursor": "amount"}}
    project.source.create(CURSORLESS)
    project.source.insert(CURSORLESS, [(i, f"item {i}", i) for i in range(9, 101)])
    assert project.synced(tables=tables).check.equal
    project.source.insert(CURSORLESS, [(900, "new", 1_000)])
    project.warehouse.execute("UPDATE raw.items SET name = 'Mallory' WHERE id = 10")
    verified = project.verified(tables=tables)
    assert [d.key for d in verified.differences] == [{"id": "10"}]
    assert [d.key for d in verified.pending] == [{"id": "900"}]


def test_many_pending_rows_are_told_in_a_moment(project: Project) -> None:
    """Their number must not count twice: 30,000 rows are told in seconds, not in hours."""
    rows = 30_000
    project.source.create(ITEMS)
    project.source.insert(ITEMS, items(range(rows)))
    project.sync()
    project.source.execute(f"UPDATE items SET amount = -1, updated_at = '{stored(rows)}'")
    project.warehouse.execute("UPDATE raw.items SET amount = 12345 WHERE id = 3")
    started = time.monotonic()
    verified = project.verified()
    assert time.monotonic() - started < 30
    assert (verified.check.pending, verified.check.differences) == (rows, 0)
    assert (len(verified.pending), len(verified.differences)) == (SHOWN, 0)


def test_repair_brings_pending_rows_too(loaded: Project) -> None:
    loaded.source.execute(changing("id = 1", ROWS + 1, amount="-1"))
    assert loaded.etl("verify", "--repair").code == 0
    loaded.assert_equal(ITEMS)
    assert loaded.gate() == ""


def test_a_repair_does_not_delete_more_than_it_may(loaded: Project) -> None:
    loaded.source.execute("DELETE FROM items WHERE id < 150")
    done = loaded.etl("verify", "--repair")
    assert done.code == 3
    assert "ETL_SYNC_MAX_DELETE_SHARE" in done.err
    assert len(loaded.warehouse.rows("items")) == ROWS
    assert loaded.etl("verify", "--repair", ETL_SYNC_MAX_DELETE_SHARE="1").code == 0
    loaded.assert_equal(ITEMS)


# --- keys of all kinds ----------------------------------------------------------------------------

_UUID = "0000000f-0000-0000-0000-00000000000a"
KEYS: dict[str, tuple[LogicalType, list[Any], str]] = {
    "int": (types.INT, [1, -(2**63), 2**63 - 1, 4, 5], "1"),
    "string": (types.STRING, ["a", "A", "", "é", "e\u0301"], "a"),
    "date": (types.DATE, [date(2024, 1, day) for day in range(1, 6)], "2024-01-01"),
    "datetime": (types.DATETIME, [datetime(2024, 1, day) for day in range(1, 6)], "2024-01-01 00:00:00"),
    "decimal": (types.decimal(20, 4), [Decimal(f"{i}.1000") for i in range(1, 6)], "1.1000"),
    "uuid": (
        types.UUID,
        [_UUID.replace("f", str(i)) for i in range(5)],
        "00000000-0000-0000-0000-00000000000a",
    ),
    "bool": (types.BOOL, [True, False], "true"),
    "bytes": (types.BYTES, [b"a", b"", b"\0", b"\xff", b"A"], "0x61"),
    "float": (types.FLOAT, [0.1, 1e300, 5e-324, -1.5, 2.0], "0.1"),
}


@pytest.mark.parametrize("kind", KEYS)
def test_differences_are_found_and_repaired_by_a_key_of_any_type(project: Project, kind: str) -> None:
    type_, values, shown = KEYS[kind]
    table = Table("items", (Column("k", type_, nullable=False), Column("v", types.INT)), ("k",))
    if "trailing zeros" in project.source.gaps:
        values = [value for value in values if value != b"\0"]
    project.source.create(table)
    project.source.insert(table, [(value, i) for i, value in enumerate(values)])
    assert project.synced().check.equal
    project.warehouse.execute("UPDATE raw.items SET v = -1 WHERE v = 0", "DELETE FROM raw.items WHERE v = 1")
    verified = project.verified()
    assert {d.kind.value: d.key for d in verified.differences}["changed"] == {"k": shown}
    assert len(verified.differences) == 2
    assert project.verified(repair=True).check.equal
    assert sorted(row[1] for row in project.warehouse.rows("items")) == list(range(len(values)))


def test_a_composite_key(project: Project) -> None:
    key = (Column("b", types.STRING, nullable=False), Column("a", types.INT, nullable=False))
    table = Table("items", (Column("v", types.INT), *key), ("a", "b"))
    project.source.create(table)
    project.source.insert(table, [(i, f"b{i % 3}", i) for i in range(30)])
    assert project.synced().check.equal
    project.warehouse.execute("UPDATE raw.items SET v = -1 WHERE a = 7", "UPDATE raw.items SET b = 'moved' WHERE a = 8")
    found = [(d.kind.value, d.key) for d in project.verified().differences]
    assert found == [
        ("changed", {"a": "7", "b": "b1"}),
        ("missing", {"a": "8", "b": "b2"}),
        ("extra", {"a": "8", "b": "moved"}),
    ]
    assert project.verified(repair=True).check.equal
    project.assert_equal(table)


def test_rows_without_a_key_are_named_by_their_content(project: Project) -> None:
    project.source.create(KEYLESS)
    project.source.insert(KEYLESS, [("a", 1), ("a", 1), ("b", None), *((f"c{i}", i) for i in range(50))])
    assert project.synced().check.equal
    project.warehouse.execute("INSERT INTO raw.items VALUES ('a', 1)", "DELETE FROM raw.items WHERE name = 'b'")
    differences = project.verified().differences
    found = {(d.kind.value, *(cell.source or cell.warehouse for cell in d.columns)) for d in differences}
    assert found == {("extra", "a", "1"), ("missing", "b", None)}
    assert project.verified(repair=True).check.equal
    project.assert_equal(KEYLESS)


def test_values_of_every_type_survive_a_round_trip_and_are_proven(project: Project) -> None:
    values = {type_: within(project.source.gaps, found) for type_, found in ODD.items()}
    columns = (Column("id", types.INT, nullable=False), *(Column(f"v{i}", type_) for i, type_ in enumerate(values)))
    table = Table("items", columns, ("id",))
    longest = max(map(len, values.values()))
    rows = [(n, *(held[n] if n < len(held) else None for held in values.values())) for n in range(longest)]
    project.source.create(table)
    project.source.insert(table, rows)
    assert project.synced().check.equal
    for mode in ("pushdown", "stream"):
        assert project.etl("verify", "--mode", mode).code == 0
    sums = {(check.source_hash, check.warehouse_hash) for check in project.checks()}
    assert len(sums) == 1


def test_a_copy_without_a_key_that_was_emptied_is_filled_again(project: Project) -> None:
    """So many rows are looked for in one pass, each as often as the source has it."""
    project.source.create(KEYLESS)
    project.source.insert(KEYLESS, [(f"item {i % 1_500}", i % 1_500) for i in range(2_000)])
    assert project.synced().check.equal
    project.warehouse.execute("DELETE FROM raw.items WHERE amount > 10", "INSERT INTO raw.items VALUES ('odd', 3)")
    assert project.verified(repair=True).check.equal
    project.assert_equal(KEYLESS)


def test_a_table_that_was_never_synced_is_said_to_be_so(loaded: Project) -> None:
    loaded.source.execute("CREATE TABLE later (id INTEGER PRIMARY KEY)")
    done = loaded.etl("verify")
    assert done.code == 3
    assert "table later has not been synced" in done.err
    assert "etl sync later" in done.err
