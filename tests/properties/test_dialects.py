"""The dialects' texts, run by their engines, against the encoding in plain Python.

DuckDB itself, the reference implementation of GoogleSQL, a real PostgreSQL server and the SQL Server
that ``ETL_TEST_MSSQL_URL`` names agree on every value that they hold, on the words of every row and on
the bucket sums of small tables.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import reference
from support.engines import ArrowEngine, DuckDb, GoogleSql, Judged
from support.generated import BATCH, LARGE_STRING, SLOW_ENGINES, VALUES, batches, decimals, widened

from etl.verify.proof import EngineProof
from etl.verify.vectors import Vector, vectors
from schemas import types
from schemas.table import Column, Table
from schemas.types import LogicalType


def test_the_reference_renders_the_vectors() -> None:
    assert [reference.cell(vector.value, vector.type) for vector in vectors()] == [v.cell for v in vectors()]


def test_vectors(judged: Judged) -> None:
    alike: dict[LogicalType, list[Vector]] = defaultdict(list)
    for vector in vectors():
        if judged.has(vector.value) and not judged.lacks(vector.type):
            alike[vector.type].append(vector)
    for type_, some in alike.items():
        values = [vector.value for vector in some]
        assert judged.cells(values, type_, widened(type_, values)) == [vector.cell for vector in some]


def test_engines_prove_themselves(judged: Judged) -> None:
    judged.needs(*VALUES)
    columns = tuple(Column(str(type_), type_) for type_ in VALUES)
    assert EngineProof(ArrowEngine(judged), judged.dialect).failures(Table("t", columns)) == []


@pytest.mark.parametrize("type_", VALUES, ids=str)
def test_any_value(judged: Judged, type_: LogicalType) -> None:
    judged.needs(type_)

    @SLOW_ENGINES
    @given(batches(VALUES[type_]))
    def agrees(values: list[Any]) -> None:
        assert_agrees(judged, values, type_)

    agrees()


def assert_agrees(judged: Judged, values: Sequence[Any], type_: LogicalType, stored: LogicalType | None = None) -> None:
    values = [value for value in values if judged.has(value)]
    got = judged.cells(values, type_, stored)
    expected = [reference.cell(value, type_) for value in values]
    assert [unequal for unequal in zip(values, got, expected, strict=True) if unequal[1] != unequal[2]] == []


@pytest.mark.parametrize("scale", [0, 2, 9])
def test_decimals_of_more_digits_than_their_scale(judged: Judged, scale: int) -> None:
    """Nothing is rounded away: what is finer than the scale is in the text."""

    @SLOW_ENGINES
    @given(st.lists(decimals(9, 28), min_size=BATCH, max_size=BATCH))
    def agrees(values: list[str]) -> None:
        assert_agrees(judged, values, types.decimal(38, scale), types.decimal(38, 9))

    agrees()


EDGES: dict[str, tuple[LogicalType, list[Any]]] = {
    "powers of two and their neighbours": (
        types.FLOAT,
        [
            math.copysign(near, sign)
            for power in [*range(-1074, 1021, 5), -1023, -1022, -1021, -1, 0, 1, 52, 53, 1022, 1023]
            for near in (2.0**power, math.nextafter(2.0**power, math.inf), math.nextafter(2.0**power, 0.0))
            for sign in (1, -1)
        ],
    ),
    "signed zeros, infinities and NaN": (types.FLOAT, [0.0, -0.0, math.inf, -math.inf, math.nan]),
    "combining against precomposed": (types.STRING, ["caf\u00e9", "cafe\u0301", "\u212b", "\u00c5"]),
    "NULL against empty": (types.STRING, [None, "", " ", "~", "~,", "0:,"]),
    "NULL against empty bytes": (types.BYTES, [None, b"", b"\0", b"~"]),
    "trailing space": (types.STRING, ["a", "a ", "a  ", "a\t", "a\u00a0"]),
    "trailing space of char(n)": (types.CHAR, ["a", "a ", "a\t ", "a\u00a0 ", " ", " a"]),
    "the last microsecond": (
        types.DATETIME,
        ["9999-12-31T23:59:59.999999", "9999-12-31T23:59:59.999998", "1969-12-31T23:59:59.999999"],
    ),
    "the last microsecond of a day": (
        types.TIME,
        ["23:59:59.999999", "23:59:59.999998", "00:00:00", "00:00:00.000001"],
    ),
    "one instant in many zones": (
        types.TIMESTAMP,
        ["2024-01-01T00:30:00.000001+14:00", "2023-12-31T10:30:00.000001+00:00", "2023-12-31T01:00:00.000001-09:30"],
    ),
    "the smallest step of a decimal": (
        types.decimal(38, 18),
        ["0.000000000000000001", "0.000000000000000002", "-0.000000000000000001", "0", "1", "1.000000000000000001"],
    ),
    "one digit past what a double holds": (types.INT, [2**53, 2**53 + 1, 2**63 - 1, 2**63 - 2, -(2**63)]),
}


@pytest.mark.parametrize("name", EDGES)
def test_edges(judged: Judged, name: str) -> None:
    type_, values = EDGES[name]
    judged.needs(type_)
    if not any(map(judged.has, values)):
        pytest.skip(f"{type(judged).__name__} has no such letters")
    assert_agrees(judged, values, type_)
    distinct = {reference.cell(value, type_) for value in values}
    told_apart = name not in ("trailing space of char(n)", "one instant in many zones")
    assert not told_apart or len(distinct) == len({repr(value) for value in values})


# Names that are also aliases, functions, keywords, or in need of quoting.
MIXED = (
    Column("k", types.INT),
    Column("hashed", types.INT),
    Column("select", types.STRING),
    Column("bucket", types.decimal(18, 2)),
    Column("n", types.FLOAT),
    Column("t", types.DATETIME),
    Column("s", types.BYTES),
    Column("a b", types.CHAR),
    Column("sum", types.BOOL),
    Column("d", types.DATE),
    Column("z", types.TIMESTAMP),
    Column("o'clock", types.TIME),
    Column("u", types.UUID),
    Column("long", LARGE_STRING),
)
MIXED_ROW = st.tuples(
    st.integers(-(2**63), 2**63 - 1),
    st.none() | st.integers(-5, 5),
    *(st.none() | VALUES[column.type] for column in MIXED[2:3]),
    st.none() | decimals(2, 18),
    *(st.none() | VALUES[column.type] for column in MIXED[4:]),
)


@settings(SLOW_ENGINES, max_examples=4)
@given(st.data())
def test_words_and_bucket_sums(judged: Judged, data: st.DataObject) -> None:
    rows = data.draw(st.lists(MIXED_ROW, min_size=1, max_size=8))
    rows += rows[:2]  # a doubled row counts twice
    places = [i for i, column in enumerate(MIXED) if not judged.lacks(column.type)]
    columns = [MIXED[i] for i in places]
    rows = [tuple(row[i] if judged.has(row[i]) else None for i in places) for row in rows]
    column_types = [column.type for column in columns]
    assert judged.words(columns, rows) == sorted(reference.words(reference.row(row, column_types)) for row in rows)
    summed = [row if row[1] is not None else (row[0], 0, *row[2:]) for row in rows]
    expected = reference.bucket_sums(summed, column_types, [1, 0])
    assert judged.bucket_sums(columns, (MIXED[1], MIXED[0]), summed) == [tuple(row) for row in expected]


def test_the_worked_example(judged: Judged) -> None:
    """The table of the encoding's specification, with its words and totals."""
    example = json.loads((files("etl.verify") / "vectors.json").read_text("utf-8"))["row_example"]
    columns = (
        Column("a", types.INT),
        Column("b", types.decimal(18, 2)),
        Column("c", types.STRING),
        Column("d", types.DATETIME),
        Column("e", types.FLOAT),
    )
    judged.needs(*(column.type for column in columns))
    rows = [
        (1, "10.00", "abc", "2024-01-01T00:00:00", 0.1),
        (2, "-0.05", "", "1969-12-31T23:59:59.999999", -0.0),
        (3, None, None, None, None),
        *[(4, "1234567890123456.78", "caf\u00e9 \U0001f600", "9999-12-31T23:59:59.999999", 1 / 3)] * 2,
    ]
    assert [reference.row(row, [c.type for c in columns]) for row in rows] == [r["row"] for r in example["rows"]]
    assert judged.words(columns, rows) == sorted(tuple(row["words"]) for row in example["rows"])
    sums = judged.bucket_sums(columns, columns[:1], rows)
    assert [sum(row[i] for row in sums) for i in range(1, 6)] == example["table"]


def test_keys_do_not_overflow_their_sum(judged: Judged) -> None:
    """Equal rows share a bucket, so a few of the largest keys are past 64 bits."""
    columns = (Column("id", types.INT),)
    for key in (2**63 - 1, -(2**63)):
        rows = [(key,)] * 5
        assert judged.bucket_sums(columns, columns, rows) == [tuple(reference.bucket_sums(rows, [types.INT], [0])[0])]


PAIRS = (Column("x", types.STRING), Column("y", types.STRING))
FOOLING: dict[str, tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]] = {
    "('ab','c') and ('a','bc')": ([("ab", "c")], [("a", "bc")]),
    "('a,b','c') and ('a','b,c')": ([("a,b", "c")], [("a", "b,c")]),
    "('a,1:b','c') and ('a','1:b,c')": ([("a,1:b", "c")], [("a", "1:b,c")]),
    "(NULL,'') and ('',NULL)": ([(None, "")], [("", None)]),
    "(NULL,'a') and ('~','a')": ([(None, "a")], [("~", "a")]),
    "values swapped between rows": ([("a", "1"), ("b", "2")], [("a", "2"), ("b", "1")]),
    "XOR: {a,a,c} and {b,b,c}": ([("a", "")] * 2 + [("c", "")], [("b", "")] * 2 + [("c", "")]),
    "XOR: {a,a} and {}, beside a c": ([("a", "")] * 2 + [("c", "")], [("c", "")]),
    "a doubled row": ([("a", "")] * 2, [("a", "")]),
    "trailing space": ([("a", "b")], [("a ", "b")]),
    "case": ([("a", "b")], [("A", "b")]),
    "combining and precomposed": ([("e\u0301", "")], [("\u00e9", "")]),
}


@pytest.mark.parametrize("name", FOOLING)
def test_pairs_that_fool_other_tools(judged: Judged, name: str) -> None:
    one, other = FOOLING[name]
    if not all(judged.has(value) for row in one + other for value in row):
        pytest.skip(f"{type(judged).__name__} has no such letters")
    assert judged.bucket_sums(PAIRS, (), one) != judged.bucket_sums(PAIRS, (), other)


def test_nan_payloads_are_one_nan() -> None:
    """A driver, a file or a cast may change a NaN's sign and payload; no engine tells them apart."""
    cell = DuckDb.dialect.cell("v", types.FLOAT)
    payloads = pa.table({"v": pa.array([0x7FF8000000000001, 0xFFF8000000000000, 0x7FF0000000000001], pa.uint64())})
    doubles = pa.table({"v": payloads["v"].combine_chunks().view(pa.float64())})
    with duckdb.connect() as connection:
        connection.register("doubles", doubles)
        assert connection.execute(f"SELECT DISTINCT {cell} FROM doubles").fetchall() == [("7FF8000000000000,",)]


def test_sums_wait_in_a_temporary_table(judged: Judged) -> None:
    if isinstance(judged, GoogleSql):
        pytest.skip("the reference implementation evaluates queries only; the statement is analysed in tests/unit")
    name = judged.dialect.temporary("etl_rowsum_of_a_test")
    query = judged.dialect.bucket_sums(PAIRS, (), judged.relation(PAIRS, [("a", "b"), ("c", None)]))
    judged.run(judged.dialect.create_temporary(name, query))
    assert judged.rows(f"SELECT SUM(n) FROM {name}") == [(2,)]
    judged.run(f"DROP TABLE {name}")
