"""Worlds in a real PostgreSQL: the rows that SQLite has, all constraints, and all or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import CheckConstraint, Engine, Table, create_engine, inspect, text
from support.postgres import postgres_server

from generators import worlds
from generators.errors import GeneratorError
from generators.loading import load
from generators.readers import open_reader
from generators.worlds import WORLDS

pytest.importorskip("psycopg", reason="needs the extra postgres")
pytest.importorskip("adbc_driver_postgresql", reason="needs the extra postgres")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres_server() as url:
        yield url


@pytest.fixture
def url(server: str) -> Iterator[str]:
    """A database of the server without any table."""
    yield server
    engine = _engine(server)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()


def _engine(url: str) -> Engine:
    return create_engine(url.replace("postgresql:", "postgresql+psycopg:", 1))


def _checks(table: Table) -> list[CheckConstraint]:
    return [constraint for constraint in table.constraints if isinstance(constraint, CheckConstraint)]


def _rows(name: str, url: str) -> dict[str, list[dict[str, Any]]]:
    with open_reader(url, WORLDS[name].metadata) as connection:
        return {
            table: connection.sql(f'SELECT * FROM "{table}" ORDER BY ALL').to_arrow_table().to_pylist()
            for table in WORLDS[name].metadata.tables
        }


@pytest.mark.parametrize("name", list(WORLDS))
def test_the_rows_are_those_of_sqlite_and_pass(name: str, url: str, tmp_path: Path) -> None:
    elsewhere = f"sqlite:///{tmp_path}/world.db"
    assert worlds.generate(name, url, customers=120) == worlds.generate(name, elsewhere, customers=120)
    assert _rows(name, url) == _rows(name, elsewhere)
    assert worlds.check(name, url, customers=120).failures == ()


def test_the_tables_are_those_of_the_schema(url: str) -> None:
    worlds.generate("hopify", url, customers=20)
    engine = _engine(url)
    found = inspect(engine)
    for table in WORLDS["hopify"].metadata.sorted_tables:
        keys = [column.name for column in table.primary_key.columns]
        assert found.get_pk_constraint(table.name)["constrained_columns"] == keys
        assert len(found.get_foreign_keys(table.name)) == len(table.foreign_keys)
        assert {index.name for index in table.indexes} <= {index["name"] for index in found.get_indexes(table.name)}
        nullable = {column["name"] for column in found.get_columns(table.name) if column["nullable"]}
        assert nullable == {column.name for column in table.columns if column.nullable}
        assert found.get_table_comment(table.name)["text"] == table.comment
    with engine.connect() as connection:
        checks = connection.execute(
            text("SELECT COUNT(*) FROM pg_constraint WHERE contype = 'c' AND conrelid > 0")
        ).scalar_one()
    engine.dispose()
    assert checks == sum(len(_checks(table)) for table in WORLDS["hopify"].metadata.tables.values())


def test_a_filled_database_is_refused_and_only_the_worlds_own_tables_are_replaced(url: str) -> None:
    engine = _engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE mine AS SELECT 1 AS x"))
    worlds.generate("churn", url, customers=5)
    with pytest.raises(GeneratorError, match="already has the tables billing, customers, support, usage_daily"):
        worlds.generate("churn", url, customers=6)
    assert worlds.generate("churn", url, customers=6, replace=True)["customers"] == 6
    with engine.connect() as connection:
        assert connection.execute(text("SELECT x FROM mine")).all() == [(1,)]
    engine.dispose()


def test_a_failure_half_way_leaves_what_was_there(url: str) -> None:
    worlds.generate("churn", url, customers=5)
    before = _rows("churn", url)
    of = WORLDS["churn"]

    def breaking() -> Iterator[tuple[str, pa.RecordBatch]]:
        yield next(of.batches(9, 1, 1))
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        load(url, of.metadata, breaking(), replace=True)
    assert _rows("churn", url) == before


def test_a_row_that_breaks_a_constraint_is_a_message_and_undone(url: str) -> None:
    of = WORLDS["churn"]
    orphans = [item for item in of.batches(5, 1, 1) if item[0] != "customers"]
    with pytest.raises(GeneratorError, match="foreign key") as caught:
        load(url, of.metadata, orphans)
    assert "\n" not in str(caught.value)
    engine = _engine(url)
    assert inspect(engine).get_table_names() == []
    engine.dispose()
