"""What every warehouse promises: all of a commit or nothing, whatever the names and values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from support.values import NUL, ODD, arriving, canonical, within
from support.warehouses import WarehouseEngine, table_rows

from etl.errors import LostRaceError, WarehouseError
from etl.verify.proof import EngineProof
from etl.warehouses.base import LOST_RACE, Warehouse
from schemas import types
from schemas.table import Column, Table
from schemas.types import LogicalType

T = Table("t", (Column("id", types.INT, False), Column("name", types.STRING), Column("n", types.INT)), ("id",))
ODD_NAMES = ('quo"te', "two words", "[brackets]", "semi;colon", "select", "naïve 表 🙂", "it's", "dot.ted", "1st")


@pytest.fixture
def opened(warehouse: WarehouseEngine) -> Iterator[Warehouse]:
    with warehouse.opened() as opened:
        yield opened


def _batch(table: Table, *rows: tuple[Any, ...]) -> pa.RecordBatch:
    columns = zip(zip(*rows, strict=True), table.arrow.types, strict=True)
    return pa.RecordBatch.from_arrays([pa.array(*column) for column in columns], schema=table.arrow)


def _fill(opened: Warehouse, table: Table, *rows: tuple[Any, ...], name: str = "") -> str:
    """Create a raw table with rows; returns its quoted name."""
    opened.create(name or table.name, {column.name: opened.dialect.ddl(column.type) for column in table.columns})
    assert opened.append(name or table.name, table, [_batch(table, *rows)] if rows else []) == len(rows)
    opened.flush(name or table.name)
    return opened.relation("raw", name or table.name)


def _read(opened: Warehouse, table: Table) -> list[tuple[Any, ...]]:
    batches = list(opened.read(table))
    assert all(batch.schema == table.arrow for batch in batches)
    return sorted((tuple(row.values()) for batch in batches for row in batch.to_pylist()), key=repr)


# --- values and names -----------------------------------------------------------------------------


@pytest.mark.parametrize("type_", ODD, ids=str)
def test_every_value_is_given_back_exactly(warehouse: WarehouseEngine, opened: Warehouse, type_: LogicalType) -> None:
    table = Table("t", (Column("id", types.INT), Column("v", type_)))
    odd = within(warehouse.gaps, ODD[type_])
    values = [*(value.lower() if type_ == types.UUID else value for value in odd), None]
    _fill(opened, table, *enumerate(values))
    found = dict(_read(opened, table))
    assert [canonical(found[i]) for i in range(len(values))] == [arriving(value, type_) for value in values]


def test_what_its_catalog_calls_a_type_is_known(opened: Warehouse) -> None:
    table = Table("t", tuple(Column(f"c{i}", type_) for i, type_ in enumerate(ODD)))
    _fill(opened, table)
    expected = {column.name: opened.dialect.catalog_type(column.type) for column in table.columns}
    assert opened.columns("raw", "t") == expected


def test_it_passes_the_vectors_of_every_type(warehouse: WarehouseEngine, opened: Warehouse) -> None:
    large = [LogicalType(kind.kind, large=True) for kind in (types.STRING, types.BYTES)]
    table = Table("t", tuple(Column(str(t), t) for t in (*ODD, types.CHAR, *large)))
    assert {str(type_) for type_ in EngineProof(opened, opened.dialect).failures(table)} == set(warehouse.unproven)


@pytest.mark.parametrize("name", ODD_NAMES)
def test_any_name_is_taken_literally(warehouse: WarehouseEngine, opened: Warehouse, name: str) -> None:
    table = Table(name, (Column(name, types.INT, False), Column(f"{name} 2", types.STRING)), (name,))
    if warehouse.refuses(name):
        with pytest.raises(WarehouseError, match="BigQuery has no"):
            _fill(opened, table)
        assert opened.tables("raw") == []
        return
    target = _fill(opened, table, (1, "a"), (2, "b"))
    staged = _fill(opened, table, (2, "B"), (3, "C"), name=f"staged {name}")
    names = [column.name for column in table.columns]
    opened.commit([opened.dialect.merge(target, staged, names, table.key)])
    opened.alter([opened.dialect.add_column(target, f"{name} 3", opened.dialect.ddl(types.INT))])
    opened.alter([opened.dialect.rename_column(target, f"{name} 3", f"{name} 4")])
    assert list(opened.columns("raw", name)) == [*names, f"{name} 4"]
    assert _read(opened, table) == [(1, "a"), (2, "B"), (3, "C")]
    assert opened.read_keys(table, pa.table({name: [3]})).to_pylist() == [{name: 3, f"{name} 2": "C"}]
    opened.drop(name)
    assert opened.tables("raw") == [f"staged {name}"]


def test_text_as_a_literal_is_that_text(opened: Warehouse) -> None:
    for text in ODD[types.STRING]:
        assert opened.query(f"SELECT {opened.dialect.string(text)} AS v")["v"].to_pylist() == [text]
    assert NUL in ODD[types.STRING]


# --- commits --------------------------------------------------------------------------------------


def test_a_commit_takes_effect_and_stays(warehouse: WarehouseEngine) -> None:
    with warehouse.opened() as opened:
        target = _fill(opened, T, (1, "a", 1))
        opened.commit([f"INSERT INTO {target} VALUES (2, 'b', 2)", f"DELETE FROM {target} WHERE id = 1"])
    assert warehouse.rows("t") == [(2, "b", 2)]


@pytest.mark.parametrize("wrong", ["SELECT 1 FROM nowhere", "INSERT INTO {t} VALUES ('text', 'b', 2)", "not SQL"])
def test_a_statement_that_fails_leaves_nothing(opened: Warehouse, wrong: str) -> None:
    target = _fill(opened, T, (1, "a", 1))
    with pytest.raises(WarehouseError):
        opened.commit([f"DELETE FROM {target} WHERE TRUE", wrong.format(t=target)])
    assert _read(opened, T) == [(1, "a", 1)]
    opened.commit([f"INSERT INTO {target} VALUES (2, 'b', 2)"])
    assert len(_read(opened, T)) == 2


def test_an_assertion_that_holds_does_nothing(opened: Warehouse) -> None:
    target = _fill(opened, T, (1, "a", 1))
    held = opened.dialect.assertion(f"(SELECT COUNT(*) FROM {target}) = 1", LOST_RACE)
    opened.commit([held, f"DELETE FROM {target} WHERE TRUE"])
    assert _read(opened, T) == []


def test_an_assertion_that_fails_is_a_lost_race_and_nothing_is_written(opened: Warehouse) -> None:
    target = _fill(opened, T, (1, "a", 1))
    for condition in (f"(SELECT COUNT(*) FROM {target}) = 2", f"(SELECT MAX(n) FROM {target} WHERE id = 7) = 1"):
        with pytest.raises(LostRaceError, match="another run"):
            opened.commit([f"DELETE FROM {target} WHERE TRUE", opened.dialect.assertion(condition, LOST_RACE)])
        assert _read(opened, T) == [(1, "a", 1)]


def test_an_interrupt_leaves_nothing(opened: Warehouse) -> None:
    target = _fill(opened, T, (1, "a", 1))

    class Interrupting(list[str]):
        def __iter__(self) -> Iterator[str]:
            yield f"DELETE FROM {target} WHERE TRUE"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        opened.commit(Interrupting())
    assert _read(opened, T) == [(1, "a", 1)]


# --- loading --------------------------------------------------------------------------------------


def test_creating_replaces_and_appending_adds(opened: Warehouse) -> None:
    _fill(opened, T, (1, "a", 1))
    _fill(opened, T, (2, "b", 2))
    assert opened.append("t", T, [_batch(T, (3, "c", 3)), _batch(T, (4, None, None), (5, "", 0))]) == 3
    opened.flush("t")
    assert [row[0] for row in _read(opened, T)] == [2, 3, 4, 5]


def test_columns_are_appended_by_name(opened: Warehouse) -> None:
    integer, text = (opened.dialect.ddl(type_) for type_ in (types.INT, types.STRING))
    opened.create("t", {"n": integer, "more": integer, "id": integer, "name": text})
    opened.append("t", T, [_batch(T, (1, "a", 7))])
    opened.flush("t")
    assert opened.query(f"SELECT * FROM {opened.relation('raw', 't')}").to_pylist() == [
        {"n": 7, "more": None, "id": 1, "name": "a"}
    ]


def _merge(opened: Warehouse, *rows: tuple[Any, ...]) -> None:
    _fill(opened, T, *rows, name="staged")
    opened.commit([opened.merge(T, "staged")])


def test_a_merge_updates_inserts_and_keeps_the_rest(opened: Warehouse) -> None:
    _fill(opened, T, (1, "kept", 1), (2, "old", 2), (3, "to null", 3))
    _merge(opened, (2, "new", 20), (3, None, None), (4, "added", 4))
    assert _read(opened, T) == [(1, "kept", 1), (2, "new", 20), (3, None, None), (4, "added", 4)]


def test_a_merge_replayed_changes_nothing(opened: Warehouse) -> None:
    _fill(opened, T, (1, "a", 1), (2, "b", 2))
    for _ in range(3):
        _merge(opened, (2, "new", 20), (3, "added", 3))
        assert _read(opened, T) == [(1, "a", 1), (2, "new", 20), (3, "added", 3)]


def test_a_merge_of_nothing_and_into_nothing(opened: Warehouse) -> None:
    _fill(opened, T)
    _merge(opened)
    assert _read(opened, T) == []
    _merge(opened, (1, "a", 1))
    assert _read(opened, T) == [(1, "a", 1)]


def test_a_merge_by_all_columns_inserts_only_what_is_new(opened: Warehouse) -> None:
    pair = Table("t", (Column("a", types.INT, False), Column("b", types.STRING, False)), ("b", "a"))
    target = _fill(opened, pair, (1, "x"), (1, "y"))
    staged = _fill(opened, pair, (1, "y"), (2, "x"), name="staged")
    opened.commit([opened.dialect.merge(target, staged, ["a", "b"], pair.key)])
    assert _read(opened, pair) == [(1, "x"), (1, "y"), (2, "x")]


def test_keys_that_are_not_unique_are_said_to_be_so(opened: Warehouse) -> None:
    _fill(opened, T, (1, "a", 1))
    with pytest.raises(WarehouseError, match="same key"):
        _merge(opened, (1, "b", 1), (1, "c", 1))
    assert _read(opened, T) == [(1, "a", 1)]


def test_delete_matching_deletes_every_row_of_a_key(opened: Warehouse) -> None:
    target = _fill(opened, T, (1, "a", 1), (2, "b", 2), (2, "b", 2), (3, "c", 3))
    keys = _fill(opened, Table("keys", T.columns[:1]), (2,), (2,), (9,))
    opened.commit([opened.dialect.delete_matching(target, keys, T.key)])
    assert _read(opened, T) == [(1, "a", 1), (3, "c", 3)]


def test_delete_hashed_deletes_the_very_rows(opened: Warehouse) -> None:
    dialect = opened.dialect
    target = _fill(opened, T, (1, "a", 1), (1, "a", 1), (1, "a", None), (1, "A", 1))
    one = _fill(opened, Table("one", T.columns), (1, "a", 1))
    words = dialect.temporary("words")
    opened.run(dialect.create_temporary(words, dialect.hashes(T.columns, [], one)))
    opened.commit([dialect.delete_hashed(target, words, T.columns)])
    assert _read(opened, T) == [(1, "A", 1), (1, "a", None)]


@pytest.mark.parametrize("type_", [t for t in ODD if t != types.JSON], ids=str)
def test_rows_are_read_by_a_key_of_any_type(warehouse: WarehouseEngine, opened: Warehouse, type_: LogicalType) -> None:
    table = Table("t", (Column("k", type_, False), Column("v", types.INT)), ("k",))
    odd = [value for value in within(warehouse.gaps, ODD[type_]) if canonical(value) != canonical(-0.0)]
    values = [value.lower() if type_ == types.UUID else value for value in odd]
    _fill(opened, table, *((value, i) for i, value in enumerate(values)))
    assert opened.read_keys(table, table.arrow.empty_table().select(["k"])).num_rows == 0
    for i, value in enumerate(values if len(values) < 6 else [*values[:3], *values[-3:]]):
        found = opened.read_keys(table, pa.table({"k": pa.array([value], type_.arrow)}))
        assert found.schema == table.arrow
        assert [values[n] for n in found["v"].to_pylist()] == [value], i


def test_rows_are_read_by_composite_key(opened: Warehouse) -> None:
    table = Table(
        "t", (Column("v", types.INT), Column("b", types.STRING, False), Column("a", types.INT, False)), ("a", "b")
    )
    _fill(opened, table, (1, "x", 1), (2, "y", 1), (3, "x", 2), (3, "x", 2))
    found = opened.read_keys(table, pa.table({"a": [1, 2, 3], "b": ["y", "x", "x"]}))
    assert sorted(found["v"].to_pylist()) == [2, 3, 3]


def test_tables_and_columns_of_what_is_not_there(opened: Warehouse) -> None:
    assert opened.tables("raw") == []
    assert opened.columns("raw", "t") == {}
    opened.drop("t")
    with pytest.raises(WarehouseError, match="t"):
        opened.query(f"SELECT * FROM {opened.relation('raw', 't')}")


def test_rooms_are_apart(opened: Warehouse) -> None:
    _fill(opened, T, (1, "a", 1))
    opened.alter([opened.dialect.create_as(opened.relation("marts", "t"), "SELECT 2 AS id")])
    assert table_rows(opened, "t") == [(1, "a", 1)]
    assert table_rows(opened, "t", "marts") == [(2,)]
    assert list(opened.columns("marts", "t")) == ["id"]
    assert opened.tables("etl") == []


def test_values_are_bound_not_pasted(opened: Warehouse) -> None:
    _fill(opened, T, (1, "a", 1))
    found = opened.query(f"SELECT id FROM {opened.relation('raw', 't')} WHERE name = ?", ["a' OR '1'='1"])
    assert found.num_rows == 0
