"""What only PostgreSQL has: its own types, who sums, transactions that commit late, rights, and libpq's complaints."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from support.items import ITEMS, items, moment, stored
from support.project import Project
from support.sources import PostgresEngine
from support.warehouses import DuckDbEngine

from etl.errors import SourceError
from etl.sources.postgres import PostgresSource
from etl.verify.rowsum import Mode
from schemas.table import Table


@pytest.fixture
def postgres(tmp_path: Path) -> PostgresEngine:
    return PostgresEngine(tmp_path)


@pytest.fixture
def shop(postgres: PostgresEngine, tmp_path: Path) -> Project:
    """A project on PostgreSQL whose thousand items have been synced once."""
    project = Project(tmp_path, postgres, DuckDbEngine(tmp_path))
    postgres.create(ITEMS)
    postgres.insert(ITEMS, items())
    project.synced()
    return project


TYPES: list[tuple[str, str, str, Any]] = [
    ("numeric", "0.000000000000000001", "decimal(38,18)", Decimal("0.000000000000000001")),
    ("numeric(5,2)", "-0.50", "decimal(5,2)", Decimal("-0.50")),
    ("numeric(3,-2)", "12300", "decimal(5,0)", Decimal(12300)),
    ("numeric(2,5)", "0.00012", "decimal(5,5)", Decimal("0.00012")),
    ("smallint", "-32768", "int", -32768),
    ("real", "0.1", "float", 0.10000000149011612),
    ("timestamptz", "2024-03-31 01:30:00.123456+05:30", "timestamp", "2024-03-30 20:00:00.123456+00:00"),
    ("char(5)", "ab", "char", "ab"),
    ("varchar(9)", "ab  ", "string", "ab  "),
    ("mood", "so so", "string", "so so"),
    ("positive", "7", "int", 7),
    ("jsonb", '{"b": 1, "a": [1.50]}', "json", '{"a": [1.50], "b": 1}'),
    ("json", '{"b":1,  "a":2}', "json", '{"b":1,  "a":2}'),
    ("tiny", "7.5", "decimal(5,2)", Decimal("7.50")),
    ("inet", "192.168.0.1", "string", "192.168.0.1/32"),
    ("bit(3)", "101", "string", "101"),
    ("timetz", "04:05:06.5+05:30", "string", "04:05:06.5+05:30"),
    ("int GENERATED ALWAYS AS (c4 * 2) STORED", "", "int", -65_536),
    ("bytea", "\\x00ff", "bytes", b"\x00\xff"),
    ("uuid", "6F9619FF-8B86-D011-B42D-00C04FC964FF", "uuid", "6f9619ff-8b86-d011-b42d-00c04fc964ff"),
]


def test_its_types_arrive_exactly_and_are_equal_afterwards(postgres: PostgresEngine, tmp_path: Path) -> None:
    postgres.execute("CREATE TYPE mood AS ENUM ('so so')", "CREATE DOMAIN positive AS int CHECK (VALUE > 0)")
    postgres.execute("CREATE DOMAIN small AS numeric(5,2)", "CREATE DOMAIN tiny AS small CHECK (VALUE < 10)")
    columns = ", ".join(f"c{i} {declared}" for i, (declared, *_) in enumerate(TYPES))
    values = ", ".join("'" + text.replace("'", "''") + "'" if text else "DEFAULT" for _, text, *_ in TYPES)
    postgres.execute(
        f"CREATE TABLE t (id int PRIMARY KEY, {columns})",
        f"INSERT INTO t VALUES (1, {values})",
        "INSERT INTO t (id) VALUES (2)",
    )
    with postgres.open().snapshot() as snapshot:
        table = snapshot.tables()[0]
        assert [str(column.type) for column in table.columns[1:]] == [logical for *_, logical, _ in TYPES]
        row = next(snapshot.read(table)).to_pylist()[0]
    arrived = [str(v) if isinstance(e, str) else v for v, (*_, e) in zip(list(row.values())[1:], TYPES, strict=True)]
    assert arrived == [expected for *_, expected in TYPES]
    project = Project(tmp_path, postgres, DuckDbEngine(tmp_path))
    assert project.synced("t").check.equal
    check = project.verified("t").check
    assert (check.equal, check.source_mode, check.warehouse_mode) == (True, Mode.PUSHDOWN, Mode.PUSHDOWN)


@pytest.mark.parametrize(
    ("declared", "value"),
    [("numeric", "0.0000000000000000001"), ("numeric", "'NaN'"), ("date", "'infinity'"), ("timestamp", "'-infinity'")],
)
def test_what_no_copy_can_hold_is_refused_by_name(postgres: PostgresEngine, declared: str, value: str) -> None:
    postgres.execute(
        f'CREATE TABLE t (id int PRIMARY KEY, "the value" {declared})', f"INSERT INTO t VALUES (1, {value})"
    )
    with postgres.open().snapshot() as snapshot, pytest.raises(SourceError, match="column the value") as refused:
        list(snapshot.read(snapshot.tables()[0]))
    assert '"the value" = "string"' in refused.value.remedy


def test_a_transaction_that_commits_after_the_sync_is_found_by_the_next(shop: Project) -> None:
    """It takes its cursor value before, and commits after, a snapshot that has gone past that value."""
    with psycopg.connect(shop.source.url) as late:
        late.execute(f"INSERT INTO items VALUES (5000, 'late', 1, '{stored(1_000)}')".encode())
        late.execute(f"UPDATE items SET amount = -1, updated_at = '{stored(1_001)}' WHERE id = 7".encode())
        shop.source.insert(ITEMS, [(5_001, "meanwhile", 1, moment(1_100))])
        during = shop.synced()
        assert during.check.equal
        late.commit()
    result = shop.synced()
    assert (result.extracted, result.repaired, result.check.equal) == (1 + 2, 2, True)
    shop.assert_equal(ITEMS)


def test_a_clock_that_ran_backwards_loses_nothing(shop: Project) -> None:
    shop.source.insert(ITEMS, [(5_000, "yesterday", 1, moment(-1_440))])
    result = shop.synced()
    assert (result.repaired, result.check.equal) == (1, True)
    shop.assert_equal(ITEMS)


def test_one_snapshot_serves_all_tables(postgres: PostgresEngine) -> None:
    for name in ("one", "two"):
        postgres.create(Table(name, ITEMS.columns, ITEMS.key))
    with postgres.open().snapshot() as snapshot:
        tables = snapshot.tables()
        postgres.insert(tables[0], [(1, "x", 1, moment(1))])
        postgres.insert(tables[1], [(1, "x", 1, moment(1))])
        assert [snapshot.count(table) for table in tables] == [0, 0]


@pytest.mark.parametrize(
    "meanwhile",
    [
        "TRUNCATE one",
        "DROP VIEW seen; ALTER TABLE one ALTER COLUMN amount TYPE numeric(10,1)",
        "DROP TABLE one CASCADE; CREATE TABLE one (id bigint PRIMARY KEY, amount bigint)",
        "TRUNCATE part; INSERT INTO part VALUES (1, 1)",
        "DROP TABLE part",
        "TRUNCATE heir",
    ],
)
def test_what_no_longer_shows_the_snapshot_is_refused(postgres: PostgresEngine, meanwhile: str) -> None:
    """To an older snapshot a table that was truncated or rewritten is empty: its rows are not gone, they are hidden."""
    postgres.execute(
        "CREATE TABLE one (id bigint PRIMARY KEY, amount bigint)",
        "INSERT INTO one VALUES (1, 1)",
        "CREATE TABLE two (id bigint PRIMARY KEY, amount bigint) PARTITION BY RANGE (id)",
        "CREATE TABLE part PARTITION OF two FOR VALUES FROM (0) TO (10)",
        "INSERT INTO two VALUES (1, 1)",
        "CREATE TABLE three (id bigint PRIMARY KEY, amount bigint)",
        "CREATE TABLE heir () INHERITS (three)",
        "INSERT INTO three VALUES (1, 1)",
        "CREATE VIEW seen AS SELECT id, amount FROM one UNION ALL SELECT * FROM two UNION ALL SELECT * FROM three",
    )
    touched = {"one": "one", "part": "two", "heir": "three"}[re.findall("one|part|heir", meanwhile)[0]]
    with postgres.open().snapshot() as snapshot:
        tables = {table.name: table for table in snapshot.tables()}
        postgres.execute(*meanwhile.split(";"))
        for name in ({"one", "two", "three"} & tables.keys()) - {touched}:
            assert snapshot.count(tables[name]) == 1
        views = [] if "VIEW" in meanwhile or "CASCADE" in meanwhile else ["seen"]
        for name in (touched, *views):
            with pytest.raises(SourceError, match=name):
                list(snapshot.read(tables[name]))
            with pytest.raises(SourceError, match=name):
                snapshot.count(tables[name])
        assert snapshot.count(tables["three" if touched == "one" else "one"]) == 1


def test_a_view_of_the_systems_own_tables_is_no_rewritten_table(postgres: PostgresEngine) -> None:
    postgres.execute("CREATE VIEW v AS SELECT CAST(relname AS text) AS name FROM pg_class WHERE relname = 'pg_proc'")
    with postgres.open().snapshot() as snapshot:
        assert snapshot.count(snapshot.tables()[0]) == 1


def test_the_servers_settings_change_no_text(postgres: PostgresEngine, tmp_path: Path) -> None:
    """What has no type of its own is copied as the server's text, which styles and zones would change."""
    database = urlsplit(postgres.url).path.removeprefix("/")
    columns = {"at": "timestamptz", "span": "interval", "price": "money", "data": "bytea", "ratio": "float8"}
    postgres.execute(
        "CREATE TABLE t (id int PRIMARY KEY, at timestamptz, span interval, price money, data bytea, ratio float8)",
        "INSERT INTO t VALUES (1, '2024-02-03 04:05:06+05:30', '1 mon 2 days 03:04:05', 1234.5, '\\x00ff', 0.1)",
    )
    project = Project(tmp_path, postgres, DuckDbEngine(tmp_path))
    texts = {"t": {"columns": dict.fromkeys(columns, "string")}}
    assert project.synced("t", tables=texts).check.equal
    odd = {"DateStyle": "German", "TimeZone": "Asia/Kolkata", "IntervalStyle": "iso_8601", "bytea_output": "escape"}
    for name, value in {**odd, "extra_float_digits": "-10"}.items():
        postgres.execute(f"ALTER DATABASE \"{database}\" SET {name} = '{value}'")
    result = project.synced("t", tables=texts)
    assert (result.check.found, result.extracted) == (0, 0)
    assert project.warehouse.rows("t")[0][1:] == (
        "2024-02-02 22:35:06+00",
        "1 mon 2 days 03:04:05",
        "$1,234.50",
        "\\x00ff",
        "0.1",
    )


def test_other_schemas_have_their_name_in_the_target(postgres: PostgresEngine, tmp_path: Path) -> None:
    postgres.execute(
        "CREATE SCHEMA sales",
        "CREATE TABLE sales.orders (id int PRIMARY KEY)",
        "CREATE TABLE orders (id int PRIMARY KEY)",
    )
    project = Project(tmp_path, postgres, DuckDbEngine(tmp_path))
    assert set(project.sync()) == {"orders", "sales__orders"}


def test_a_right_missing_on_one_table_does_not_stop_the_others(shop: Project) -> None:
    shop.source.execute(
        "DROP ROLE IF EXISTS reader",
        "CREATE ROLE reader LOGIN",
        "CREATE TABLE secret (id int PRIMARY KEY)",
        "GRANT SELECT ON items TO reader",
    )
    parts = urlsplit(shop.source.url)
    as_reader = urlunsplit(parts._replace(netloc=f"reader@{parts.netloc.rpartition('@')[2]}"))
    done = shop.etl("sync", ETL_SOURCE_URL=as_reader)
    shop.source.execute("REVOKE ALL ON items FROM reader", "DROP ROLE reader")
    assert done.code == 3
    assert "permission denied for table secret" in done.err
    assert "GRANT SELECT" in done.err
    assert "1,000" in done.out


def _elsewhere(url: str, **parts: str) -> str:
    return urlunsplit(urlsplit(url)._replace(**parts))


@pytest.mark.parametrize(
    ("part", "value", "says"),
    [
        ("path", "/nowhere", 'database "nowhere" does not exist'),
        ("netloc", "nobody:hunter2@", 'role "nobody" does not exist'),
        ("query", "host=127.0.0.1&port=1", "Connection refused"),
        ("query", "host=no.such.host.invalid", "could not translate host name"),
    ],
)
def test_what_is_wrong_with_a_url_is_said_in_one_message(
    postgres: PostgresEngine, part: str, value: str, says: str
) -> None:
    with (
        pytest.raises(SourceError, match=says) as refused,
        PostgresSource(_elsewhere(postgres.url, **{part: value})).snapshot(),
    ):
        pass
    assert refused.value.remedy
    assert "hunter2" not in refused.value.message + refused.value.remedy
    assert "\n" not in refused.value.message
