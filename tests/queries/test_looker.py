"""Views for Looker Studio, and the links that open reports over them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import mart_reference as reference
import pytest
from mart_worlds import random_world, stored
from support import bigquery_ml, googlesql, linking_api
from support.commands import Done, call_etl
from support.messages import assert_one_clear_error

from etl.dialects.googlesql import GoogleSqlDialect
from etl.ledger import Ledger
from etl.publish import looker
from etl.publish.catalogue import refreshed
from etl.publish.errors import QueryError
from etl.publish.marts import build
from etl.publish.queries import Query, load
from etl.warehouses.duckdb import DuckDbWarehouse
from generators.worlds import generate
from schemas import churn, health, hopify

WORLDS = {"hopify": hopify.metadata, "health": health.metadata, "churn": churn.metadata}
VIEWS = [view for world in WORLDS for view in looker.views(world)]
HOPIFY = {view.name: view for view in looker.views("hopify")}
PHYSICAL = {"INT64": "BIGINT", "FLOAT64": "DOUBLE", "STRING": "VARCHAR", "BOOL": "BOOLEAN", "DATE": "DATE"}
GUIDE = Path(__file__).parents[2] / "docs/looker-studio.md"
every_view = pytest.mark.parametrize("view", VIEWS, ids=lambda view: f"{world_of(view)}-{view.name}")


def world_of(view: Query) -> str:
    return view.world.split("/")[0]


def tables(world: str) -> dict[str, dict[str, str]]:
    return reference.tables(load(world), WORLDS[world])


@pytest.fixture(scope="module")
def built(queries: dict[str, Query], tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDbWarehouse]:
    warehouse = stored(random_world(3), tmp_path_factory.mktemp("looker") / "warehouse.duckdb")
    build(warehouse, queries, lambda: None)
    looker.create(warehouse, HOPIFY.values())
    yield warehouse
    warehouse.close()


@every_view
def test_a_view_is_googlesql_with_the_columns_of_its_header(view: Query) -> None:
    declared = [(name, reference.kind(type_)) for name, type_ in view.header.types.items()]
    assert reference.output(view.text, bigquery_ml.used(view.text, tables(world_of(view)))) == declared


@pytest.mark.parametrize("view", HOPIFY.values(), ids=HOPIFY)
def test_a_view_on_duckdb_has_the_types_of_its_header(view: Query, built: DuckDbWarehouse) -> None:
    check_types(view, built)


@pytest.mark.parametrize("world", ["health", "churn"])
def test_views_of_the_smaller_worlds(world: str, tmp_path: Path) -> None:
    """On generated rows: types, something in each view, and sums that are those of the marts."""
    generate(world, f"parquet:{tmp_path / 'raw'}", customers=60)
    warehouse = DuckDbWarehouse(tmp_path / "warehouse.duckdb")
    for name in WORLDS[world].tables:
        file = warehouse.dialect.string(str(tmp_path / "raw" / f"{name}.parquet"))
        warehouse.commit([f"CREATE TABLE raw.{name} AS SELECT * FROM read_parquet({file})"])
    build(warehouse, load(world), lambda: None)
    looker.create(warehouse, looker.views(world))
    for view in looker.views(world):
        check_types(view, warehouse)
    for ours, theirs in SUMS[world].items():
        assert total(warehouse, ours) == total(warehouse, theirs)
    warehouse.close()


SUMS = {
    "health": {
        "SELECT SUM(new_mrr), SUM(churn_mrr), SUM(ending_mrr) FROM marts.looker_revenue": (
            "SELECT SUM(new_mrr), SUM(churn_mrr), SUM(ending_mrr) FROM marts.day06_mrr_summary"
        ),
        "SELECT MAX(ABS(kept_mrr - nrr * starting_mrr)) < 0.01, COUNT(kept_mrr) FROM marts.looker_revenue "
        "JOIN (SELECT month, net_revenue_retention AS nrr FROM marts.day06_mrr_summary) USING (month)": (
            "SELECT TRUE, COUNT(net_revenue_retention) FROM marts.day06_mrr_summary"
        ),
        "SELECT SUM(retained_customers), SUM(eligible_customers) FROM marts.looker_retention": (
            "SELECT SUM(retained_customers), SUM(eligible_customers) FROM marts.day06_retention_curves"
        ),
        "SELECT SUM(customers), SUM(active_customers), SUM(churned_customers), SUM(mrr) FROM marts.looker_customers": (
            "SELECT COUNT(*), COUNT_IF(status = 'active'), COUNT_IF(status = 'churned'), SUM(mrr) "
            "FROM marts.day06_customer_health"
        ),
    },
    "churn": {
        "SELECT SUM(customers), SUM(at_risk_customers), SUM(churned_customers) FROM marts.looker_churn": (
            "SELECT COUNT(*), COUNT_IF(is_at_risk), COUNT_IF(is_at_risk AND has_churned) FROM marts.churn_features"
        ),
        "SELECT SUM(active_days), SUM(sessions) FROM marts.looker_usage": (
            "SELECT COUNT(*), SUM(sessions) FROM marts.staging_usage_daily"
        ),
    },
}


def check_types(view: Query, warehouse: DuckDbWarehouse) -> None:
    declared = {
        name: PHYSICAL.get(type_) or type_.replace("NUMERIC", "DECIMAL").replace(" ", "")
        for name, type_ in view.header.types.items()
    }
    assert warehouse.columns("marts", view.name) == declared
    assert warehouse.query(f"SELECT * FROM marts.{view.name}").num_rows > 0


def total(warehouse: DuckDbWarehouse, sql: str) -> tuple[object, ...]:
    row = warehouse.query(sql).to_pylist()[0]
    return tuple(int(v) if isinstance(v, Decimal) and v == int(v) else v for v in row.values())


def test_sums_over_a_view_are_those_of_the_marts(built: DuckDbWarehouse) -> None:
    assert total(
        built,
        "SELECT SUM(signups), SUM(new_customers), SUM(churned_customers), SUM(new_mrr), SUM(expansion_mrr), "
        "SUM(contraction_mrr), SUM(churned_mrr), SUM(reactivated_mrr), SUM(mrr) FROM marts.looker_growth",
    ) == total(
        built,
        "SELECT SUM(signups), SUM(new_customers), SUM(churned_customers), SUM(new_mrr), SUM(expansion_mrr), "
        "SUM(contraction_mrr), SUM(churned_mrr), SUM(reactivated_mrr), SUM(mrr_end) "
        "FROM marts.customer_growth JOIN marts.mrr_waterfall USING (month)",
    )
    assert total(built, "SELECT SUM(revenue), SUM(orders) FROM marts.looker_growth") == total(
        built, "SELECT SUM(revenue), SUM(orders) FROM marts.revenue_by_month"
    )
    assert total(
        built, "SELECT SUM(cohort_size), SUM(active_customers), SUM(mrr) FROM marts.looker_retention"
    ) == total(built, "SELECT SUM(cohort_size), SUM(active_customers), SUM(mrr) FROM marts.cohort_retention")
    assert total(built, "SELECT SUM(tickets), SUM(due_tickets) FROM marts.looker_support") == total(
        built, "SELECT COUNT(*), (SELECT SUM(due_tickets) FROM marts.support_load) FROM raw.support_tickets"
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

    def soft_tables(self) -> frozenset[str]:
        return frozenset()


@every_view
def test_on_bigquery_a_view_is_made_with_its_descriptions(view: Query) -> None:
    sql = looker.creation(view, _BigQuery())  # type: ignore[arg-type]
    assert sql.startswith(f"CREATE OR REPLACE VIEW `shop_marts`.`{view.name}` (")
    for name, meaning in view.columns.items():
        assert f"`{name}` OPTIONS (description = {_BigQuery.dialect.string(meaning)})" in sql


@every_view
def test_on_bigquery_a_views_statement_is_googlesql(view: Query) -> None:
    """But for the descriptions, which BigQuery has and the reference implementation does not resolve."""
    sql = looker.creation(view, _BigQuery())  # type: ignore[arg-type]
    bare = re.sub(r" OPTIONS \(description = '(?:[^'\\]|\\.)*'\)", "", sql)
    assert "OPTIONS" not in bare
    flat = re.sub(r"`shop_marts`\.`(\w+)`", r"marts__\1", bare)
    stored_as = {name.replace(".", "__"): types for name, types in tables(world_of(view)).items()}
    googlesql.analyze(flat, bigquery_ml.used(flat, stored_as))


def test_a_link_says_what_the_linking_api_asks_for() -> None:
    view = HOPIFY["looker_growth"]
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
    assert done.out.count("https://") == len(HOPIFY)
    done = etl("looker", ETL_WAREHOUSE_URL="bigquery://p-2/shop")
    assert "ds.ds0.projectId=p-2&ds.ds0.type=TABLE&ds.ds0.datasetId=shop_marts" in done.out
    done = etl("looker", ETL_WAREHOUSE_URL="bigquery://p-2/shop", ETL_PUBLISH_WORLD="churn")
    assert "r.reportName=Churn%20usage" in done.out
    assert_one_clear_error(etl("looker", ETL_PUBLISH_WORLD="nowhere"), 2, "no views for Looker Studio", "hopify")
    DuckDbWarehouse(tmp_path / "w.duckdb").close()
    assert_one_clear_error(etl("looker", "--create"), 3, "has not been built", "etl marts")


@every_view
@pytest.mark.parametrize("template", ["", "1a2B-3c_4d"])
def test_a_link_keeps_every_documented_rule(view: Query, template: str) -> None:
    assert linking_api.broken(looker.link(view, looker.Place("my-project-1", "shop_marts"), template)) == []


@pytest.mark.parametrize(
    ("spoil", "rules"),
    [
        (("ds.ds0.connector=bigQuery", "ds.ds0.connector=bigquery"), ["connector 'bigquery' of ds0"]),
        (("ds.ds0.projectId=my-project&", ""), ["no ds.ds0.projectId"]),
        (("ds.ds0.type=TABLE", "ds.ds0.type=VIEW"), ["ds.ds0.type=VIEW"]),
        (("ds.ds0.tableId", "ds.ds0.table"), ["unknown ds.ds0.table", "no ds.ds0.tableId"]),
        (("c.mode=edit", "c.mode=write"), ["c.mode=write"]),
        (("r.reportName=Hopify%20growth", "r.name=x"), ["unknown r.name"]),
        (("r.reportName=Hopify%20growth", "r.reportName=Hopify+growth"), ["not percent-encoded"]),
        (("ds.ds0.", "ds.d%C3%A9."), ["alias 'd\u00e9'"]),
        (("/reporting/create", "/reporting/make"), ["address lookerstudio.google.com/reporting/make"]),
        (("c.mode=edit", "c.mode=edit&c.mode=edit"), ["c.mode twice"]),
    ],
)
def test_a_broken_rule_is_noticed(spoil: tuple[str, str], rules: list[str]) -> None:
    link = looker.link(HOPIFY["looker_growth"], looker.Place("my-project", "shop_marts"))
    assert spoil[0] in link
    assert linking_api.broken(link.replace(*spoil)) == rules


def test_views_are_made_once_and_again_where_they_differ(
    built: DuckDbWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(built)
    assert looker.bring_up_to_date(built, ledger, "hopify", "run") == sorted(HOPIFY)
    assert looker.bring_up_to_date(built, ledger, "hopify", "run") == []
    built.commit(["DROP VIEW marts.looker_support"])
    assert looker.bring_up_to_date(built, ledger, "hopify", "run") == ["looker_support"]
    edited = [
        replace(view, text=view.text + " WHERE TRUE") for view in HOPIFY.values() if view.name == "looker_customers"
    ]
    monkeypatch.setattr(looker, "views", lambda _world: edited)
    assert looker.bring_up_to_date(built, ledger, "hopify", "run") == ["looker_customers"]
    assert looker.bring_up_to_date(built, ledger, "nowhere", "run") == []


def test_the_guide_is_not_stale() -> None:
    page = GUIDE.read_text("utf-8")
    assert refreshed(page) == page, "run: python -m etl.publish.catalogue docs/looker-studio.md"
    for view in VIEWS:
        assert page.count(f"<!-- fields of {world_of(view)}/{view.name} -->") == 1
    with pytest.raises(QueryError, match="has no view 'looker_none'"):
        refreshed(page.replace("hopify/looker_growth", "hopify/looker_none"))


@every_view
def test_the_guides_formulas_and_pages_use_columns_of_the_view(view: Query) -> None:
    section = (
        GUIDE.read_text("utf-8").partition(f"<!-- fields of {world_of(view)}/{view.name} -->")[2].partition("\n## ")[0]
    )
    _, _, text = section.partition("<!-- end -->")
    formulas = re.findall(r"\| `([^`]+)` \|", text)
    assert formulas
    named = {name for formula in formulas for name in re.findall(r"\b[a-z][a-z_0-9]*\b", formula)}
    named |= set(re.findall(r"`([a-z_0-9]+)`", text)) - {view.name}
    assert sorted(named - view.columns.keys()) == []
    summed = {name for formula in formulas for name in re.findall(r"SUM\((\w+)\)", formula)}
    assert {view.header.types[name].partition("(")[0] for name in summed} <= {"INT64", "NUMERIC", "FLOAT64"}
