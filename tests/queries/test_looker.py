"""Views for Looker Studio, and the links that open reports over them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import mart_reference as reference
import pytest
from mart_worlds import random_world, stored
from support import bigquery_ml, googlesql
from support.commands import Done, call_etl
from support.messages import assert_one_clear_error

from etl.dialects.googlesql import GoogleSqlDialect
from etl.publish import looker
from etl.publish.marts import build
from etl.publish.queries import Query
from etl.warehouses.duckdb import DuckDbWarehouse

VIEWS = {view.name: view for view in looker.views("hopify")}
PHYSICAL = {"INT64": "BIGINT", "FLOAT64": "DOUBLE", "STRING": "VARCHAR", "BOOL": "BOOLEAN", "DATE": "DATE"}


@pytest.fixture(scope="module")
def built(queries: dict[str, Query], tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDbWarehouse]:
    warehouse = stored(random_world(3), tmp_path_factory.mktemp("looker") / "warehouse.duckdb")
    build(warehouse, queries, lambda: None)
    looker.create(warehouse, VIEWS.values())
    yield warehouse
    warehouse.close()


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_a_view_is_googlesql_with_the_columns_of_its_header(view: Query, queries: dict[str, Query]) -> None:
    declared = [(name, reference.kind(type_)) for name, type_ in view.header.types.items()]
    tables = bigquery_ml.used(view.text, reference.tables(queries))
    assert reference.output(view.text, tables) == declared


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_a_view_on_duckdb_has_the_types_of_its_header(view: Query, built: DuckDbWarehouse) -> None:
    declared = {
        name: PHYSICAL.get(type_) or type_.replace("NUMERIC", "DECIMAL").replace(" ", "")
        for name, type_ in view.header.types.items()
    }
    assert built.columns("marts", view.name) == declared
    assert built.query(f"SELECT * FROM marts.{view.name}").num_rows > 0


def test_sums_over_a_view_are_those_of_the_marts(built: DuckDbWarehouse) -> None:
    def total(sql: str) -> tuple[object, ...]:
        return tuple(
            int(v) if isinstance(v, Decimal) and v == int(v) else v for v in built.query(sql).to_pylist()[0].values()
        )

    assert total(
        "SELECT SUM(signups), SUM(new_customers), SUM(churned_customers), SUM(new_mrr), SUM(expansion_mrr), "
        "SUM(contraction_mrr), SUM(churned_mrr), SUM(reactivated_mrr), SUM(mrr) FROM marts.looker_growth"
    ) == total(
        "SELECT SUM(signups), SUM(new_customers), SUM(churned_customers), SUM(new_mrr), SUM(expansion_mrr), "
        "SUM(contraction_mrr), SUM(churned_mrr), SUM(reactivated_mrr), SUM(mrr_end) "
        "FROM marts.customer_growth JOIN marts.mrr_waterfall USING (month)"
    )
    assert total("SELECT SUM(revenue), SUM(orders) FROM marts.looker_growth") == total(
        "SELECT SUM(revenue), SUM(orders) FROM marts.revenue_by_month"
    )
    assert total("SELECT SUM(cohort_size), SUM(active_customers), SUM(mrr) FROM marts.looker_retention") == total(
        "SELECT SUM(cohort_size), SUM(active_customers), SUM(mrr) FROM marts.cohort_retention"
    )
    assert total("SELECT SUM(tickets), SUM(due_tickets) FROM marts.looker_support") == total(
        "SELECT COUNT(*), (SELECT SUM(due_tickets) FROM marts.support_load) FROM raw.support_tickets"
    )


def test_views_show_marts_that_were_built_again(built: DuckDbWarehouse, queries: dict[str, Query]) -> None:
    before = built.query("SELECT COUNT(*) AS n FROM marts.looker_customers")
    build(built, queries, lambda: None)
    assert built.query("SELECT COUNT(*) AS n FROM marts.looker_customers") == before


class _BigQuery:
    """As much of a BigQuery warehouse as a view's statement needs."""

    dialect = GoogleSqlDialect()

    def namespace(self, room: str) -> str:
        return f"`shop_{room}`"

    def relation(self, room: str, name: str) -> str:
        return f"`shop_{room}`.`{name}`"


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_on_bigquery_a_view_is_made_with_its_descriptions(view: Query) -> None:
    sql = looker.creation(view, _BigQuery())  # type: ignore[arg-type]
    assert sql.startswith(f"CREATE OR REPLACE VIEW `shop_marts`.`{view.name}` (")
    for name, meaning in view.columns.items():
        assert f"`{name}` OPTIONS (description = {_BigQuery.dialect.string(meaning)})" in sql


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_on_bigquery_a_views_statement_is_googlesql(view: Query, queries: dict[str, Query]) -> None:
    """But for the descriptions, which BigQuery has and the reference implementation does not resolve."""
    sql = looker.creation(view, _BigQuery())  # type: ignore[arg-type]
    bare = re.sub(r" OPTIONS \(description = '(?:[^'\\]|\\.)*'\)", "", sql)
    assert "OPTIONS" not in bare
    flat = re.sub(r"`shop_marts`\.`(\w+)`", r"marts__\1", bare)
    tables = {name.replace(".", "__"): types for name, types in reference.tables(queries).items()}
    googlesql.analyze(flat, bigquery_ml.used(flat, tables))


def test_a_link_says_what_the_linking_api_asks_for() -> None:
    view = VIEWS["looker_growth"]
    url = urlsplit(looker.link(view, looker.Place("my-project", "shop_marts"), "abc-123"))
    assert (url.scheme, url.netloc, url.path) == ("https", "lookerstudio.google.com", "/reporting/create")
    assert {name: values[0] for name, values in parse_qs(url.query, strict_parsing=True).items()} == {
        "c.reportId": "abc-123",
        "c.mode": "edit",
        "r.reportName": "Hopify growth",
        "ds.ds0.connector": "bigQuery",
        "ds.ds0.datasourceName": "looker_growth",
        "ds.ds0.projectId": "my-project",
        "ds.ds0.type": "TABLE",
        "ds.ds0.datasetId": "shop_marts",
        "ds.ds0.tableId": "looker_growth",
    }
    assert "+" not in url.query
    assert "c.reportId" not in looker.link(view, looker.Place("p", "d"))


def test_the_place_is_the_warehouses_marts_unless_another_is_named() -> None:
    url = "bigquery://my-project/shop?location=EU"
    assert looker.place(url) == looker.Place("my-project", "shop_marts")
    assert looker.place(url, dataset="other") == looker.Place("my-project", "other")
    assert looker.place("duckdb:///w.duckdb", "p", "d") == looker.Place("p", "d")


def test_the_command(tmp_path: Path) -> None:
    def etl(*arguments: str, **environment: str) -> Done:
        return call_etl(tmp_path, *arguments, environment={"ETL_WAREHOUSE_URL": "duckdb:///w.duckdb", **environment})

    assert_one_clear_error(etl("looker"), 2, "the warehouse is none", "--project P --dataset D")
    done = etl("looker", "--project", "p-1", "--dataset", "d")
    assert done.code == 0
    assert done.out.count("https://") == len(VIEWS)
    done = etl("looker", ETL_WAREHOUSE_URL="bigquery://p-2/shop")
    assert "ds.ds0.projectId=p-2&ds.ds0.type=TABLE&ds.ds0.datasetId=shop_marts" in done.out
    assert_one_clear_error(etl("looker", ETL_PUBLISH_WORLD="churn"), 2, "no views for Looker Studio", "hopify")
    DuckDbWarehouse(tmp_path / "w.duckdb").close()
    assert_one_clear_error(etl("looker", "--create"), 3, "has not been built", "etl marts")


def test_the_guide_names_every_view_and_column() -> None:
    guide = (Path(__file__).parents[2] / "docs/looker-studio.md").read_text("utf-8")
    for view in VIEWS.values():
        section = guide.partition(f"`{view.name}`")[2].partition("\n## ")[0]
        missing = [name for name in view.columns if f"`{name}`" not in section]
        assert missing == [], view.name
