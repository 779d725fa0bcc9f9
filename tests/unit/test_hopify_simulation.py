"""Simulated days: possible, repeatable, and unkind to whoever trusts ``updated_at``."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from generators.errors import GeneratorError
from generators.hopify import generate, simulate
from generators.hopify.invariants import invariants
from schemas.hopify import metadata

CUSTOMERS = 1_500
DAYS = 35


def query(path: Path, statement: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement).fetchall()


def contents(path: Path) -> dict[str, list[Any]]:
    """All rows by table, in the order of their key."""
    return {
        table.name: query(
            path, f"SELECT * FROM {table.name} ORDER BY {', '.join(c.name for c in table.primary_key.columns)}"
        )
        for table in metadata.sorted_tables
    }


def by_key(path: Path, table: str) -> dict[int, dict[str, Any]]:
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return {row[0]: dict(row) for row in connection.execute(f"SELECT * FROM {table}")}


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hopify") / "before.db"
    generate(f"sqlite:///{path}", customers=CUSTOMERS, seed=5)
    return path


@pytest.fixture(scope="module")
def simulated(before: Path) -> tuple[Path, dict[str, dict[str, int]]]:
    path = before.with_name("after.db")
    shutil.copy(before, path)
    return path, simulate(f"sqlite:///{path}", days=DAYS)


def test_every_invariant_holds(simulated: tuple[Path, dict[str, dict[str, int]]]) -> None:
    path, _ = simulated
    assert {name for name, statement in invariants().items() if query(path, statement)} == set()
    assert query(path, "PRAGMA foreign_key_check") == []
    assert query(path, "SELECT last_day FROM world_state") == [("2026-02-04",)]


def test_counts_are_those_of_the_rows(before: Path, simulated: tuple[Path, dict[str, dict[str, int]]]) -> None:
    path, counts = simulated
    for table, changes in counts.items():
        (then,), (now,) = query(before, f"SELECT COUNT(*) FROM {table}") + query(path, f"SELECT COUNT(*) FROM {table}")
        assert now - then == changes["inserted"] - changes["deleted"], table


def test_every_kind_of_change_happens(simulated: tuple[Path, dict[str, dict[str, int]]]) -> None:
    path, counts = simulated
    for table in ("customers", "subscriptions", "orders", "order_items", "payments", "support_tickets", "app_installs"):
        assert all(counts[table][kind] > 0 for kind in ("inserted", "updated", "deleted")), table
    for table in ("churn_events", "campaigns", "web_traffic", "order_discounts"):
        assert counts[table]["inserted"] > 0, table
    assert sum(changes["silent"] for changes in counts.values()) > 0
    reasons = query(path, "SELECT DISTINCT start_reason FROM subscriptions WHERE started_on > '2025-12-31'")
    assert {reason for (reason,) in reasons} == {"new", "upgrade", "downgrade", "reactivation"}
    late = query(path, "SELECT 1 FROM orders WHERE created_at > '2026' AND substr(created_at, 1, 10) > ordered_at")
    assert len(late) > 0
    refunds = "SELECT 1 FROM payments WHERE status = 'refunded' AND updated_at > '2026'"
    assert len(query(path, refunds)) > 0


def test_silent_changes_leave_no_trace(before: Path, simulated: tuple[Path, dict[str, dict[str, int]]]) -> None:
    path, counts = simulated
    for table, changes in counts.items():
        then, now = by_key(before, table), by_key(path, table)
        kept = [(then[key], now[key]) for key in then.keys() & now.keys()]
        unseen = [(old, new) for old, new in kept if old != new and old["updated_at"] == new["updated_at"]]
        # A row changed silently may later have been changed openly or erased, but never the other way round.
        assert len(unseen) <= changes["silent"], table
        assert all(new["updated_at"] >= old["updated_at"] for old, new in kept), table
    assert any(
        by_key(before, table).get(key, row) != row and by_key(before, table)[key]["updated_at"] == row["updated_at"]
        for table in ("customers", "orders", "payments", "support_tickets", "subscriptions")
        for key, row in by_key(path, table).items()
    )


def test_keys_are_never_given_twice(before: Path, simulated: tuple[Path, dict[str, dict[str, int]]]) -> None:
    path, _ = simulated
    for table, since in (("customers", "created_at"), ("orders", "created_at"), ("subscriptions", "created_at")):
        (highest,) = query(before, f"SELECT MAX(rowid) FROM {table}")[0]
        assert query(path, f"SELECT 1 FROM {table} WHERE rowid <= {highest} AND {since} > '2026'") == []


def test_an_erased_customer_leaves_nothing(before: Path, simulated: tuple[Path, dict[str, dict[str, int]]]) -> None:
    path, counts = simulated
    erased = by_key(before, "customers").keys() - by_key(path, "customers").keys()
    assert 0 < len(erased) <= counts["customers"]["deleted"]
    for table in ("subscriptions", "orders", "support_tickets", "app_installs"):
        assert not erased & {row["customer_id"] for row in by_key(path, table).values()}, table


def test_days_in_two_runs_are_days_in_one(before: Path, tmp_path: Path) -> None:
    once, twice = tmp_path / "once.db", tmp_path / "twice.db"
    for path, runs in ((once, (7,)), (twice, (3, 4))):
        shutil.copy(before, path)
        for days in runs:
            simulate(f"sqlite:///{path}", days=days)
    assert contents(once) == contents(twice)


def test_another_seed_lives_other_days(before: Path, tmp_path: Path) -> None:
    for seed in (1, 2):
        shutil.copy(before, tmp_path / f"{seed}.db")
        simulate(f"sqlite:///{tmp_path}/{seed}.db", days=1, seed=seed)
    assert contents(tmp_path / "1.db") != contents(tmp_path / "2.db")


@pytest.mark.parametrize("customers", [0, 1, 17])
def test_tiny_worlds_go_on_too(tmp_path: Path, customers: int) -> None:
    path = tmp_path / "world.db"
    generate(f"sqlite:///{path}", customers=customers)
    seen: list[str] = []
    simulate(f"sqlite:///{path}", days=3, progress=lambda day, _: seen.append(day))
    assert seen == ["2026-01-01", "2026-01-02", "2026-01-03"]
    assert {name for name, statement in invariants().items() if query(path, statement)} == set()


def test_what_cannot_be_advanced_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GeneratorError, match="no hopify world"):
        simulate(f"sqlite:///{tmp_path}/none.db", days=1)
    with pytest.raises(GeneratorError, match="-1 days"):
        simulate(f"sqlite:///{tmp_path}/none.db", days=-1)
    with pytest.raises(GeneratorError, match="No such database"):
        simulate("nowhere://", days=1)
    assert not (tmp_path / "none.db").exists()
