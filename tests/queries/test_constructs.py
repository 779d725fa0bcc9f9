"""Whatever GoogleSQL the queries use means in DuckDB, once translated, what the reference implementation says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import mart_reference as reference
import pytest
from sqlglot import exp
from zetasql.types import TypeKind

from etl.publish.queries import load
from etl.publish.translate import parsed, translate
from etl.warehouses.duckdb import DuckDbWarehouse

_XS = "UNNEST([STRUCT(1 AS x, 'a' AS g), STRUCT(NULL, 'a'), STRUCT(5, 'b'), STRUCT(2, 'b')]) AS t"
_NULLS = "(SELECT CAST(NULL AS INT64) AS x)"

SCALARS = [
    "DATE_TRUNC(DATE '2024-02-29', MONTH)",
    "DATE_TRUNC(DATE '2024-03-01', MONTH) = DATE '2024-03-01'",
    "DATE_ADD(DATE '2024-01-31', INTERVAL 1 MONTH)",
    "DATE_ADD(DATE '2024-02-28', INTERVAL 1 DAY)",
    "DATE_SUB(DATE '2024-03-31', INTERVAL 1 MONTH)",
    "DATE_SUB(DATE '2025-12-01', INTERVAL 12 MONTH)",
    "LAST_DAY(DATE '2024-02-01', MONTH)",
    "LAST_DAY(DATE '2023-02-28', MONTH)",
    "DATE_DIFF(DATE '2024-03-01', DATE '2024-02-29', MONTH)",
    "DATE_DIFF(DATE '2024-01-31', DATE '2024-03-01', MONTH)",
    "DATE_DIFF(DATE '2024-03-01', DATE '2024-02-28', DAY)",
    "DATETIME_DIFF(DATETIME '2024-03-01 00:00:00', DATETIME '2024-02-28 23:59:59.999999', SECOND)",
    "DATETIME_DIFF(DATETIME '2024-01-01 00:00:00', DATETIME '2024-01-01 00:00:01', SECOND)",
    "DATETIME_DIFF(DATETIME(DATE_ADD(DATE '2024-02-28', INTERVAL 1 DAY)), DATETIME '2024-02-28 12:00:00', SECOND)",
    "DATE(DATETIME '2024-02-29 23:59:59.999999')",
    "DATE_TRUNC(DATE(DATETIME '2024-02-29 23:59:59'), MONTH)",
    "DIV(7, 2)",
    "DIV(3 + 4, 1 + 1)",
    "DIV(10 - 3, 2) * 2",
    "DIV(DIV(100 + 1, 2) + 1, 3)",
    "DIV(-7, 2)",
    "CAST(NUMERIC '12.34' * 100 AS INT64)",
    "CAST(1234 AS NUMERIC) * NUMERIC '0.01'",
    "CAST(NUMERIC '0.1' AS FLOAT64) / 3",
    "CAST(2 AS FLOAT64) / 100 / NULLIF(3, 0)",
    "1 / 3",
    "4 / NULLIF(0, 0)",
    "LEAST(DATE '2024-01-01', NULL)",
    "GREATEST(DATE '2024-01-01', DATE '2024-02-01')",
    "COALESCE(NULL, 3)",
    "IF(NULL, 1, 2)",
    "CASE 'low' WHEN 'urgent' THEN 8 WHEN 'high' THEN 24 ELSE 120 END",
    "CASE WHEN NULL THEN 1 WHEN TRUE AND NOT FALSE THEN 2 END",
    "2 BETWEEN 1 AND 3 AND 5 IN (1, 5)",
    "NULL NOT BETWEEN 0 AND 1",
    "NULL OR TRUE",
    "ABS(CAST(-1.5 AS FLOAT64))",
    "DATE_TRUNC(DATE '2024-03-03', WEEK(MONDAY))",
    "DATE_TRUNC(DATE '2024-03-04', WEEK(MONDAY))",
    "DATE(TIMESTAMP '2024-02-29 23:59:59.999999+00')",
    "DATE_DIFF(DATE '2024-02-29', DATE '2024-01-31', MONTH)",
]
ROWS = [
    "SELECT month FROM UNNEST(GENERATE_DATE_ARRAY(DATE '2023-12-01', DATE '2024-03-31', INTERVAL 1 MONTH)) AS month",
    "SELECT month FROM (SELECT CAST(NULL AS DATE) AS first_day) AS days "
    "CROSS JOIN UNNEST(GENERATE_DATE_ARRAY(DATE_TRUNC(first_day, MONTH), first_day, INTERVAL 1 MONTH)) AS month",
    f"SELECT g, COUNTIF(x > 1) AS a, COUNT(x) AS b, COUNT(*) AS c, COUNT(DISTINCT x) AS d FROM {_XS} GROUP BY g",
    f"SELECT COUNTIF(x > 1) AS a, COUNT(x) AS b, SUM(x) AS c, AVG(x) AS d, MIN(x) AS e, MAX(x) AS f FROM {_NULLS}",
    f"SELECT COUNTIF(x > 1) AS a, COUNT(DISTINCT IF(x > 1, x, NULL)) AS b FROM {_NULLS} WHERE FALSE",
    f"SELECT SUM(IF(x > 1, NUMERIC '1.10', 0)) AS a, AVG(x) AS b, SUM(x) / COUNT(*) AS c FROM {_XS}",
    f"SELECT x, LAG(x) OVER (ORDER BY x) AS a, ROW_NUMBER() OVER (ORDER BY x DESC) AS b FROM {_XS}",
    f"SELECT x, FIRST_VALUE(x) OVER (PARTITION BY g ORDER BY x) AS a, SUM(x) OVER () AS b FROM {_XS}",
    f"SELECT x, COUNT(*) OVER (PARTITION BY g) AS a, MIN(x) OVER (PARTITION BY g) AS b FROM {_XS}",
    "SELECT x, LOGICAL_OR(x > 2) OVER (ORDER BY x ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS a "
    f"FROM {_XS} WHERE x IS NOT NULL",
    f"SELECT g, COUNT(*) AS n FROM {_XS} GROUP BY g QUALIFY ROW_NUMBER() OVER (ORDER BY COUNT(*) DESC, g) = 1",
    f"SELECT g, SUM(SUM(x)) OVER () AS total FROM {_XS} GROUP BY g",
    f"SELECT g FROM {_XS} UNION DISTINCT SELECT 'c'",
    f"SELECT DISTINCT g FROM {_XS} UNION ALL SELECT 'a'",
    "SELECT week FROM UNNEST(GENERATE_DATE_ARRAY(DATE '2024-02-26', DATE '2024-03-11', INTERVAL 1 WEEK)) AS week",
    "SELECT n FROM UNNEST(GENERATE_ARRAY(0, DATE_DIFF(DATE '2024-03-01', DATE '2024-01-31', MONTH))) AS n",
    f"SELECT part, SUM(x) AS a FROM {_XS} CROSS JOIN UNNEST([g, 'all']) AS part GROUP BY part",
    f"SELECT x, LEAD(x) OVER life AS a, LAG(x, 2) OVER life AS b FROM {_XS} WINDOW life AS (ORDER BY x)",
    f"SELECT x FROM {_XS} WHERE EXISTS (SELECT 1 FROM {_NULLS} AS n WHERE n.x IS NULL)",
]
CONSTRUCTS = [f"SELECT {scalar} AS value" for scalar in SCALARS] + ROWS


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDbWarehouse]:
    warehouse = DuckDbWarehouse(tmp_path_factory.mktemp("constructs") / "warehouse.duckdb")
    yield warehouse
    warehouse.close()


@pytest.mark.parametrize("sql", CONSTRUCTS)
def test_construct_means_the_same(sql: str, warehouse: DuckDbWarehouse) -> None:
    kinds = dict(reference.output(sql, {}))
    expected = [{name: _value(row[name], kinds[name]) for name in kinds} for row in reference.evaluate(sql, {}, {})]
    actual = warehouse.query(translate(sql, warehouse)).to_pylist()
    assert _sorted(actual) == _sorted(expected)
    for row in actual:
        for name, value in row.items():
            assert value is None or isinstance(value, _PYTHON[kinds[name]]), (name, value)


def test_queries_use_nothing_else() -> None:
    """A function that no construct above exercises is a function nobody has compared."""
    proven = {function for sql in CONSTRUCTS for function in _functions(sql)}
    for query in [*load("hopify").values(), *load("health").values()]:
        for sql in (query.text, *query.tests.values()):
            assert _functions(sql) <= proven, query.where


_PYTHON: dict[TypeKind, tuple[type, ...]] = {
    TypeKind.TYPE_INT64: (int, Decimal),
    TypeKind.TYPE_DOUBLE: (float,),
    TypeKind.TYPE_NUMERIC: (Decimal,),
    TypeKind.TYPE_BOOL: (bool,),
    TypeKind.TYPE_DATE: (date,),
    TypeKind.TYPE_DATETIME: (datetime,),
    TypeKind.TYPE_STRING: (str,),
}


def _value(value: Any, kind: TypeKind) -> Any:
    read = {TypeKind.TYPE_NUMERIC: Decimal, TypeKind.TYPE_DATE: date.fromisoformat, TypeKind.TYPE_DOUBLE: float}
    return None if value is None else read.get(kind, lambda same: same)(value)


def _sorted(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: [(value is not None, str(value)) for value in row.values()])


def _functions(sql: str) -> set[str]:
    return {type(node).__name__ for node in parsed(sql, "a query").find_all(exp.Func)}
