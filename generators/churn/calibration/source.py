"""Where stored rows are read from: DuckDB over Parquet files or over Arrow tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa

from generators.churn.specification import BY_PLAN, FIRST_DAY, LAST_DAY
from generators.errors import GeneratorError
from generators.found import Columns, columns, row
from schemas.churn import metadata

__all__ = ["Columns", "Read", "columns", "connect", "in_window", "one_of", "over", "plan_number", "row", "violations"]

Read = Callable[[str], pa.Table]


def connect(directory: Path) -> duckdb.DuckDBPyConnection:
    """A connection with a view over each of the world's files; raises ``GeneratorError`` where one cannot be read."""
    connection = duckdb.connect()
    for table in metadata.sorted_tables:
        path = directory / f"{table.name}.parquet"
        try:
            connection.read_parquet(str(path)).create_view(table.name)
        except duckdb.Error as error:
            connection.close()
            raise GeneratorError(f"{path} cannot be read: {error}. Generate the world there first.") from error
    return connection


def over(read: Read) -> duckdb.DuckDBPyConnection:
    """A connection over Arrow tables."""
    connection = duckdb.connect()
    for table in metadata.sorted_tables:
        connection.register(table.name, read(table.name))
    return connection


def violations(connection: duckdb.DuckDBPyConnection, table: str, rules: dict[str, str]) -> dict[str, float]:
    """By rule, the rows of ``table`` (alias ``t``, its customer ``c``) for which the rule's SQL is not true."""
    counted = ", ".join(f"COUNT(*) FILTER (WHERE ({sql}) IS NOT TRUE) AS r{i}" for i, sql in enumerate(rules.values()))
    found = row(connection, f"SELECT {counted} FROM {table} t LEFT JOIN customers c USING (customer_id)")
    return {rule: found[f"r{i}"] or 0.0 for i, rule in enumerate(rules)}


def in_window(column: str) -> str:
    """SQL: the date lies within the 18 months and not before the customer's signup."""
    return f"{column} BETWEEN DATE '{FIRST_DAY}' AND DATE '{LAST_DAY}' AND {column} >= c.signup_date"


def plan_number(column: str = "c.plan") -> str:
    """SQL: the place of the plan in ``schemas.churn.PLANS``."""
    cases = " ".join(f"WHEN '{plan.name}' THEN {i}" for i, plan in enumerate(BY_PLAN))
    return f"CASE {column} {cases} END"


def one_of(column: str, values: tuple[str, ...]) -> str:
    """SQL: the column holds one of ``values``."""
    return f"{column} IN ({', '.join(repr(value) for value in values)})"
