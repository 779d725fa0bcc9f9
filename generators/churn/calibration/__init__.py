"""The churn world's numbers as found in stored rows, beside those of its specification."""

from __future__ import annotations

from duckdb import DuckDBPyConnection

from generators.calibration import Report
from generators.churn.calibration import billing, customers, support, usage
from generators.churn.calibration.source import Read, connect, over

__all__ = ["Read", "connect", "report"]


def report(source: DuckDBPyConnection | Read, asked: int) -> Report:
    """Judge the rows of ``source`` as a world of ``asked`` customers.

    ``source`` is a DuckDB connection in which the four tables or views are visible by name
    (:func:`connect` opens Parquet files so), or a function that gives a table by its name. Nothing
    is taken from the generator: what is judged is what was written.
    """
    connection = source if isinstance(source, DuckDBPyConnection) else over(source)
    lines = [part.lines(connection, asked) for part in (customers, usage, billing, support)]
    return Report("churn", asked, tuple(line for part in lines for line in part))
