"""Looks up single tables of local-bigquery where they are written down, instead of listing all there are.

Each of its statements looks for the tables that it names in DuckDB's list of all tables, columns and
their sizes, in all datasets and of all results that were ever asked for: a second a look after some
hundred queries. DuckLake's own catalog (https://ducklake.select/docs/stable/specification/tables/overview)
and ``DESCRIBE`` know the same in milliseconds.
"""

from __future__ import annotations

from typing import Any

import duckdb
from local_bigquery.catalog import names, tables
from local_bigquery.engine import database, types
from local_bigquery.errors import not_found
from local_bigquery.sql.rules import partitions
from sqlglot import exp

_TABLES = """
SELECT t.table_name, 'TABLE', coalesce(s.record_count, 0)
FROM {catalog}.ducklake_table AS t JOIN {catalog}.ducklake_schema AS d USING (schema_id)
LEFT JOIN {catalog}.ducklake_table_stats AS s USING (table_id)
WHERE d.schema_name = $1 AND t.table_name = coalesce($2, t.table_name)
AND t.end_snapshot IS NULL AND d.end_snapshot IS NULL
UNION ALL
SELECT v.view_name, 'VIEW', 0
FROM {catalog}.ducklake_view AS v JOIN {catalog}.ducklake_schema AS d USING (schema_id)
WHERE d.schema_name = $1 AND v.view_name = coalesce($2, v.view_name)
AND v.end_snapshot IS NULL AND d.end_snapshot IS NULL
ORDER BY 1
"""


def use() -> None:
    """From now on."""
    database.objects = _objects
    tables.columns = _columns
    partitions._hidden = _hidden


def _objects(project: str, dataset: str, table: str | None = None) -> list[tuple[str, str, int]]:
    """Name, kind and number of rows of a dataset's tables and views, or of one."""
    if dataset == tables.RESULTS and table:
        try:
            rows = database.fetch(f"SELECT count(*) FROM {database.quote(project, dataset, table)}")
        except duckdb.CatalogException:
            return []
        return [(table, "TABLE", rows[0][0])]
    catalog = database.quote(f"__ducklake_metadata_{project}")
    try:
        return list(database.fetch(_TABLES.format(catalog=catalog), [dataset, table]))
    except duckdb.CatalogException:
        return _listed(project, dataset, table)


_listed = database.objects


def _columns(project: str, dataset: str, table: str) -> list[Any]:
    """A table's columns without the hidden one; raises the emulator's error if there is no such table."""
    physical = tables.physical(project, dataset, table)
    with database.cursor() as cursor:
        try:
            required = {name for name, _type, null, *_ in _described(cursor, physical) if null == "NO"}
            relation = cursor.sql(f"SELECT * FROM {database.quote(*physical)} LIMIT 0")
        except duckdb.CatalogException:
            raise not_found("Table", names.label(project, dataset, table)) from None
        return [
            types.field(name, type_, name in required)
            for name, type_ in zip(relation.columns, relation.types, strict=True)
            if name != tables.INGESTION_TIME or dataset == tables.RESULTS
        ]


def _hidden(table: Any) -> bool:
    """Whether a table named in a statement is partitioned by the time of its rows' arrival."""
    physical = (table.catalog, table.db, table.name)
    if not all(physical) or not isinstance(table.this, exp.Identifier):
        return False
    with database.cursor() as cursor:
        try:
            return any(column[0] == tables.INGESTION_TIME for column in _described(cursor, physical))
        except duckdb.Error:
            return False


def _described(cursor: Any, physical: tuple[str, str, str]) -> list[tuple[Any, ...]]:
    return list(cursor.execute(f"DESCRIBE {database.quote(*physical)}").fetchall())
