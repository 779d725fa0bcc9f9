"""The health world's rows, its SQLite file, and what it prints."""

from __future__ import annotations

import ast
import hashlib
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import date
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest

import generators
from generators.errors import GeneratorError
from generators.health import core, generate
from generators.health.batches import batches
from generators.health.core import World, apportion, lifetime, month_end, signup_counts, world
from generators.health.integrity import checks
from generators.health.measures import histories, linearity, mrr_by_month, plus_months
from generators.health.stored import read
from generators.health.summary import summary
from schemas.health import metadata

ROOT = Path(generators.__file__).parent.parent
PACKAGE = ROOT / "generators" / "health"


@pytest.fixture(scope="module")
def rows() -> World:
    return world()


def _run(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A Python without site-packages, as a reader has who lifted the package out."""
    return subprocess.run(  # noqa: S603
        [sys.executable, "-S", *arguments],
        cwd=directory, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_it_runs_on_the_standard_library_and_prints_real_numbers(tmp_path: Path, rows: World) -> None:
    done = _run(tmp_path, "-m", "generators.health")
    assert done.returncode == 0, done.stderr
    path = tmp_path / "data" / "day06_saas_metrics.db"
    assert path.stat().st_size < 500 * 1024
    assert read(path) == rows
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    for words in (
        "Created 500 customers across 24 months (2023-01 to 2024-12)",
        "  - Starter tier: 250 customers (50%)",
        "  - Pro tier: 175 customers (35%)",
        "  - Enterprise tier: 75 customers (15%)",
        f"Generated {len(rows.subscriptions)} subscription records",
        f"Current MRR (Month 24): ${mrr_by_month(rows.subscriptions)[-1] / 100:,.0f}",
        "  - 2023-01 cohort (24 months old): ",
        "  ✓ All foreign keys valid, no orphaned subscriptions",
        "Database saved to: data/day06_saas_metrics.db",
    ):
        assert words in done.stdout
    assert "✗" not in done.stdout


def test_the_script_and_the_lifted_core_write_the_same_file(tmp_path: Path) -> None:
    lifted = tmp_path / "lifted"
    lifted.mkdir()
    (lifted / "core.py").write_text((PACKAGE / "core.py").read_text())
    assert _run(lifted, "-I", "core.py").returncode == 0
    script = tmp_path / "script"
    script.mkdir()
    assert _run(script, str(ROOT / "generators" / "day06_DATA_synthetic_saas.py")).returncode == 0
    digests = {hashlib.sha256(p.read_bytes()).hexdigest() for p in tmp_path.glob("*/data/*.db")}
    assert len(digests) == 1


@pytest.mark.parametrize("module", ["core", "__init__", "__main__", "stored", "measures", "integrity", "summary"])
def test_what_runs_imports_the_standard_library_only(module: str) -> None:
    tree = ast.parse((PACKAGE / f"{module}.py").read_text())
    named = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    named |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    ours = {name for name in named if name.split(".")[0] not in sys.stdlib_module_names}
    assert all(name == "generators.errors" or name.startswith("generators.health") for name in ours)
    assert module != "core" or not ours


def test_an_unwritable_directory_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    done = _run(tmp_path, "-m", "generators.health")
    assert done.returncode == 2
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr


def test_bad_calls_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GeneratorError, match="cannot have -1 customers"):
        generate(tmp_path / "x.db", customers=-1)
    with pytest.raises(GeneratorError, match="cannot have -1 customers"):
        batches(-1)
    with pytest.raises(GeneratorError, match="cannot be written"):
        generate(tmp_path)
    with pytest.raises(GeneratorError, match="There is no database"):
        read(tmp_path / "x.db")
    (tmp_path / "y.db").write_text("no database")
    with pytest.raises(GeneratorError, match="does not hold the health world"):
        read(tmp_path / "y.db")


def test_generating_again_replaces_the_file_and_returns_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "new" / "saas.db"
    generate(path, customers=3)
    assert generate(path, customers=17, seed=7) == {
        "day06_customers": 17,
        "day06_subscriptions": len(world(17, 7).subscriptions),
        "day06_mrr_movements": 24,
    }
    assert read(path) == world(17, 7)


def test_the_file_has_the_tables_keys_and_indexes(tmp_path: Path) -> None:
    generate(tmp_path / "saas.db")
    with closing(sqlite3.connect(tmp_path / "saas.db")) as connection:
        for table in metadata.sorted_tables:
            described = connection.execute(f"PRAGMA table_info({table.name})").fetchall()
            assert [column[1] for column in described] == [column.name for column in table.columns]
            assert [column[1] for column in described if column[5]] == [column.name for column in table.primary_key]
        indexes = connection.execute(
            "SELECT m.tbl_name, i.name FROM sqlite_master m, pragma_index_info(m.name) i WHERE m.sql LIKE '%INDEX%'"
        ).fetchall()
        assert set(indexes) == {
            ("day06_subscriptions", "customer_id"), ("day06_subscriptions", "start_date"),
            ("day06_customers", "signup_date"), ("day06_customers", "status"),
        }  # fmt: skip
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        keys = connection.execute("PRAGMA foreign_key_list(day06_subscriptions)").fetchall()
        assert [(key[2], key[3], key[4]) for key in keys] == [("day06_customers", "customer_id", "customer_id")]


def test_sqlite_itself_finds_the_movements_balanced(tmp_path: Path) -> None:
    """A second reckoning, in SQL: MRR at each month's end is the running sum of the net movements."""
    generate(tmp_path / "saas.db")
    sql = """
        SELECT COUNT(*) FROM (
            SELECT ROUND(SUM(net_mrr) OVER (ORDER BY month), 2) AS running,
            (SELECT ROUND(SUM(mrr), 2) FROM day06_subscriptions
             WHERE start_date <= DATE(month, '+1 month', '-1 day')
             AND (end_date IS NULL OR end_date > DATE(month, '+1 month', '-1 day'))) AS active
            FROM day06_mrr_movements
        ) WHERE ABS(running - active) > 0.001"""
    with closing(sqlite3.connect(tmp_path / "saas.db")) as connection:
        assert connection.execute(sql).fetchone() == (0,)


def test_batches_are_the_rows_in_logical_types(rows: World) -> None:
    made = batches()
    assert list(made) == ["day06_customers", "day06_subscriptions", "day06_mrr_movements"]
    subscriptions = made["day06_subscriptions"]
    assert subscriptions.schema.field("mrr").type == pa.decimal128(12, 2)
    assert subscriptions.schema.field("end_date").type == pa.date32()
    assert [round(mrr * 100) for mrr in subscriptions["mrr"].to_pylist()] == [s.mrr for s in rows.subscriptions]
    assert made["day06_customers"]["email"].to_pylist() == [c.email for c in rows.customers]


def test_customers_follow_the_paths_of_the_specification(rows: World) -> None:
    by_customer = histories(rows.subscriptions)
    paths = [tuple(s.plan_tier for s in history) for history in by_customer.values()]
    for path, share in core.PATHS:
        assert paths.count(path) == round(share * 500)
    for history in by_customer.values():
        for before, after in pairwise(history):
            assert before.end_date is not None
            assert (after.start_date - before.end_date).days == 1
            assert after.start_date.day != 1


def test_no_period_ends_on_a_months_last_day(rows: World) -> None:
    ends = [s.end_date for s in rows.subscriptions if s.end_date]
    assert all(end.day < month_end(core.month_number(end)).day for end in ends)


def test_summary_marks_what_is_broken(rows: World, tmp_path: Path) -> None:
    broken = World(rows.customers[1:], rows.subscriptions, rows.movements)
    generate(tmp_path / "saas.db")
    text = summary(broken, tmp_path / "saas.db")
    assert "✗ All foreign keys valid, no orphaned subscriptions: not so for" in text
    assert sum(count > 0 for count in checks(broken).values()) >= 1


def test_summary_of_nobody(tmp_path: Path) -> None:
    generate(tmp_path / "saas.db", customers=0)
    text = summary(read(tmp_path / "saas.db"), tmp_path / "saas.db")
    assert "Created 0 customers" in text
    assert "✗" not in text


@pytest.mark.parametrize("total", [0, 1, 2, 17, 500, 1_001])
def test_apportion_divides_all_and_keeps_the_order(total: int) -> None:
    assert apportion(total, []) == []
    assert sum(apportion(total, [0.5, 0.35, 0.15])) == total
    counts = signup_counts(total)
    assert sum(counts) == total
    assert counts == sorted(counts, reverse=True)


def test_signups_start_with_the_launch() -> None:
    assert signup_counts(500)[:3] == [110, 60, 42]


def test_lifetimes_are_the_curve_turned_round() -> None:
    assert lifetime(1.0) == 0.0
    assert lifetime(0.746) == pytest.approx(5.0)
    assert lifetime(0.863) is not None
    assert lifetime(0.2) is None


def test_months_are_added_to_the_same_day_or_the_last() -> None:
    assert plus_months(date(2023, 1, 31), 1) == date(2023, 2, 28)
    assert plus_months(date(2023, 11, 15), 14) == date(2025, 1, 15)


def test_linearity() -> None:
    assert linearity([1, 2, 3, 4]) == pytest.approx(1.0)
    assert linearity([5, 5, 5]) is None
