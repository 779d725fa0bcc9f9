"""Marts that would be the same again are left alone, and what is left alone equals what building anew gives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.elsewhere import sqlite_elsewhere

from etl.config import Config
from etl.errors import GateShutError
from etl.publish import queries as found
from etl.session import Session, open_session
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


def test_what_was_loaded_since_shuts_the_gate_for_unchanged_marts_too(session: Session, source: Path) -> None:
    built(session)
    assert not sqlite_elsewhere(str(source), ["UPDATE day06_customers SET email = 'x@y.com' WHERE rowid = 1"])
    list(session.sync())
    session.warehouse.commit(["DELETE FROM etl.checks WHERE table_name = 'day06_customers'"])
    with pytest.raises(GateShutError, match="day06_customers has not been checked"):
        session.build_marts()
