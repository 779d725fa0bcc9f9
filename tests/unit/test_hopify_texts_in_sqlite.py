"""What the SQLite writer stores is what SQLAlchemy would have bound, value for value."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sqlalchemy import create_engine, select, text

from generators.hopify.columns import NULL, batch, uuids
from generators.hopify.rows import world_rows
from generators.streams import stream
from generators.writers import open_writer
from generators.writers.sqlite_text import as_stored
from schemas.hopify import discounts, metadata, order_items


@pytest.fixture(scope="module")
def rows() -> dict[str, pa.RecordBatch]:
    return dict(world_rows(3, 40))


@pytest.mark.parametrize("name", list(metadata.tables))
def test_stored_texts_are_those_sqlalchemy_binds(name: str, rows: dict[str, pa.RecordBatch]) -> None:
    table = metadata.tables[name]
    dialect = create_engine("sqlite://").dialect
    stored = as_stored(table, rows[name]).to_pylist()
    for column in table.columns:
        bind = column.type.bind_processor(dialect) or (lambda value: value)
        values = rows[name].column(column.name).to_pylist()
        assert [row[column.name] for row in stored] == [bind(value) for value in values], column.name


def test_rows_come_back_as_they_were_made(tmp_path: Path, rows: dict[str, pa.RecordBatch]) -> None:
    with open_writer(f"sqlite:///{tmp_path}/w.db", metadata) as writer:
        for name, each in rows.items():
            writer.write(name, each)
    with create_engine(f"sqlite:///{tmp_path}/w.db").connect() as connection:
        for name in ("orders", "app_installs", "locations", "order_discounts"):
            table = metadata.tables[name]
            found = connection.execute(select(table).order_by(*table.primary_key.columns)).mappings()
            assert [dict(row) for row in found] == rows[name].to_pylist()
        stored = connection.execute(text("SELECT DISTINCT typeof(unit_price), typeof(updated_at) FROM order_items"))
        assert stored.all() == [("text", "text")]


def test_money_is_exact_from_the_largest_to_the_smallest() -> None:
    cents = np.array([1, 99, 100, 999_999_999_999, -1, 0])
    ids = np.arange(len(cents))
    made = batch(
        order_items,
        dict.fromkeys(order_items.c.keys(), ids) | {"unit_price": cents},
    )
    assert made.column("unit_price").to_pylist() == [Decimal(int(value)).scaleb(-2) for value in cents]
    assert as_stored(order_items, made).column("unit_price").to_pylist()[0] == "0.01"


def test_null_marks_an_absent_number() -> None:
    values = dict.fromkeys(discounts.c.keys(), np.array([5]))
    texts = {"code": pa.array(["x"]), "description": pa.array(["y"]), "max_uses": np.array([NULL])}
    assert batch(discounts, values | texts).column("max_uses").to_pylist() == [None]


def test_uuids_are_version_4_and_upper_case() -> None:
    made = uuids(stream(1, "test"), 500).to_pylist()
    assert len(set(made)) == 500
    assert all(
        value == value.upper() and value[14] == "4" and value[19] in "89AB" and len(value) == 36 for value in made
    )
