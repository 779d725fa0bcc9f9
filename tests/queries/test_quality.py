"""Quality queries: GoogleSQL in the repository, each source's own SQL in the source, silent on sound worlds."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import mart_reference as reference
import pytest
import sqlglot
from sqlglot import exp
from support.commands import call_etl
from support.elsewhere import sqlite_elsewhere
from support.sources import SourceEngine

from etl.config import Config
from etl.dialects.base import Dialect
from etl.dialects.postgres import PostgresDialect
from etl.dialects.sqlite import SqliteDialect
from etl.dialects.tsql import TsqlDialect
from etl.engines import open_source
from etl.publish import quality
from etl.publish.errors import QueryError
from etl.publish.quality import Broken
from etl.publish.queries import Query
from generators import worlds
from schemas import churn, health, hopify

WORLDS = {"hopify": hopify.metadata, "churn": churn.metadata, "health": health.metadata}
QUERIES = [query for world in WORLDS for query in quality.load(world).values()]
IDS = [f"{query.world}-{query.name}" for query in QUERIES]


@pytest.mark.parametrize("query", QUERIES, ids=IDS)
def test_query_is_googlesql_with_the_columns_of_its_header(query: Query) -> None:
    declared = [(name, reference.kind(type_)) for name, type_ in query.header.types.items()]
    assert [name for name, _ in declared] == ["rule", "row_key"]
    assert reference.output(query.text, reference.tables({}, WORLDS[query.world])) == declared


@pytest.mark.parametrize("dialect", [TsqlDialect(), PostgresDialect(), SqliteDialect()], ids=lambda d: d.name)
@pytest.mark.parametrize("query", QUERIES, ids=IDS)
def test_query_is_spelled_for_every_source(query: Query, dialect: Dialect) -> None:
    relations = {name: dialect.qualify("a schema", name) for name in query.tables}
    for sql in (quality.counts(query, dialect, relations), quality.first(query, dialect, relations, "it's")):
        tree = sqlglot.parse_one(sql, read=dialect.sqlglot)
        tables = {table.name for table in tree.find_all(exp.Table) if table.db}
        assert tables == query.tables
        assert "--" not in sql
        if dialect.name == "mssql":
            assert "LIMIT" not in sql
            assert "DATE(" not in sql.replace("UPDATE(", "")


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    paths = {world: tmp_path_factory.mktemp("quality") / f"{world}.db" for world in WORLDS}
    for world, path in paths.items():
        worlds.generate(world, f"sqlite:///{path}", customers=120)
    return paths


def found(world: str, path: Path) -> list[Broken]:
    return _broken(world, f"sqlite:///{path}")


def _broken(world: str, url: str) -> list[Broken]:
    config = Config.model_validate({"source": {"url": url}})
    with open_source(config).snapshot() as snapshot:
        return [broken for query in quality.load(world).values() for broken in quality.broken(snapshot, query)]


@pytest.mark.parametrize("world", WORLDS)
def test_a_generated_world_breaks_no_rule(world: str, sources: dict[str, Path]) -> None:
    assert found(world, sources[world]) == []


@pytest.mark.parametrize("world", WORLDS)
def test_the_rules_are_asked_in_every_source(world: str, source: SourceEngine) -> None:
    """Sound as generated; a row whose time is turned round is found by the server's own SQL."""
    worlds.generate(world, source.url, customers=60)
    assert _broken(world, source.url) == []
    turned, rule = LATE[world]
    source.execute(turned)
    assert rule in {broken.rule for broken in _broken(world, source.url)}


LATE = {
    "hopify": ("UPDATE orders SET ordered_at = '1999-01-01 00:00:00.000000' WHERE order_id = 2", "order before signup"),
    "churn": ("UPDATE customers SET signup_date = '2199-01-01'", "use before signup"),
    "health": ("UPDATE day06_customers SET signup_date = '2199-01-01'", "subscription before signup"),
}


@pytest.fixture
def hopify_copy(tmp_path: Path, sources: dict[str, Path]) -> Path:
    path = tmp_path / "hopify.db"
    path.write_bytes(sources["hopify"].read_bytes())
    return path


BREAKING: Mapping[str, str] = {
    "orders.customer_id refers to nothing": "UPDATE orders SET customer_id = 999999 WHERE order_id = 1",
    "order before signup": "UPDATE orders SET ordered_at = '1999-01-01 00:00:00.000000' WHERE order_id = 2",
    "ticket closed before it was opened": "UPDATE support_tickets SET closed_at = '1999-01-01 00:00:00' "
    "WHERE ticket_id = (SELECT MIN(ticket_id) FROM support_tickets WHERE closed_at IS NOT NULL)",
    "payment other than its order comes to": "UPDATE payments SET amount = amount + 0.01 WHERE payment_id = 1",
    "customers.email twice": "UPDATE customers SET email = (SELECT UPPER(email) FROM customers WHERE customer_id = 1) "
    "WHERE customer_id = 2",
    "two active subscriptions of a customer": "UPDATE subscriptions SET status = 'active', ended_on = NULL",
    "satisfaction outside 1 to 5": "UPDATE support_tickets SET satisfaction = 6 WHERE ticket_id = 3",
    "discount of more than everything": "UPDATE discounts SET percent_off = 120 WHERE discount_id = 1",
}


@pytest.mark.parametrize("rule", BREAKING)
def test_a_planted_row_is_found_by_its_rule(hopify_copy: Path, rule: str) -> None:
    objection = sqlite_elsewhere(str(hopify_copy), ["PRAGMA ignore_check_constraints = ON", BREAKING[rule]])
    assert objection == ""
    assert rule in {broken.rule for broken in found("hopify", hopify_copy)}


def test_the_command_tells_rows_and_keys(hopify_copy: Path, tmp_path: Path) -> None:
    environment = {"ETL_SOURCE_URL": f"sqlite:///{hopify_copy}", "ETL_WAREHOUSE_URL": f"duckdb:///{tmp_path}/w.duckdb"}
    done = call_etl(tmp_path, "quality", environment=environment)
    assert (done.code, "no rule is broken" in done.out) == (0, True)
    sqlite_elsewhere(str(hopify_copy), [BREAKING["satisfaction outside 1 to 5"].replace("= 3", "IN (3, 4)")])
    done = call_etl(tmp_path, "quality", "plausible", environment=environment)
    assert done.code == 1
    assert "satisfaction outside 1 to 5" in done.out
    assert call_etl(tmp_path, "quality", "nonsense", environment=environment).code == 2
    printed = call_etl(tmp_path, "quality", "plausible", "--sql", environment=environment)
    with closing(sqlite3.connect(hopify_copy)) as connection:
        rows = connection.execute(printed.out.strip().rstrip(";")).fetchall()
    assert rows == [("satisfaction outside 1 to 5", 2)]


@pytest.mark.parametrize(("world", "other"), [("hopify", "health"), ("health", "churn")])
def test_a_source_of_another_world_is_said_to_be_one(world: str, other: str, sources: dict[str, Path]) -> None:
    with pytest.raises(QueryError, match="which the source does not have"):
        found(other, sources[world])
