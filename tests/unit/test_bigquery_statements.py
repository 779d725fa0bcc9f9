"""BigQuery's statements, each resolved by the reference implementation of its language."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest
from google.api_core import exceptions as google
from support import googlesql

from etl.config import TableConfig
from etl.dialects.base import Layout, Statement
from etl.dialects.googlesql import GoogleSqlDialect
from etl.errors import ConfigError, LostRaceError, WarehouseError
from etl.verify.rowsum import totals_sql
from etl.warehouses.base import LOST_RACE
from etl.warehouses.bigquery import naming
from etl.warehouses.bigquery.client import Place, place_of
from etl.warehouses.bigquery.datasets import bytes_of
from etl.warehouses.bigquery.failures import transient, translated
from etl.warehouses.bigquery.jobs import bound, label_text
from etl.warehouses.bigquery.layout import Layouts
from etl.warehouses.bigquery.leases import Leases
from etl.warehouses.bigquery.pruning import predicate, starts_sql
from etl.warehouses.bigquery.warehouse import listed_keys
from schemas import types
from schemas.table import Column, Table

DIALECT = GoogleSqlDialect()
DAY = Column("day", types.DATE, comment="It's the day; `quoted`")
AT = Column("at", types.DATETIME)
SEEN = Column("seen", types.TIMESTAMP)
TABLE = Table("orders", (Column("id", types.INT, False), DAY, AT, SEEN, Column("n", types.decimal(10, 2))), ("id",))
COLUMNS = {column.name: DIALECT.ddl(column.type) for column in TABLE.columns}
TABLES = {"t": COLUMNS, "s": COLUMNS, "leases": {"table_name": "STRING", "holder": "STRING", "expires_at": "TIMESTAMP"}}
LEASES = Leases(None, "leases", 60, 60)  # type: ignore[arg-type]  # its statements need no connection
BY_DAY = Layout(DAY, cluster=("id",), require_filter=True, description="Copy of orders", columns=TABLE.columns)


class Named:
    """The part of a warehouse that text needs."""

    dialect = DIALECT


def _declared(sql: str) -> str:
    """A statement with its parameters as constants of their types, which the analyzer here is not told."""
    for constant in ("'me'", "60", "'t'", "'me'"):
        sql = sql.replace("?", constant, 1)
    return sql


@pytest.mark.parametrize(
    "sql",
    [
        DIALECT.create_table("x", COLUMNS, BY_DAY, expires=True),
        DIALECT.create_table("x", COLUMNS, Layout(TABLE.columns[0], size=1000)),
        DIALECT.create_table("x", COLUMNS, Layout(SEEN)),
        DIALECT.create_as("x", "SELECT * FROM t", Layout(AT, cluster=("id",))),
        DIALECT.create_as("x", "SELECT day FROM t", Layout(DAY, columns=(DAY,))),
        GoogleSqlDialect("`p`.`d`.`scratch_").create_temporary("`p`.`d`.`scratch_x`", "SELECT 1 AS one"),
        DIALECT.merge("t", "s", list(COLUMNS), ["id"], predicate(Named(), DAY, [date(2024, 1, 1), None])),  # type: ignore[arg-type]
        DIALECT.merge("t", "s", list(COLUMNS), ["id"], predicate(Named(), SEEN, [date(9999, 12, 1)])),  # type: ignore[arg-type]
        starts_sql(Named(), TABLE, DAY, "t", "s"),  # type: ignore[arg-type]
        starts_sql(Named(), TABLE, AT, "t", "s"),  # type: ignore[arg-type]
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
    found = predicate(Named(), DAY, [date(2024, 1, 1), date(2024, 2, 1), None, date(2024, 5, 1)])  # type: ignore[arg-type]
    assert found == (
        "(etl_t.`day` >= CAST('2024-01-01' AS DATE) AND etl_t.`day` < CAST('2024-03-01' AS DATE)) OR "
        "(etl_t.`day` >= CAST('2024-05-01' AS DATE) AND etl_t.`day` < CAST('2024-06-01' AS DATE)) OR "
        "(etl_t.`day` IS NULL)"
    )


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


def _refused(kind: type[google.GoogleAPICallError], reason: str, text: str = "no") -> google.GoogleAPICallError:
    return kind(text, errors=[{"reason": reason, "message": text}])


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (_refused(google.ServiceUnavailable, "backendError"), True),
        (_refused(google.Forbidden, "rateLimitExceeded"), True),
        (
            _refused(google.BadRequest, "invalidQuery", "Transaction is aborted due to concurrent update against t"),
            True,
        ),
        (_refused(google.BadRequest, "invalidQuery", "Could not serialize access to table t"), True),
        (_refused(google.Forbidden, "quotaExceeded"), False),
        (_refused(google.Forbidden, "accessDenied"), False),
        (_refused(google.BadRequest, "invalid"), False),
        (ConnectionResetError(), True),
    ],
)
def test_what_may_succeed_later_is_tried_again_and_nothing_else(error: Exception, again: bool) -> None:
    assert transient(error) is again


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (_refused(google.Forbidden, "quotaExceeded"), "quota"),
        (_refused(google.BadRequest, "bytesBilledLimitExceeded"), "maximum_bytes_billed"),
        (_refused(google.Forbidden, "accessDenied"), "right is missing"),
        (_refused(google.Forbidden, "billingNotEnabled"), "billing"),
    ],
)
def test_errors_say_what_to_do(error: Exception, says: str) -> None:
    found = translated(error)
    assert says in found.message
    assert found.remedy


def test_a_failed_assertion_is_a_lost_race() -> None:
    assert isinstance(translated(_refused(google.BadRequest, "invalidQuery", LOST_RACE)), LostRaceError)
