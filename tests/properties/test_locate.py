"""Locating: whatever is planted is found, named exactly, and nothing is invented."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.located import Row, arrow, located_and_described

from etl.scratch import Scratch
from etl.verify.differences import DifferenceKind
from etl.verify.locate import Located, locate
from etl.verify.rowsum import StreamSide
from schemas import types
from schemas.table import Column, Table
from schemas.types import LogicalType


def table_of(key_types: dict[str, LogicalType], *, keyed: bool = True) -> Table:
    columns = [Column(name, type_) for name, type_ in key_types.items()]
    return Table("t", (*columns, Column("v", types.STRING)), key=tuple(key_types) if keyed else ())


def expected(table: Table, source: list[Row], warehouse: list[Row]) -> dict[Row, DifferenceKind]:
    """By the definition: keys whose multisets of rows differ, and which side has more."""
    n = len(table.key)
    keys = {row[:n] for row in (*source, *warehouse)}
    found = {}
    for key in keys:
        ours, theirs = (Counter(row for row in rows if row[:n] == key) for rows in (source, warehouse))
        more, less = ours - theirs, theirs - ours
        if more or less:
            kind = DifferenceKind.CHANGED if more and less else DifferenceKind.MISSING if more else DifferenceKind.EXTRA
            found[key] = kind
    return found


KEYS: dict[str, tuple[dict[str, LogicalType], st.SearchStrategy[Row]]] = {
    "integer": ({"a": types.INT}, st.tuples(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 20))),
    "two integers": ({"a": types.INT, "b": types.INT}, st.tuples(st.integers(0, 5), st.integers(-3, 3))),
    "string": ({"a": types.STRING}, st.tuples(st.sampled_from(["", " ", "a", "a ", "é", "e\u0301", "🦆"]))),
    "uuid": ({"a": types.UUID}, st.tuples(st.uuids().map(str))),
    "date": ({"a": types.DATE}, st.tuples(st.dates())),
    "decimal": ({"a": types.decimal(9, 3)}, st.tuples(st.decimals(-99, 99, places=3))),
    "mixed": ({"a": types.INT, "b": types.STRING}, st.tuples(st.integers(0, 3), st.sampled_from("xyz"))),
}


@pytest.mark.parametrize("name", KEYS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_every_planted_difference_is_named_and_no_other(name: str, data: st.DataObject) -> None:
    key_types, keys = KEYS[name]
    table = table_of(key_types)
    values = st.sampled_from([None, "", "x", "y"])
    row = st.tuples(keys, values).map(lambda pair: (*pair[0], pair[1]))
    source = data.draw(st.lists(row, max_size=12, unique_by=lambda r: r[:-1]), "source")
    kept = [r for r in source if data.draw(st.integers(0, 3)) > 0]
    warehouse = kept + data.draw(st.lists(row | st.sampled_from(source or [None]).filter(bool), max_size=4), "planted")
    if Counter(source) == Counter(warehouse):
        return
    _, differences = located_and_described(table, arrow(table, source), arrow(table, warehouse))
    typed = {_as_text(table, key): kind for key, kind in expected(table, source, warehouse).items()}
    assert {tuple(d.key.values()): d.kind for d in differences} == typed


def _as_text(table: Table, key: Row) -> Row:
    return tuple(str(value) for value in key)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["a", "b", None]), max_size=8), st.lists(st.sampled_from(["a", "b", None]), max_size=8))
def test_tables_without_a_key_are_compared_as_multisets(source: list[Any], warehouse: list[Any]) -> None:
    table = table_of({}, keyed=False)
    ours, theirs = Counter(source), Counter(warehouse)
    if ours == theirs:
        return
    rows = [[(value,) for value in some] for some in (source, warehouse)]
    _, differences = located_and_described(table, *(arrow(table, some) for some in rows))
    surplus = {
        (d.columns[0].source if d.kind is DifferenceKind.MISSING else d.columns[0].warehouse): d.source_rows
        - d.warehouse_rows
        for d in differences
    }
    assert surplus == {value: ours[value] - theirs[value] for value in {*ours, *theirs} if ours[value] != theirs[value]}


# --- at scale -------------------------------------------------------------------------------

MILLION = 1_000_000


def big(ids: np.ndarray[Any, Any], values: np.ndarray[Any, Any], table: Table) -> pa.Table:
    return pa.table([pa.array(ids), pa.array(values).cast(pa.string())], schema=table.arrow)


class BigSide(StreamSide):
    """A side over sorted integer ids that finds keys quickly."""

    @classmethod
    def over(cls, scratch: Scratch, table: Table, rows: pa.Table) -> StreamSide:
        ids = rows["a"].to_numpy()

        def by_key(keys: pa.Table) -> list[pa.RecordBatch]:
            wanted = np.asarray(keys["a"].to_numpy())
            return rows.filter(pa.array(np.isin(ids, wanted))).to_batches()

        return cls(scratch, table, rows.to_batches, by_key).add_all()


def locate_big(source: pa.Table, warehouse: pa.Table, table: Table) -> Located:
    scratch = Scratch()
    try:
        return locate(scratch, table, BigSide.over(scratch, table, source), BigSide.over(scratch, table, warehouse))
    finally:
        scratch.close()


def surplus_ids(located: Located, sign: int) -> list[int]:
    rows = located.rows.to_pydict()
    return sorted(key for key, surplus in zip(rows["a"], rows["etl_surplus"], strict=True) if surplus == sign)


def test_thirty_thousand_updates_in_a_million_rows_are_all_found() -> None:
    table = table_of({"a": types.INT})
    ids = np.arange(MILLION)
    values = ids * 7
    changed = np.random.default_rng(1).choice(MILLION, 30_000, replace=False)
    other = values.copy()
    other[changed] += 1
    located = locate_big(big(ids, values, table), big(ids, other, table), table)
    assert surplus_ids(located, 1) == surplus_ids(located, -1) == sorted(changed.tolist())


def test_ten_thousand_missing_and_as_many_extra_rows_are_all_found() -> None:
    table = table_of({"a": types.INT})
    ids = np.arange(MILLION)
    missing = np.random.default_rng(2).choice(MILLION, 10_000, replace=False)
    kept = np.delete(ids, missing)
    extra = np.arange(MILLION, MILLION + 10_000)
    theirs = np.concatenate([kept, extra])
    located = locate_big(big(ids, ids, table), big(theirs, theirs, table), table)
    assert surplus_ids(located, 1) == sorted(missing.tolist())
    assert surplus_ids(located, -1) == extra.tolist()


def test_ten_differences_in_a_million_fetch_fewer_than_a_hundred_rows() -> None:
    table = table_of({"a": types.INT})
    ids = np.arange(MILLION)
    other = ids.copy()
    other[::100_000] += 1
    located = locate_big(big(ids, ids, table), big(ids, other, table), table)
    assert surplus_ids(located, 1) == ids[::100_000].tolist()
    assert located.fetched < 100
