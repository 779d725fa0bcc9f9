"""Arrays of numbers as Arrow columns of the world's logical types.

Columns are made from numpy's buffers and not by ``pa.array``, whose first call imports pandas
wherever it is installed, which takes longer than half the world.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sqlalchemy import Table

from generators.churn.specification import FIRST_DAY

_EPOCH_DAY = (FIRST_DAY - date(1970, 1, 1)).days


def schema(table: Table) -> pa.Schema:
    """The Arrow schema of ``table``'s batches."""
    columns: Any = table.columns
    return pa.schema([pa.field(column.name, column.type.logical.arrow) for column in columns])


def record_batch(table: Table, columns: list[pa.Array]) -> pa.RecordBatch:
    """A batch of ``table``, given its columns in order; raises ``pa.ArrowInvalid`` for a wrong type."""
    return pa.RecordBatch.from_arrays(columns, schema=schema(table))


def integers(values: NDArray[np.int64]) -> pa.Array:
    """64-bit integers."""
    return _column(pa.int64(), values)


def floats(values: NDArray[np.float64]) -> pa.Array:
    """64-bit floating-point numbers."""
    return _column(pa.float64(), values)


def dates(days: NDArray[np.int64]) -> pa.Array:
    """Days counted from the window's first, as dates."""
    return _column(pa.date32(), (days + _EPOCH_DAY).astype(np.int32))


def words(values: Sequence[str], index: NDArray[np.int64]) -> pa.Array:
    """The word each index stands for."""
    ends = np.cumsum([0] + [len(value) for value in values], dtype=np.int32)
    text = pa.py_buffer("".join(values).encode("ascii"))
    return pa.StringArray.from_buffers(len(values), pa.py_buffer(ends), text).take(integers(index))


def money(cents: NDArray[np.int64]) -> pa.Array:
    """Whole cents as decimals of 12 digits, 2 of them after the point.

    Arrow keeps a decimal128 as two 64-bit words, low first, so the cents are copied without
    making a Python object of each.
    """
    halves = np.empty((len(cents), 2), np.int64)
    halves[:, 0] = cents
    halves[:, 1] = cents >> 63
    return pa.Array.from_buffers(pa.decimal128(12, 2), len(cents), [None, pa.py_buffer(halves)])


def _column(type_: pa.DataType, values: NDArray[Any]) -> pa.Array:
    return pa.Array.from_buffers(type_, len(values), [None, pa.py_buffer(np.ascontiguousarray(values))])
