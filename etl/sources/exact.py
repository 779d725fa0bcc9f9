"""From what a driver hands over to the logical types, exactly or not at all."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Context, Decimal, Inexact, InvalidOperation

import pyarrow as pa
import pyarrow.compute as pc

from etl.errors import SourceError
from schemas.table import Column, Table
from schemas.types import Kind

_UUID = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"


_DECIMAL = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$"
_EXACTLY = Context(prec=100_000, traps=[Inexact, InvalidOperation])
_DIGITS = 38
"""Any number of so many digits fits into 128 bits."""

_LONG_FRACTION = r"(\.\d{6})\d+"
_OFFSET = r"[+-]\d\d(:?\d\d)?$"
_NO_OFFSET = r"[+-]00(:?00)?$"

_DAYS = (-719_162, 2_932_896)
_MICROSECONDS = (-62_135_596_800_000_000, 253_402_300_799_999_999)

FLOORED = "a fraction of a second floored to microseconds"
OFFSET = "an offset from UTC, of which the instant is kept"

Tally = Counter[tuple[str, str]]
"""Values that lost something, by column and what."""


def convert(batch: pa.RecordBatch, table: Table, lost: Tally) -> pa.RecordBatch:
    """The batch, whose columns stand in the table's order, in the table's Arrow types.

    Digits past the microsecond and offsets from UTC are let go by rule, and counted in ``lost``.
    Raises ``SourceError`` that names the column if a value does not fit.
    """
    columns = zip(batch.columns, table.columns, strict=True)
    arrays = [_column(array, column, table.target, lost) for array, column in columns]
    return pa.RecordBatch.from_arrays(arrays, schema=table.arrow)


def _column(array: pa.Array, column: Column, table: str, lost: Tally) -> pa.Array:
    try:
        if column.type.kind in (Kind.DATETIME, Kind.TIMESTAMP, Kind.TIME) and pa.types.is_string(array.type):
            array = _floored(array, column, lost)
        return _exact(array, column)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        raise unfit(table, column, f"a value is not {column.type} ({error})") from error


def unfit(table: str, column: Column, what: str, readable_as: str = "string") -> SourceError:
    """The error for a column that holds values of another type than its own."""
    place = f"[tables.{json.dumps(table, ensure_ascii=False)}.columns] {json.dumps(column.name, ensure_ascii=False)}"
    return SourceError(
        f"table {table}, column {column.name}: {what}",
        f'read the column as it is with {place} = "{readable_as}", or mend the rows',
    )


def _exact(array: pa.Array, column: Column) -> pa.Array:
    kind = column.type.kind
    if kind in (Kind.STRING, Kind.JSON, Kind.UUID) and pa.types.is_string(array.type):
        array.validate(full=True)  # the driver does not check UTF-8
        return _uuid(array) if kind is Kind.UUID else array
    if kind is Kind.BOOL and pa.types.is_integer(array.type):
        return _bool(array)
    if kind is Kind.TIME and pa.types.is_string(array.type):
        day = pc.binary_join_element_wise("1970-01-01", array, " ")
        return day.cast(pa.timestamp("us")).cast(pa.time64("us"))
    expected = column.type.arrow
    if pa.types.is_binary(array.type) and expected != array.type:
        raise ValueError("bytes")
    if pa.types.is_string(array.type) and kind in (Kind.INT, Kind.FLOAT, Kind.BOOL):
        raise ValueError("text")  # Arrow would read 0x10 and NaN
    if kind is Kind.DECIMAL and pa.types.is_string(array.type):
        return decimals(array, expected)
    _refuse_beyond_calendar(array)
    return array.cast(expected)


def decimals(array: pa.Array, type_: pa.DataType) -> pa.Array:
    """Decimals written as text; raises ``ValueError`` or ``pa.ArrowInvalid`` for what is none or does not fit.

    Arrow moves the point without looking whether the digits still fit into 128 bits, and has then
    another number: its cast is used where they must, else one by 256 bits, else Python's decimals.
    """
    longest = pc.max(pc.binary_length(array)).as_py() or 0
    exponents = pc.any(pc.match_substring(array, "e", ignore_case=True)).as_py()
    if longest + type_.scale <= _DIGITS and not exponents:
        return array.cast(type_)
    if longest <= _DIGITS and not exponents:
        return array.cast(pa.decimal256(2 * _DIGITS, type_.scale)).cast(type_)
    if not pc.all(pc.match_substring_regex(array, _DECIMAL)).as_py() and array.null_count < len(array):
        raise ValueError("text")
    return pa.array([None if text is None else _decimal(text, type_) for text in array.to_pylist()], type_)


def _decimal(text: str, type_: pa.DataType) -> Decimal:
    try:
        units = Decimal(text).scaleb(type_.scale, _EXACTLY)
        whole = units.to_integral_exact(context=_EXACTLY)
    except ArithmeticError as error:
        raise ValueError(repr(text)) from error
    if whole.copy_abs() >= 10**type_.precision:  # abs() would round
        raise ValueError(repr(text))
    return Decimal(int(whole)).scaleb(-type_.scale, _EXACTLY)


def _refuse_beyond_calendar(array: pa.Array) -> None:
    """Infinities, and years that some engine cannot hold: all of them hold 1 to 9999."""
    if not pa.types.is_temporal(array.type) or pa.types.is_time(array.type):
        return
    bounds = pc.min_max(array.cast(pa.int32() if pa.types.is_date32(array.type) else pa.int64())).as_py()
    least, most = _DAYS if pa.types.is_date32(array.type) else _MICROSECONDS
    if bounds["min"] is not None and (bounds["min"] < least or bounds["max"] > most):
        raise ValueError("infinite, or not between the years 1 and 9999")


def _floored(array: pa.Array, column: Column, lost: Tally) -> pa.Array:
    """The texts with at most six digits after the second."""
    if column.type.kind is Kind.TIMESTAMP:
        lost[column.name, OFFSET] += _matching(array, _OFFSET) - _matching(array, _NO_OFFSET)
    # Most columns have no such value, and their longest text shows it.
    if (pc.max(pc.binary_length(array)).as_py() or 0) <= len("23:59:59.999999"):
        return array
    floored = _matching(array, _LONG_FRACTION)
    lost[column.name, FLOORED] += floored
    return pc.replace_substring_regex(array, _LONG_FRACTION, r"\1") if floored else array


def _matching(array: pa.Array, pattern: str) -> int:
    return int(pc.sum(pc.match_substring_regex(array, pattern)).as_py() or 0)


def _bool(array: pa.Array) -> pa.Array:
    bounds = pc.min_max(array).as_py()
    if bounds["min"] is not None and (bounds["min"] < 0 or bounds["max"] > 1):
        raise ValueError(f"{bounds['max'] if bounds['max'] > 1 else bounds['min']}")
    return array.cast(pa.bool_())


def _uuid(array: pa.Array) -> pa.Array:
    lower = pc.utf8_lower(array)
    odd = pc.invert(pc.match_substring_regex(lower, _UUID))
    if pc.any(odd).as_py():
        raise ValueError(repr(array.filter(odd)[0].as_py()))
    return lower
