"""Numpy into Arrow in the logical types of a table: money stays whole cents until it is a decimal.

Within the generator, dates are days and instants are microseconds since 1970-01-01 (UTC), all
``int64``, and ``NULL`` marks an absent number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Table

from schemas.types import Kind, LogicalType

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Batches = dict[str, pa.RecordBatch]

NULL = int(np.iinfo(np.int64).min)


def arrow_schema(table: Table) -> pa.Schema:
    """The Arrow schema of ``table``'s batches, columns in the table's order."""
    return pa.schema([pa.field(column.name, logical_type(column).arrow) for column in table.columns])


def logical_type(column: Any) -> LogicalType:
    """The logical type of a SQLAlchemy column of our schemas."""
    logical: LogicalType = column.type.logical
    return logical


def batch(table: Table, values: Mapping[str, Any]) -> pa.RecordBatch:
    """A batch of ``table``: one array a column, in the generator's own form or already Arrow."""
    columns = [_column(logical_type(column), values[column.name]) for column in table.columns]
    return pa.RecordBatch.from_arrays(columns, schema=arrow_schema(table))


def labels(words: Sequence[str], codes: Ints) -> pa.Array:
    """``words[code]`` for every code."""
    return pa.array(words, pa.string()).take(pa.array(codes))


def picked(pool: pa.Array, indices: Ints) -> pa.Array:
    """``pool[index]`` for every index, null where the index is ``NULL``."""
    return pool.take(pa.array(indices, mask=indices == NULL))


def joined(*parts: Any, separator: str = "") -> pa.Array:
    """The parts of every row put together; a part is a string array or one string."""
    return pc.binary_join_element_wise(*parts, separator)


def digits(numbers: Ints, width: int) -> pa.Array:
    """Whole numbers as text of at least ``width`` digits, padded with zeros."""
    return pc.utf8_lpad(pa.array(numbers).cast(pa.string()), width=width, padding="0")


def uuids(rng: np.random.Generator, count: int) -> pa.Array:
    """``count`` random UUIDs (version 4), upper case."""
    raw = np.frombuffer(rng.bytes(16 * count), np.uint8).reshape(count, 16).copy()
    raw[:, 6] = raw[:, 6] & 0x0F | 0x40
    raw[:, 8] = raw[:, 8] & 0x3F | 0x80
    figures = np.frombuffer(raw.tobytes().hex().upper().encode(), np.uint8).reshape(count, 32)
    text = np.insert(figures, [8, 12, 16, 20], ord("-"), axis=1)
    return fixed_width(text, pa.string())


def fixed_width(cells: npt.NDArray[np.uint8], type_: pa.DataType) -> pa.Array:
    """A string or binary array from a matrix of bytes, one row a value."""
    count, width = cells.shape
    offsets = np.arange(count + 1, dtype=np.int32) * np.int32(width)
    return pa.Array.from_buffers(type_, count, [None, pa.py_buffer(offsets), pa.py_buffer(cells.tobytes())])


def _column(type_: LogicalType, values: Any) -> pa.Array:
    if isinstance(values, pa.Array):
        return values
    return _ARROW[type_.kind](type_, np.asarray(values))


def _ints(type_: LogicalType, values: Ints) -> pa.Array:
    return _nullable(values.astype(np.int64), pa.int64()).cast(type_.arrow)


def _days(type_: LogicalType, values: Ints) -> pa.Array:
    return _nullable(values.astype(np.int64), pa.int64()).cast(pa.int32()).cast(type_.arrow)


def _decimals(type_: LogicalType, values: Ints) -> pa.Array:
    """Unscaled integers (cents for scale 2) as 128-bit two's complement, sign carried into the upper half."""
    unscaled = values.astype(np.int64)
    words = np.stack([unscaled, unscaled >> 63], axis=1)
    return pa.Array.from_buffers(type_.arrow, len(words), [None, pa.py_buffer(words.tobytes())])


def _plain(type_: LogicalType, values: npt.NDArray[Any]) -> pa.Array:
    return pa.array(values, type_.arrow)


def _nullable(values: Ints, type_: pa.DataType) -> pa.Array:
    absent = values == NULL
    return pa.array(np.where(absent, 0, values), type_, mask=absent if absent.any() else None)


_ARROW: Mapping[Kind, Callable[[LogicalType, Any], pa.Array]] = {
    Kind.INT: _ints,
    Kind.DATE: _days,
    Kind.DATETIME: _ints,
    Kind.TIMESTAMP: _ints,
    Kind.TIME: _ints,
    Kind.DECIMAL: _decimals,
    Kind.BOOL: _plain,
    Kind.FLOAT: _plain,
}
