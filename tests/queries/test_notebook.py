"""The notebook runs over a generated world's marts, and is kept without what it shows."""

from __future__ import annotations

from pathlib import Path

import altair as alt
import pandas as pd
import pytest
from support import notebook

from etl.publish.marts import build
from etl.publish.queries import load
from etl.warehouses.duckdb import DuckDbWarehouse
from generators import worlds
from schemas import hopify

PATH = Path(__file__).parents[2] / "docs/eda.ipynb"


def _warehouse(directory: Path) -> None:
    worlds.generate("hopify", f"parquet:{directory / 'raw'}", customers=300)
    warehouse = DuckDbWarehouse(directory / "warehouse.duckdb")
    for name in hopify.metadata.tables:
        source = warehouse.dialect.string(str(directory / "raw" / f"{name}.parquet"))
        warehouse.run(f"CREATE TABLE raw.{name} AS SELECT * FROM read_parquet({source})")
    build(warehouse, load("hopify"), lambda: None)
    warehouse.close()


def test_the_notebook_runs_from_the_first_cell_to_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _warehouse(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ETL_WAREHOUSE_URL", "duckdb:///warehouse.duckdb")
    cells = notebook.run(notebook.read(PATH))
    charts = [cell.shown for cell in cells if isinstance(cell.shown, alt.Chart)]
    tables = [cell.shown for cell in cells if isinstance(cell.shown, pd.DataFrame)]
    assert len(charts) >= 6
    for chart in charts:
        assert chart.to_dict()["title"]
        assert len(chart.data) > 0, "a chart of nothing"
    assert len(tables) >= 3
    assert cells[-1].shown == "not yet: etl model churn"


def test_it_is_kept_without_outputs() -> None:
    kept = notebook.read(PATH)
    assert (kept["nbformat"], kept["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in kept["cells"]}) == len(kept["cells"])
    for cell in kept["cells"]:
        assert set(cell) == {"cell_type", "id", "metadata", "source"} | (
            {"execution_count", "outputs"} if cell["cell_type"] == "code" else set()
        )
        assert cell["metadata"] == {}
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
    assert set(kept["metadata"]) == {"kernelspec", "language_info"}
