"""BigQuery's statements, each resolved by the reference implementation of its language."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest
from google.cloud import bigquery
from support import googlesql

from etl.config import TableConfig
from etl.dialects.base import Layout, Statement
from etl.dialects.googlesql import GoogleSqlDialect
from etl.errors import ConfigError, WarehouseError
from etl.verify.keeping import mark
from etl.verify.rowsum import totals_sql
from etl.warehouses.bigquery import naming
from etl.warehouses.bigquery.client import Place, place_of
from etl.warehouses.bigquery.datasets import bytes_of
from etl.warehouses.bigquery.jobs import bound, label_text
from etl.warehouses.bigquery.keys import first_keys, listed_keys
from etl.warehouses.bigquery.layout import Layouts, Stored, stored_table
from etl.warehouses.bigquery.leases import Leases
from etl.warehouses.bigquery.pruning import MOST, Division, division_of, predicate, starts_sql
from schemas import types
from schemas.table import Column, Table

DIALECT = GoogleSqlDialect()
DAY = Column("day", types.DATE, comment="It's the day; `quoted`")
AT = Column("at", types.DATETIME)
SEEN = Column("seen", types.TIMESTAMP)
TABLE = Table("orders", (Column("id", types.INT, False), DAY, AT, SEEN, Column("n", types.decimal(10, 2))), ("id",))
COLUMNS = {column.name: DIALECT.ddl(column.type) for column in TABLE.columns}
SOFT = replace(TABLE, soft=True)
TABLES = {
    "t": COLUMNS,
    "s": COLUMNS,
    "soft": COLUMNS | {"_deleted_at": "TIMESTAMP"},
    "leases": {"table_name": "STRING", "holder": "STRING", "expires_at": "TIMESTAMP"},
}
LEASES = Leases(None, "leases", 60, 60)  # type: ignore[arg-type]  # its statements need no connection
BY_DAY = Layout(DAY, cluster=("id",), require_filter=True, description="Copy of orders", columns=TABLE.columns)


MONTHS, RUNS = Division(DAY, "month"), Division(TABLE.columns[0], size=1000)
HOURS = Division(SEEN, "hour")
DIVISIONS = [
    MONTHS,
    RUNS,
    HOURS,
    Division(DAY, "day"),
    Division(DAY, "year"),
    Division(AT, "hour"),
    Division(AT, "year"),
]


def _declared(sql: str) -> str:
    """A statement with its parameters as constants of their types, which the analyzer here is not told."""
    for constant in ("'me'", "60", "'t'", "'me'"):
        sql = sql.replace("?", constant, 1)
    return sql


@pytest.mark.parametrize(
    "sql",
    [
        DIALECT.create_as("x", "SELECT * FROM t", BY_DAY),
        DIALECT.create_as("x", "SELECT * FROM t", Layout(TABLE.columns[0], size=1000)),
        DIALECT.create_as("x", "SELECT * FROM t", Layout(SEEN)),
        DIALECT.create_as("x", "SELECT * FROM t", Layout(AT, cluster=("id",))),
        DIALECT.create_as("x", "SELECT day FROM t", Layout(DAY, columns=(DAY,))),
        GoogleSqlDialect("`p`.`d`.`scratch_").create_temporary("`p`.`d`.`scratch_x`", "SELECT 1 AS one"),
        DIALECT.create_as("x", "SELECT * FROM t", Layout(DAY, unit="day")),
        DIALECT.create_as("x", "SELECT * FROM t", Layout(SEEN, unit="hour")),
        DIALECT.merge("t", "s", list(COLUMNS), ["id"], predicate(DIALECT, MONTHS, [date(2024, 1, 1), None])),
        DIALECT.merge("t", "s", list(COLUMNS), ["id"], predicate(DIALECT, HOURS, [datetime(9999, 12, 31, 23)])),
        DIALECT.delete_matching("t", "s", ["id"], predicate(DIALECT, RUNS, [0, 1000, 5000, None])),
        mark(
            DIALECT, "soft", "s", SOFT, datetime(2024, 1, 1, tzinfo=UTC), predicate(DIALECT, MONTHS, [date(2024, 1, 1)])
        ),
        *(starts_sql(DIALECT, by, TABLE, "t", "s", staged=True) for by in DIVISIONS),
        starts_sql(DIALECT, MONTHS, TABLE, "t", "s", staged=False),
        f"SELECT * FROM t AS etl_t WHERE {first_keys(DIALECT, TABLE, pa.table({'id': [1, 1, 2]}))}",
        "DELETE FROM t WHERE TRUE",
        f"SELECT * FROM t AS etl_t WHERE EXISTS (SELECT 1 FROM {listed_keys(DIALECT, TABLE, pa.table({'id': [1]}))} "
        "AS etl_k WHERE etl_t.id = etl_k.id)",
        LEASES.create(),
        _declared(LEASES.take()),
        "UPDATE leases SET expires_at = TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL 1 MICROSECOND) WHERE holder = ''",
        LEASES.release().replace("?", "'x'"),
        LEASES.enter().replace("?", "'x'"),
    ],
    ids=lambda sql: sql[:40],
)
def test_the_analyzer_resolves_the_statement(sql: str) -> None:
    googlesql.analyze(sql, TABLES)


def test_totals_do_not_overflow() -> None:
    """Five buckets of 2**31 rows with the highest word: more than 64 bits."""
    word = 2**31 * (2**32 - 1)
    row = f"SELECT 1 AS n, {word} AS etl_s1, {word} AS etl_s2, {word} AS etl_s3, {word} AS etl_s4"
    sums = f"(SELECT * FROM UNNEST([1, 2, 3, 4, 5]), ({row}))"
    found = googlesql.rows(f"SELECT CAST(etl_s1 AS STRING) FROM ({totals_sql(DIALECT, sums)})")
    assert found == [(str(5 * word),)]


def test_months_of_a_merge_are_joined_and_null_is_one_of_them() -> None:
    found = predicate(DIALECT, MONTHS, [date(2024, 1, 1), date(2024, 2, 1), None, date(2024, 5, 1)])
    assert found == (
        "(etl_t.`day` >= CAST('2024-01-01' AS DATE) AND etl_t.`day` < CAST('2024-03-01' AS DATE)) OR "
        "(etl_t.`day` >= CAST('2024-05-01' AS DATE) AND etl_t.`day` < CAST('2024-06-01' AS DATE)) OR "
        "(etl_t.`day` IS NULL)"
    )


@pytest.mark.parametrize(
    ("by", "starts", "bounds"),
    [
        (RUNS, [0, 1000, 5000], ["0", "2000", "5000", "6000"]),
        (RUNS, [-1000], ["-1000", "0"]),
        (RUNS, [2**63 - 808], [str(2**63 - 808)]),
        (HOURS, [datetime(2023, 12, 31, 23, tzinfo=UTC)], ["2023-12-31 23:00:00+00:00", "2024-01-01 00:00:00+00:00"]),
        (Division(DAY, "day"), [date(2024, 2, 29)], ["2024-02-29", "2024-03-01"]),
        (Division(DAY, "year"), [date(2024, 1, 1)], ["2024-01-01", "2025-01-01"]),
        (Division(AT, "month"), [datetime(9999, 12, 1)], ["9999-12-01 00:00:00"]),
        (Division(DAY, "year"), [date(9999, 1, 1)], ["9999-01-01"]),
    ],
)
def test_parts_end_where_the_next_one_begins_if_there_is_one(
    by: Division, starts: list[Any], bounds: list[str]
) -> None:
    assert re.findall(r"CAST\('([^']*)'", predicate(DIALECT, by, starts)) == bounds


def test_more_parts_than_a_predicate_can_name_are_spanned_by_one_range() -> None:
    found = predicate(DIALECT, RUNS, [2000 * i for i in range(MOST + 1)] + [None])
    assert found == (
        f"(etl_t.`id` >= CAST('0' AS INT64) AND etl_t.`id` < CAST('{2000 * MOST + 1000}' AS INT64)) OR "
        "(etl_t.`id` IS NULL)"
    )


def test_every_value_lies_between_its_start_and_its_end() -> None:
    """By the reference implementation: the start it computes, and the predicate made of that start."""
    values = {
        DAY: ["DATE '2024-02-29'", "DATE '0001-01-01'", "DATE '9999-12-31'", "NULL"],
        AT: ["DATETIME '1969-12-31 23:59:59.999999'", "DATETIME '9999-12-31 23:59:59'", "NULL"],
        SEEN: ["TIMESTAMP '2024-06-01 00:00:00+05:30'", "TIMESTAMP '9999-12-30 23:59:59+00'", "NULL"],
        TABLE.columns[0]: ["-1", "0", "999", "1000", "9223372036854775807", "NULL"],
    }
    for by in DIVISIONS:
        type_ = DIALECT.ddl(by.column.type)
        for value in values[by.column]:
            start = by.start(DIALECT, f"CAST({value} AS {type_})")
            ((found,),) = googlesql.rows(f"SELECT CAST({start} AS STRING)")
            condition = predicate(DIALECT, by, [_typed(found, by.column)])
            row = f"SELECT CAST({value} AS {type_}) AS `{by.column.name}`"
            counted = f"SELECT CAST(COUNT(*) AS STRING) FROM ({row}) AS etl_t WHERE {condition}"
            assert googlesql.rows(counted) == [("1",)], (by, value)


def _typed(text: str | None, column: Column) -> Any:
    """A start as BigQuery's client gives it."""
    if text is None:
        return None
    if column.type.kind is types.Kind.INT:
        return int(text)
    return (date if column.type.kind is types.Kind.DATE else datetime).fromisoformat(text)


@pytest.mark.parametrize(
    ("partition", "unit", "expected"), [("", "", None), ("gone", "DAY", None), ("day", "YEAR", "year")]
)
def test_how_a_stored_table_is_divided(partition: str, unit: str, expected: str | None) -> None:
    """By the time of arrival, or by a column that the source no longer has: then nothing is known."""
    by = division_of(Stored((), partition, unit, ()), TABLE)
    assert (by.unit if by else None) == expected


def test_keys_that_name_their_part_are_not_looked_for() -> None:
    table = replace(TABLE, key=("id", "day"))
    assert " t " not in starts_sql(DIALECT, MONTHS, table, "t", "s", staged=True)


def test_placeholders_are_named_and_not_looked_for_in_texts() -> None:
    statements = [
        Statement("SELECT '?', `a?`, 'it\\'s ?', ?", (1,)),
        "SELECT '?'",
        Statement("SELECT ?, ?", ("x", 2.0)),
    ]
    text, parameters = bound(statements)
    assert text == "SELECT '?', `a?`, 'it\\'s ?', @p0;\nSELECT '?';\nSELECT @p1, @p2"
    assert [(p.name, p.type_, p.value) for p in parameters] == [
        ("p0", "INT64", 1),
        ("p1", "STRING", "x"),
        ("p2", "FLOAT64", 2.0),
    ]


@pytest.mark.parametrize(
    ("value", "type_"),
    [(True, "BOOL"), (datetime(2024, 1, 1), "DATETIME"), (datetime(2024, 1, 1, tzinfo=UTC), "TIMESTAMP")],
)
def test_parameters_have_the_type_of_their_value(value: Any, type_: str) -> None:
    assert bound([Statement("SELECT ?", (value,))])[1][0].type_ == type_


def test_urls() -> None:
    assert place_of("bigquery://my-project/shop?location=EU") == Place("my-project", "shop", "EU")
    assert place_of("bigquery://example.com:old/shop").project == "example.com:old"
    for wrong in ("bigquery://p", "bigquery:///shop", "bigquery://p/a-b", "bigquery://p/a?region=EU", "bigquery://P/a"):
        with pytest.raises(ConfigError):
            place_of(wrong)


def test_sizes() -> None:
    assert [bytes_of(size) for size in ("", "10GB", "1.5MiB", "7b")] == [None, 10 * 10**9, 3 << 19, 7]


@pytest.mark.parametrize("name", ["_PARTITIONTIME", "a.b", "_table_x", "x" * 301, ""])
def test_columns_that_bigquery_cannot_have_are_refused(name: str) -> None:
    with pytest.raises(WarehouseError, match="no columns called"):
        naming.refuse("t", [name])


def test_a_table_is_made_of_its_columns_layout_and_descriptions() -> None:
    """As the catalog's call has it: https://cloud.google.com/bigquery/docs/reference/rest/v2/tables#Table."""
    reference = bigquery.TableReference.from_string("p.d.t")
    made = stored_table(reference, {"day": "DATE", "n": "BIGNUMERIC(40, 10)"}, BY_DAY, expires=True).to_api_repr()
    left = int(made.pop("expirationTime")) / 1000 - time.time()
    assert 86_000 < left <= 86_400
    described = {"name": "day", "type": "DATE", "mode": "NULLABLE", "description": DAY.comment}
    sized = {"name": "n", "type": "BIGNUMERIC", "mode": "NULLABLE", "precision": "40", "scale": "10"}
    assert made.pop("schema") == {"fields": [described, sized]}
    assert made.pop("clustering") == {"fields": ["id"]}
    assert made["timePartitioning"]["type"] == "MONTH"
    assert made["timePartitioning"]["field"] == "day"
    assert made["requirePartitionFilter"] is True
    assert made["description"] == "Copy of orders"


def test_scratch_tables_that_are_dropped_are_recognised() -> None:
    dialect = GoogleSqlDialect("`p`.`d`.`scratch_7_")
    assert dialect.scratch_dropped(f"DROP TABLE IF EXISTS {dialect.temporary('x')}") == "scratch_7_x"
    assert dialect.scratch_dropped("DROP TABLE IF EXISTS `p`.`d`.`orders`") == ""


def test_keys_are_constants_where_those_leave_blocks_out() -> None:
    texts = Table("t", (Column("k", types.STRING, False), Column("f", types.FLOAT, False)), ("k",))
    assert first_keys(DIALECT, texts, pa.table({"k": ["a", "it's", "a"]})) == (
        "etl_t.`k` IN (CAST('a' AS STRING), CAST('it\\'s' AS STRING))"
    )
    assert first_keys(DIALECT, texts, pa.table({"k": ["a", "\0"]})) == ""
    assert first_keys(DIALECT, replace(texts, key=("f",)), pa.table({"f": [1.0]})) == ""


def test_a_label_has_only_letters_that_it_may_have() -> None:
    assert label_text("Größe: 7") == "gr-e-7"
    assert len(label_text("x" * 100)) == 63


@pytest.mark.parametrize(
    ("wish", "says"),
    [({"partition": "n"}, "partitioned by n"), ({"cluster": ["at", "x"]}, "not one of its columns")],
)
def test_a_layout_that_cannot_be_is_refused(wish: dict[str, Any], says: str) -> None:
    with pytest.raises(WarehouseError, match=says):
        Layouts({"orders": TableConfig.model_validate(wish)}).of(TABLE)
