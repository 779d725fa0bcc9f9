"""The churn world's rows and files."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from generators.churn import batches, generate, shards
from generators.churn.arrow import schema
from generators.churn.rows import SHARD
from generators.churn.specification import FIRST_DAY, LAST_DAY, REFERENCE_ROWS, expected_usage_rows
from generators.errors import GeneratorError
from generators.writers import parquet
from schemas.churn import metadata

TABLES = ("customers", "usage_daily", "billing", "support")
SIZE = 2 * SHARD + 17


def _hashes(directory: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in directory.iterdir()}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, int]]:
    directory = tmp_path_factory.mktemp("churn") / "data" / "raw"
    return directory, generate(directory, customers=SIZE, workers=1)


def test_the_same_files_for_any_number_of_workers(world: tuple[Path, dict[str, int]], tmp_path: Path) -> None:
    directory, _ = world
    for workers in (2, 4):
        generate(tmp_path / str(workers), customers=SIZE, workers=workers)
        assert _hashes(tmp_path / str(workers)) == _hashes(directory)


def test_another_seed_gives_other_rows(world: tuple[Path, dict[str, int]], tmp_path: Path) -> None:
    generate(tmp_path, customers=SIZE, seed=43)
    other, same = _hashes(tmp_path), _hashes(world[0])
    assert all(other[name] != same[name] for name in same)


def test_files_have_the_schemas_columns_and_the_rows_returned(world: tuple[Path, dict[str, int]]) -> None:
    directory, rows = world
    assert sorted(path.name for path in directory.iterdir()) == sorted(f"{table}.parquet" for table in TABLES)
    for table in TABLES:
        stored = pq.read_table(directory / f"{table}.parquet")
        assert stored.schema.equals(schema(metadata.tables[table]))
        assert stored.num_rows == rows[table]
        assert sum(column.null_count for column in stored.columns) == 0


def test_values_are_spelled_as_specified(world: tuple[Path, dict[str, int]]) -> None:
    directory, _ = world

    def values(table: str, column: str) -> set[Any]:
        return set(pq.read_table(directory / f"{table}.parquet", columns=[column])[column].unique().to_pylist())

    assert values("customers", "plan") == {"Free", "Basic", "Pro", "Enterprise"}
    assert values("customers", "region") == {"NA", "EU", "APAC", "LATAM"}
    assert values("billing", "payment_status") == {"paid", "late", "failed"}
    assert values("support", "category") == {"billing", "technical", "onboarding"}
    assert values("support", "priority") == {"low", "medium", "high"}
    assert {Decimal("19.00"), Decimal("17.10"), Decimal("199.00")} <= values("billing", "amount")
    days = values("customers", "signup_date")
    assert min(days) == FIRST_DAY
    assert max(days) == LAST_DAY


def test_batches_are_what_the_files_hold(world: tuple[Path, dict[str, int]]) -> None:
    directory, _ = world
    made = [batches(SIZE, 42, shard) for shard in range(shards(SIZE))]
    for table in TABLES:
        stored = pq.read_table(directory / f"{table}.parquet")
        assert stored.equals(pa.Table.from_batches([shard[table] for shard in made]))


def test_a_customer_does_not_change_with_the_size_of_the_world() -> None:
    assert batches(SIZE, 7, 0)["usage_daily"].equals(batches(SHARD, 7, 0)["usage_daily"])


def test_progress_is_told_every_row(tmp_path: Path) -> None:
    told: dict[str, int] = dict.fromkeys(TABLES, 0)

    def progress(table: str, rows: int) -> None:
        told[table] += rows

    assert generate(tmp_path, customers=SHARD + 1, progress=progress) == told


def test_no_one_can_have_used_the_product_before_signing_up(world: tuple[Path, dict[str, int]]) -> None:
    directory, _ = world
    signup = pq.read_table(directory / "customers.parquet")["signup_date"].to_pylist()
    for table, column in (("usage_daily", "usage_date"), ("billing", "bill_date"), ("support", "ticket_date")):
        rows = pq.read_table(directory / f"{table}.parquet")
        firsts = rows.group_by("customer_id").aggregate([(column, "min")])
        for customer, first in zip(firsts["customer_id"].to_pylist(), firsts[f"{column}_min"].to_pylist(), strict=True):
            assert first >= signup[customer - 1]
        assert pc.max(rows[column]).as_py() <= LAST_DAY


def test_the_specification_adds_up_to_its_totals() -> None:
    assert expected_usage_rows() == pytest.approx(REFERENCE_ROWS["usage_daily"], rel=0.01)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"customers": -1}, "cannot have -1 customers"),
        ({"workers": 0}, "0 workers"),
    ],
)
def test_bad_numbers_are_refused(call: dict[str, int], message: str, tmp_path: Path) -> None:
    with pytest.raises(GeneratorError, match=message):
        generate(tmp_path / "new", **call)
    assert not (tmp_path / "new").exists()


def test_a_shard_that_is_not_there_is_refused() -> None:
    with pytest.raises(GeneratorError, match="no shard 1"):
        batches(SHARD, 42, 1)


def test_a_target_that_is_a_file_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("mine")
    with pytest.raises(GeneratorError, match="cannot be written"):
        generate(target, customers=1)
    assert target.read_text() == "mine"


def test_a_failure_leaves_the_earlier_files_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generate(tmp_path, customers=17)
    before = _hashes(tmp_path)

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(parquet.pq.ParquetWriter, "write_batch", full)
    with pytest.raises(GeneratorError, match="No space left"):
        generate(tmp_path, customers=17, seed=2)
    assert _hashes(tmp_path) == before
