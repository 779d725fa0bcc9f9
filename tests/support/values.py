"""Values of every logical type that are likely to arrive changed."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

from schemas import types
from schemas.types import LogicalType

_LAST = datetime(9999, 12, 31, 23, 59, 59, 999999)  # a datetime of no zone is what is meant
_BEFORE_EPOCH = datetime(1969, 12, 31, 23, 59, 59, 999999)
_FIRST = datetime(1, 1, 1)

NUL = "a\0b"
"""Text that not every engine can hold."""

ODD_TEXTS = (
    "",
    " ",
    "trailing  ",
    "  leading",
    "tab\tline\r\nbreak",
    "\u00e9",
    "e\u0301",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467",
    "\ufeffbom",
    "NULL",
    "~,",
    "3:abc,",
    "'\"`\\;--",
    "%_",
    "long " * 20_000,
    NUL,
)

ODD: dict[LogicalType, tuple[Any, ...]] = {
    types.INT: (0, -1, 2**53 + 1, 2**63 - 1, -(2**63)),
    types.decimal(38, 18): (
        Decimal("99999999999999999999.999999999999999999"),
        Decimal("-99999999999999999999.999999999999999999"),
        Decimal("0.000000000000000001"),
        Decimal("0E-18"),
    ),
    types.decimal(38, 0): (Decimal(10**38 - 1), Decimal(1 - 10**38)),
    types.decimal(10, 2): (Decimal("0.10"), Decimal("-0.01"), Decimal("99999999.99"), Decimal("1.00")),
    types.STRING: ODD_TEXTS,
    types.BOOL: (True, False),
    types.DATE: (date(1, 1, 1), date(1582, 10, 10), date(1969, 12, 31), date(2024, 2, 29), date(9999, 12, 31)),
    types.DATETIME: (_FIRST, _BEFORE_EPOCH, datetime(2024, 2, 29, 12, 0, 0, 1), _LAST),
    types.TIMESTAMP: (
        _FIRST.replace(tzinfo=UTC),
        _LAST.replace(tzinfo=UTC),
        datetime(2024, 1, 1, 0, 30, 0, 1, tzinfo=timezone(timedelta(hours=14))),
        datetime(2024, 6, 30, 23, 59, 59, tzinfo=timezone(-timedelta(hours=9, minutes=30))),
    ),
    types.TIME: (time(0), time(12, 0, 0, 1), time(23, 59, 59, 999999)),
    types.FLOAT: (0.0, -0.0, 5e-324, 1.7976931348623157e308, 0.1, 1 / 3, 2.0**53, float("inf"), -float("inf")),
    types.BYTES: (b"", b"\0", bytes(range(256)), b"\xff" * 100_000),
    types.UUID: ("00000000-0000-0000-0000-000000000000", "FFFFFFFF-ffff-4fff-bfff-ffffffffffff"),
    types.JSON: ('{"b": 1, "a": 2, "a": 3}', "[]", "null", '"\u00e9"'),
}


def canonical(value: Any) -> Any:
    """A value so that equal ones are the same to the last bit, whatever they look like."""
    if isinstance(value, float):
        return struct.pack(">d", value).hex()
    if isinstance(value, datetime) and value.tzinfo:
        return value.astimezone(UTC)
    return (str(value), value) if isinstance(value, Decimal) else value


def arriving(value: Any, type_: LogicalType) -> Any:
    """The canonical form in which ``value`` is to arrive."""
    return canonical(value.lower() if type_ == types.UUID and value else value)


def within(gaps: Mapping[str, str], values: Iterable[Any]) -> list[Any]:
    """The values without those that an engine with these gaps cannot hold."""
    return [value for value in values if str(value) not in gaps and not (value == NUL and "nul" in gaps)]
