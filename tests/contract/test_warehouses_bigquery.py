"""What only BigQuery has: leases in a table, layouts, pruned merges, two ways to read, labels, a limit on costs."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from google.auth.credentials import AnonymousCredentials
from support import googlesql
from support.bigquery import DATA
from support.bigquery_storage import storage
from support.commands import call_etl
from support.project import Project
from support.sources import SqliteEngine
from support.warehouses import BigQueryEngine, table_rows

from etl.config import Config
from etl.engines import open_source
from etl.errors import ConfigError, WarehouseError
from etl.publish import looker
from etl.publish.header import parse
from etl.publish.marts import build
from etl.publish.queries import Query
from etl.session import Session, open_session
from etl.sync.plan import configured
from etl.sync.table import Synced
from etl.verify.orphans import count_orphans
from etl.verify.verify import Verified
from etl.warehouses.base import staging_name
from etl.warehouses.bigquery import BigQueryWarehouse, connect, objects
from etl.warehouses.bigquery.client import STORAGE_EMULATOR
from schemas import types
from schemas.table import Column, Cursor, CursorKind, Table
from schemas.types import LogicalType

pytestmark = pytest.mark.thorough

ID = Column("id", types.INT, False, comment="the order's number")
DAY = Column("day", types.DATE)
ORDERS = Table("orders", (ID, DAY, Column("n", types.INT)), ("id",))
BY_DAY: dict[str, Any] = {"orders": {"partition": "day"}}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BigQueryEngine]:
    engine = BigQueryEngine(tmp_path_factory.mktemp("bigquery"))
    yield engine
    engine.remove()


def _open(engine: BigQueryEngine, tables: dict[str, Any] | None = None, **settings: Any) -> BigQueryWarehouse:
    sections = {"warehouse": {"url": engine.url, "wait_seconds": 10, **settings}, "tables": tables or {}}
    return connect(Config.model_validate(sections), create=True)


@pytest.fixture
def opened(engine: BigQueryEngine) -> Iterator[BigQueryWarehouse]:
    warehouse = _open(engine, BY_DAY, lease_seconds=2)
    yield warehouse
    warehouse.drop("orders")
    warehouse.close()


def _staged(warehouse: BigQueryWarehouse, *rows: tuple[Any, ...]) -> str:
    """A staging table of orders, laid out as their copy."""
    name = staging_name("orders")
    warehouse.create(name, {c.name: warehouse.dialect.ddl(c.type) for c in ORDERS.columns}, ORDERS)
    columns = [
        pa.array(column, c.type.arrow) for column, c in zip(zip(*rows, strict=True), ORDERS.columns, strict=True)
    ]
    warehouse.append(name, ORDERS, pa.table(columns, schema=ORDERS.arrow).to_batches())
    warehouse.flush(name)
    return name


def _catalog(warehouse: BigQueryWarehouse, name: str) -> Any:
    return warehouse._rest.get_table(warehouse._reference("raw", name))


def test_a_first_load_is_renamed_and_keeps_its_layout_and_no_expiry(opened: BigQueryWarehouse) -> None:
    staged = _staged(opened, (1, date(2024, 1, 5), 1))
    assert _catalog(opened, staged).expires is not None
    opened.replace(staged, "orders", [])
    table = _catalog(opened, "orders")
    assert (table.time_partitioning.field, table.time_partitioning.type_) == ("day", "MONTH")
    assert (table.clustering_fields, table.expires) == (["id"], None)
    assert (table.description, table.schema[0].description) == ("Copy of orders, kept by etl sync.", ID.comment)
    assert opened.tables("raw") == ["orders"]


def test_a_reload_exchanges_rows_or_the_table_if_it_is_another(opened: BigQueryWarehouse) -> None:
    opened.replace(_staged(opened, (1, None, 1)), "orders", [])
    created = _catalog(opened, "orders").created
    opened.replace(_staged(opened, (2, date(2024, 1, 1), 2)), "orders", [])
    assert _catalog(opened, "orders").created == created
    assert table_rows(opened, "orders") == [(2, date(2024, 1, 1), 2)]
    wider = staging_name("orders")
    opened.create(wider, {"id": "INT64", "day": "DATE", "n": "STRING"}, ORDERS)
    opened.replace(wider, "orders", [])
    assert opened.columns("raw", "orders")["n"] == "STRING"
    assert opened.tables("raw") == ["orders"]


@pytest.fixture
def pruned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even the smallest tables are worth asking where their rows are."""
    monkeypatch.setattr("etl.warehouses.bigquery.warehouse.WORTH_BYTES", 0)


@pytest.mark.usefixtures("pruned")
def test_a_row_whose_partition_changes_is_moved_and_not_doubled(opened: BigQueryWarehouse) -> None:
    rows = [(i, date(2024, 1 + i % 6, 1), i) for i in range(12)]
    opened.replace(_staged(opened, *rows, (90, None, 0)), "orders", [])
    staged = _staged(
        opened, (3, date(2025, 3, 9), -3), (4, None, -4), (90, date(2024, 2, 2), -90), (91, date(2024, 6, 1), 0)
    )
    merge = opened.merge(ORDERS, staged)
    # February; April and May, where rows 3 and 4 are now, and June beside them; March 2025; and NULL.
    assert merge.count("etl_t.`day` >=") == 3
    assert "etl_t.`day` IS NULL" in merge
    assert "2024-01-01" not in merge
    opened.commit([merge])
    found = {row[0]: row[1:] for row in table_rows(opened, "orders")}
    assert len(found) == len(table_rows(opened, "orders")) == 14
    assert (found[3], found[4], found[90]) == ((date(2025, 3, 9), -3), (None, -4), (date(2024, 2, 2), -90))
    opened.drop(staged)


DATED = Table(
    "dated",
    (
        Column("id", types.INT, False),
        Column("placed_at", types.DATETIME, False),
        Column("name", types.STRING),
        Column("updated_at", types.DATETIME, False),
    ),
    ("id",),
    Cursor(CursorKind.UPDATED_AT, "updated_at"),
)
AT = datetime(2024, 2, 29, 23, 30)
HOUR, DAYS, YEAR = timedelta(hours=1), timedelta(days=1), timedelta(days=366)
PARTS: dict[str, tuple[LogicalType, dict[str, Any], Any, Any, tuple[str, Any]]] = {
    "hour": (types.TIMESTAMP, {"partition_unit": "hour"}, AT.replace(tzinfo=UTC), HOUR, ("HOUR", None)),
    "day": (types.DATE, {"partition_unit": "day"}, AT.date(), DAYS, ("DAY", None)),
    "month": (types.DATETIME, {}, AT, 30 * DAYS, ("MONTH", None)),
    "year": (types.DATETIME, {"partition_unit": "year"}, AT, YEAR, ("YEAR", None)),
    "runs": (types.INT, {"partition_size": 100}, 250, 100, (None, (0, 999_900, 100))),
}


def test_every_command_reads_tables_whose_queries_are_to_name_a_part(engine: BigQueryEngine, tmp_path: Path) -> None:
    """Sync, repair, a check of some partitions, verify, samples, orphans and a mart, with the filter required."""
    source = SqliteEngine(tmp_path)
    source.create(DATED)
    source.insert(DATED, [(i, datetime(2024, 1 + i % 3, 1), f"n{i}", datetime(2024, 5, 1)) for i in range(9)])
    source.execute("CREATE TABLE child (id INTEGER PRIMARY KEY, dated_id INTEGER REFERENCES dated (id))")
    source.execute("INSERT INTO child VALUES (1, 1), (2, NULL)")
    wish = {"partition": "placed_at", "require_partition_filter": True, "verify": "touched"}
    sections = {
        "source": {"url": source.url},
        "warehouse": {"url": engine.url, "wait_seconds": 10},
        "sync": {"reload_share": 1},
        "tables": {"dated": wish},
    }
    config = Config.model_validate(sections)

    def synced(session: Session) -> None:
        found = {r.table: r for r in session.sync()}
        assert all(isinstance(r, Synced) and r.check.equal for r in found.values()), found

    with open_session(config, ()) as session:
        warehouse = session.warehouse
        synced(session)
        source.execute("UPDATE dated SET name = 'changed', updated_at = '2024-06-01 00:00:00' WHERE id = 1")
        source.execute("UPDATE dated SET name = 'unseen' WHERE id = 4", "DELETE FROM dated WHERE id = 7")
        synced(session)
        assert {row.check.equal for row in session.verify(repair=True) if isinstance(row, Verified)} == {True}
        samples = [one for found in session.samples() if isinstance(found, list) for one in found]
        assert {one.equal for one in samples} == {True}
        assert {one.table for one in samples} == {"dated", "child"}
        with pytest.raises(WarehouseError, match="without a filter"):
            table_rows(warehouse, "dated")
        with warehouse.whole(["child", "dated"]):
            assert len(table_rows(warehouse, "dated")) == 8
        with open_source(config).snapshot() as snapshot:
            tables = configured(snapshot.tables(), config.tables)
        assert [one.rows for one in count_orphans(warehouse, tables)] == [0]
        with pytest.raises(WarehouseError, match="without a filter"):
            table_rows(warehouse, "dated")
        for name in warehouse.tables("raw"):
            warehouse.drop(name)


def test_decimals_that_are_added_or_widened_later_keep_their_digits(engine: BigQueryEngine, tmp_path: Path) -> None:
    """local-bigquery by itself forgets them; scripts/bigquery_emulator_launcher.py has it write them down."""
    source = SqliteEngine(tmp_path)
    project = Project(tmp_path, source, engine)
    before = Table("sums", (ID, Column("a", types.decimal(10, 2))), ("id",))
    after = Table(
        "sums",
        (ID, Column("a", types.decimal(14, 4)), Column("b", types.decimal(12, 3)), Column("c", types.INT)),
        ("id",),
    )
    source.create(before)
    source.execute("INSERT INTO sums VALUES (1, '12.50')")
    assert project.synced("sums").drift == ""
    source.execute("DROP TABLE sums")
    source.create(after)
    source.execute("INSERT INTO sums VALUES (1, '12.5000', '99.125', 7), (2, '0.0001', NULL, NULL)")
    followed = project.synced("sums")
    assert "new column b" in followed.drift
    assert "column a widened" in followed.drift
    assert followed.check.equal
    assert project.synced("sums").drift == ""
    with engine.opened() as warehouse:
        assert warehouse.columns("raw", "sums") == {
            "id": "INT64",
            "a": "NUMERIC(14, 4)",
            "b": "NUMERIC(12, 3)",
            "c": "INT64",
        }
        warehouse.drop("sums")


def test_what_init_writes_is_how_tables_are_made_until_it_is_changed(engine: BigQueryEngine, tmp_path: Path) -> None:
    """The command's own file, synced; then with days for months and another order, which a full load brings."""
    source = SqliteEngine(tmp_path)
    source.create(DATED)
    source.insert(DATED, [(i, datetime(2024, 1 + i % 3, 1), f"n{i}", datetime(2024, 5, 1)) for i in range(9)])
    file = tmp_path / "etl.toml"
    written = call_etl(tmp_path, "init", "--source", source.url, "--warehouse", engine.url, "-o", str(file))
    assert written.code == 0, written
    text = file.read_text()
    assert '\npartition = "placed_at"' in text

    def stored() -> tuple[str, str, list[str]]:
        with engine.opened() as warehouse:
            assert isinstance(warehouse, BigQueryWarehouse)
            made = _catalog(warehouse, "dated")
        return made.time_partitioning.field, made.time_partitioning.type_, made.clustering_fields

    assert call_etl(tmp_path, "sync").code == 0
    assert stored() == ("placed_at", "MONTH", ["id"])
    changed = text.replace('# partition_unit = "day"', 'partition_unit = "day"').replace(
        '["id"]   # rows', '["name", "id"]   # rows'
    )
    file.write_text(changed)
    assert call_etl(tmp_path, "sync").code == 0
    assert stored() == ("placed_at", "MONTH", ["id"])
    assert call_etl(tmp_path, "sync", "dated", "--full").code == 0
    assert stored() == ("placed_at", "DAY", ["name", "id"])
    with engine.opened() as warehouse:
        assert len(table_rows(warehouse, "dated")) == 9
        warehouse.drop("dated")


@pytest.mark.usefixtures("pruned")
@pytest.mark.parametrize("unit", PARTS)
def test_tables_are_divided_as_wished_and_merges_repairs_and_look_ups_name_the_parts(
    engine: BigQueryEngine, unit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that stay, that move to another part, that come from or go to NULL, that are new; then some are deleted."""
    type_, wish, first, step, stored = PARTS[unit]
    table = Table("parts", (Column("id", types.INT, False), Column("at", type_), Column("n", types.INT)), ("id",))
    warehouse = _open(engine, {"parts": {"partition": "at", "cluster": ["n", "id"], **wish}})

    def staged(*rows: tuple[int, Any, int]) -> str:
        name = staging_name("parts")
        warehouse.create(name, {c.name: warehouse.dialect.ddl(c.type) for c in table.columns}, table)
        arrays = [
            pa.array(column, c.type.arrow) for column, c in zip(zip(*rows, strict=True), table.columns, strict=True)
        ]
        warehouse.append(name, table, pa.table(arrays, schema=table.arrow).to_batches())
        warehouse.flush(name)
        return name

    warehouse.replace(staged(*((i, first + i * step, i) for i in range(6)), (6, None, 6)), "parts", [])
    made = _catalog(warehouse, "parts")
    held = made.range_partitioning and made.range_partitioning.range_
    assert (
        made.time_partitioning and made.time_partitioning.type_,
        held and (held.start, held.end, held.interval),
    ) == stored
    assert made.clustering_fields == ["n", "id"]
    asked: list[str] = []
    query = warehouse.query
    monkeypatch.setattr(warehouse, "query", lambda sql, values=(): asked.append(sql) or query(sql, values))
    changed = ((1, first + step, -1), (2, first + 5 * step, -2), (3, None, -3), (6, first, -6), (7, first + step, -7))
    merge = warehouse.merge(table, staged(*changed))
    # Parts 0, 1, 2, 3, 5 and NULL are touched, neighbours are one range, part 4 is not among them.
    assert (merge.count("etl_t.`at` >="), merge.count("etl_t.`at` IS NULL")) == (2, 1)
    warehouse.commit([merge])
    expected = {0: (first, 0), 4: (first + 4 * step, 4), 5: (first + 5 * step, 5)} | {r[0]: r[1:] for r in changed}
    assert {row[0]: row[1:] for row in table_rows(warehouse, "parts")} == expected
    assert len(table_rows(warehouse, "parts")) == len(expected)
    keys = pa.table({"id": [3, 4, 99]})
    asked.clear()
    assert warehouse.read_keys(table, keys)["n"].to_pylist() in ([-3, 4], [4, -3])
    assert asked[-1].count("etl_t.`at` >=") == 1
    assert "etl_t.`id` IN (" in asked[-1]
    name = staging_name("parts", "keys")
    warehouse.stage(name, table.key_columns, keys)
    within = warehouse.within(table, warehouse.relation("raw", name))
    assert (within.count("etl_t.`at` >="), within.count("IS NULL")) == (1, 1)
    relations = (warehouse.relation("raw", "parts"), warehouse.relation("raw", name))
    warehouse.commit([warehouse.dialect.delete_matching(*relations, table.key, within)])
    assert {row[0] for row in table_rows(warehouse, "parts")} == expected.keys() - {3, 4}
    for left in warehouse.tables("raw"):
        warehouse.drop(left)
    warehouse.close()


def test_descriptions_that_come_later_or_change_are_brought_by_the_next_merge(opened: BigQueryWarehouse) -> None:
    opened.replace(_staged(opened, (1, date(2024, 1, 5), 1)), "orders", [])
    columns = (replace(ID, comment="its number"), replace(DAY, comment="the day it was placed"), ORDERS.columns[2])
    staged = _staged(opened, (2, None, 2))
    opened.commit([opened.merge(replace(ORDERS, columns=columns), staged)])
    made = _catalog(opened, "orders")
    assert [field.description for field in made.schema] == ["its number", "the day it was placed", None]
    assert (made.time_partitioning.field, made.clustering_fields) == ("day", ["id"])
    assert len(table_rows(opened, "orders")) == 2
    opened.drop(staged)


def test_small_tables_are_not_asked_where_their_rows_are(
    opened: BigQueryWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened.replace(_staged(opened, (1, date(2024, 1, 5), 1)), "orders", [])
    staged = _staged(opened, (1, date(2024, 2, 5), 2))
    monkeypatch.setattr(opened, "query", lambda *_: pytest.fail("a query"))
    merge = opened.merge(ORDERS, staged)
    assert "`day` >=" not in merge
    opened.commit([merge])
    monkeypatch.undo()
    assert table_rows(opened, "orders") == [(1, date(2024, 2, 5), 2)]
    opened.drop(staged)


def test_both_ways_of_reading_give_the_same(
    engine: BigQueryEngine, opened: BigQueryWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened.replace(_staged(opened, *((i, date(2024, 1, 1 + i), i) for i in range(9))), "orders", [])
    assert opened._clients.storage is not None
    streamed = pa.Table.from_batches(opened.read(ORDERS)).sort_by("id")
    monkeypatch.delenv(STORAGE_EMULATOR)
    by_rest = _open(engine)
    assert by_rest._clients.storage is None
    assert pa.Table.from_batches(by_rest.read(ORDERS)).sort_by("id") == streamed
    by_rest.close()


def test_many_keys_are_loaded_and_few_are_written(opened: BigQueryWarehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    opened.replace(_staged(opened, *((i, None, i) for i in range(9))), "orders", [])
    keys = pa.table({"id": [2, 5, 77]})
    few = opened.read_keys(ORDERS, keys).sort_by("id")
    monkeypatch.setattr("etl.warehouses.bigquery.warehouse.FEW_KEYS", 1)
    assert opened.read_keys(ORDERS, keys).sort_by("id") == few
    assert few["n"].to_pylist() == [2, 5]
    assert opened.tables("raw") == ["orders"]


@pytest.fixture
def bucket(engine: BigQueryEngine, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, list[str]]]:
    """Cloud Storage where the emulator reads ``gs://``: its directory, and what it was asked."""
    if DATA not in os.environ:
        pytest.skip(f"{DATA} does not say where the named emulator keeps its files, where it looks for gs://")
    directory = Path(os.environ[DATA], "gcs")
    with storage(directory) as (address, asked):
        monkeypatch.setenv(objects.EMULATOR, address)
        yield directory, asked


def test_through_cloud_storage_all_files_are_loaded_by_one_job(
    engine: BigQueryEngine, bucket: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etl.warehouses.bigquery.spool.FILE_BYTES", 1)
    directory, asked = bucket
    warehouse = _open(engine, staging="gs://bucket/some/path/")
    name = staging_name("orders")
    warehouse.create(name, {c.name: warehouse.dialect.ddl(c.type) for c in ORDERS.columns}, ORDERS)
    rows = pa.table([[1, 2, 3], [date(2024, 1, 1), None, None], [4, 5, 6]], schema=ORDERS.arrow)
    warehouse.append(name, ORDERS, rows.to_batches(max_chunksize=1))
    place = f"bucket/some/path/{name}"
    assert asked == [f"upload {place}/{number}.parquet" for number in (1, 2, 3)]
    assert warehouse.query(f"SELECT COUNT(*) AS n FROM {warehouse.relation('raw', name)}")["n"].to_pylist() == [0]
    warehouse.flush(name)
    job = next(job for job in warehouse._rest.list_jobs(max_results=5) if job.job_type == "load")
    assert job.source_uris == [f"gs://{place}/{number}.parquet" for number in (1, 2, 3)]
    assert (job.write_disposition, job.create_disposition) == ("WRITE_APPEND", "CREATE_NEVER")
    assert asked[3:] == [f"delete {place}/{number}.parquet" for number in (1, 2, 3)]
    assert not [file for file in directory.rglob("*") if file.is_file()]
    assert table_rows(warehouse, name) == [(1, date(2024, 1, 1), 4), (2, None, 5), (3, None, 6)]
    warehouse.drop(name)
    warehouse.close()


def test_what_was_uploaded_is_deleted_even_if_it_cannot_be_loaded(
    engine: BigQueryEngine, bucket: tuple[Path, list[str]]
) -> None:
    directory, asked = bucket
    warehouse = _open(engine, staging="gs://bucket")
    name = staging_name("orders")
    warehouse.append(name, ORDERS, pa.table([[1], [None], [2]], schema=ORDERS.arrow).to_batches())
    with pytest.raises(WarehouseError, match="not there"):
        warehouse.flush(name)
    assert asked == [f"{what} bucket/{name}/1.parquet" for what in ("upload", "delete")]
    assert not [file for file in directory.rglob("*") if file.is_file()]
    warehouse.close()


def test_a_bucket_of_google_is_not_written_to_beside_an_emulator(engine: BigQueryEngine) -> None:
    warehouse = _open(engine, staging="gs://bucket")
    with pytest.raises(ConfigError, match="is Google's"):
        warehouse.append(staging_name("orders"), ORDERS, [])
    warehouse.close()


def test_nothing_is_sent_anywhere_but_to_the_emulator(
    engine: BigQueryEngine, opened: BigQueryWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every address that is looked up or connected to while a table is loaded, merged, read and summed."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")
    hosts: set[str] = set()
    connect_ = socket.socket.connect

    def connected(self: socket.socket, address: Any) -> None:
        hosts.add(address[0])
        connect_(self, address)

    monkeypatch.setattr(socket.socket, "connect", connected)
    warehouse = _open(engine)
    assert isinstance(warehouse._clients.credentials, AnonymousCredentials)
    with warehouse.lease("orders"):
        warehouse.replace(_staged(warehouse, (1, None, 1)), "orders", [])
        assert [batch.num_rows for batch in warehouse.read(ORDERS)] == [1]
    assert hosts == {"127.0.0.1"}
    assert warehouse._clients.storage is not None
    target = warehouse._clients.storage.transport.grpc_channel._channel.target().decode()
    assert target.endswith(os.environ[STORAGE_EMULATOR])
    warehouse.close()


def test_a_lease_is_waited_for_and_goes_on_when_it_is_given_back(
    engine: BigQueryEngine, opened: BigQueryWarehouse, caplog: pytest.LogCaptureFixture
) -> None:
    other = _open(engine, lease_seconds=2)
    order: list[str] = []

    def second() -> None:
        with other.lease("orders"):
            order.append("second")

    waiting = threading.Thread(target=second)
    with opened.lease("orders"):
        waiting.start()
        time.sleep(4)  # twice as long as a lease that is not renewed holds
        order.append("first")
    waiting.join(timeout=30)
    assert order == ["first", "second"]
    assert caplog.text.count("orders is being loaded by another run; waiting for it") == 1
    with opened.lease("orders"), other.lease("others"):
        pass
    other.close()


def test_a_lease_of_the_dead_runs_out_and_waiting_ends_with_a_message(
    engine: BigQueryEngine, opened: BigQueryWarehouse
) -> None:
    dead = _open(engine, lease_seconds=3)
    assert dead.lease("killed") is not None
    assert dead._leases._taken("killed", "nobody any more")
    impatient = _open(engine, wait_seconds=0)
    with pytest.raises(WarehouseError, match="still being loaded by another run"), impatient.lease("killed"):
        pass
    with opened.lease("killed"):
        pass
    for warehouse in (dead, impatient):
        warehouse.close()


def test_a_required_partition_filter_is_lifted_while_the_table_is_loaded(engine: BigQueryEngine) -> None:
    warehouse = _open(engine, {"orders": {"partition": "day", "require_partition_filter": True}})
    with warehouse.lease("orders"):
        warehouse.replace(_staged(warehouse, (1, date(2024, 1, 1), 1)), "orders", [])
        assert len(table_rows(warehouse, "orders")) == 1
    with pytest.raises(WarehouseError, match="filter"):
        table_rows(warehouse, "orders")
    with warehouse.lease("orders"):
        warehouse.commit([warehouse.merge(ORDERS, _staged(warehouse, (2, None, 2)))])
        assert len(table_rows(warehouse, "orders")) == 2
    assert _catalog(warehouse, "orders").require_partition_filter
    for name in warehouse.tables("raw"):
        warehouse.drop(name)
    warehouse.close()


def test_jobs_are_labelled_and_bounded(engine: BigQueryEngine) -> None:
    warehouse = _open(engine, maximum_bytes_billed="10GB")
    warehouse.label(run="20240101T1", table="Größe", step="merge")
    warehouse.commit(["SELECT 1"])
    # Other tests may be running beside this one on the same emulator.
    jobs = (warehouse._rest.get_job(job.job_id) for job in warehouse._rest.list_jobs(max_results=100))
    config = next(job for job in jobs if job.labels.get("run") == "20240101t1")
    assert config.labels == {"tool": "etl", "run": "20240101t1", "table": "gr-e", "step": "merge"}
    assert config.maximum_bytes_billed == 10 * 10**9
    assert warehouse.estimate("SELECT 1") == 0
    warehouse.close()


def test_a_job_whose_answer_got_lost_is_found_and_not_run_twice(opened: BigQueryWarehouse) -> None:
    opened.replace(_staged(opened, (1, None, 1)), "orders", [])
    rest, sql = opened._rest, f"INSERT INTO {opened.relation('raw', 'orders')} (id) VALUES (2)"
    submitted: list[str] = []

    def losing(name: str) -> Any:
        submitted.append(name)
        job = rest.query(sql, job_id=name, job_retry=None)
        if len(submitted) == 1:
            raise ConnectionResetError("the answer got lost")
        return job

    opened._jobs.run(losing)
    assert len(submitted) == 1
    assert [row[0] for row in table_rows(opened, "orders")] == [1, 2]


def test_datasets_are_described_and_lie_where_they_were_asked_for(engine: BigQueryEngine) -> None:
    warehouse = _open(engine)
    dataset = warehouse._rest.get_dataset(warehouse._place.dataset("raw"))
    assert dataset.description
    assert (dataset.location, dataset.labels["tool"]) == ("EU", "etl")
    warehouse.close()
    elsewhere = {"warehouse": {"url": engine.url.replace("location=EU", "location=US")}}
    with pytest.raises(ConfigError, match="lies in EU"):
        connect(Config.model_validate(elsewhere), create=True)
    nowhere = {"warehouse": {"url": "bigquery://local/nowhere"}}
    with pytest.raises(ConfigError, match="there is no dataset"):
        connect(Config.model_validate(nowhere), create=False)


def test_marts_are_published_at_one_instant_and_again_with_other_columns(opened: BigQueryWarehouse) -> None:
    for value in ("1 AS a", "2 AS a", "'x' AS b"):
        for name in ("one", "two"):
            aside = opened.relation("marts", f"{name}__building")
            opened.alter([opened.dialect.create_as(aside, f"SELECT {value}")])
        opened.publish({"one": "one__building", "two": "two__building"})
        expected = [(value.split()[0].strip("'"),)]
        assert [(str(row[0]),) for row in table_rows(opened, "one", "marts")] == expected
    assert opened.tables("marts") == ["one", "two"]


BY_MONTHS = """\
-- question: How much was ordered?
-- grain: one row a day
-- columns:
--   day DATE: the day
--   n INT64: how much
-- partition: day
-- incremental: here
-- tests:
--   positive: SELECT * FROM marts.daily WHERE n < 0
WITH here AS (SELECT day, n FROM raw.orders)
SELECT day, SUM(n) AS n FROM here GROUP BY day"""


def test_a_mart_is_built_by_months(opened: BigQueryWarehouse) -> None:
    query = Query("daily", "test", BY_MONTHS, parse(BY_MONTHS, "daily"))
    january, february, march = date(2024, 1, 5), date(2024, 2, 5), date(2024, 3, 1)
    opened.replace(_staged(opened, (1, january, 1), (2, february, 2), (3, february, 3)), "orders", [])
    (first,) = build(opened, {"daily": query}, lambda: None)
    assert (first.renewed, first.rows) == (None, 2)
    opened.commit([f"UPDATE {opened.relation('raw', 'orders')} SET day = DATE '{march}' WHERE id = 3"])
    assert first.months
    (second,) = build(opened, {"daily": query}, lambda: None, {"daily": first.months})
    assert (second.renewed, second.rows) == (2, 3)
    rows = sorted(
        (row["day"], row["n"]) for row in opened.query(f"SELECT * FROM {opened.relation('marts', 'daily')}").to_pylist()
    )
    assert rows == [(january, 1), (february, 2), (march, 3)]
    partitioned = opened._rest.get_table(opened._reference("marts", "daily")).time_partitioning
    assert partitioned is None or partitioned.field == "day", "the emulator may leave the layout out"
    opened.alter([f"DROP TABLE {opened.relation('marts', 'daily')}"])


def test_a_view_for_looker_studio_is_made_and_seen(opened: BigQueryWarehouse) -> None:
    head = '-- question: q\n-- grain: g\n-- columns:\n--   month DATE: the "first" day\n--   n INT64: how many\n'
    view = Query("looker_x", "test/looker", head + "SELECT month, n FROM marts.x", parse(head, "looker_x"))
    opened.alter([opened.dialect.create_as(opened.relation("marts", "x"), "SELECT DATE '2024-01-01' AS month, 1 AS n")])
    for _ in range(2):
        looker.create(opened, [view])
    assert list(opened.columns("marts", "looker_x")) == ["month", "n"]
    assert "looker_x" not in opened.tables("marts"), "a view is no mart that could be left over"
    assert table_rows(opened, "looker_x", "marts") == [(date(2024, 1, 1), 1)]
    opened.alter([f"DROP VIEW {opened.relation('marts', 'looker_x')}", f"DROP TABLE {opened.relation('marts', 'x')}"])


def test_a_spool_that_cannot_be_written_is_said(
    opened: BigQueryWarehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyarrow.parquet.ParquetWriter.write_batch", _full)
    with pytest.raises(WarehouseError, match=r"the spool at .* cannot be written: No space left"):
        _staged(opened, (1, None, 1))
    for name in opened.leftovers():
        opened.drop(name)


def _full(*_: Any) -> None:
    raise OSError(28, "No space left on device")


def test_what_it_was_told_is_googlesql(opened: BigQueryWarehouse) -> None:
    """The statement as it was really sent, resolved by the reference implementation."""
    opened.replace(_staged(opened, (1, date(2024, 1, 1), 1)), "orders", [])
    staged = _staged(opened, (1, date(2024, 2, 1), 1))
    columns = {column.name: opened.dialect.ddl(column.type) for column in ORDERS.columns}
    merge = opened.merge(ORDERS, staged)
    for relation, name in ((opened.relation("raw", "orders"), "t"), (opened.relation("raw", staged), "s")):
        merge = merge.replace(relation, name)
    googlesql.analyze(merge, {"t": columns, "s": columns})
    opened.drop(staged)
