"""GoogleSQL's statements, resolved by the reference implementation's own analyzer.

What its evaluator can run, it runs in ``tests/properties/test_dialects.py``.
"""

from __future__ import annotations

import json

import pytest
import sqlglot
from support import googlesql
from zetasql.api import Parser

from etl.dialects.googlesql import GoogleSqlDialect
from schemas import types
from schemas.table import Column
from schemas.types import Kind, LogicalType

DIALECT = GoogleSqlDialect()
COLUMNS = (Column("id", types.INT), Column("t", types.STRING), Column("etl", types.DATE), Column("s", types.FLOAT))
NAMES = [column.name for column in COLUMNS]
STORED = {column.name: DIALECT.ddl(column.type) for column in COLUMNS}
TABLES = {
    "t": STORED,
    "s": STORED,
    "keys": {"id": "INT64", "t": "STRING"},
    "hashes": dict.fromkeys(("etl_s1", "etl_s2", "etl_s3", "etl_s4"), "INT64"),
}


@pytest.mark.parametrize(
    "sql",
    [
        DIALECT.hashes(COLUMNS, ["id"], "t"),
        DIALECT.bucket_sums(COLUMNS, COLUMNS[:1], "t"),
        DIALECT.create_temporary("sums", DIALECT.bucket_sums(COLUMNS[:2], (), "t")),
        DIALECT.merge("t", "s", NAMES, ["id"]),
        DIALECT.merge("t", "s", ["id", "t"], ["id", "t"]),
        DIALECT.delete_matching("t", "keys", ["id", "t"]),
        DIALECT.delete_hashed("t", "hashes", COLUMNS[:2]),
        DIALECT.insert_from("t", "s", NAMES),
        DIALECT.assertion("(SELECT MAX(id) FROM t) = 3", "another's run"),
        DIALECT.add_column("t", "a b", "NUMERIC(10,2)"),
        DIALECT.rename("t", "u"),
        f"SELECT {DIALECT.partition_start('id', Kind.INT, 9)}, {DIALECT.partition_start('etl', Kind.DATE, 0)} FROM t",
    ],
    ids=lambda sql: sql[:30],
)
def test_the_analyzer_resolves_the_statement(sql: str) -> None:
    """A table named as one of its columns hides it, so relations have aliases of their own.

    The package cannot decode the analysis of a deeply nested statement: some have two columns only.
    """
    googlesql.analyze(sql, TABLES)
    assert sqlglot.parse_one(sql, read="bigquery")


@pytest.mark.parametrize(
    "sql",
    [
        DIALECT.alter_type("`p`.`d`.`t`", "x", "BIGNUMERIC(38,2)"),
        DIALECT.rename_column("`p`.`d`.`t`", "x", "y"),
    ],
    ids=["alter_type", "rename_column"],
)
def test_the_parser_reads_what_the_analyzer_does_not_cover(sql: str) -> None:
    googlesql.language()
    Parser.parse_statement_static(sql)


def test_an_assertion_fails_with_its_message_unless_it_is_true() -> None:
    assert googlesql.rows(_as_text(DIALECT.assertion("1 = 1", "lost"))) == [("0",)]
    for condition in ("1 = 2", "CAST(NULL AS BOOL)"):
        with pytest.raises(Exception, match="it's lost"):
            googlesql.rows(_as_text(DIALECT.assertion(condition, "it's lost")))


def _as_text(query: str) -> str:
    return f"SELECT CAST(result AS STRING) FROM ({query} AS result)"


@pytest.mark.parametrize(
    ("kind", "value", "start"),
    [
        (Kind.INT, "-1", "-1000"),
        (Kind.INT, "0", "0"),
        (Kind.INT, "999", "0"),
        (Kind.INT, "-1000", "-1000"),
        (Kind.DATE, "DATE '2024-02-29'", "2024-02-01"),
        (Kind.DATETIME, "DATETIME '2024-02-29 23:59:59.999999'", "2024-02-01"),
        (Kind.TIMESTAMP, "TIMESTAMP '2024-03-01 00:30:00+01:00'", "2024-02-01"),
    ],
)
def test_partitions_start_at_a_month_or_a_multiple(kind: Kind, value: str, start: str) -> None:
    expression = DIALECT.partition_start("x", kind, 1000)
    assert googlesql.rows(f"SELECT CAST({expression} AS STRING) FROM (SELECT {value} AS x)") == [(start,)]


@pytest.mark.parametrize("text", ["", "it's", '"', "\\", "`", "a\nb\r\t\x7f\0", "caf\u00e9 \U0001f600", "\\x41", "--"])
def test_strings_and_names_are_taken_literally(text: str) -> None:
    assert googlesql.rows(f"SELECT {DIALECT.string(text)}") == [(text,)]
    if text:
        sql = f"SELECT TO_JSON_STRING(named) FROM (SELECT 1 AS {DIALECT.quote(text)}) AS named"
        ((shown,),) = googlesql.rows(sql)
        assert shown is not None
        assert json.loads(shown) == {text: 1}


@pytest.mark.parametrize(
    ("type_", "named"),
    [
        (types.decimal(18, 2), "NUMERIC(18, 2)"),
        (types.decimal(38, 18), "BIGNUMERIC(38, 18)"),
        (types.TIMESTAMP, "TIMESTAMP"),
        (types.UUID, "STRING"),
    ],
    ids=str,
)
def test_types_as_the_catalog_names_them(type_: LogicalType, named: str) -> None:
    assert DIALECT.catalog_type(type_) == named
