"""What only SQLite can do to its readers: hold any value in any column, and lock the whole file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from support.elsewhere import sqlite_elsewhere

from etl.errors import SourceError
from etl.sources.sqlite import BATCH_ROWS, SqliteSource
from schemas.table import Table

UNFIT = [
    ("TEXT", b"\x61", "blob", "bytes"),
    ("VARCHAR(10)", b"\xff", "blob", "bytes"),
    ("", b"\x61", "blob", "bytes"),
    ("BLOB", "text", "text", "string"),
    ("BLOB", 5, "integer", "string"),
    ("INTEGER", "abc", None, "string"),
    ("INTEGER", "0x10", None, "string"),
    ("INTEGER", 1.5, None, "string"),
    ("INTEGER", b"1", None, "string"),
    ("DECIMAL(10,2)", 1.005, None, "string"),
    ("DECIMAL(10,2)", 123456789.0, None, "string"),
    ("DECIMAL(10,2)", b"1.50", "blob", "bytes"),
    ("DECIMAL_TEXT(10,2)", "1.005", None, "string"),
    ("DECIMAL_TEXT(10,2)", "abc", None, "string"),
    ("DATE", "2024-02-30", None, "string"),
    ("DATE", 20240101, "integer", "string"),
    ("DATE", "2024-01-01 10:00:00", None, "string"),
    ("TIME", "25:00:00", None, "string"),
    ("DATETIME", "2024-01-01 10:00:00+02:00", None, "string"),
    ("DATETIME", 1704067200, "integer", "string"),
    ("TIMESTAMPTZ", "2024-01-01 10:00:00", None, "string"),
    ("BOOLEAN", 2, None, "string"),
    ("BOOLEAN", -1, None, "string"),
    ("BOOLEAN", "true", None, "string"),
    ("UUID", "not-a-uuid", None, "string"),
    ("UUID", b"0123456789abcdef", "blob", "bytes"),
    ("REAL", "NaN", None, "string"),
    ("REAL", b"1.0", None, "string"),
    ("DECIMAL", 2**53 + 1, None, "string"),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "source.db"


def _run(path: Path, *statements: str, **values: Any) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement, values)


def _read(path: Path, name: str = "t") -> list[tuple[Any, ...]]:
    with SqliteSource(path).snapshot() as snapshot:
        table = {table.name: table for table in snapshot.tables()}[name]
        return [tuple(row.values()) for batch in snapshot.read(table) for row in batch.to_pylist()]


def _fill(path: Path, declaration: str, value: Any, *, late: bool) -> None:
    _run(path, f'CREATE TABLE t (id INTEGER PRIMARY KEY, "the value" {declaration})')
    if late:
        count = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {BATCH_ROWS})"
        _run(path, f"INSERT INTO t (id) {count} SELECT i FROM n")
    _run(path, 'INSERT INTO t ("the value") VALUES (:value)', value=value)


@pytest.mark.parametrize("late", [False, True], ids=["first batch", "later batch"])
@pytest.mark.parametrize(("declaration", "value", "held", "remedy"), UNFIT, ids=[f"{d}: {v!r}" for d, v, *_ in UNFIT])
def test_a_value_of_another_type_is_refused(
    path: Path, declaration: str, value: Any, held: str | None, remedy: str, late: bool
) -> None:
    """Wherever it stands: the driver settles a column's type by what it sees first."""
    _fill(path, declaration, value, late=late)
    with pytest.raises(SourceError, match="table t, column the value: ") as caught:
        _read(path)
    if held:
        assert f"type {held} that is not" in caught.value.message
    assert f'[tables."t".columns] "the value" = "{remedy}"' in caught.value.remedy


@pytest.mark.parametrize("late", [False, True], ids=["first batch", "later batch"])
def test_text_that_is_not_utf8_is_refused(path: Path, late: bool) -> None:
    _fill(path, "TEXT", None, late=late)
    _run(path, "INSERT INTO t (\"the value\") VALUES (CAST(x'ff41' AS TEXT))")
    with pytest.raises(SourceError, match=r"table t, column the value: .*UTF8"):
        _read(path)


@pytest.mark.parametrize("late", [False, True], ids=["first batch", "later batch"])
@pytest.mark.parametrize(
    ("value", "expected"), [(5, "5"), (-(2**63), str(-(2**63))), (1.5, "1.5"), (0.1, "0.1"), ("x", "x")]
)
def test_a_column_without_a_type_is_read_as_text_the_same_everywhere(
    path: Path, value: Any, expected: str, late: bool
) -> None:
    _fill(path, "", value, late=late)
    assert _read(path)[-1][1] == expected


@pytest.mark.parametrize("value", [1 / 3, 5e-324, 1.7976931348623157e308, 2.0**60, -0.1])
def test_a_real_read_as_text_keeps_its_digits(path: Path, value: float) -> None:
    _fill(path, "", value, late=False)
    assert float(_read(path)[-1][1]) == value


@pytest.mark.parametrize("late", [False, True], ids=["first batch", "later batch"])
@pytest.mark.parametrize(
    ("value", "expected"),
    [("0.10", "0.10"), (0.1, "0.10"), (7, "7.00"), ("99999999.99", "99999999.99"), (1e3, "1000.00"), (-0.01, "-0.01")],
)
def test_a_decimal_with_numeric_affinity_is_exact(path: Path, value: Any, expected: str, late: bool) -> None:
    """SQLite turns '0.10' into a REAL there."""
    _fill(path, "DECIMAL(10,2)", value, late=late)
    assert str(_read(path)[-1][1]) == expected


@pytest.mark.parametrize(
    ("value", "type_", "expected"),
    [("true", "string", "true"), (20240101, "string", "20240101"), (b"ab", "bytes", b"ab")],
)
def test_the_remedy_works(path: Path, value: Any, type_: str, expected: Any) -> None:
    from etl.config import TableConfig
    from etl.sync.plan import configured

    _fill(path, "BOOLEAN", value, late=False)
    with SqliteSource(path).snapshot() as snapshot:
        (table,) = configured(snapshot.tables(), {"t": TableConfig(columns={"the value": type_})})
        assert [row["the value"] for batch in snapshot.read(table) for row in batch.to_pylist()] == [expected]


def test_a_primary_key_that_holds_null_is_no_key(path: Path) -> None:
    """SQLite allows NULL, even several, in primary keys: https://www.sqlite.org/quirks.html."""
    _run(path, "CREATE TABLE t (k TEXT PRIMARY KEY, v INTEGER)", "CREATE TABLE u (a TEXT, b TEXT, PRIMARY KEY (a, b))")
    _run(path, "INSERT INTO t VALUES ('a', 1)", "INSERT INTO u VALUES ('a', 'b')")
    assert _keys(path) == {"t": ("k",), "u": ("a", "b")}
    _run(path, "INSERT INTO t VALUES (NULL, 1), (NULL, 2)", "INSERT INTO u VALUES ('a', NULL)")
    assert _keys(path) == {"t": (), "u": ()}


def _keys(path: Path) -> dict[str, tuple[str, ...]]:
    with SqliteSource(path).snapshot() as snapshot:
        return {table.name: table.key for table in snapshot.tables()}


@pytest.mark.parametrize("collation", ["NOCASE", "RTRIM"])
def test_keys_are_read_exactly_whatever_the_collation(path: Path, collation: str) -> None:
    _run(path, f"CREATE TABLE t (k TEXT PRIMARY KEY COLLATE {collation} NOT NULL, v INTEGER)")
    _run(path, "INSERT INTO t VALUES ('abc', 1)")
    keys = pa.table({"k": ["abc", "ABC", "abc "]})
    with SqliteSource(path).snapshot() as snapshot:
        (table,) = snapshot.tables()
        assert [row for batch in snapshot.read_keys(table, keys) for row in batch.to_pylist()] == [{"k": "abc", "v": 1}]


def test_a_view_that_is_broken_does_not_hide_the_rest(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    _run(path, "CREATE TABLE t (id INTEGER PRIMARY KEY)", "CREATE VIEW broken AS SELECT * FROM gone")
    with SqliteSource(path).snapshot() as snapshot:
        assert [table.name for table in snapshot.tables()] == ["t"]
    assert "broken" in caplog.text
    assert "gone" in caplog.text


def test_system_tables_are_left_out_and_similar_names_are_not(path: Path) -> None:
    _run(path, "CREATE TABLE sqliteX (id INTEGER PRIMARY KEY AUTOINCREMENT)", "INSERT INTO sqliteX VALUES (1)")
    assert _keys(path) == {"sqliteX": ("id",)}


def test_without_rowid_and_strict(path: Path) -> None:
    _run(path, "CREATE TABLE t (a INTEGER, b TEXT, c REAL, PRIMARY KEY (b)) STRICT, WITHOUT ROWID")
    _run(path, "INSERT INTO t VALUES (1, 'x', 5)")
    assert _read(path) == [(1, "x", 5.0)]
    assert _keys(path) == {"t": ("b",)}


def test_without_wal_a_writer_waits_for_the_snapshot(path: Path) -> None:
    _run(path, "CREATE TABLE t (id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    with SqliteSource(path).snapshot() as snapshot:
        assert "locked" in sqlite_elsewhere(str(path), ["INSERT INTO t VALUES (2)"])
        assert snapshot.count(Table("t", ())) == 1
    assert sqlite_elsewhere(str(path), ["INSERT INTO t VALUES (2)"]) == ""


def test_a_file_that_is_missing_or_is_no_database(path: Path) -> None:
    with pytest.raises(SourceError, match="no SQLite database at"):
        SqliteSource(path)
    assert not path.exists()
    path.write_text("not a database, but long enough to be mistaken for one" * 100)
    with pytest.raises(SourceError, match="is not a SQLite database"), SqliteSource(path).snapshot():
        pass
