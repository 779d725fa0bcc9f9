"""`etl model` on a generated world: through the gate, judged in its first line, and published as a mart."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import browser
import pandas as pd
import pytest
from support.commands import Done, call_etl
from support.messages import assert_one_clear_error

from etl.models import catalog, churn, local, segments
from etl.models.report import Outcome
from etl.warehouses.duckdb import DuckDbWarehouse

URLS = {"ETL_SOURCE_URL": "sqlite:///shop.db", "ETL_WAREHOUSE_URL": "duckdb:///warehouse.duckdb"}
VERDICT = re.compile(r"^(Beats|Does not beat|Worse than) its baseline: ")


def etl(directory: Path, *arguments: str, **environment: str) -> Done:
    return call_etl(directory, *arguments, environment={**URLS, **environment})


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated world, copied and proven; no mart has been built."""
    directory = tmp_path_factory.mktemp("models")
    for arguments in (("generate", "hopify", "--to", "sqlite:///shop.db", "--customers", "500"), ("sync",)):
        done = etl(directory, *arguments)
        assert done.code == 0, done.err
    return directory


@pytest.fixture
def project(synced: Path, tmp_path: Path) -> Path:
    """A copy of it, which a test may spoil."""
    for name in ("shop.db", "warehouse.duckdb"):
        shutil.copy(synced / name, tmp_path / name)
    return tmp_path


def test_a_model_reports_and_publishes_what_it_predicts(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes: list[Outcome] = []

    def recorded(examples: pd.DataFrame, seed: int) -> Outcome:
        outcomes.append(churn.fit(examples, seed))
        return outcomes[0]

    monkeypatch.setattr(local, "FITS", {"churn": recorded})
    done = etl(project, "model", "churn")
    assert done.code == 0, done.err
    assert VERDICT.match(done.out)
    page = (project / "data/models/churn.html").read_text("utf-8")
    assert " ".join(done.out.split(". ")[0].split()) in " ".join(page.split()), "the page says the same"
    warehouse = DuckDbWarehouse(project / "warehouse.duckdb")
    mart = catalog.predictions("hopify", "churn")
    assert list(warehouse.columns("marts", mart.name)) == list(mart.columns)
    kept = warehouse.query(f"SELECT * FROM marts.{mart.name} ORDER BY churn_probability DESC, customer_id").to_pandas()
    scored = warehouse.query("SELECT COUNT(*) AS n FROM marts.churn_examples WHERE split = 'score'")["n"][0].as_py()
    left = [*warehouse.leftovers(), *(name for name in warehouse.tables("marts") if "__" in name)]
    warehouse.close()
    fitted = outcomes[0].predictions
    assert len(kept) == scored > 0
    assert kept["customer_id"].tolist() == fitted["customer_id"].tolist()
    assert kept["churn_probability"].tolist() == pytest.approx(fitted["churn_probability"].tolist())
    assert kept["risk_decile"].tolist() == fitted["risk_decile"].tolist()
    assert left == []


def test_a_shut_gate_stops_a_model(project: Path) -> None:
    _change(project, "UPDATE raw.orders SET note = 'changed in silence' WHERE order_id = 1")
    assert etl(project, "verify", "orders").code == 1
    assert_one_clear_error(etl(project, "model", "churn"), 1, "the gate is shut", "orders has 1 difference")


def test_too_few_customers(project: Path) -> None:
    _change(project, "DELETE FROM raw.customers WHERE customer_id > 40")
    done = etl(project, "model", "churn")
    assert_one_clear_error(done, 2, "model churn needs at least 100 customers in the test", "more customers")
    assert not (project / "data").exists()


def test_a_fit_that_fails_its_marts_tests_publishes_nothing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def spoiled(examples: pd.DataFrame, seed: int) -> Outcome:
        found = segments.fit(examples, seed)
        return replace(found, predictions=found.predictions.iloc[1:])

    monkeypatch.setattr(local, "FITS", {"segments": spoiled})
    done = etl(project, "model", "segments")
    assert_one_clear_error(done, 3, "mart segments_predictions fails its test everyone_has_one")
    warehouse = DuckDbWarehouse(project / "warehouse.duckdb")
    left = [*warehouse.leftovers(), *(name for name in warehouse.tables("marts") if "predictions" in name)]
    warehouse.close()
    assert left == []


def _change(project: Path, sql: str) -> None:
    warehouse = DuckDbWarehouse(project / "warehouse.duckdb")
    warehouse.run(sql)
    warehouse.close()


def test_a_model_that_the_world_does_not_have(synced: Path) -> None:
    assert_one_clear_error(etl(synced, "model", "weather"), 2, "no model 'weather'", "churn, forecast, ltv, segments")
    assert_one_clear_error(
        etl(synced, "model", "forecast", ETL_PUBLISH_WORLD="churn"), 2, "no model 'forecast'", "churn, ltv, segments"
    )
    assert_one_clear_error(
        etl(synced, "model", "churn", ETL_PUBLISH_WORLD="health"), 2, "'health' has no models", "churn, hopify"
    )


def test_bigquery_ml_runs_on_bigquery_only_and_is_printed_anywhere(synced: Path) -> None:
    assert_one_clear_error(etl(synced, "model", "churn", "--engine", "bigquery"), 2, "runs on BigQuery only")
    done = etl(synced, "model", "churn", "--sql")
    assert done.code == 0
    for text in ("CREATE OR REPLACE MODEL marts.churn_model", "ML.EVALUATE", "ML.PREDICT", "raw.support_tickets"):
        assert text in done.out


def test_nothing_synced_yet(tmp_path: Path) -> None:
    assert_one_clear_error(etl(tmp_path, "model", "churn"), 2, "there is no warehouse at warehouse.duckdb")
    DuckDbWarehouse(tmp_path / "warehouse.duckdb").close()
    assert_one_clear_error(etl(tmp_path, "model", "churn"), 1, "customers has not been synced")


@pytest.mark.skipif(browser.executable() is None, reason="no browser is installed")
def test_the_report_is_drawn_without_a_complaint(project: Path) -> None:
    assert etl(project, "model", "forecast").code == 0
    with browser.Browser(project / "profile") as page:
        page.open(project / "data/models/forecast.html", width=390, scheme="dark")
        assert page.complaints == []
        assert [url for url in page.requests if not url.startswith(("file:", "data:", "blob:"))] == []
        assert page.value("document.querySelectorAll('[data-spec] svg').length") == 4
        assert page.value("document.documentElement.scrollWidth <= innerWidth")
        assert VERDICT.match(page.value("document.querySelector('header p').textContent.trim()"))
