"""The churn world's calibration report sees what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from generators.churn import calibration, generate
from generators.errors import GeneratorError

SIZE = 5_000
TABLES = ("customers", "usage_daily", "billing", "support")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("churn")
    generate(path, customers=SIZE)
    return path


@pytest.fixture
def stored(directory: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The world in tables that a test may spoil."""
    with duckdb.connect() as connection:
        for table in TABLES:
            connection.execute(f"CREATE TABLE {table} AS FROM read_parquet('{directory / table}.parquet')")
        yield connection


def test_the_world_meets_its_specification(directory: Path) -> None:
    report = calibration.report(calibration.connect(directory), SIZE)
    assert report.passed, report.text()
    assert len(report.lines) > 80


def test_a_reader_of_tables_does_as_well(directory: Path) -> None:
    by_files = calibration.report(calibration.connect(directory), SIZE)
    by_tables = calibration.report(lambda table: pq.read_table(directory / f"{table}.parquet"), SIZE)
    assert by_tables.text() == by_files.text()


@pytest.mark.parametrize(
    ("spoil", "failing"),
    [
        ("DELETE FROM customers WHERE customer_id = 7", "usage_daily: orphans|billing: orphans|support: orphans"),
        ("UPDATE billing SET amount = -amount WHERE customer_id IN (SELECT MIN(customer_id) FROM billing)", "amounts"),
        ("UPDATE usage_daily SET usage_date = DATE '2026-01-01' WHERE rowid = 5", "usage_daily: outside the window"),
        ("UPDATE usage_daily SET usage_date = DATE '2024-07-01' WHERE rowid = 5", "before signup"),
        ("UPDATE usage_daily SET usage_date = NULL WHERE rowid = 5", "usage_daily: outside the window"),
        ("UPDATE usage_daily SET sessions = -1 WHERE rowid = 5", "negative sessions"),
        ("UPDATE usage_daily SET usage_minutes = 1000 WHERE rowid = 5", "minutes beyond 3 sigma"),
        ("INSERT INTO usage_daily SELECT * FROM usage_daily WHERE rowid = 5", "usage_daily: customer-days repeated"),
        ("UPDATE customers SET signup_date = DATE '2024-06-30' WHERE customer_id = 7", "signups outside"),
        ("UPDATE customers SET plan = 'free' WHERE customer_id = 7", "unknown plan"),
        ("UPDATE customers SET customer_id = 8 WHERE customer_id = 7", "ids missing or repeated"),
        ("UPDATE billing SET payment_status = 'PAID' WHERE rowid = 5", "unknown payment status"),
        ("INSERT INTO billing SELECT customer_id, signup_date, 19, 'paid' FROM customers WHERE plan = 'Free' LIMIT 1",
         "bills on the Free plan"),
        ("DELETE FROM billing WHERE bill_date > DATE '2025-10-01'", "bills stop before the end"),
        ("UPDATE support SET category = NULL WHERE rowid = 5", "unknown category"),
        ("UPDATE support SET ticket_id = 1 WHERE rowid < 2", "support: ids missing or repeated"),
        ("DELETE FROM usage_daily WHERE rowid % 2 = 0", "logs lost"),
        ("UPDATE usage_daily SET sessions = 3", "distance from Poisson"),
        ("UPDATE customers SET region = 'NA' WHERE customer_id % 3 = 0", "region NA"),
        ("UPDATE billing SET payment_status = 'paid' WHERE payment_status = 'late'", "payment_status late"),
        ("DELETE FROM support WHERE ticket_id % 2 = 0", "tickets a day of tenure"),
        ("UPDATE customers SET signup_date = LEAST(signup_date, DATE '2025-10-01')", "distance from even"),
    ],
)  # fmt: skip
def test_an_injected_defect_is_named(stored: duckdb.DuckDBPyConnection, spoil: str, failing: str) -> None:
    stored.execute(spoil)
    measures = [line.measure for line in calibration.report(stored, SIZE).failures]
    for wanted in failing.split("|"):
        assert any(wanted in measure for measure in measures), measures


def test_totals_are_judged_at_the_specifications_size_alone(directory: Path) -> None:
    report = calibration.report(calibration.connect(directory), SIZE)
    assert [line.measure for line in report.lines if not line.judged] == [
        "usage_daily: rows", "billing: rows", "support: rows",
    ]  # fmt: skip


def test_missing_files_are_said(tmp_path: Path) -> None:
    with pytest.raises(GeneratorError, match=r"customers\.parquet cannot be read"):
        calibration.connect(tmp_path)
