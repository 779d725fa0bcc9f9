"""Arrow columns as SQLite stores them: the same texts as ``schemas.sql`` binds, a column at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Table

from schemas.types import Kind


def as_stored(table: Table, batch: pa.RecordBatch) -> pa.RecordBatch:
    """``batch`` with every column in the form in which SQLite keeps its logical type."""
    kinds = [column.type.logical.kind for column in table.columns]  # type: ignore[attr-defined]
    columns = [_STORED.get(kind, _same)(values) for kind, values in zip(kinds, batch.columns, strict=True)]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _same(values: pa.Array) -> pa.Array:
    return values


def _text(values: pa.Array) -> pa.Array:
    return values.cast(pa.string())


def _integer(values: pa.Array) -> pa.Array:
    return values.cast(pa.int64())


def _utc_text(values: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(values.cast(pa.timestamp("us")).cast(pa.string()), "+00:00", "")


# Arrow prints date32, time64[us], timestamp[us] and decimals exactly as schemas.sql does:
# ISO with a blank and six digits, and all digits of the scale.
_STORED: Mapping[Kind, Callable[[pa.Array], pa.Array]] = {
    Kind.DECIMAL: _text,
    Kind.BOOL: _integer,
    Kind.DATE: _text,
    Kind.DATETIME: _text,
    Kind.TIMESTAMP: _utc_text,
    Kind.TIME: _text,
    Kind.UUID: pc.utf8_upper,
}
