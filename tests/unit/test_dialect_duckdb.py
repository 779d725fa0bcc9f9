"""DuckDB's statements, run by DuckDB."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from etl.dialects.duckdb import DuckDbDialect
from schemas import types
from schemas.table import Column

DIALECT = DuckDbDialect()
# Names that a statement might well use as an alias of its own.
COLUMNS = (Column("k", types.INT), Column("t", types.STRING), Column("s", types.STRING))
NAMES = [column.name for column in COLUMNS]


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        for table in ("t", "s"):
            connection.execute(f"CREATE TABLE {table} (k BIGINT, t VARCHAR, s VARCHAR)")
        connection.execute("INSERT INTO t VALUES (1, 'a', 'b'), (2, 'c', NULL), (2, 'c', NULL)")
        yield connection


def held(connection: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    return connection.execute("SELECT * FROM t ORDER BY ALL").fetchall()


def test_merge(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("INSERT INTO s VALUES (1, 'x', NULL), (3, 'y', 'z')")
    connection.execute(DIALECT.merge("t", "s", NAMES, ["k"]))
    assert held(connection) == [(1, "x", None), (2, "c", None), (2, "c", None), (3, "y", "z")]


def test_insert_from(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("INSERT INTO s VALUES (0, 'x', 'y')")
    connection.execute(DIALECT.insert_from("t", "s", NAMES))
    assert held(connection)[0] == (0, "x", "y")


def test_delete_matching(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("INSERT INTO s VALUES (1, NULL, NULL)")
    connection.execute(DIALECT.delete_matching("t", "s", ["k"]))
    assert held(connection) == [(2, "c", None), (2, "c", None)]


def test_delete_hashed_takes_every_copy_of_a_row(connection: duckdb.DuckDBPyConnection) -> None:
    """Whatever the columns are called: one named like the statement's alias would be read as a whole row."""
    connection.execute(f"CREATE TABLE words AS {DIALECT.hashes(COLUMNS, [], '(SELECT * FROM t WHERE k = 2)')}")
    connection.execute(DIALECT.delete_hashed("t", "words", COLUMNS))
    assert held(connection) == [(1, "a", "b")]


def test_a_temporary_table_replaces_one_of_its_name(connection: duckdb.DuckDBPyConnection) -> None:
    for number in (1, 2):
        connection.execute(DIALECT.create_temporary("sums", f"SELECT {number} AS n"))
    assert connection.execute("SELECT n FROM sums").fetchall() == [(2,)]


@pytest.mark.parametrize("text", ["", "it's", "\0", "a\0b", "\\", "a\nb", "caf\u00e9"])
def test_strings_come_back_from_their_literal(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    assert connection.execute(f"SELECT {DIALECT.string(text)}").fetchall() == [(text,)]
