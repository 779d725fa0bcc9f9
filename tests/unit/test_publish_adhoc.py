"""Questions asked by hand: what they stand for, page by page, in every form."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.csv
import pyarrow.parquet
import pytest

from etl.errors import ConfigError, RunError
from etl.publish import adhoc, answers
from etl.publish.adhoc import Answer, Page
from etl.publish.errors import QueryError
from etl.warehouses.duckdb import DuckDbWarehouse


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[DuckDbWarehouse]:
    warehouse = DuckDbWarehouse(tmp_path / "warehouse.duckdb")
    warehouse.commit(["CREATE TABLE marts.numbers AS SELECT 9 - n AS n, NULL AS nothing FROM range(10) AS numbers(n)"])
    yield warehouse
    warehouse.close()


def numbers(answer: Answer) -> list[int]:
    found: list[int] = answer.rows["n"].to_pylist()
    return found


def test_a_mart_is_read_in_the_order_of_its_columns(warehouse: DuckDbWarehouse) -> None:
    question = adhoc.read("numbers", "hopify", warehouse)
    assert question == "SELECT * FROM marts.numbers ORDER BY 1, 2"
    assert numbers(adhoc.run(warehouse, question)) == list(range(10))


def test_pages_together_are_the_whole(warehouse: DuckDbWarehouse) -> None:
    question = adhoc.read("numbers", "hopify", warehouse)
    pages = [adhoc.run(warehouse, question, Page(4, number)) for number in (1, 2, 3, 4)]
    assert [numbers(page) for page in pages] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9], []]
    assert [page.is_last for page in pages] == [False, False, True, True]
    assert adhoc.run(warehouse, question, Page(5, 2)).is_last


def test_only_a_page_is_fetched(warehouse: DuckDbWarehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[int] = []
    query = DuckDbWarehouse.query

    def counting(self: DuckDbWarehouse, sql: str, values: Any = ()) -> Any:
        rows = query(self, sql, values)
        fetched.append(rows.num_rows)
        return rows

    monkeypatch.setattr(DuckDbWarehouse, "query", counting)
    adhoc.run(warehouse, "SELECT n FROM marts.numbers ORDER BY n", Page(3))
    assert fetched == [4]


@pytest.mark.parametrize(
    ("limits", "expected"), [("LIMIT 5", [[0, 1, 2], [3, 4], []]), ("LIMIT 4 OFFSET 1", [[1, 2, 3], [4], []])]
)
def test_a_query_that_limits_itself_is_cut_into_pages(
    warehouse: DuckDbWarehouse, limits: str, expected: list[list[int]]
) -> None:
    question = f"SELECT n FROM marts.numbers ORDER BY n {limits}"
    assert [numbers(adhoc.run(warehouse, question, Page(3, number))) for number in (1, 2, 3)] == expected


def test_pages_of_a_union_and_of_no_order(warehouse: DuckDbWarehouse, caplog: pytest.LogCaptureFixture) -> None:
    union = "SELECT n FROM marts.numbers UNION ALL SELECT n FROM marts.numbers ORDER BY n"
    assert numbers(adhoc.run(warehouse, union, Page(3, 2))) == [1, 2, 2]
    assert not caplog.records
    adhoc.run(warehouse, "SELECT n FROM marts.numbers", Page(3, 2))
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "may overlap" in caplog.text


def test_a_file_is_read(warehouse: DuckDbWarehouse, tmp_path: Path) -> None:
    (tmp_path / "q.sql").write_text("SELECT 1 AS n", "utf-8")
    assert adhoc.read(str(tmp_path / "q.sql"), "hopify", warehouse) == "SELECT 1 AS n"
    with pytest.raises(ConfigError, match="cannot be read"):
        adhoc.read("missing.sql", "hopify", warehouse)


@pytest.mark.parametrize(
    ("name", "message", "remedy"),
    [
        ("kpis", "the mart kpis has not been built", "etl marts kpis"),
        ("kpi", "there is no mart 'kpi'", "those that are built: numbers"),
    ],
)
def test_a_mart_that_is_not_there(warehouse: DuckDbWarehouse, name: str, message: str, remedy: str) -> None:
    with pytest.raises(QueryError, match=message) as caught:
        adhoc.read(name, "hopify", warehouse)
    assert remedy in caught.value.remedy


def test_two_columns_of_one_name_are_refused(warehouse: DuckDbWarehouse) -> None:
    with pytest.raises(QueryError, match="several columns called 'a'"):
        adhoc.run(warehouse, "SELECT 1 AS a, 2 AS a")


def test_the_price_of_a_question(warehouse: DuckDbWarehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "nothing is charged" in adhoc.price(warehouse, "SELECT n FROM marts.numbers")
    with pytest.raises(RunError, match="nowhere"):
        adhoc.price(warehouse, "SELECT n FROM marts.nowhere")
    monkeypatch.setattr(DuckDbWarehouse, "estimate", lambda _self, _sql: 3 << 30)
    assert adhoc.price(warehouse, "SELECT n FROM marts.numbers") == "the query would read 3.0 GiB"


EVERYTHING = """\
SELECT 1 AS i, NUMERIC '1.10' AS d, CAST('nan' AS FLOAT64) AS f, b'ab' AS b, DATE '2024-02-29' AS day, [1, 2] AS l,
  STRUCT('a"b' AS x, DATE '2024-02-29' AS y) AS s, CAST(NULL AS STRING) AS n, 'ü[bold]' AS t"""


def written(warehouse: DuckDbWarehouse, form: str, directory: Path) -> bytes:
    answers.write(adhoc.run(warehouse, EVERYTHING), form, directory / "out")
    return (directory / "out").read_bytes()


def test_json_is_json_and_loses_nothing(warehouse: DuckDbWarehouse, tmp_path: Path) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    (row,) = json.loads(written(warehouse, "json", tmp_path), parse_constant=refuse)
    assert row == {
        "i": 1,
        "d": "1.100000000",
        "f": "nan",
        "b": "6162",
        "day": "2024-02-29",
        "l": [1, 2],
        "s": {"x": 'a"b', "y": "2024-02-29"},
        "n": None,
        "t": "ü[bold]",
    }


def test_csv_has_nested_values_as_json(warehouse: DuckDbWarehouse, tmp_path: Path) -> None:
    (row,) = pyarrow.csv.read_csv(io.BytesIO(written(warehouse, "csv", tmp_path))).to_pylist()
    assert (row["i"], row["t"], json.loads(row["l"])) == (1, "ü[bold]", [1, 2])
    assert json.loads(row["s"]) == {"x": 'a"b', "y": "2024-02-29"}


def test_parquet_keeps_the_types(warehouse: DuckDbWarehouse, tmp_path: Path) -> None:
    written(warehouse, "parquet", tmp_path)
    assert pyarrow.parquet.read_schema(tmp_path / "out").equals(adhoc.run(warehouse, EVERYTHING).rows.schema)


def test_a_table_shows_markup_as_it_is(warehouse: DuckDbWarehouse, tmp_path: Path) -> None:
    text = written(warehouse, "table", tmp_path).decode()
    assert "ü[bold]" in text
    assert "NULL" in text


def test_a_table_too_wide_for_its_place_is_shown_row_by_row(warehouse: DuckDbWarehouse, tmp_path: Path) -> None:
    names = [f"a_column_with_a_long_name_{i}" for i in range(12)]
    question = f"SELECT {', '.join(f'{i} AS {name}' for i, name in enumerate(names))}"
    answers.write(adhoc.run(warehouse, question), "table", tmp_path / "out")
    lines = (tmp_path / "out").read_text("utf-8").splitlines()
    assert [line.split() for line in lines if line] == [[name, str(i)] for i, name in enumerate(names)]


def test_marts_are_exported_whole(warehouse: DuckDbWarehouse, tmp_path: Path) -> None:
    adhoc.export(warehouse, ["numbers"], tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["numbers.parquet"]
    assert sorted(pyarrow.parquet.read_table(tmp_path / "out/numbers.parquet")["n"].to_pylist()) == list(range(10))
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="cannot be written"):
        adhoc.export(warehouse, ["numbers"], tmp_path / "file/out")
