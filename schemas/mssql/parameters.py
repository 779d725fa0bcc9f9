"""Values bound to statements, with the types they need.

Left to itself, the driver takes a column's type from the longest of its values: one of ASCII alone
makes varchar of the whole column, and every other letter arrives as a question mark. For a NULL it
asks the server, and Babelfish ends the transaction, unseen, when it has no answer. So types are
said, and columns of NULLs alone are spelled out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

# https://learn.microsoft.com/en-us/sql/odbc/reference/appendixes/sql-data-types, and for the offset
# https://learn.microsoft.com/en-us/sql/relational-databases/native-client-odbc-date-time
_BIT, _BIGINT, _DOUBLE, _DECIMAL = -7, -5, 8, 3
_WVARCHAR, _VARBINARY = -9, -3
_DATE, _TIMESTAMP, _TIMESTAMP_OFFSET = 91, 93, -155
_DIGITS = 38
_TIME_TEXT = 16
_PLACEHOLDER = re.compile(r"'(?:[^']|'')*'|\[(?:[^\]]|\]\])*\]|(\?)")

ParameterType = tuple[int, int, int]
"""ODBC's number of a type, its size and its digits after the point."""


def execute_many(cursor: Any, statement: str, rows: Sequence[Sequence[Any]]) -> None:
    """Run ``statement``, whose parameters are question marks, for each of the ``rows``, which is at least one."""
    columns = list(zip(*rows, strict=True))
    bound = [column for column in columns if any(value is not None for value in column)]
    if not bound:
        for _ in rows:
            cursor.execute(with_nulls(statement, rows[0]))
        return
    cursor.setinputsizes([parameter_type(column) for column in bound])
    spelled = with_nulls(statement, [next((v for v in column if v is not None), None) for column in columns])
    cursor.executemany(spelled, list(zip(*bound, strict=True)))


def with_nulls(statement: str, values: Sequence[Any]) -> str:
    """The statement with NULL in the place of each question mark whose value is None."""
    left = iter(values)

    def spelled(found: re.Match[str]) -> str:
        return "NULL" if found[1] and next(left, found) is None else found[0]

    return _PLACEHOLDER.sub(spelled, statement)


def parameter_type(values: Sequence[Any]) -> ParameterType:
    """The type that holds every one of ``values``, of which some may be None; raises ``TypeError`` for unknown ones."""
    first = next(value for value in values if value is not None)
    match first:
        case bool():
            return _BIT, 1, 0
        case int():
            return _BIGINT, 19, 0
        case float():
            return _DOUBLE, 53, 0
        case Decimal():
            return _DECIMAL, _DIGITS, max(_scale(value) for value in values if value is not None)
        case str():
            return _WVARCHAR, max(1, *(_units(value) for value in values if value is not None)), 0
        case bytes():
            return _VARBINARY, max(1, *(len(value) for value in values if value is not None)), 0
        case datetime():
            return (_TIMESTAMP, 26, 6) if first.tzinfo is None else (_TIMESTAMP_OFFSET, 33, 6)
        case date():
            return _DATE, 10, 0
        case time():  # as text, which the driver makes of it: its own type of times has no fractions
            return _WVARCHAR, _TIME_TEXT, 0
        case _:
            raise TypeError(f"no SQL Server type for {type(first).__name__}")


def _scale(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _units(text: str) -> int:
    """UTF-16 units, in which nvarchar counts."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2
