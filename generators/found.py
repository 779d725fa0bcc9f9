"""Numbers found in stored rows: results of DuckDB queries as arrays, or as one row."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

Columns = dict[str, NDArray[np.float64]]


def columns(connection: duckdb.DuckDBPyConnection, sql: str) -> Columns:
    """The result of a query of numbers, an array of doubles a column; NULL is NaN."""
    found = connection.execute(sql).fetchnumpy()
    return {name: np.ma.filled(np.ma.asarray(values, float), np.nan) for name, values in found.items()}


def row(connection: duckdb.DuckDBPyConnection, sql: str) -> dict[str, float | None]:
    """The only row of a query of numbers."""
    found = connection.execute(sql)
    names = [column[0] for column in found.description]
    (values,) = found.fetchall()
    return {name: None if value is None else float(value) for name, value in zip(names, values, strict=True)}


def one(connection: duckdb.DuckDBPyConnection, sql: str) -> Any:
    """The only value of a query."""
    ((value,),) = connection.execute(sql).fetchall()
    return value
