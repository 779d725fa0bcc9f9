"""A span that is cut is covered by its parts, once, in order, whatever the extent of the values is."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.errors import ConfigError
from etl.sync.slices import Axis, Span, asked
from schemas import types
from schemas.table import Column

ENDS = st.one_of(st.none(), st.integers(-50, 50))
INTEGERS, DAYS = Axis(Column("n", types.INT)), Axis(Column("d", types.DATE))


@given(
    low=ENDS, length=st.integers(1, 60), open_=st.booleans(), extent=st.tuples(st.integers(-60, 60), st.integers(1, 80))
)
def test_parts_cover_the_span_once_and_in_order(
    low: int | None, length: int, open_: bool, extent: tuple[int, int]
) -> None:
    high = None if open_ else (low if low is not None else -50) + length
    span, parts_wanted = Span(low, high), 7
    parts = span.cut(Span(extent[0], sum(extent)), parts_wanted)
    assert 1 <= len(parts) <= parts_wanted
    assert (parts[0].low, parts[-1].high) == (low, high)
    assert [part.high for part in parts[:-1]] == [part.low for part in parts[1:]]
    inner = [part.low for part in parts[1:] if part.low is not None]
    assert inner == sorted(set(inner))
    assert all((low is None or low < at) and (high is None or at < high) for at in inner)


@given(st.dates(), st.dates())
def test_days_are_counted_and_written_as_they_are_read(first: date, last: date) -> None:
    low, high = sorted((first, last))
    span = asked(DAYS, low.isoformat(), f"{high.isoformat()}T23:59:59")
    assert span.low is not None
    assert DAYS.bound(span.low) == low.isoformat()
    assert span.high is None if high == date.max else DAYS.bound(span.high or 0) > high.isoformat()
    assert span.show(DAYS).startswith(f"d from {low} to ")


@pytest.mark.parametrize("text", ["", "x", "1.5", str(2**63), "0x10", "2024-01-01"])
def test_what_is_no_integer_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is no int"):
        INTEGERS.parse(text)


def test_the_last_integer_has_none_after_it() -> None:
    assert asked(INTEGERS, None, str(2**63 - 1)) == Span(None, None)
