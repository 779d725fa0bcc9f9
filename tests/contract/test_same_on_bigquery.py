"""A generated world's course on BigQuery and on DuckDB: the same rowsums and the same mart."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from support.warehouses import BigQueryEngine, DuckDbEngine, WarehouseEngine

from etl.config import Config
from etl.session import open_session
from etl.sync.run import Failed
from generators import hopify, worlds

pytestmark = pytest.mark.thorough

TABLES = ("customers", "orders", "order_items", "products")
MART = "product_mix"


@pytest.fixture
def bigquery(tmp_path: Path) -> Iterator[BigQueryEngine]:
    engine = BigQueryEngine(tmp_path)
    yield engine
    engine.remove()


def _course(source: str, warehouse: WarehouseEngine, *, built: bool) -> tuple[dict[str, Any], list[Any]]:
    """Sync, and verify or build: each table's rows, digest and who summed the warehouse; and the mart's rows."""
    config = Config.model_validate({"source": {"url": source}, "warehouse": {"url": warehouse.url}})
    with open_session(config, TABLES) as session:
        results = list(session.sync(TABLES))
        assert not [result for result in results if isinstance(result, Failed) or not result.check.equal]
        checks = {
            r.table: (r.check.warehouse_rows, r.check.warehouse_hash) for r in results if not isinstance(r, Failed)
        }
        if not built:
            return checks, []
        assert [result.name for result in session.build_marts([MART])] == [MART]
        found = session.warehouse.query(f"SELECT * FROM {session.warehouse.relation('marts', MART)}").to_pylist()
    return checks, sorted((tuple(map(_plain, row.values())) for row in found), key=repr)


def _plain(value: Any) -> Any:
    """Decimals without trailing zeros, of which BigQuery gives nine; floats but for the order they were summed in."""
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    return round(value, 9) if isinstance(value, float) else value


def test_the_same_course_has_the_same_rowsums_and_marts(bigquery: BigQueryEngine, tmp_path: Path) -> None:
    source = f"sqlite:///{tmp_path}/hopify.db"
    worlds.generate("hopify", source, customers=20, seed=42)
    duckdb = DuckDbEngine(tmp_path)
    first, _ = _course(source, bigquery, built=False)
    assert first == _course(source, duckdb, built=False)[0]
    hopify.simulate(source, days=20)
    second, mart = _course(source, bigquery, built=True)
    assert (second, mart) == _course(source, duckdb, built=True)
    assert second != first
    assert mart
