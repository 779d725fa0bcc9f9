"""Partitions: every value lies in exactly one, named by its label, whatever the extent was taken from."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from etl.dialects.duckdb import DuckDbDialect
from etl.ranges import Range, Ranges
from etl.scratch import Scratch
from etl.verify.partitions import NULL, Partitioning, scope_of
from schemas import types
from schemas.table import Column

DAYS = st.dates(date(1990, 1, 1), date(2040, 12, 31))


def holding(ranges: tuple[Range, ...], value: int | str) -> list[str]:
    return [
        one.label
        for one in ranges
        if not one.null and (one.low is None or one.low <= value) and (one.high is None or value < one.high)  # type: ignore[operator]
    ]


@given(DAYS, DAYS, DAYS)
def test_every_day_between_the_extremes_lies_in_the_month_it_is_labelled_with(a: date, b: date, c: date) -> None:
    low, value, high = sorted((a, b, c))
    by = Partitioning(Column("d", types.DATE), 1)
    assert holding(by.cover(low, high), value.isoformat()) == [by.label(value)]


@given(st.lists(st.integers(-(10**9), 10**9), min_size=3, max_size=3), st.integers(10**6, 10**8))
def test_every_integer_between_the_extremes_lies_in_its_run(three: list[int], size: int) -> None:
    low, value, high = sorted(three)
    by = Partitioning(Column("i", types.INT), size)
    assert holding(by.cover(low, high), value) == [by.label(value)]


@given(DAYS, DAYS, DAYS)
def test_what_lies_outside_the_extremes_is_still_in_one(a: date, b: date, outside: date) -> None:
    by = Partitioning(Column("d", types.DATE), 1)
    assert len(holding(by.cover(min(a, b), max(a, b)), outside.isoformat())) == 1


def test_neighbours_become_one_predicate_and_null_has_its_own() -> None:
    column = Column("d", types.DATE)
    ranges = Partitioning(column, 1).cover(date(2024, 1, 15), date(2024, 4, 2))
    dialect = DuckDbDialect()
    everything = Ranges(column, ranges).condition(dialect)
    scratch = Scratch()
    rows = "(VALUES (NULL), (DATE '1900-01-01'), (DATE '2024-02-29'), (DATE '9999-12-31')) AS t(d)"
    assert scratch.query(f"SELECT COUNT(*) AS n FROM {rows} WHERE {everything}")["n"].to_pylist() == [4]
    scratch.close()
    assert everything.count(" OR ") == 1
    assert Ranges(column, ()).condition(dialect) == "1 = 0"


@given(st.integers(1, 12))
def test_turns_prove_everything_within_as_many_runs_as_configured(n: int) -> None:
    by = Partitioning(Column("d", types.DATE), 1)
    every = by.cover(date(2023, 1, 1), date(2024, 12, 31))
    checked: dict[str, datetime] = {}
    now = datetime(2025, 1, 1, tzinfo=UTC)
    for run in range(n):
        scope = scope_of(by, every, {"2024-12"}, checked, n)
        assert "2024-12" in scope.labels
        checked |= dict.fromkeys(scope.labels, now + timedelta(hours=run))
    assert set(checked) == {one.label for one in every}
    assert NULL.label in checked
