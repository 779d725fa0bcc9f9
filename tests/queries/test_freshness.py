"""Marts that would be the same again are left alone, and what is left alone equals what building anew gives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.elsewhere import sqlite_elsewhere

from etl.config import Config
from etl.errors import GateShutError, WarehouseError
from etl.publish import queries as found
from etl.session import Session, open_session
from etl.warehouses.duckdb import DuckDbWarehouse
from generators.health import generate

BUILT_OF_MOVEMENTS = {
    "months",
    "mrr_movements",
    "day06_mrr_summary",
    "day06_churn_by_cohort",
    "day06_retention_curves",
    "day06_customer_health",
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    generate(tmp_path / "health.db", customers=40)
    return tmp_path / "health.db"


@pytest.fixture
def session(source: Path, tmp_path: Path) -> Iterator[Session]:
    config = Config.model_validate(
        {
            "source": {"url": f"sqlite:///{source}"},
            "warehouse": {"url": f"duckdb:///{tmp_path / 'warehouse.duckdb'}"},
            "publish": {"world": "health"},
        }
    )
    with open_session(config, ()) as session:
        list(session.sync())
        yield session


def built(session: Session, **options: Any) -> set[str]:
    """Build, and say which marts that took."""
    return {result.name for result in session.build_marts(**options) if result.is_built}


def contents(session: Session) -> dict[str, list[str]]:
    """Every mart's rows, sorted."""
    names = session.warehouse.tables("marts")
    return {
        name: sorted(map(str, session.warehouse.query(f"SELECT * FROM marts.{name}").to_pylist())) for name in names
    }


def test_only_what_reads_a_changed_table_is_built_again(session: Session, source: Path) -> None:
    everything = built(session)
    assert everything == set(found.load("health"))
    assert built(session) == set(), "nothing has changed"
    list(session.sync())
    assert built(session) == set(), "a sync that brings nothing is no change"
    # A thirteenth of a month that is not there: zero movement beyond the end, so that every test still holds.
    assert not sqlite_elsewhere(str(source), ["INSERT INTO day06_mrr_movements VALUES ('2025-01-01', 0, 0, 0, 0, 0)"])
    list(session.sync())
    assert built(session) == BUILT_OF_MOVEMENTS
    partly = contents(session)
    assert built(session, full=True) == everything
    assert contents(session) == partly


def test_chosen_marts_are_brought_up_to_date_with_what_they_need(session: Session) -> None:
    assert built(session, names=["mrr_movements"]) == {"months", "subscription_steps", "mrr_movements"}
    assert "months" not in built(session)


def test_another_query_text_is_another_mart(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    built(session)
    parse = found.parse
    read = found.read

    def edited(world: str, name: str, source: Any) -> found.Query:
        query = read(world, name, source)
        if name != "day06_churn_by_cohort":
            return query
        text = query.text + "HAVING COUNT(*) > 0\n"
        return found.Query(name, world, text, parse(text, name))

    monkeypatch.setattr(found, "read", edited)
    assert built(session) == {"day06_churn_by_cohort"}


def test_a_mart_that_somebody_dropped_is_built_again(session: Session) -> None:
    built(session)
    session.warehouse.commit(["DROP TABLE marts.mrr_movements"])
    assert built(session) == {"mrr_movements"}


BY_MONTHS = """
-- partition: start_date
-- incremental: here
WITH here AS (SELECT * FROM raw.day06_subscriptions)
SELECT subscription_id, start_date FROM here
"""


@pytest.fixture
def by_months(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the marts becomes one that is built by months."""
    read = found.read

    def edited(world: str, name: str, source: Any) -> found.Query:
        if name != "day06_churn_by_cohort":
            return read(world, name, source)
        head = "-- question: q\n-- grain: g\n-- columns:\n--   subscription_id STRING: id\n--   start_date DATE: day"
        text = head + BY_MONTHS
        return found.Query(name, world, text, found.parse(text, name))

    monkeypatch.setattr(found, "read", edited)


def renewed(session: Session) -> int | None:
    (result,) = session.build_marts(["day06_churn_by_cohort"])
    assert result.is_built == (result.renewed != 0)
    held = session.warehouse.query("SELECT COUNT(*) AS n FROM marts.day06_churn_by_cohort")["n"][0].as_py()
    there = session.warehouse.query("SELECT COUNT(*) AS n FROM raw.day06_subscriptions")["n"][0].as_py()
    assert held == there == result.rows
    return result.renewed


MOVED = "UPDATE day06_subscriptions SET start_date = '2023-01-01' WHERE rowid = 1"


@pytest.mark.usefixtures("by_months")
def test_months_are_remembered_with_the_build(session: Session, source: Path) -> None:
    assert renewed(session) is None, "nothing is known yet"
    assert not sqlite_elsewhere(str(source), [MOVED])
    list(session.sync())
    assert renewed(session) in (1, 2), "the month it left, and the one it came to"
    assert not sqlite_elsewhere(str(source), ["UPDATE day06_subscriptions SET mrr = mrr WHERE rowid = 1"])
    list(session.sync(full=True))
    assert renewed(session) == 0, "the same rows, loaded again"
    session.warehouse.commit(["DELETE FROM marts.day06_churn_by_cohort WHERE start_date < DATE '2024-06-01'"])
    list(session.sync(full=True))
    assert renewed(session) is None, "somebody has changed what was published"


@pytest.mark.usefixtures("by_months")
def test_a_build_that_was_not_published_is_not_remembered(
    session: Session, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    renewed(session)
    before = session.ledger.newest_builds()
    assert not sqlite_elsewhere(str(source), [MOVED])
    list(session.sync())
    publish = DuckDbWarehouse.publish

    def failing(self: DuckDbWarehouse, marts: Any, replaced: Any, statements: Any) -> None:
        publish(self, marts, replaced, [*statements, "SELECT error('killed in the last statement')"])

    with monkeypatch.context() as patch:
        patch.setattr(DuckDbWarehouse, "publish", failing)
        with pytest.raises(WarehouseError, match="killed in the last statement"):
            renewed(session)
    assert session.ledger.newest_builds() == before
    assert renewed(session) in (1, 2)


def test_what_was_loaded_since_shuts_the_gate_for_unchanged_marts_too(session: Session, source: Path) -> None:
    built(session)
    assert not sqlite_elsewhere(str(source), ["UPDATE day06_customers SET email = 'x@y.com' WHERE rowid = 1"])
    list(session.sync())
    session.warehouse.commit(["DELETE FROM etl.checks WHERE table_name = 'day06_customers'"])
    with pytest.raises(GateShutError, match="day06_customers has not been checked"):
        session.build_marts()
