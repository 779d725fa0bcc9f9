"""Values of every logical type, in the form of ``etl.verify.vectors``, for hypothesis to draw."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from schemas import types
from schemas.types import Kind, LogicalType

BATCH = 150
"""Values in one query: the query is what costs."""

LARGE_STRING = LogicalType(Kind.STRING, large=True)
LARGE_BYTES = LogicalType(Kind.BYTES, large=True)
LARGE_JSON = LogicalType(Kind.JSON, large=True)

SLOW_ENGINES = settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def decimals(scale: int, digits: int = 38) -> st.SearchStrategy[str]:
    """Decimals of every length, those of the fewest and of the most digits more often."""
    limit = 10**digits - 1
    units = st.integers(-limit, limit) | st.integers(-10_000, 10_000) | st.sampled_from([0, 1, -1, limit, -limit])
    return units.map(lambda unit: _pointed(unit, scale))


def _pointed(unit: int, scale: int) -> str:
    digits = str(abs(unit)).rjust(scale + 1, "0")
    point = len(digits) - scale
    return ("-" if unit < 0 else "") + digits[:point] + ("." + digits[point:] if scale else "")


def _double(bits: int) -> float:
    value: float = struct.unpack(">d", bits.to_bytes(8, "big"))[0]
    return value


DATETIMES = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999))
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.builds(
    lambda at, zone: at.replace(tzinfo=UTC).astimezone(zone).isoformat(),
    st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)),
    ZONES,
)
# PostgreSQL has no NUL, and UTF-8 no surrogates.
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
LONGS = st.builds(lambda text, times: text * times, TEXTS, st.integers(0, 900))
FLOATS = st.floats() | st.integers(0, 2**64 - 1).map(_double) | st.floats(width=32)

VALUES: dict[LogicalType, st.SearchStrategy[Any]] = {
    types.BOOL: st.booleans(),
    types.INT: st.integers(-(2**63), 2**63 - 1),
    types.decimal(38, 0): decimals(0),
    types.decimal(38, 2): decimals(2),
    types.decimal(38, 9): decimals(9),
    types.decimal(38, 18): decimals(18),
    types.decimal(38, 37): decimals(37),
    types.decimal(18, 4): decimals(4, 18),
    types.FLOAT: FLOATS,
    types.DATE: st.dates().map(str),
    types.DATETIME: DATETIMES.map(datetime.isoformat),
    types.TIMESTAMP: MOMENTS,
    types.TIME: st.times().map(str),
    types.UUID: st.uuids().map(str),
    types.STRING: TEXTS,
    types.CHAR: st.builds(lambda text, blanks: text + " " * blanks, TEXTS, st.integers(0, 5)),
    types.JSON: st.recursive(st.none() | st.booleans() | st.integers() | TEXTS, st.lists, max_leaves=5).map(json.dumps),
    types.BYTES: st.binary(max_size=40),
    LARGE_STRING: LONGS,
    LARGE_JSON: LONGS.map(json.dumps),
    LARGE_BYTES: st.builds(lambda data, times: data * times, st.binary(max_size=12), st.integers(0, 900)),
}


def batches(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """Hundreds of values, for one query is what costs."""
    return st.lists(st.none() | values, min_size=BATCH, max_size=BATCH)


def widened(type_: LogicalType, values: Sequence[Any]) -> LogicalType:
    """A type that holds the values whole; a decimal may have more digits than its scale."""
    if type_.kind is not Kind.DECIMAL:
        return type_
    scale = max(len((value or "").partition(".")[2]) for value in values)
    return types.decimal(38, max(scale, type_.scale or 0))
