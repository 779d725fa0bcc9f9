"""`etl init` for BigQuery: what it writes is a configuration, of layouts that the warehouse accepts."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from etl.config import Config
from etl.scaffold import scaffold
from etl.warehouses.bigquery.layout import Layouts
from schemas import types
from schemas.table import Column, Cursor, CursorKind, Table

ID, NAME = Column("id", types.INT, False), Column('na"me', types.STRING)
DAY, MAYBE = Column("day", types.DATE, False), Column("maybe", types.DATETIME)
AT, BLOB = Column("updated_at", types.DATETIME, False), Column("blob", types.BYTES, False)
CURSOR = Cursor(CursorKind.UPDATED_AT, "updated_at")


def _written(table: Table, warehouse: str = "bigquery://my-project/shop") -> tuple[str, dict[str, Any]]:
    """The text, and what it sets for the table."""
    text = scaffold("sqlite:///s.db", warehouse, [table])
    return text, tomllib.loads(text)["tables"][table.name]


@pytest.mark.parametrize(
    ("table", "settings", "proposals"),
    [
        (Table("t", (ID, MAYBE, AT, DAY), ("id",), CURSOR), {"partition": "day", "cluster": ["id"]}, []),
        (Table("t", (ID, AT, MAYBE), ("id",), CURSOR), {"cluster": ["id"]}, ['# partition = "maybe"']),
        (Table("t", (ID, AT), ("id",), CURSOR), {"cluster": ["id"]}, ['# partition = "id"', "# partition_size ="]),
        (Table("t", (NAME, BLOB), ('na"me', "blob")), {"cluster": ['na"me']}, []),
        (Table("t", (BLOB,), ("blob",)), {}, []),
        (Table("t", (ID, DAY)), {"partition": "day"}, []),
    ],
)
def test_what_is_certain_is_set_and_what_is_not_is_proposed(
    table: Table, settings: dict[str, Any], proposals: list[str]
) -> None:
    text, found = _written(table)
    assert found == settings
    assert all(f"\n{proposal}" in text for proposal in proposals)
    layout = Layouts(Config.model_validate(tomllib.loads(text)).tables).of(table)
    assert (layout.partition and layout.partition.name) == settings.get("partition")
    assert list(layout.cluster) == settings.get("cluster", [])


def test_a_proposal_that_is_taken_is_a_layout_too() -> None:
    text, _ = _written(Table("t", (ID, AT), ("id",), CURSOR))
    taken = text.replace('# partition = "id"', 'partition = "id"').replace("# partition_size", "partition_size")
    layout = Layouts(Config.model_validate(tomllib.loads(taken)).tables).of(Table("t", (ID, AT), ("id",), CURSOR))
    assert (layout.partition, layout.size) == (ID, 1_000_000)


def test_other_warehouses_are_not_told_of_layouts() -> None:
    assert _written(Table("t", (ID, DAY), ("id",)), "duckdb:///w.duckdb")[1] == {}
