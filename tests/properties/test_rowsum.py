"""The rowsum: the same for any order and any split of the rows, another for any other set of rows."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterable
from decimal import Decimal
from importlib.resources import files
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.scratch import Scratch
from etl.verify.rowsum import StreamSide, Totals
from schemas import types
from schemas.table import Column, Table

TABLE = Table(
    "t",
    (
        Column("id", types.INT),
        Column("text", types.STRING),
        Column("amount", types.decimal(12, 2)),
        Column("ratio", types.FLOAT),
        Column("flag", types.BOOL),
        Column("data", types.BYTES),
    ),
    key=("id",),
)
Row = tuple[Any, ...]

rows = st.tuples(
    st.integers(-(2**63), 2**63 - 1),
    st.none() | st.text(st.characters(codec="utf-8"), max_size=8),
    st.none() | st.decimals(min_value=-9_999_999_999, max_value=9_999_999_999, places=2),
    st.none() | st.floats(),
    st.none() | st.booleans(),
    st.none() | st.binary(max_size=6),
)


def batch(some: Iterable[Row], table: Table = TABLE) -> pa.Table:
    columns = list(zip(*some, strict=True)) or [()] * len(table.columns)
    return pa.table(
        [pa.array(values, c.type.arrow) for values, c in zip(columns, table.columns, strict=True)], schema=table.arrow
    )


def totals(chunks: Iterable[pa.Table], table: Table = TABLE) -> Totals:
    scratch = Scratch()
    try:
        side = StreamSide(scratch, table, lambda: iter(()), lambda _keys: iter(()))
        for chunk in chunks:
            side.add(chunk)
        return side.totals()
    finally:
        scratch.close()


@settings(max_examples=40, deadline=None)
@given(st.lists(rows, max_size=30), st.randoms(use_true_random=False), st.integers(0, 30))
def test_order_and_split_do_not_matter(some: list[Row], random: Any, cut: int) -> None:
    shuffled = random.sample(some, len(some))
    assert totals([batch(some)]) == totals([batch(shuffled[:cut]), batch(shuffled[cut:])])


@settings(max_examples=40, deadline=None)
@given(st.lists(rows, min_size=1, max_size=20), st.data())
def test_any_changed_cell_shows(some: list[Row], data: st.DataObject) -> None:
    i = data.draw(st.integers(0, len(some) - 1), "row")
    j = data.draw(st.integers(0, len(TABLE.columns) - 1), "column")
    value = data.draw(rows, "new row")[j]
    changed = [*some]
    changed[i] = (*some[i][:j], value, *some[i][j + 1 :])
    same = _identical(some[i][j], value)
    assert (totals([batch(some)]) == totals([batch(changed)])) is same


def _identical(one: Any, other: Any) -> bool:
    """The same value to the last bit, all NaNs being one."""
    if isinstance(one, float) and isinstance(other, float):
        return one.hex() == other.hex()
    return type(one) is type(other) and one == other


PAIRS = {
    "joined cells: ('ab','c') and ('a','bc')": ([("ab", "c")], [("a", "bc")]),
    "XOR pairs: {a,a,c} and {b,b,c}": ([("a", ""), ("a", ""), ("c", "")], [("b", ""), ("b", ""), ("c", "")]),
    "a null word: NULL and '~'": ([(None, "x")], [("~", "x")]),
    "NULL and empty": ([(None, "x")], [("", "x")]),
    "NULL in the other column": ([(None, "")], [("", None)]),
    "a trailing blank": ([("a ", "x")], [("a", "x")]),
    "separators inside": ([("1:a,", "b")], [("1:a", ",b")]),
    "precomposed and combining": ([("\u00e9", "x")], [("e\u0301", "x")]),
    "letter case": ([("A", "x")], [("a", "x")]),
    "a row and none": ([("a", "x")], []),
    "a doubled row": ([("a", "x")], [("a", "x"), ("a", "x")]),
    "values that changed rows": ([("a", "x"), ("b", "y")], [("a", "y"), ("b", "x")]),
}


@pytest.mark.parametrize("name", PAIRS)
def test_pairs_that_fool_other_tools_differ(name: str) -> None:
    table = Table("pair", (Column("a", types.STRING), Column("b", types.STRING)))
    one, other = (totals([batch(some, table)], table) for some in PAIRS[name])
    assert one != other
    assert one.digest != other.digest


def test_the_worked_example_comes_out_to_the_digit() -> None:
    example = json.loads((files("etl.verify") / "vectors.json").read_text("utf-8"))["row_example"]
    table = Table(
        "example",
        (
            Column("i", types.INT),
            Column("d", types.decimal(18, 2)),
            Column("s", types.STRING),
            Column("t", types.DATETIME),
            Column("f", types.FLOAT),
        ),
        key=("i",),
    )
    decoded = [_decoded(item["row"]) for item in example["rows"]]
    assert totals([batch(decoded, table)], table) == Totals(example["table"][0], tuple(example["table"][1:]))


def _decoded(text: str) -> Row:
    """The values of a row's text, read back cell by cell: the text is decodable, hence injective."""
    readers: list[Callable[[str], tuple[Any, str]]] = [_plain, _plain, _framed, _plain, _plain]
    rest, raw = text.removeprefix("rowsum1|"), []
    for read in readers:
        value, rest = read(rest)
        raw.append(value)
    i, d, s, t, f = raw
    return (
        int(i),
        d and Decimal(d),
        s,
        t and pa.scalar(int(t), pa.timestamp("us")).as_py(),
        f and struct.unpack(">d", bytes.fromhex(f))[0],
    )


def _plain(text: str) -> tuple[str | None, str]:
    cell, _, rest = text.partition(",")
    return (None if cell == "~" else cell), rest


def _framed(text: str) -> tuple[str | None, str]:
    if text.startswith("~,"):
        return None, text[2:]
    length, _, rest = text.partition(":")
    data = rest.encode()
    return data[: int(length)].decode(), data[int(length) + 1 :].decode()
