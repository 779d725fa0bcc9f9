"""What only SQL Server has: its types, row versions, long values, collations, rights, and its complaints.

Run where ``ETL_TEST_MSSQL_URL`` names a server; what Babelfish lacks is in ``support.babelfish``.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from time import sleep
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import pyarrow as pa
import pytest
from support.babelfish import GAPS
from support.items import ITEMS, items
from support.project import Project
from support.sources import MssqlEngine
from support.values import ODD
from support.warehouses import DuckDbEngine

from etl.dialects.tsql import TsqlDialect
from etl.errors import EtlError, SourceError
from etl.ranges import Range, Ranges
from etl.records import LoadKind
from etl.sources import mssql
from etl.sources.mssql_link import failure
from etl.sources.mssql_reader import plain
from etl.sources.mssql_server import Server, look
from etl.sources.mssql_session import SOFT_BYTES, Session
from etl.verify.proof import EngineProof
from schemas import types
from schemas.mssql import MssqlError, address
from schemas.table import Column, Cursor, CursorKind, Table
from schemas.types import Kind, LogicalType


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MssqlEngine]:
    engine = MssqlEngine(tmp_path)
    yield engine
    engine.remove()


@pytest.fixture
def shop(server: MssqlEngine, tmp_path: Path) -> Project:
    """A project on SQL Server whose thousand items, with a row version, have been synced once."""
    project = Project(tmp_path, server, DuckDbEngine(tmp_path))
    server.execute(
        "CREATE TABLE items (id bigint NOT NULL PRIMARY KEY, name nvarchar(400), amount bigint, "
        "updated_at datetime2(6), rv rowversion)"
    )
    server.insert(ITEMS, items())
    project.synced()
    return project


@pytest.mark.parametrize("name", GAPS)
def test_what_babelfish_lacks_it_still_lacks_and_sql_server_has(server: MssqlEngine, name: str) -> None:
    """Else the gap is to be taken out of the list, and what it left out is tested again."""
    gap = GAPS[name]
    assert gap.observed(server).startswith(gap.lacks if server.is_babelfish else gap.has)


# --- types ----------------------------------------------------------------------------------------

TYPES: list[tuple[str, str, str, Any]] = [
    ("bigint", "9223372036854775807", "int", 2**63 - 1),
    ("bigint", "-9223372036854775808", "int", -(2**63)),
    ("smallint", "-32768", "int", -32768),
    ("tinyint", "255", "int", 255),
    ("bit", "1", "bool", True),
    (
        "decimal(38,18)",
        "-99999999999999999999.999999999999999999",
        "decimal(38,18)",
        Decimal("-99999999999999999999.999999999999999999"),
    ),
    ("decimal(38,38)", "0." + "9" * 38, "decimal(38,38)", Decimal("0." + "9" * 38)),
    ("numeric(10,2)", "-0.50", "decimal(10,2)", Decimal("-0.50")),
    ("money", "-922337203685477.5808", "decimal(19,4)", Decimal("-922337203685477.5808")),
    ("smallmoney", "214748.3647", "decimal(10,4)", Decimal("214748.3647")),
    ("float", "1.7976931348623157e308", "float", 1.7976931348623157e308),
    ("real", "0.1", "float", 0.10000000149011612),
    ("date", "'0001-01-01'", "date", date(1, 1, 1)),
    ("date", "'9999-12-31'", "date", date(9999, 12, 31)),
    ("datetime", "'1753-01-01T00:00:00'", "datetime", datetime(1753, 1, 1)),
    ("datetime", "'9999-12-31T23:59:59.997'", "datetime", datetime(9999, 12, 31, 23, 59, 59, 997000)),
    ("datetime", "'2021-11-09T13:39:09.187'", "datetime", datetime(2021, 11, 9, 13, 39, 9, 187000)),
    ("smalldatetime", "'2079-06-06T23:59:00'", "datetime", datetime(2079, 6, 6, 23, 59)),
    ("datetime2(6)", "'0001-01-01T00:00:00.000001'", "datetime", datetime(1, 1, 1, 0, 0, 0, 1)),
    ("datetime2(0)", "'9999-12-31T23:59:59'", "datetime", datetime(9999, 12, 31, 23, 59, 59)),
    (
        "datetimeoffset(6)",
        "'2024-03-31T01:30:00.123456+05:30'",
        "timestamp",
        datetime(2024, 3, 30, 20, 0, 0, 123456, tzinfo=UTC),
    ),
    ("time(6)", "'23:59:59.999999'", "time", time(23, 59, 59, 999999)),
    ("char(5)", "'ab'", "char", "ab   "),
    ("nchar(5)", "N'é'", "char", "é    "),
    ("varchar(20)", "'caf' + CHAR(233) + ' '", "string", "café "),
    ("nvarchar(20)", "N'é😀 '", "string", "é😀 "),
    ("varchar(max)", "REPLICATE(CAST('x' AS varchar(max)), 9000)", "large string", "x" * 9000),
    ("nvarchar(max)", "REPLICATE(CAST(N'é' AS nvarchar(max)), 9000)", "large string", "é" * 9000),
    ("text", "'old'", "large string", "old"),
    ("ntext", "N'old é'", "large string", "old é"),
    ("xml", "N'<a>é</a>'", "large string", "<a>é</a>"),
    ("binary(4)", "0x0102", "bytes", b"\x01\x02\0\0"),
    ("varbinary(20)", "0x", "bytes", b""),
    ("varbinary(max)", "0x00FF", "large bytes", b"\x00\xff"),
    ("image", "0x01", "large bytes", b"\x01"),
    (
        "uniqueidentifier",
        "'6F9619FF-8B86-D011-B42D-00C04FC964FF'",
        "uuid",
        str(uuid.UUID("6F9619FF-8B86-D011-B42D-00C04FC964FF")),
    ),
]


def test_its_types_arrive_exactly_and_are_equal_afterwards(server: MssqlEngine, tmp_path: Path) -> None:
    columns = ", ".join(f"c{i} {declared}" for i, (declared, *_) in enumerate(TYPES))
    values = ", ".join(text for _, text, *_ in TYPES)
    server.execute(
        f"CREATE TABLE t (id int PRIMARY KEY, {columns})",
        f"INSERT INTO t VALUES (1, {values})",
        "INSERT INTO t (id) VALUES (2)",
    )
    with server.open().snapshot() as snapshot:
        table = snapshot.tables()[0]
        assert [str(column.type) for column in table.columns[1:]] == [logical for *_, logical, _ in TYPES]
        rows = {row["id"]: row for batch in snapshot.read(table) for row in batch.to_pylist()}
    assert list(rows[1].values())[1:] == [expected for *_, expected in TYPES]
    assert set(list(rows[2].values())[1:]) == {None}
    project = Project(tmp_path, server, DuckDbEngine(tmp_path))
    assert project.synced("t").check.equal
    assert project.verified("t").check.equal


def test_the_seventh_digit_is_floored_and_counted(server: MssqlEngine, tmp_path: Path) -> None:
    server.needs("seventh digit")
    server.execute(
        "CREATE TABLE t (id int PRIMARY KEY, a datetime2(7), b time(7), c datetimeoffset(7))",
        "INSERT INTO t VALUES (1, '2024-01-01T00:00:00.1234567', '23:59:59.9999999', "
        "'2024-01-01T00:00:00.1234567+01:00')",
        "INSERT INTO t VALUES (2, '2024-01-01T00:00:00.1234560', '00:00:00', '2024-01-01T00:00:00+00:00')",
    )
    project = Project(tmp_path, server, DuckDbEngine(tmp_path))
    assert project.synced("t").check.equal
    with server.open().snapshot() as snapshot:
        table = snapshot.tables()[0]
        row = next(row for batch in snapshot.read(table) for row in batch.to_pylist() if row["id"] == 1)
        assert (row["a"].microsecond, row["b"].microsecond) == (123456, 999999)
        assert {(loss.column, loss.rows) for loss in snapshot.losses(table)} == {("a", 1), ("b", 1), ("c", 1)}
        assert len(snapshot.losses(table)) == 4  # c loses digits and its offset


def test_an_offset_is_let_go_and_counted(server: MssqlEngine) -> None:
    server.execute(
        "CREATE TABLE t (id int PRIMARY KEY, at datetimeoffset(6))",
        "INSERT INTO t VALUES (1, '2024-01-01T00:00:00+05:30'), (2, '2024-01-01T00:00:00+00:00'), (3, NULL)",
    )
    with server.open().snapshot() as snapshot:
        table = snapshot.tables()[0]
        list(snapshot.read(table))
        assert [(loss.column, loss.what.split()[1], loss.rows) for loss in snapshot.losses(table)] == [
            ("at", "offset", 1)
        ]
        list(snapshot.read(table, Ranges(table.column("id"), (Range("2…", 2),))))
        assert snapshot.losses(table) == ()


def test_what_cannot_be_copied_is_refused_and_the_other_tables_go_on(shop: Project) -> None:
    shop.source.execute(
        "CREATE TABLE odd (id int PRIMARY KEY, v sql_variant)", "INSERT INTO odd VALUES (1, 5), (2, N'text'), (3, NULL)"
    )
    done = shop.etl("sync")
    assert done.code == 3
    assert "table odd: column v is a sql_variant, which no warehouse has" in " ".join(done.err.split())
    assert '[tables."odd".columns] "v" = "large string"' in " ".join(done.err.split())
    with shop.warehouse.opened() as warehouse:
        assert warehouse.tables("raw") == ["items"]
    assert shop.synced("odd", tables={"odd": {"columns": {"v": "large string"}}}).check.equal
    with shop.warehouse.opened() as warehouse:
        rows = warehouse.query(f"SELECT * FROM {warehouse.relation('raw', 'odd')} ORDER BY 1").to_pylist()
    assert [row["v"] for row in rows] == ["5", "text", None]


# --- long values ----------------------------------------------------------------------------------


def test_long_values_are_read_apart_from_short_ones(server: MssqlEngine, caplog: pytest.LogCaptureFixture) -> None:
    server.execute(
        "CREATE TABLE t (id int PRIMARY KEY, memo nvarchar(max), scan varbinary(max))",
        "INSERT INTO t VALUES (1, N'short', 0x01), (2, REPLICATE(CAST(N'é' AS nvarchar(max)), 50000), NULL), "
        "(3, NULL, CAST(REPLICATE(CAST('x' AS varchar(max)), 50000) AS varbinary(max))), (4, NULL, NULL), (5, N'', 0x)",
    )
    with server.open().snapshot() as snapshot, caplog.at_level(logging.DEBUG, "etl"):
        table = snapshot.tables()[0]
        batches = [batch.to_pylist() for batch in snapshot.read(table)]
    assert sorted(row["id"] for row in batches[0]) == [1, 4, 5]
    rows = {row["id"]: row for batch in batches for row in batch}
    assert (rows[1]["memo"], rows[1]["scan"], rows[5]["memo"], rows[5]["scan"]) == ("short", b"\x01", "", b"")
    assert (rows[2]["memo"], rows[3]["scan"]) == ("é" * 50_000, b"x" * 50_000)
    assert "t: rows with long values, fetched one by one: 2" in caplog.text


@pytest.mark.parametrize("length", [1999, 2000, 2001, 3999, 4000, 4001])
def test_texts_about_as_long_as_a_row_holds(server: MssqlEngine, length: int) -> None:
    server.execute(
        "CREATE TABLE t (id int PRIMARY KEY, a nvarchar(max), b varchar(max), c varchar(8000))",
        f"INSERT INTO t VALUES (1, REPLICATE(CAST(N'é' AS nvarchar(max)), {length}) + N' ', "
        f"REPLICATE(CAST('x' AS varchar(max)), 2 * {length}) + ' ', REPLICATE('y', {length}))",
    )
    with server.open().snapshot() as snapshot:
        row = next(row for batch in snapshot.read(snapshot.tables()[0]) for row in batch.to_pylist())
    assert row == {"id": 1, "a": "é" * length + " ", "b": "x" * 2 * length + " ", "c": "y" * length}


def test_batches_are_bounded_by_their_bytes(server: MssqlEngine) -> None:
    server.execute("CREATE TABLE t (id int IDENTITY PRIMARY KEY, scan varbinary(max))")
    big = "CAST(REPLICATE(CAST('x' AS varchar(max)), 4000000) AS varbinary(max))"
    for _ in range(3):
        server.execute(f"INSERT INTO t (scan) SELECT {big} FROM (VALUES (1), (2), (3), (4), (5), (6)) AS v(n)")
    with server.open().snapshot() as snapshot:
        sizes = [batch.nbytes for batch in snapshot.read(snapshot.tables()[0])]
    assert sum(sizes) > 18 * 4_000_000
    assert max(sizes) < 2 * SOFT_BYTES


# --- names and catalogs ---------------------------------------------------------------------------


def test_schemas_identity_and_computed_columns(server: MssqlEngine, tmp_path: Path) -> None:
    server.execute("CREATE SCHEMA sales")
    server.execute(
        "CREATE TABLE sales.[order] (id int IDENTITY(5, 5) PRIMARY KEY, price int, twice AS (price * 2))",
        "CREATE TABLE [order] (id int PRIMARY KEY)",
        "INSERT INTO sales.[order] (price) VALUES (1), (2)",
    )
    project = Project(tmp_path, server, DuckDbEngine(tmp_path))
    assert set(project.sync()) == {"order", "sales__order"}
    with project.warehouse.opened() as warehouse:
        rows = warehouse.query(f"SELECT * FROM {warehouse.relation('raw', 'sales__order')} ORDER BY 1").to_pylist()
    assert rows == [{"id": 5, "price": 1, "twice": 2}, {"id": 10, "price": 2, "twice": 4}]


def test_hidden_period_columns_are_copied(server: MssqlEngine) -> None:
    server.needs("period columns")
    server.execute(
        "CREATE TABLE t (id int PRIMARY KEY, a datetime2 GENERATED ALWAYS AS ROW START HIDDEN NOT NULL, "
        "b datetime2 GENERATED ALWAYS AS ROW END HIDDEN NOT NULL, PERIOD FOR SYSTEM_TIME (a, b))"
    )
    with server.open().snapshot() as snapshot:
        assert [column.name for column in snapshot.tables()[0].columns] == ["id", "a", "b"]


def test_keys_are_told_apart_where_the_collation_does_not(server: MssqlEngine) -> None:
    server.execute(
        "CREATE TABLE t (k nvarchar(20) NOT NULL PRIMARY KEY, v int)", "INSERT INTO t VALUES (N'A', 1), (N'b ', 2)"
    )
    with server.open().snapshot() as snapshot:
        table = snapshot.tables()[0]
        for wanted, rows in {"A": 1, "a": 0, "b ": 1, "b": 0}.items():
            found = list(snapshot.read_keys(table, pa.table({"k": [wanted]})))
            assert sum(batch.num_rows for batch in found) == rows, wanted


def test_binary_keys_are_told_apart_where_comparing_does_not(server: MssqlEngine) -> None:
    server.execute("CREATE TABLE t (k varbinary(4) NOT NULL PRIMARY KEY)", "INSERT INTO t VALUES (0x0100), (0x)")
    with server.open().snapshot() as snapshot:
        table = snapshot.tables()[0]
        for wanted, rows in {b"\1\0": 1, b"\1": 0, b"": 1, b"\0": 0}.items():
            found = list(snapshot.read_keys(table, pa.table({"k": pa.array([wanted], pa.binary())})))
            assert sum(batch.num_rows for batch in found) == rows, wanted


def test_another_database_behind_the_same_url_is_another_identity(server: MssqlEngine) -> None:
    before = server.open().identity
    with server.connected("master") as cursor:
        cursor.execute(f"DROP DATABASE [{server.database}]")
        sleep(1.1)  # the server's dates of birth may be full seconds
        cursor.execute(f"CREATE DATABASE [{server.database}]")
    assert server.open().identity != before


# --- cursors --------------------------------------------------------------------------------------


def test_only_rows_with_newer_versions_are_read(shop: Project) -> None:
    assert shop.loads()[-1].cursor == "rowversion(rv)"
    shop.source.execute("UPDATE items SET amount = -1 WHERE id IN (3, 5)", "INSERT INTO items (id) VALUES (5000)")
    result = shop.synced()
    assert (result.kind, result.repaired, result.check.equal) == (LoadKind.INCREMENTAL, 0, True)
    assert result.extracted == 3
    again = shop.synced()
    assert (again.repaired, again.check.equal) == (0, True)


def test_a_delete_is_found_by_comparing(shop: Project) -> None:
    shop.source.execute("DELETE FROM items WHERE id IN (10, 20)")
    assert (shop.synced().repaired, shop.verified().check.equal) == (2, True)


def test_a_transaction_that_commits_after_the_sync_is_found_by_the_next(shop: Project) -> None:
    """Its row versions are older than those that the sync in between has seen."""
    source = shop.source
    assert isinstance(source, MssqlEngine)
    with source.connected() as late:
        late.execute("BEGIN TRANSACTION")
        late.execute("INSERT INTO items (id, amount) VALUES (5000, 1)")
        source.execute("INSERT INTO items (id, amount) VALUES (5001, 1)")
        assert shop.synced().check.equal
        late.execute("COMMIT TRANSACTION")
    result = shop.synced()
    assert result.check.equal
    assert {row[0] for row in shop.warehouse.rows("items")} >= {5000, 5001}
    if "fence" not in source.gaps:
        assert result.repaired == 0  # the fence had waited for it


def test_a_row_whose_version_is_past_the_snapshot_is_pending(shop: Project) -> None:
    shop.source.execute("UPDATE items SET amount = -1 WHERE id = 3")
    shop.source.execute("DELETE FROM items WHERE id = 4")
    with shop.warehouse.opened() as warehouse:
        target = warehouse.relation("raw", "items")
        warehouse.commit([f"UPDATE {target} SET amount = -2 WHERE id = 900"])
    verified = shop.verified()
    assert [d.key["id"] for d in verified.pending] == ["3"]
    assert sorted(d.key["id"] or "" for d in verified.differences) == ["4", "900"]


def test_the_user_may_name_another_cursor(shop: Project) -> None:
    result = shop.synced(tables={"items": {"cursor": "updated_at"}})
    assert result.check.equal
    assert shop.loads()[-1].cursor == "updated_at(updated_at)"


def test_old_datetimes_tie_with_themselves(server: MssqlEngine) -> None:
    """Their ticks are 1/300 s: read as anything else, the row at the watermark would be lost."""
    server.execute(
        "CREATE TABLE t (id int PRIMARY KEY, updated_at datetime)",
        "INSERT INTO t VALUES (1, '2024-01-01T00:00:00.003'), (2, '2024-01-01T00:00:00.007'), (3, NULL)",
    )
    with server.open().snapshot() as snapshot:
        table = snapshot.tables()[0]
        low = snapshot.reach(table).fence
        assert low == "2024-01-01T00:00:00.007"
        read = snapshot.read(table, mssql.Window("updated_at", low))
        assert sorted(row["id"] for batch in read for row in batch.to_pylist()) == [2, 3]


def test_change_tracking_brings_changes_and_deletes(server: MssqlEngine, tmp_path: Path) -> None:
    server.needs("change tracking")
    server.execute(f"ALTER DATABASE [{server.database}] SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 1 DAYS)")
    project = Project(tmp_path, server, DuckDbEngine(tmp_path))
    table = replace(ITEMS, columns=ITEMS.columns[:3], cursor=Cursor(CursorKind.CHANGE_TRACKING))
    server.create(table)
    server.execute("ALTER TABLE items ENABLE CHANGE_TRACKING")
    server.insert(table, [row[:3] for row in items()])
    project.synced()
    server.execute("DELETE FROM items WHERE id IN (1, 2)", "UPDATE items SET amount = -1 WHERE id = 3")
    result = project.synced()
    assert (result.extracted, result.repaired, result.check.equal) == (1, 0, True)
    server.execute("TRUNCATE TABLE items")
    server.insert(table, [row[:3] for row in items()])
    again = project.synced()
    assert (again.kind, again.check.equal) == (LoadKind.RELOAD, True)


# --- bad days -------------------------------------------------------------------------------------


def test_one_snapshot_serves_all_tables(server: MssqlEngine) -> None:
    for name in ("one", "two"):
        server.execute(f"CREATE TABLE {name} (id int PRIMARY KEY)")
    with server.open().snapshot() as snapshot:
        tables = snapshot.tables()
        server.execute("INSERT INTO one VALUES (1)", "INSERT INTO two VALUES (1)")
        assert [snapshot.count(table) for table in tables] == [0, 0]
        assert snapshot.consistent


def test_a_source_that_moves_is_said_and_shuts_the_gate(
    shop: Project, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As if the database did not allow SNAPSHOT isolation: whatever is asked sees what was committed by then."""

    def without_snapshots(session: Session) -> Server:
        return replace(look(session), snapshots=False)

    monkeypatch.setattr(mssql, "look", without_snapshots)
    with shop.source.open().snapshot() as snapshot:
        table = snapshot.tables()[0]
        assert not snapshot.consistent
        shop.source.execute("INSERT INTO items (id) VALUES (5000)")
        assert snapshot.count(table) == 1001
    with caplog.at_level(logging.WARNING):
        assert shop.synced().check.equal
    assert "SET ALLOW_SNAPSHOT_ISOLATION ON" in caplog.text
    assert shop.checks()[-1].moving
    assert "moved while it was compared" in shop.gate()
    accepted = shop.etl("status", "--json", ETL_SYNC_ACCEPT_MOVING="true")
    assert '"gate": ""' in accepted.out


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("DROP TABLE items", "items"),
        ("ALTER TABLE items DROP COLUMN amount", "amount"),
    ],
)
def test_a_table_that_changes_between_plan_and_read_fails_alone(shop: Project, change: str, says: str) -> None:
    source = shop.source
    source.execute("CREATE TABLE other (id int PRIMARY KEY)", "INSERT INTO other VALUES (1)")
    with shop.session() as session, session.source().snapshot() as snapshot:
        tables = {table.name: table for table in snapshot.tables()}
    with source.open().snapshot() as snapshot:
        planned = snapshot.tables()
        assert len(planned) == 2
        source.execute(change)
        with pytest.raises(SourceError, match="table items") as gone:
            list(snapshot.read(tables["items"]))
        assert says in gone.value.message
        assert "run the same command again" in gone.value.remedy
        assert snapshot.count(tables["other"]) == 1


def test_a_server_that_goes_away_in_mid_read_is_one_message(shop: Project) -> None:
    with shop.source.open().snapshot() as snapshot:
        table = snapshot.tables()[0]
        spid = snapshot.query("SELECT @@SPID AS n")["n"][0].as_py()
        shop.source.execute(f"KILL {spid}")
        with pytest.raises(SourceError) as lost:
            list(snapshot.read(table))
    assert lost.value.remedy
    assert "\n" not in lost.value.message
    assert shop.synced().check.equal


def test_a_right_missing_on_one_table_does_not_stop_the_others(shop: Project) -> None:
    source = shop.source
    assert isinstance(source, MssqlEngine)
    login = f"{source.database}_reader"
    with source.connected("master") as cursor:
        cursor.execute(f"CREATE LOGIN [{login}] WITH PASSWORD = 'Awkward;pass@1/word'")
    source.execute("CREATE TABLE secret (id int PRIMARY KEY)", "INSERT INTO secret VALUES (1)")
    source.execute(f"CREATE USER [{login}] FOR LOGIN [{login}]")
    # With a right on it, whatever it is, a table can be seen, as all can with VIEW DEFINITION.
    source.execute(f"GRANT SELECT ON items TO [{login}]", f"GRANT INSERT ON secret TO [{login}]")
    parts = urlsplit(source.url)
    password = quote("Awkward;pass@1/word", safe="")
    as_reader = urlunsplit(parts._replace(netloc=f"{login}:{password}@{parts.netloc.rpartition('@')[2]}"))
    done = shop.etl("sync", ETL_SOURCE_URL=as_reader)
    with suppress(Exception), source.connected("master") as cursor:
        cursor.execute(f"DROP LOGIN [{login}]")
    said = " ".join(done.err.split())
    assert (done.code, "1,000" in done.out) == (3, True), done.err
    assert "table secret: " in said
    assert "GRANT SELECT ON [dbo].[secret] TO" in said
    assert "Awkward" not in done.out + done.err


def _elsewhere(url: str, **parts: Any) -> str:
    return urlunsplit(urlsplit(url)._replace(**parts))


@pytest.mark.parametrize("what", ["port", "host", "password", "database", "certificate"])
def test_what_is_wrong_with_a_url_is_said_in_one_message(server: MssqlEngine, what: str) -> None:
    parts = urlsplit(server.url)
    user, port = parts.username, parts.port or 1433
    url = {
        "port": _elsewhere(server.url, netloc=f"{user}:hunter2@{parts.hostname}:1", query="LoginTimeout=3"),
        "host": _elsewhere(server.url, netloc=f"{user}:hunter2@no.such.host.invalid", query="LoginTimeout=3"),
        "password": _elsewhere(server.url, netloc=f"{user}:hunter2@{parts.hostname}:{port}"),
        "database": _elsewhere(server.url, path="/nowhere"),
        "certificate": _elsewhere(server.url, query=""),
    }[what]
    with pytest.raises(EtlError) as refused, mssql.MssqlSource(address(url)).snapshot():
        pass
    assert refused.value.remedy
    assert "hunter2" not in refused.value.message + refused.value.remedy
    assert "\n" not in refused.value.message


def test_doctor_looks_at_everything(shop: Project) -> None:
    done = shop.etl("doctor", "--json")
    subjects = {finding["subject"] for finding in shop.json("doctor")}
    assert done.code == 0, done.out
    assert subjects >= {
        "driver",
        "server",
        "snapshot isolation",
        "UTF-8",
        "row versions",
        "rights",
        "change tracking",
        "clock",
        "source reader",
        "source rowsum",
    }


# --- who sums -------------------------------------------------------------------------------------

BABELFISH_PROVES = {"bool", "int", "decimal(38,2)", "date", "datetime", "timestamp", "time", "uuid"}
"""Of what it is asked for on that server; strings want collations that it does not have, and so does every row."""


class _Asked:
    """The session as an engine that is to prove itself."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def query(self, sql: str) -> pa.Table:
        try:
            return plain(self._session.query(sql))
        except MssqlError as error:
            raise failure(error) from error

    def run(self, sql: str) -> None:
        self._session.run(sql)


def test_the_server_proves_its_types_or_is_streamed(server: MssqlEngine) -> None:
    asked = [*ODD, types.CHAR, LogicalType(Kind.STRING, large=True), LogicalType(Kind.BYTES, large=True)]
    asked = [types.decimal(38, 2) if type_.kind is Kind.DECIMAL else type_ for type_ in asked]
    asked += [LogicalType(kind, fraction=7) for kind in (Kind.DATETIME, Kind.TIMESTAMP, Kind.TIME)]
    asked += [LogicalType(Kind.DATETIME, fraction=digits) for digits in (0, 3)]
    with closing(Session(address(server.url))) as session:
        proof = EngineProof(_Asked(session), TsqlDialect())
        proven = {type_ for type_ in asked if not proof.failures(Table("t", (Column("c", type_),)))}
    with server.open().snapshot() as snapshot:
        assert bool(snapshot.pushdown) is ("pushdown" not in server.gaps)
    if server.is_babelfish:
        assert {str(type_) for type_ in proven} == BABELFISH_PROVES
        assert not {type_ for type_ in proven if type_.fraction == 7}
    else:
        assert proven == set(asked)


def test_a_server_that_fails_the_proof_is_streamed_and_says_so(
    shop: Project, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As if Babelfish had the collations: its texts differ all the same, and it is not believed."""
    if "pushdown" not in shop.source.gaps:
        pytest.skip("this server proves every type")

    def with_utf8(session: Session) -> Server:
        return replace(look(session), has_utf8=True)

    monkeypatch.setattr(mssql, "look", with_utf8)
    with shop.source.open().snapshot() as snapshot:
        assert snapshot.pushdown
    shop.source.execute("UPDATE items SET amount = -1 WHERE id = 3")
    with caplog.at_level(logging.WARNING):
        result = shop.synced()
    assert (result.check.equal, result.check.source_mode) == (True, "stream")
    assert "items: the source fails the proof for" in caplog.text
    assert "string; streaming" in caplog.text


def test_a_server_without_utf8_collations_says_that_it_is_streamed(
    shop: Project, caplog: pytest.LogCaptureFixture
) -> None:
    expected = "pushdown" in shop.source.gaps
    with caplog.at_level(logging.INFO, "etl"):
        assert (shop.verified().check.source_mode == "stream") is expected
    assert ("has no UTF-8 collations: its rows are streamed to be summed" in caplog.text) is expected
