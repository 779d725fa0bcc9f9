"""The rowsum's encoding in plain Python, by which every engine is judged.

Values are those of ``etl.verify.vectors``: bool, int, float, bytes, and str for all else, dates and
times in ISO form, a UUID in either case.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from schemas.types import Kind, LogicalType

Words = tuple[int, int, int, int]

_MICROSECOND = timedelta(microseconds=1)


def text(value: Any, type_: LogicalType) -> str | None:
    """The canonical text; None for NULL."""
    if value is None:
        return None
    if type_.large:
        data = value if isinstance(value, bytes) else value.encode()
        return f"{len(data)}#{hashlib.sha256(data).hexdigest().upper()}"
    if type_.kind is Kind.DECIMAL:
        return _decimal(value, type_.scale or 0)
    if type_.fixed:
        return value.rstrip(" ")
    return _RENDER[type_.kind](value)


def cell(value: Any, type_: LogicalType) -> str:
    """The framed text."""
    canonical = text(value, type_)
    if canonical is None:
        return "~,"
    framed = type_.kind in (Kind.STRING, Kind.JSON) and not type_.large
    return f"{len(canonical.encode())}:{canonical}," if framed else f"{canonical},"


def row(values: Sequence[Any], types: Sequence[LogicalType]) -> str:
    """A row's text."""
    return "rowsum1|" + "".join(cell(value, type_) for value, type_ in zip(values, types, strict=True))


def words(row_text: str) -> Words:
    """s1 to s4 of a row's text."""
    return struct.unpack(">4I", hashlib.sha256(row_text.encode()).digest()[:16])


def bucket_sums(rows: Iterable[Sequence[Any]], types: Sequence[LogicalType], key: Sequence[int]) -> list[list[int]]:
    """``bucket, n, s1 … s4, k1 …`` of each bucket, in their order; ``key`` holds the key columns' positions."""
    sums: dict[int, list[int]] = defaultdict(lambda: [0] * (5 + len(key)))
    for values in rows:
        s = words(row(values, types))
        for i, part in enumerate((1, *s, *(values[i] for i in key))):
            sums[s[0] % 65_536][i] += part
    return [[bucket, *sums[bucket]] for bucket in sorted(sums)]


def _decimal(value: str, scale: int) -> str:
    number = Decimal(value)
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    whole = int("".join(map(str, digits)))
    shown = max(scale, -exponent)
    scaled = whole * 10 ** (shown + exponent)
    while shown > scale and scaled % 10 == 0:
        scaled, shown = scaled // 10, shown - 1
    padded = str(scaled).rjust(shown + 1, "0")
    point = len(padded) - shown
    minus = "-" if sign and scaled else ""
    return minus + padded[:point] + ("." + padded[point:] if shown else "")


def _float(value: float) -> str:
    return "7FF8000000000000" if math.isnan(value) else struct.pack(">d", value).hex().upper()


def _date(value: str) -> str:
    return str((date.fromisoformat(value) - date(1970, 1, 1)).days)


def _datetime(value: str) -> str:
    return str((datetime.fromisoformat(value) - datetime(1970, 1, 1)) // _MICROSECOND)


def _timestamp(value: str) -> str:
    return str((datetime.fromisoformat(value) - datetime(1970, 1, 1, tzinfo=UTC)) // _MICROSECOND)


def _time(value: str) -> str:
    at = time.fromisoformat(value)
    return str((at.hour * 3600 + at.minute * 60 + at.second) * 1_000_000 + at.microsecond)


_RENDER: dict[Kind, Callable[[Any], str]] = {
    Kind.BOOL: lambda value: str(int(value)),
    Kind.INT: str,
    Kind.FLOAT: _float,
    Kind.DATE: _date,
    Kind.DATETIME: _datetime,
    Kind.TIMESTAMP: _timestamp,
    Kind.TIME: _time,
    Kind.UUID: str.upper,
    Kind.STRING: str,
    Kind.JSON: str,
    Kind.BYTES: lambda value: value.hex().upper(),
}
