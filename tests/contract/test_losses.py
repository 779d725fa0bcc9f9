"""Declared losses: what no warehouse can hold is floored by rule, counted, shown, and never a difference."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from support.commands import call_etl

from etl.sources.sqlite import SqliteSource

ROWS = [
    (1, "2024-01-01 10:00:00.1234567", "2024-03-31 01:30:00.1234569+05:30", "10:00:00.9999999"),
    (2, "1969-12-31 23:59:59.9999999", "2024-03-31 01:30:00-00:30", "10:00:00"),
    (3, "2024-01-01 10:00:00.123456", "2024-03-31 01:30:00.123456+00:00", None),
    (4, "2024-01-01 10:00:00", "2024-03-31 01:30:00Z", "23:59:59.999999"),
]
ENVIRONMENT = {"ETL_SOURCE_URL": "sqlite:///events.db", "ETL_WAREHOUSE_URL": "duckdb:///w.duckdb"}


@pytest.fixture
def events(tmp_path: Path) -> Path:
    with closing(sqlite3.connect(tmp_path / "events.db")) as connection, connection:
        connection.execute("CREATE TABLE events (id INTEGER PRIMARY KEY, at DATETIME, seen TIMESTAMPTZ, t TIME)")
        connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?)", ROWS)
    return tmp_path


def test_they_are_floored_and_counted_once(events: Path) -> None:
    with SqliteSource(events / "events.db").snapshot() as snapshot:
        table = snapshot.tables()[0]
        for _ in range(2):
            rows = [row for batch in snapshot.read(table) for row in batch.to_pylist()]
            losses = {(loss.column, loss.what.split(" ")[1]): loss.rows for loss in snapshot.losses(table)}
            assert losses == {
                ("at", "fraction"): 2,
                ("seen", "fraction"): 1,
                ("seen", "offset"): 2,
                ("t", "fraction"): 1,
            }
    assert [f"{row['at']:%Y-%m-%d %H:%M:%S.%f}" for row in rows[:2]] == [
        "2024-01-01 10:00:00.123456",
        "1969-12-31 23:59:59.999999",
    ]
    assert f"{rows[0]['seen']:%H:%M:%S.%f}" == "20:00:00.123456"
    assert rows[0]["t"].microsecond == 999_999


def test_they_are_shown_and_equal(events: Path) -> None:
    assert call_etl(events, "sync", environment=ENVIRONMENT).code == 0
    shown = call_etl(events, "verify", environment=ENVIRONMENT)
    assert shown.code == 0
    assert "events.at: a fraction of a second floored to microseconds, in 2 rows" in shown.out
    as_json = call_etl(events, "verify", "--json", environment=ENVIRONMENT)
    assert '"what": "an offset from UTC, of which the instant is kept"' in as_json.out
