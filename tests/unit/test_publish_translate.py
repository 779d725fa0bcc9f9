"""GoogleSQL into a warehouse's own SQL."""

from __future__ import annotations

from types import SimpleNamespace

import duckdb
import pytest

from etl.publish.errors import QueryError
from etl.publish.translate import Target, references, translate


def target(dialect: str, namespace: str) -> Target:
    """A warehouse whose rooms are named by a pattern."""
    found: Target = SimpleNamespace(  # type: ignore[assignment]
        dialect=SimpleNamespace(sqlglot=dialect), namespace=namespace.format, soft_tables=frozenset
    )
    return found


DUCKDB = target("duckdb", '"{}"')
BIGQUERY = target("bigquery", "`acme_{}`")


def flat(sql: str) -> str:
    return " ".join(sql.split())


def test_rooms_become_the_warehouses_names() -> None:
    sql = "SELECT c.x FROM raw.customers AS c JOIN marts.months ON TRUE"
    assert flat(translate(sql, DUCKDB)) == (
        'SELECT c.x FROM "raw"."customers" AS c JOIN "marts"."months" AS months ON TRUE'
    )
    assert flat(translate(sql, BIGQUERY)) == (
        "SELECT c.x FROM `acme_raw`.`customers` AS c JOIN `acme_marts`.`months` AS months ON TRUE"
    )


def test_namespace_with_a_project() -> None:
    project = target("bigquery", "`my-project`.`acme_{}`")
    assert flat(translate("SELECT 1 FROM raw.t", project)) == "SELECT 1 FROM `my-project`.`acme_raw`.`t` AS t"


def test_namespace_with_odd_characters() -> None:
    odd = target("duckdb", '"my ""{}"" schema"')
    assert flat(translate("SELECT 1 FROM raw.`order details`", odd)) == (
        'SELECT 1 FROM "my ""raw"" schema"."order details" AS "order details"'
    )


def test_unaliased_tables_keep_their_names() -> None:
    sql = translate("SELECT months.month FROM marts.months", DUCKDB, building=frozenset({"months"}))
    assert flat(sql) == 'SELECT months.month FROM "marts"."months__building" AS months'


def test_only_marts_under_construction_are_read_aside() -> None:
    sql = translate("SELECT 1 FROM marts.a, marts.b, raw.a AS r", DUCKDB, building=frozenset({"a"}))
    assert '"marts"."a__building"' in sql
    assert '"marts"."b" ' in sql
    assert '"raw"."a" ' in sql


def test_subqueries_and_common_tables_are_followed() -> None:
    sql = (
        "WITH months AS (SELECT * FROM marts.months) "
        "SELECT * FROM months WHERE month IN (SELECT month FROM raw.web_traffic) "
        "UNION ALL SELECT * FROM months WHERE EXISTS (SELECT 1 FROM raw.orders)"
    )
    assert references(sql) == {("marts", "months"), ("raw", "web_traffic"), ("raw", "orders")}
    assert 'FROM "marts"."months" AS months' in flat(translate(sql, DUCKDB))


def test_types_are_those_of_the_header() -> None:
    sql = translate("SELECT 1 AS n, 2 AS amount", DUCKDB, types={"n": "INT64", "amount": "NUMERIC(18, 2)"})
    with duckdb.connect() as connection:
        assert [str(column[1]) for column in connection.sql(sql).description] == ["BIGINT", "DECIMAL(18,2)"]


def test_comments_do_not_travel() -> None:
    assert "secret" not in translate("-- secret\nSELECT 1 /* secret */", DUCKDB)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELEC 1", "is not one SELECT|is not GoogleSQL"),
        ("SELECT (1", "is not GoogleSQL"),
        ("SELECT 'open", "is not GoogleSQL"),
        ("", "is not one SELECT"),
        ("SELECT 1; SELECT 2", "is not one SELECT"),
        ("DROP TABLE raw.customers", "is not one SELECT"),
        ("DELETE FROM raw.customers WHERE TRUE", "is not one SELECT"),
        ("SELECT 1 FROM customers", "reads 'customers'"),
        ("SELECT 1 FROM elsewhere.customers", "reads 'elsewhere.customers'"),
        ("SELECT 1 FROM project.raw.customers", "reads 'project.raw.customers'"),
    ],
)
def test_what_is_refused(sql: str, message: str) -> None:
    with pytest.raises(QueryError, match=message) as caught:
        translate(sql, DUCKDB, "the question")
    assert caught.value.message.startswith("the question ")
    assert caught.value.remedy
    assert "\x1b" not in caught.value.message


@pytest.mark.parametrize(
    ("name", "left_out"), [("duckdb", 'EXCLUDE ("_deleted_at")'), ("bigquery", "EXCEPT (`_deleted_at`)")]
)
def test_tables_that_keep_deleted_rows_are_read_without_them(name: str, left_out: str) -> None:
    soft = target(name, '"{}"' if name == "duckdb" else "`acme_{}`")
    soft.soft_tables = lambda: frozenset({"t"})  # type: ignore[method-assign]
    sql = flat(translate("SELECT t.n, x.n FROM raw.t JOIN raw.t AS x USING (n) JOIN raw.other USING (n)", soft))
    assert sql.count(left_out) == 2
    assert sql.count("IS NULL") == 2
    assert ") AS t JOIN" in sql
    assert ") AS x USING" in sql
    assert "SELECT" not in sql.partition("other")[2]
