"""What only a DuckDB file can do: be locked, be something else, lie where nothing can be written."""

from __future__ import annotations

import logging
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from support.elsewhere import duckdb_held_elsewhere

from etl.errors import WarehouseError
from etl.warehouses.duckdb import DuckDbWarehouse


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "warehouse.duckdb"
    DuckDbWarehouse(path).close()
    return path


def test_a_file_that_another_process_holds_is_waited_for(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with duckdb_held_elsewhere(str(path)) as holder:
        assert holder.stdin
        release = threading.Timer(0.7, holder.stdin.close)
        started = time.monotonic()
        with caplog.at_level(logging.WARNING):
            release.start()
            DuckDbWarehouse(path, wait_seconds=30).close()
        assert time.monotonic() - started >= 0.5
    assert caplog.text.count("is open in another process; waiting for it") == 1


def test_waiting_ends_with_a_message(path: Path) -> None:
    with (
        duckdb_held_elsewhere(str(path)),
        pytest.raises(WarehouseError, match="still open in another process"),
    ):
        DuckDbWarehouse(path, wait_seconds=0.3)


def test_a_file_that_is_no_database_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database\n" * 1000)
    with pytest.raises(WarehouseError, match="is not a DuckDB database"):
        DuckDbWarehouse(path)
    assert path.read_text() == "not a database\n" * 1000


@pytest.mark.parametrize("place", ["file/warehouse.duckdb", "file/deeper/warehouse.duckdb"])
def test_a_path_under_a_file(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WarehouseError, match=r"cannot be (made|written)"):
        DuckDbWarehouse(tmp_path / place)


def test_a_directory_where_the_file_should_be(tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match="cannot be written"):
        DuckDbWarehouse(tmp_path)


def test_a_place_where_nobody_may_write() -> None:
    with pytest.raises(WarehouseError, match=r"cannot be (made|written)") as caught:
        DuckDbWarehouse(Path("/proc/self/warehouse.duckdb"))
    assert "writable" in caught.value.remedy


def test_missing_directories_are_made(tmp_path: Path) -> None:
    path = tmp_path / "not" / "there" / "warehouse.duckdb"
    DuckDbWarehouse(path).close()
    assert path.is_file()


_FILL = """
import sys
from pathlib import Path
import pyarrow as pa
from etl.errors import WarehouseError
from etl.warehouses.duckdb import DuckDbWarehouse
from schemas import types
from schemas.table import Column, Table

table = Table("t", (Column("v", types.STRING),))
warehouse = DuckDbWarehouse(Path(sys.argv[1]))
try:
    for i in range(200):
        values = pa.array([f"{i * j:>100}" for j in range(20_000)])
        warehouse.append("t", table, [pa.RecordBatch.from_arrays([values], ["v"])])
        warehouse.commit([f"INSERT INTO etl.seen VALUES ({i})"])
except WarehouseError as error:
    print(error.message, "|", error.remedy)
    sys.exit(3)
"""


def test_a_full_disk_is_said_and_loses_nothing_that_was_committed(path: Path) -> None:
    warehouse = DuckDbWarehouse(path)
    warehouse.create("t", {"v": "VARCHAR"})
    warehouse.commit(["CREATE TABLE etl.seen (i BIGINT)"])
    warehouse.close()
    limit = path.stat().st_size + 4_000_000
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", _FILL, str(path)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert "is full" in done.stdout
    warehouse = DuckDbWarehouse(path)
    rows, seen = (warehouse.query(f"SELECT * FROM {name}").num_rows for name in ("raw.t", "etl.seen"))
    warehouse.close()
    assert rows in (seen * 20_000, (seen + 1) * 20_000)
