"""What only SQL Server can show: its own types, each rendered to the text that a warehouse's copy has."""

from __future__ import annotations

import pytest
from support.engines import Tsql

from schemas import types
from schemas.types import Kind, LogicalType

OWN = {
    "smalldatetime": (LogicalType(Kind.DATETIME, fraction=0), ""),
    "datetime": (LogicalType(Kind.DATETIME, fraction=3), "ticks"),
    "datetime2(7)": (LogicalType(Kind.DATETIME, fraction=7), "seventh digit"),
    "datetimeoffset(7)": (LogicalType(Kind.TIMESTAMP, fraction=7), "seventh digit"),
    "time(7)": (LogicalType(Kind.TIME, fraction=7), "seventh digit"),
    "money": (types.decimal(19, 4), ""),
    "varchar of a code page": (types.STRING, "pushdown"),
    "char(n)": (types.CHAR, ""),
    "rowversion": (types.BYTES, "hex of bytes"),
}
"""By the type: what it is read as, and the gap for which Babelfish cannot render it."""


@pytest.mark.parametrize("name", OWN)
def test_its_own_types_are_rendered_as_their_copies_are(tsql: Tsql, name: str) -> None:
    type_, gap = OWN[name]
    if gap:
        tsql.skip_on(gap)
    proofs = tsql.dialect.own_proofs(type_)
    assert proofs
    assert [tsql.rows(f"SELECT {cell} AS cell")[0][0] for cell, _ in proofs] == [text for _, text in proofs]


def test_money_and_wide_decimals_keep_every_digit(tsql: Tsql) -> None:
    cell = tsql.dialect.cell("CAST(-0.5 AS money)", types.decimal(19, 4))
    wide = tsql.dialect.cell(
        "CAST('-0.00000000000000000000000000000000000001' AS decimal(38,38))", types.decimal(38, 2)
    )
    assert tsql.rows(f"SELECT {cell} AS a, {wide} AS b") == [("-0.5000,", "-0.00000000000000000000000000000000000001,")]


def test_a_row_of_more_than_8000_bytes_is_hashed_whole(tsql: Tsql) -> None:
    """``+`` of short operands would cut it off there, and rows that differ behind would be equal."""
    long = [f"REPLICATE('x', 7999) + '{end}'" for end in "ab"]
    row = tsql.dialect.concat(tsql.dialect.salt(), *(tsql.dialect.cell("v", types.STRING) for _ in range(3)))
    hashed = tsql.dialect.hashed(row)
    hashes = {tsql.rows(f"SELECT {hashed} AS h FROM (SELECT {text} AS v) AS t")[0][0] for text in long}
    length = tsql.rows(f"SELECT DATALENGTH({row}) AS n FROM (SELECT {long[0]} AS v) AS t")
    assert len(hashes) == 2
    assert length == [(8 + 3 * (8_000 + len("8000:,")),)]
