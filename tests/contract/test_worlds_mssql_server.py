"""Worlds in a real SQL Server: the rows that SQLite has, keys and checks, counts, and nothing half done.

Runs where ``ETL_TEST_MSSQL_URL`` names a server on which databases and logins may be made. What
Babelfish for PostgreSQL cannot do is marked with its reason; bulk copy is what it cannot do here.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pyarrow as pa
import pytest
from sqlalchemy import CheckConstraint, Table, text
from support.commands import call_etl
from support.messages import assert_one_clear_error
from support.mssql import cursor, mssql_database, server_is_babelfish

from generators import worlds
from generators.errors import GeneratorError
from generators.hopify import simulate
from generators.hopify.invariants import invariants
from generators.loading import load
from generators.readers import open_reader
from generators.worlds import WORLDS
from schemas.mssql import engine


@pytest.fixture
def url() -> Iterator[str]:
    with mssql_database() as made:
        yield made


def _rows(name: str, url: str) -> dict[str, list[dict[str, Any]]]:
    with open_reader(url, WORLDS[name].metadata) as connection:
        return {
            table: connection.sql(f'SELECT * FROM "{table}" ORDER BY ALL').to_arrow_table().to_pylist()
            for table in WORLDS[name].metadata.tables
        }


def _asked(url: str, query: str) -> list[Any]:
    with cursor(url) as made:
        return [tuple(row) for row in made.execute(query).fetchall()]


def _tables(url: str) -> set[str]:
    return {name for (name,) in _asked(url, "SELECT name FROM sys.tables")}


@pytest.mark.parametrize("name", list(WORLDS))
def test_the_rows_and_the_report_are_those_of_sqlite(
    name: str, url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    elsewhere = f"sqlite:///{tmp_path}/world.db"
    with caplog.at_level(logging.INFO):
        assert worlds.generate(name, url, customers=120) == worlds.generate(name, elsewhere, customers=120)
    assert ("no bulk copy" in caplog.text) is server_is_babelfish(url)
    assert _rows(name, url) == _rows(name, elsewhere)
    report = worlds.check(name, url, customers=120)
    assert report.failures == ()
    assert report.text() == worlds.check(name, elsewhere, customers=120).text()


def test_the_tables_are_those_of_the_schema_with_cursors(url: str) -> None:
    worlds.generate("hopify", url, customers=20)
    tables = WORLDS["hopify"].metadata.sorted_tables
    keys = _asked(
        url,
        "SELECT t.name, c.name FROM sys.indexes i JOIN sys.tables t ON t.object_id = i.object_id"
        " JOIN sys.index_columns x ON x.object_id = i.object_id AND x.index_id = i.index_id"
        " JOIN sys.columns c ON c.object_id = i.object_id AND c.column_id = x.column_id"
        " WHERE i.is_primary_key = 1",
    )
    assert set(keys) == {(table.name, column.name) for table in tables for column in table.primary_key.columns}
    assert _number(url, "sys.foreign_keys") == sum(len(table.foreign_keys) for table in tables)
    assert _number(url, "sys.check_constraints") == sum(len(_checks(table)) for table in tables)
    indexes = {name for (name,) in _asked(url, "SELECT name FROM sys.indexes WHERE name LIKE 'ix[_]%'")}
    if not server_is_babelfish(url):  # which shows names of indexes with a hash behind them
        assert indexes == {str(index.name) for table in tables for index in table.indexes}
    columns = _asked(
        url,
        "SELECT t.name, c.name, c.is_nullable, TYPE_NAME(c.system_type_id) FROM sys.columns c"
        " JOIN sys.tables t ON t.object_id = c.object_id",
    )
    nullable = {(table, column) for table, column, null, _ in columns if null}
    assert nullable == {(table.name, column.name) for table in tables for column in table.columns if column.nullable}
    for table in tables:
        types = {column: type_ for name, column, _, type_ in columns if name == table.name}
        assert types["row_version"] in {"timestamp", "rowversion"}
        assert types["updated_at"] == "datetime2"


def _checks(table: Table) -> list[CheckConstraint]:
    return [constraint for constraint in table.constraints if isinstance(constraint, CheckConstraint)]


def _number(url: str, catalog: str) -> int:
    return int(_asked(url, f"SELECT COUNT(*) FROM {catalog}")[0][0])


def test_every_change_moves_the_row_version(url: str) -> None:
    worlds.generate("churn", url, customers=5)
    query = "SELECT customer_id, row_version FROM customers ORDER BY customer_id"
    before = dict(_asked(url, query))
    with cursor(url) as made:
        made.execute("UPDATE customers SET region = 'EU' WHERE customer_id = 3")
    after = dict(_asked(url, query))
    assert {key for key in before if before[key] != after[key]} == {3}
    assert after[3] > max(before.values())
    assert len(set(before.values())) == 5


def test_a_filled_database_is_refused_and_only_the_worlds_own_tables_are_replaced(url: str) -> None:
    with cursor(url) as made:
        made.execute("CREATE TABLE mine (x int)")
        made.execute("INSERT INTO mine VALUES (1)")
    worlds.generate("churn", url, customers=5)
    with pytest.raises(GeneratorError, match="already has the tables billing, customers, support, usage_daily"):
        worlds.generate("churn", url, customers=6)
    assert worlds.generate("churn", url, customers=6, replace=True)["customers"] == 6
    assert _asked(url, "SELECT x FROM mine") == [(1,)]
    assert worlds.check("churn", url, customers=6).failures == ()


def test_a_failure_half_way_leaves_no_table(url: str) -> None:
    of = WORLDS["churn"]

    def breaking() -> Iterator[tuple[str, pa.RecordBatch]]:
        yield next(of.batches(9, 1, 1))
        raise OSError("no more")

    with pytest.raises(OSError, match="no more"):
        load(url, of.metadata, breaking())
    assert _tables(url) == set()


def test_a_row_that_breaks_a_constraint_is_a_message_and_undone(url: str) -> None:
    of = WORLDS["churn"]
    orphans = [item for item in of.batches(5, 1, 1) if item[0] != "customers"]
    with pytest.raises(GeneratorError, match=r"(?i)foreign key") as caught:
        load(url, of.metadata, orphans)
    assert "\n" not in str(caught.value)
    assert _tables(url) == set()


def test_days_are_the_same_as_on_sqlite(url: str, tmp_path: Path) -> None:
    here = f"sqlite:///{tmp_path}/w.db"
    worlds.generate("hopify", here, customers=150, seed=9)
    worlds.generate("hopify", url, customers=150, seed=9)
    assert simulate(url, days=3) == simulate(here, days=3)
    assert _rows("hopify", url) == _rows("hopify", here)
    made = engine(url)
    with made.connect() as connection:
        broken = [name for name, query in invariants("mssql").items() if connection.execute(text(query)).all()]
    assert broken == []


def test_the_commands_with_the_password_from_the_environment(url: str, tmp_path: Path) -> None:
    parts = urlsplit(url)
    account, _, host = parts.netloc.rpartition("@")
    user, _, password = account.partition(":")
    open_url = urlunsplit(parts._replace(netloc=f"{user}@{host}"))
    secret = {"ETL_SOURCE_PASSWORD": password}
    generate = ("generate", "hopify", "--customers", "17", "--to")

    done = call_etl(tmp_path, *generate, open_url, environment=secret)
    assert (done.code, "command line" in done.err) == (0, False)
    done = call_etl(tmp_path, *generate, url)
    assert done.code == 2
    assert "a password on the command line can be read by others" in done.err
    assert "already has the tables" in done.err
    assert password not in done.out + done.err
    done = call_etl(tmp_path, "simulate", "--days", "1", "--source", open_url, environment=secret)
    assert done.code == 0
    checked = (*generate[:2], "--check-only", "--to", open_url)
    assert call_etl(tmp_path, *checked, environment=secret).code == 0
    with cursor(url) as made:
        made.execute("UPDATE orders SET ordered_at = '2001-01-01' WHERE order_id = 1")
    done = call_etl(tmp_path, *checked, environment=secret)
    assert done.code == 1
    assert "FAIL" in done.out.upper()


def test_a_wrong_password_and_a_missing_database_are_the_calls_fault(url: str, tmp_path: Path) -> None:
    parts = urlsplit(url)
    account, _, host = parts.netloc.rpartition("@")
    wrong = urlunsplit(parts._replace(netloc=f"{account.partition(':')[0]}:wr%3Bng@{host}"))
    nowhere = urlunsplit(parts._replace(path="/etl_not_there"))
    generate = ("generate", "churn", "--customers", "3", "--to")
    for address, named in ((wrong, "ogin failed"), (nowhere, "etl_not_there")):
        done = call_etl(tmp_path, *generate, address)
        assert_one_clear_error(done, 2, named)
        assert "wr;ng" not in done.err


def test_a_login_that_may_not_create_tables_is_told_so(url: str, tmp_path: Path) -> None:
    name = "etl_worlds_reader"
    with cursor(url) as made:
        made.execute(f"IF SUSER_ID('{name}') IS NULL CREATE LOGIN {name} WITH PASSWORD = 'Re4der;{{}}='")
        made.execute(f"CREATE USER {name} FOR LOGIN {name}")
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    reader = urlunsplit(parts._replace(netloc=f"{name}:Re4der%3B%7B%7D%3D@{host}"))
    try:
        done = call_etl(tmp_path, "generate", "churn", "--customers", "3", "--to", reader)
        assert_one_clear_error(done, 2, "permission", "right")
        assert _tables(url) == set()
    finally:
        with cursor(url) as made:
            made.execute(f"DROP USER {name}")
            made.execute(f"DROP LOGIN {name}")
