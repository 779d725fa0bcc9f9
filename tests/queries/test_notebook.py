"""The notebook runs over a generated world's marts, and is kept without what it shows."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError
from support import notebook

from etl.publish.marts import build
from etl.publish.queries import load
from etl.warehouses.duckdb import DuckDbWarehouse
from generators import worlds
from schemas import hopify

PATH = Path(__file__).parents[2] / "docs/eda.ipynb"


@pytest.fixture(autouse=True)
def own_directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jupyter and IPython write here, and not into the user's home."""
    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / name))


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
    monkeypatch.setenv("ETL_WAREHOUSE_URL", "duckdb:///warehouse.duckdb")
    cells = notebook.run(notebook.read(PATH), tmp_path)
    charts = [cell.chart for cell in cells if cell.chart]
    assert len(charts) >= 6
    for chart in charts:
        assert chart["title"]
        assert all(chart["datasets"].values()), "a chart of nothing"
    tables = [cell.table for cell in cells if "<table" in cell.table]
    assert len(tables) >= 3
    assert all("<td>" in table for table in tables[1:]), "a table of nothing"
    assert cells[-1].text == "'not yet: etl model churn'"


def test_a_cell_that_fails_is_told(tmp_path: Path) -> None:
    broken = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("raise ValueError('of this cell')")])
    with pytest.raises(CellExecutionError, match="of this cell"):
        notebook.run(broken, tmp_path)


def test_it_is_kept_without_outputs() -> None:
    kept = notebook.read(PATH)
    assert (kept.nbformat, kept.nbformat_minor) == (4, 5)
    assert len({cell.id for cell in kept.cells}) == len(kept.cells)
    for cell in kept.cells:
        assert cell.metadata == {}
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
    assert set(kept.metadata) == {"kernelspec", "language_info"}
