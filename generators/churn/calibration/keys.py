"""Repeated keys in tables too large to be held."""

from __future__ import annotations

from duckdb import DuckDBPyConnection

from generators.churn.calibration.source import row

_AT_ONCE = 5_000_000


def repeated(connection: DuckDBPyConnection, table: str, day: str, rows: float) -> float:
    """How many rows of ``table`` repeat another's customer and ``day``.

    Customers are taken in parts of about ``_AT_ONCE`` rows, so that memory does not grow with the table.
    """
    parts = 1 + int(rows) // _AT_ONCE
    return sum(_part(connection, table, day, part, parts) for part in range(parts))


def _part(connection: DuckDBPyConnection, table: str, day: str, part: int, parts: int) -> float:
    found = row(
        connection,
        f"""SELECT SUM(n - 1) AS repeated FROM (SELECT COUNT(*) AS n FROM {table}
        WHERE HASH(customer_id) % {parts} = {part} GROUP BY customer_id, {day})""",
    )
    return found["repeated"] or 0.0
