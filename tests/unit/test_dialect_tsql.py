"""T-SQL as text.

There is no SQL Server here, so nothing in this file has been run on one. Each statement is read by two
grammars of T-SQL, sqlglot's and sqlfluff's, and what the facts about the engine ask of the text is
looked for in it. What counts in the end is that a connected server must render the vectors before
it is asked for a rowsum.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files
from typing import Any

import pytest
import sqlfluff
import sqlglot
from sqlglot import exp

from etl.dialects.tsql import TsqlDialect
from etl.verify.vectors import vectors
from schemas import types
from schemas.table import Column
from schemas.types import Kind, LogicalType

DIALECT = TsqlDialect()
EVERY_TYPE = (
    types.BOOL,
    types.INT,
    types.decimal(19, 4),
    types.decimal(38, 0),
    types.FLOAT,
    types.DATE,
    types.DATETIME,
    LogicalType(Kind.DATETIME, fraction=3),
    LogicalType(Kind.DATETIME, fraction=7),
    types.TIMESTAMP,
    LogicalType(Kind.TIMESTAMP, fraction=7),
    types.TIME,
    LogicalType(Kind.TIME, fraction=7),
    types.UUID,
    types.STRING,
    types.CHAR,
    types.JSON,
    types.BYTES,
    LogicalType(Kind.STRING, large=True),
    LogicalType(Kind.JSON, large=True),
    LogicalType(Kind.BYTES, large=True),
)
COLUMNS = tuple(Column(f"column {i}", type_) for i, type_ in enumerate(EVERY_TYPE))
UTF8 = "Latin1_General_100_BIN2_UTF8"


def parsed(sql: str) -> exp.Expression:
    """The statement as both grammars read it; a command is what sqlglot calls text it cannot read."""
    sqlfluff.parse(sql, dialect="tsql")
    (tree,) = sqlglot.parse(sql, read="tsql")
    assert tree
    assert not list(tree.find_all(exp.Command))
    return tree


@cache
def own_vectors() -> list[dict[str, Any]]:
    """The vectors of types that only SQL Server has."""
    every = json.loads((files("etl.verify") / "vectors.json").read_text("utf-8"))["vectors"]
    return [item for item in every if item["type"] in ("datetime2_7", "legacy_datetime")]


@pytest.mark.parametrize("type_", EVERY_TYPE, ids=lambda type_: f"{type_}-{type_.fraction}")
def test_both_grammars_read_the_cell_of_every_type(type_: LogicalType) -> None:
    constants = [DIALECT.literal(v.value, type_) for v in vectors() if v.type.kind is type_.kind and not v.type.large]
    for constant in (*constants[:3], DIALECT.literal(None, type_)):
        parsed(f"SELECT {DIALECT.cell('v', type_)} AS cell FROM (SELECT {constant} AS v) AS constants;")


def test_both_grammars_read_the_queries() -> None:
    tree = parsed(DIALECT.hashes(COLUMNS, ["column 1"], "[dbo].[a table]"))
    assert [column.alias_or_name for column in tree.selects] == ["column 1", "etl_s1", "etl_s2", "etl_s3", "etl_s4"]
    query = DIALECT.bucket_sums(COLUMNS, COLUMNS[1:2], "[dbo].[a table]")
    name = DIALECT.temporary("etl_rowsum_1")
    tree = parsed(DIALECT.create_temporary(name, query))
    assert tree.find(exp.Into)
    parsed(f"SELECT SUM(n) AS n FROM {name};")


def test_what_only_t_sql_asks_of_a_query() -> None:
    query = DIALECT.bucket_sums(COLUMNS, COLUMNS[1:2], "[t]")
    assert DIALECT.temporary("x") == "#x"  # a temporary table is named so wherever it is used
    assert "GROUP BY (etl_s1 & 65535)" in query  # there is no GROUP BY 1
    assert "COUNT_BIG(*)" in query  # COUNT is an int
    assert "SUM(CAST([column 1] AS decimal(38,0))) AS k1" in query  # SUM(bigint) is a bigint and overflows


def test_a_row_is_varchar_max_from_its_first_operand() -> None:
    """Else ``+`` cuts off at 8,000 bytes: https://learn.microsoft.com/en-us/sql/t-sql/language-elements/string-concatenation-transact-sql."""
    assert DIALECT.row_text(COLUMNS).startswith(f"(CAST('rowsum1|' AS varchar(max)) COLLATE {UTF8} + ")


def test_nothing_but_values_is_nvarchar() -> None:
    """One nvarchar operand would turn the row into UTF-16, of which HASHBYTES gives another hash."""
    assert "N'" not in DIALECT.row_text(COLUMNS)
    assert DIALECT.string("plain") == "'plain'"
    assert DIALECT.string("caf\u00e9") == "N'caf\u00e9'"


@pytest.mark.parametrize("type_", [types.STRING, types.CHAR, types.JSON, LogicalType(Kind.STRING, large=True)], ids=str)
def test_utf8_comes_from_the_nvarchar(type_: LogicalType) -> None:
    """On a varchar, COLLATE would convert through the old code page first."""
    text = DIALECT.text("[x]", type_)
    assert re.search(rf"CONVERT\(varchar\(max\), CONVERT\(nvarchar\(max\), [^,]+\) COLLATE {UTF8}\)", text)
    assert text.count("COLLATE") == text.count(f") COLLATE {UTF8})")


def test_no_length_is_left_to_a_default() -> None:
    """A bare varchar is 30 characters in CONVERT, and LEN leaves trailing blanks out."""
    row = DIALECT.row_text(COLUMNS)
    assert re.search(r"\b(n?varchar|char|varbinary|binary)\b(?!\()", row) is None
    assert "LEN(" not in row


def test_money_shows_all_four_digits_by_way_of_decimal() -> None:
    exact = "TRY_CAST([x] AS decimal(38,4))"
    text = DIALECT.text("[x]", types.decimal(19, 4))
    assert text.startswith(f"CASE WHEN {exact} = [x] THEN CONVERT(varchar(41), {exact})")


@pytest.mark.parametrize("vector", own_vectors(), ids=lambda item: str(item["value"]))
def test_vectors_of_sql_servers_own_types(vector: dict[str, Any]) -> None:
    """The microsecond is floored at the seventh digit, and the old datetime read to the three digits it shows."""
    if vector["type"] == "legacy_datetime":
        type_ = LogicalType(Kind.DATETIME, fraction=3)
        days, ticks = vector["value"]
        constant = f"CAST(0x{days:08X}{ticks:08X} AS datetime)"
        assert vector["canonical"] == str(((days - 25_567) * 86_400_000 + round(ticks * 10 / 3)) * 1000)
        shown = f"CAST({constant} AS datetime2(3))"
    else:
        type_ = LogicalType(Kind.DATETIME, fraction=7)
        constant = shown = DIALECT.literal(vector["value"], type_)
        assert constant == f"CAST('{vector['value']}' AS datetime2(7))"
    epoch = "CAST('1970-01-01T00:00:00' AS datetime2(7))"
    assert DIALECT.text(constant, type_) == f"CONVERT(varchar(20), DATEDIFF_BIG(microsecond, {epoch}, {shown}))"
    parsed(f"SELECT {DIALECT.cell(constant, type_)} AS cell;")


def test_the_hundred_nanoseconds_of_a_vector_are_a_declared_loss() -> None:
    """The vector of parameter ``100ns`` keeps the seventh digit, which no warehouse here can."""
    finer = next(item for item in own_vectors() if item["param"] == "100ns")
    floored = next(item for item in own_vectors() if item["value"] == finer["value"])
    assert int(finer["canonical"]) // 10 == int(floored["canonical"])
    assert DIALECT.loss("x", LogicalType(Kind.DATETIME, fraction=7)) == "DATEPART(nanosecond, x) % 1000 <> 0"


@pytest.mark.parametrize(
    ("type_", "predicate"),
    [
        (types.DATETIME, ""),
        (types.INT, ""),
        (LogicalType(Kind.TIME, fraction=7), "DATEPART(nanosecond, x) % 1000 <> 0"),
        (types.TIMESTAMP, "DATEPART(tzoffset, x) <> 0"),
        (
            LogicalType(Kind.TIMESTAMP, fraction=7),
            "DATEPART(nanosecond, x) % 1000 <> 0 OR DATEPART(tzoffset, x) <> 0",
        ),
    ],
    ids=str,
)
def test_declared_losses(type_: LogicalType, predicate: str) -> None:
    assert DIALECT.loss("x", type_) == predicate
    if predicate:
        parsed(f"SELECT COUNT_BIG(*) AS n FROM [t] WHERE {predicate};")


@pytest.mark.parametrize(
    "value",
    ["", "it's", "]]", "a\\\nb", "a\\\r\nb", "caf\u00e9 \U0001f600", "a\0b", "' + x + '", "--", "/*", "\\"],
)
def test_strings_come_back_from_their_literal(value: str) -> None:
    """Whatever is in it; a backslash before a line's end would join the two lines."""
    literal = DIALECT.string(value)
    assert "\0" not in literal
    assert not re.search(r"\\[\r\n]", literal)
    assert _evaluated(parsed(f"SELECT {literal} AS s;")) == value


def _evaluated(tree: exp.Expression) -> str:
    """The text of literals, NCHARs and their concatenations."""
    if isinstance(tree, exp.Select):
        return _evaluated(tree.selects[0])
    if isinstance(tree, exp.Add):
        return _evaluated(tree.left) + _evaluated(tree.right)
    if isinstance(tree, exp.Literal | exp.National):
        return tree.name
    if isinstance(tree, exp.Alias | exp.Paren | exp.Cast):
        return _evaluated(tree.this)
    assert tree.name == "NCHAR", repr(tree)
    return chr(int(tree.expressions[0].name))


@pytest.mark.parametrize("name", ["plain", "a b", "a]b", "]", "a.b", 'a"b', "[a]"])
def test_identifiers_are_taken_literally(name: str) -> None:
    # sqlfluff's grammar does not know the doubled bracket.
    tree = sqlglot.parse_one(f"SELECT 1 AS one FROM {DIALECT.qualify('dbo', name)}", read="tsql")
    table = tree.find(exp.Table)
    assert table
    assert (table.db, table.name) == ("dbo", name)
