"""What every source promises: each value exactly as it was stored, read at one instant."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from support.commands import call_etl
from support.messages import assert_one_clear_error
from support.sources import SourceEngine
from support.values import NUL, ODD, arriving, canonical

from etl.scratch import Scratch
from etl.sources.base import Snapshot, Window
from etl.verify.proof import ReaderProof
from schemas import types
from schemas.table import FULL, Column, Cursor, CursorKind, ForeignKey, Table
from schemas.types import LogicalType

ODD_NAMES = (
    'quo"te',
    "two words",
    "[brackets]",
    "semi;colon",
    "select",
    "naïve 表 🙂",
    "it's",
    "dot.ted",
    "1st",
    "%s ?",
)
UPDATED = Column("updated_at", types.DATETIME)
ITEMS = Table(
    "items",
    (Column("id", types.INT, nullable=False), Column("name", types.STRING), UPDATED),
    ("id",),
    Cursor(CursorKind.UPDATED_AT, "updated_at"),
)


def _at(day: int) -> datetime:
    return datetime(2024, 1, day)


def _read(snapshot: Snapshot, table: Table, window: Window | None = None) -> list[tuple[Any, ...]]:
    batches = list(snapshot.read(table, window))
    assert all(batch.schema == table.arrow for batch in batches)
    rows = (row for batch in batches for row in zip(*(column.to_pylist() for column in batch.columns), strict=True))
    return sorted(rows, key=repr)


def _reflected(snapshot: Snapshot, name: str) -> Table:
    return {table.name: table for table in snapshot.tables()}[name]


def _read_keys(source: SourceEngine, table: Table, keys: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    columns = zip(*keys, strict=True)
    wanted = pa.table(
        {c.name: pa.array(values, c.type.arrow) for c, values in zip(table.key_columns, columns, strict=True)}
    )
    with source.open().snapshot() as snapshot:
        batches = list(snapshot.read_keys(table, wanted))
    return sorted((tuple(row.values()) for batch in batches for row in batch.to_pylist()), key=repr)


# --- values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("type_", ODD, ids=str)
def test_every_value_arrives_exactly(source: SourceEngine, type_: LogicalType) -> None:
    values = [value for value in ODD[type_] if not _beyond(source, value)]
    table = Table("t", (Column("id", types.INT, nullable=False), Column("v", type_)), ("id",))
    source.create(table)
    source.insert(table, enumerate([*values, None]))
    with source.open().snapshot() as snapshot:
        assert snapshot.tables() == (source.reflected(table),)
        found = dict(_read(snapshot, table))
    assert [canonical(found[i]) for i in range(len(values))] == [arriving(value, type_) for value in values]
    assert found[len(values)] is None


def _beyond(source: SourceEngine, value: Any) -> bool:
    """Whether the engine itself cannot hold the value, for the reason given among its gaps."""
    return str(value) in source.gaps or (value == NUL and "nul" in source.gaps)


def test_the_reader_passes_the_vectors_of_every_type(source: SourceEngine) -> None:
    large = [LogicalType(kind.kind, large=True) for kind in (types.STRING, types.BYTES)]
    table = Table("t", tuple(Column(str(t), t) for t in (*ODD, types.CHAR, *large)))
    scratch = Scratch()
    with source.open().snapshot() as snapshot:
        ReaderProof(snapshot, scratch).require(table)
    scratch.close()


def test_a_column_of_nulls_that_ends_in_a_value(source: SourceEngine) -> None:
    """Readers that guess a type from the first rows fail here, in whichever column they guess wrongly."""
    table = Table("t", (Column("id", types.INT, nullable=False), *(Column(f"v{i}", t) for i, t in enumerate(ODD))))
    last = [values[0] for values in ODD.values()]
    source.create(table)
    source.insert(table, ((i, *[None] * len(last)) for i in range(100_000)))
    source.insert(table, [(100_000, *last)])
    with source.open().snapshot() as snapshot:
        assert snapshot.count(table) == 100_001
        read = pa.Table.from_batches(snapshot.read(table), table.arrow)
    assert read.num_rows == 100_001
    assert [column.null_count for column in read.columns[1:]] == [100_000] * len(last)
    row = read.filter(pa.compute.equal(read["id"], 100_000)).to_pylist()[0]
    expected = [arriving(value, type_) for value, type_ in zip(last, ODD, strict=True)]
    assert [canonical(value) for value in list(row.values())[1:]] == expected


def test_an_empty_table_has_its_columns_and_no_rows(source: SourceEngine) -> None:
    source.create(ITEMS)
    with source.open().snapshot() as snapshot:
        assert snapshot.count(ITEMS) == 0
        assert _read(snapshot, ITEMS) == []
        assert snapshot.reach(ITEMS).fence is None


# --- names and shapes -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ODD_NAMES)
def test_any_name_is_taken_literally(source: SourceEngine, name: str) -> None:
    if "]" in name:
        source.needs("brackets")
    if name.encode("cp1252", "replace").decode("cp1252") != name:
        source.needs("other alphabets")
    table = Table(
        name,
        (Column(name, types.INT, nullable=False), Column(f"{name} 2", types.STRING), UPDATED),
        (name,),
        ITEMS.cursor,
    )
    source.create(table)
    source.insert(table, [(1, "x", _at(1)), (2, "y", _at(2))])
    with source.open().snapshot() as snapshot:
        assert snapshot.tables() == (table,)
        assert _read(snapshot, table) == [(1, "x", _at(1)), (2, "y", _at(2))]
        assert len(_read(snapshot, table, Window("updated_at", snapshot.reach(table).fence or ""))) == 1
    assert _read_keys(source, table, [(2,)]) == [(2, "y", _at(2))]


def test_a_cursor_of_any_name(source: SourceEngine) -> None:
    odd = 'up"dated [at' if "brackets" in source.gaps else 'up"dated [at]'
    table = Table("t", (Column("id", types.INT, nullable=False), Column(odd, types.DATETIME)), ("id",))
    source.create(table)
    source.insert(table, [(1, _at(1)), (2, _at(2))])
    table = Table(table.name, table.columns, table.key, Cursor(CursorKind.UPDATED_AT, odd))
    with source.open().snapshot() as snapshot:
        fence = snapshot.reach(table).fence
        assert fence is not None
        assert _read(snapshot, table, Window(odd, fence)) == [(2, _at(2))]


def test_a_thousand_columns(source: SourceEngine) -> None:
    columns = tuple(Column(f"c{i}", types.INT if i % 2 else types.STRING) for i in range(1_000))
    table = Table("wide", columns)
    row = tuple(i if i % 2 else str(i) for i in range(1_000))
    source.create(table)
    source.insert(table, [row] * 3)
    with source.open().snapshot() as snapshot:
        assert snapshot.tables() == (table,)
        assert _read(snapshot, table) == [row] * 3


def test_keys_are_found(source: SourceEngine) -> None:
    a, b, loose = (Column("a", types.INT, False), Column("b", types.STRING, False), Column("c", types.STRING))
    source.create(Table("composite", (a, b), ("b", "a")))
    source.create(Table("keyless", (a, b)))
    source.create(Table("by_index", (a, b, loose)), f"UNIQUE ({source.quote('b')})")
    source.create(Table("by_nullable_index", (a, loose)), f"UNIQUE ({source.quote('c')})")
    with source.open().snapshot() as snapshot:
        assert {table.name: table.key for table in snapshot.tables()} == {
            "composite": ("b", "a"),
            "keyless": (),
            "by_index": ("b",),
            "by_nullable_index": (),
        }


def test_the_cursor_is_found_by_name_and_type(source: SourceEngine) -> None:
    key = Column("id", types.INT, nullable=False)
    odd = "modified_at" if "capitals" in source.gaps else "Modified_At"
    source.create(Table("dated", (key, Column(odd, types.TIMESTAMP)), ("id",)))
    source.create(Table("both", (key, Column("modified_at", types.DATETIME), UPDATED), ("id",)))
    source.create(Table("textual", (key, Column("updated_at", types.STRING)), ("id",)))
    with source.open().snapshot() as snapshot:
        assert {table.name: table.cursor for table in snapshot.tables()} == {
            "dated": Cursor(CursorKind.UPDATED_AT, odd),
            "both": Cursor(CursorKind.UPDATED_AT, "updated_at"),
            "textual": FULL,
        }


def test_references_with_a_cycle_and_a_self_reference(source: SourceEngine) -> None:
    key = Column("id", types.INT, nullable=False)
    parent = Column("parent", types.INT)

    def reference(table: str) -> str:
        return f"FOREIGN KEY ({source.quote('parent')}) REFERENCES {source.quote(table)} ({source.quote('id')})"

    source.create(Table("tree", (key, parent), ("id",)), reference("tree"))
    forward = "forward references" not in source.gaps
    source.create(Table("egg", (key, parent), ("id",)), *([reference("hen")] if forward else []))
    source.create(Table("hen", (key, parent), ("id",)), reference("egg"))
    if not forward:
        source.execute(f"ALTER TABLE {source.quote('egg')} ADD {reference('hen')}")
    with source.open().snapshot() as snapshot:
        found = {table.name: table.references for table in snapshot.tables()}
    assert found == {"tree": ("tree",), "egg": ("hen",), "hen": ("egg",)}


def test_foreign_keys_name_their_columns_in_order(source: SourceEngine) -> None:
    first, second = (Column(name, types.INT, nullable=False) for name in ("a", "b"))
    q = source.quote
    source.create(Table("pair", (first, second), ("b", "a")))
    source.create(Table("single", (first,), ("a",)))
    source.create(
        Table("child", (Column("x", types.INT), Column("y", types.INT)), ()),
        f"FOREIGN KEY ({q('x')}, {q('y')}) REFERENCES {q('pair')} ({q('b')}, {q('a')})",
        f"FOREIGN KEY ({q('y')}) REFERENCES {q('single')} ({q('a')})",
        f"FOREIGN KEY ({q('x')}) REFERENCES {q('single')} ({q('a')})",
    )
    with source.open().snapshot() as snapshot:
        found = {table.name: set(table.foreign_keys) for table in snapshot.tables()}
    assert found["child"] == {
        ForeignKey(("x", "y"), "pair", ("b", "a")),
        ForeignKey(("y",), "single", ("a",)),
        ForeignKey(("x",), "single", ("a",)),
    }
    assert found["pair"] == set()


def test_a_view_is_a_table_without_a_key(source: SourceEngine) -> None:
    source.create(ITEMS)
    source.insert(ITEMS, [(1, "x", _at(1)), (2, "y", _at(2))])
    source.execute(f"CREATE VIEW recent AS SELECT * FROM {source.quote('items')} WHERE {source.quote('id')} > 1")
    with source.open().snapshot() as snapshot:
        view = _reflected(snapshot, "recent")
        assert [column.name for column in view.columns] == ["id", "name", "updated_at"]
        assert view.key == ()
        assert _read(snapshot, view) == [(2, "y", _at(2))]


def test_generated_columns_are_data(source: SourceEngine) -> None:
    source.execute(
        f"CREATE TABLE t (id INTEGER PRIMARY KEY, price INTEGER, doubled {source.computed.format('price * 2')})"
    )
    source.execute("INSERT INTO t (id, price) VALUES (1, 21)")
    with source.open().snapshot() as snapshot:
        table = _reflected(snapshot, "t")
        assert [column.name for column in table.columns] == ["id", "price", "doubled"]
        assert _read(snapshot, table) == [(1, 21, 42)]


def test_init_of_a_database_without_tables_says_so(source: SourceEngine, tmp_path: Path) -> None:
    done = call_etl(tmp_path, "init", "--source", source.url)
    assert_one_clear_error(done, 3, "shows this user no table", "check the database in the URL")
    assert not (tmp_path / "etl.toml").exists()


# --- windows --------------------------------------------------------------------------------------


def test_a_window_takes_ties_and_rows_without_a_cursor(source: SourceEngine) -> None:
    source.create(ITEMS)
    rows = [(1, "old", _at(1)), (2, "tie", _at(2)), (3, "tie too", _at(2)), (4, "new", _at(3)), (5, "none", None)]
    source.insert(ITEMS, rows[:3])
    with source.open().snapshot() as snapshot:
        low = snapshot.reach(ITEMS).fence
    assert low is not None
    source.insert(ITEMS, rows[3:])
    with source.open().snapshot() as snapshot:
        assert _read(snapshot, ITEMS, Window("updated_at", low)) == rows[1:]


def test_the_fence_is_the_highest_value_and_a_far_future_does_not_blind_it(source: SourceEngine) -> None:
    source.create(ITEMS)
    source.insert(ITEMS, [(1, "a", _at(1)), (2, "b", _at(2))])
    with source.open().snapshot() as snapshot:
        usual = snapshot.reach(ITEMS)
    assert usual.fence == usual.seen
    source.insert(ITEMS, [(3, "typing error", datetime(2099, 1, 1))])
    with source.open().snapshot() as snapshot:
        reach = snapshot.reach(ITEMS)
        assert reach.fence == usual.fence
        assert reach.seen is not None
        assert reach.seen.startswith("2099")
    source.insert(ITEMS, [(4, "later", datetime.now() - timedelta(hours=1))])
    with source.open().snapshot() as snapshot:
        assert [row[0] for row in _read(snapshot, ITEMS, Window("updated_at", reach.fence or ""))] == [2, 3, 4]


def test_only_future_rows_leave_no_fence(source: SourceEngine) -> None:
    source.create(ITEMS)
    source.insert(ITEMS, [(1, "a", datetime(2099, 1, 1))])
    with source.open().snapshot() as snapshot:
        assert snapshot.reach(ITEMS).fence is None


def test_a_window_over_an_integer_cursor_is_numeric(source: SourceEngine) -> None:
    table = Table(
        "t", (Column("id", types.INT, False), Column("v", types.INT)), ("id",), Cursor(CursorKind.UPDATED_AT, "v")
    )
    source.create(table)
    source.insert(table, [(1, 9), (2, 10), (3, 100)])
    with source.open().snapshot() as snapshot:
        assert snapshot.reach(table).fence == "100"
        assert _read(snapshot, table, Window("v", "10")) == [(2, 10), (3, 100)]


# --- rows by key ----------------------------------------------------------------------------------

KEYS: list[tuple[LogicalType, list[Any], Any]] = [
    (types.INT, [1, 2, -(2**63), 2**63 - 1], 77),
    (types.STRING, ["a", "A", "a ", "é", "e\u0301", "", "'\"", "🙂", NUL, "1", "long " * 1000], "b"),
    (types.DATE, [date(2024, 1, 1), date(1, 1, 1)], date(2024, 1, 2)),
    (types.DATETIME, [_at(1), _at(2)], _at(3)),
    (
        types.decimal(20, 4),
        [Decimal("1.1000"), Decimal("-1.1000"), Decimal("1234567890123456.7891")],
        Decimal("1.1001"),
    ),
    (types.UUID, ["0f0e0d0c-0b0a-4908-8706-050403020100"], "0f0e0d0c-0b0a-4908-8706-0504030201ff"),
]


@pytest.mark.parametrize(("type_", "values", "unknown"), KEYS, ids=[str(key[0]) for key in KEYS])
def test_rows_are_read_by_key(source: SourceEngine, type_: LogicalType, values: list[Any], unknown: Any) -> None:
    table = Table("t", (Column("k", type_, nullable=False), Column("v", types.STRING)), ("k",))
    values = [value for value in values if not _beyond(source, value)]
    source.create(table)
    source.insert(table, [(value, f"row {i}") for i, value in enumerate(values)])
    assert _read_keys(source, table, [(unknown,)]) == []
    for i, value in enumerate(values):
        assert _read_keys(source, table, [(value,), (unknown,)]) == [(value, f"row {i}")]
    assert len(_read_keys(source, table, [(value,) for value in values])) == len(values)


def test_rows_are_read_by_composite_key(source: SourceEngine) -> None:
    columns = (Column("v", types.STRING), Column("b", types.STRING, False), Column("a", types.INT, False))
    table = Table("t", columns, ("a", "b"))
    source.create(table)
    source.insert(table, [("p", "x", 1), ("q", "y", 1), ("r", "x", 2), ("s", "y", 2)])
    assert _read_keys(source, table, [(1, "y"), (2, "x"), (3, "x")]) == [("q", "y", 1), ("r", "x", 2)]


def test_many_keys_at_once(source: SourceEngine) -> None:
    source.create(ITEMS)
    source.insert(ITEMS, ((i, f"row {i}", _at(1)) for i in range(30_000)))
    found = _read_keys(source, ITEMS, [(i,) for i in range(0, 60_000, 2)])
    assert sorted(row[0] for row in found) == list(range(0, 30_000, 2))


# --- snapshots ------------------------------------------------------------------------------------


def test_a_snapshot_does_not_see_what_is_committed_beside_it(source: SourceEngine) -> None:
    source.create(ITEMS)
    source.insert(ITEMS, [(1, "before", _at(1)), (2, "before", _at(1))])
    items = source.quote("items")
    with source.open().snapshot() as snapshot:
        objection = source.execute_elsewhere(
            f"UPDATE {items} SET name = 'after' WHERE id = 1",
            f"DELETE FROM {items} WHERE id = 2",
            f"INSERT INTO {items} (id, name, updated_at) VALUES (3, 'after', '2024-01-02 00:00:00')",
            *([] if "ddl beside" in source.gaps else [f"ALTER TABLE {items} ADD COLUMN later INTEGER"]),
        )
        assert objection == ""
        assert _reflected(snapshot, "items") == ITEMS
        assert snapshot.count(ITEMS) == 2
        assert _read(snapshot, ITEMS) == [(1, "before", _at(1)), (2, "before", _at(1))]
        assert len(_read(snapshot, ITEMS)) == 2
    with source.open().snapshot() as snapshot:
        assert [row[:2] for row in _read(snapshot, ITEMS)] == [(1, "after"), (3, "after")]


def test_reading_changes_nothing_in_the_source(source: SourceEngine) -> None:
    source.create(ITEMS)
    source.insert(ITEMS, [(1, "a", _at(1))])
    before = source.rows(source.quote("items"), ["id", "name", "updated_at"])
    with source.open().snapshot() as snapshot:
        for table in snapshot.tables():
            _read(snapshot, table)
    assert source.rows(source.quote("items"), ["id", "name", "updated_at"]) == before
    assert source.execute_elsewhere(f"DELETE FROM {source.quote('items')}") == ""


def test_its_identity_is_that_of_the_database(source: SourceEngine) -> None:
    assert source.open().identity == source.open().identity
