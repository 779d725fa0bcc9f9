"""The source's columns and tables change; the warehouse follows where nothing can be lost."""

from __future__ import annotations

from typing import Any

import pytest
from support.items import ITEMS, ROWS, changing, items
from support.project import Project

from etl.errors import RunError, StoppedTableError
from etl.sync.run import Failed
from etl.warehouses.base import STAGING
from schemas import types
from schemas.table import Column, Table

WIDER = Table("items", (*ITEMS.columns, Column("extra", types.STRING)), ("id",), ITEMS.cursor)


@pytest.fixture
def loaded(project: Project) -> Project:
    project.source.create(ITEMS)
    project.source.insert(ITEMS, items())
    assert project.synced().check.equal
    return project


def _add(project: Project, column: Column, default: str = "") -> None:
    project.source.execute(
        f"ALTER TABLE items {project.source.add_column} {project.source.column_ddl(column)}{default}"
    )


@pytest.mark.every_warehouse
def test_a_new_column(loaded: Project) -> None:
    _add(loaded, WIDER.columns[-1])
    result = loaded.synced()
    assert result.drift == "new column extra"
    assert result.check.equal
    loaded.source.execute(changing("id = 3", None, extra="'filled'"))
    assert loaded.synced().repaired == 1
    loaded.assert_equal(WIDER)
    assert "drift" in [load.kind for load in loaded.loads()]
    assert loaded.gate() == ""


@pytest.mark.every_warehouse
def test_a_new_column_with_a_default_is_filled_in_old_rows(loaded: Project) -> None:
    _add(loaded, WIDER.columns[-1], " DEFAULT 'standard'")
    assert loaded.synced().check.equal
    loaded.assert_equal(WIDER)


def test_verifying_before_the_new_column_was_synced_says_what_to_do(loaded: Project) -> None:
    _add(loaded, WIDER.columns[-1])
    with loaded.session() as session:
        results = list(session.verify())
    assert isinstance(results[0], Failed)
    assert "new column extra" in results[0].error.message
    assert results[0].error.remedy == "run: etl sync items"
    assert loaded.synced().check.equal
    assert loaded.verified().check.equal


@pytest.mark.every_warehouse
def test_a_dropped_column_is_kept_and_reported(loaded: Project) -> None:
    loaded.source.execute("ALTER TABLE items DROP COLUMN amount")
    loaded.source.execute(f"INSERT INTO items VALUES (5000, 'new', '{'2025-01-01 00:00:00.000000'}')")
    result = loaded.synced()
    assert "column amount is gone" in result.drift
    assert result.check.equal
    held = {row[0]: row[2] for row in loaded.warehouse.rows("items")}
    assert (held[1], held[5000]) == (7, None)
    assert loaded.verified().check.equal


@pytest.mark.every_warehouse
def test_a_dropped_column_is_null_in_rows_merged_later(loaded: Project) -> None:
    loaded.source.execute("ALTER TABLE items DROP COLUMN amount")
    loaded.source.execute(changing("id IN (3, 4)", ROWS + 1, name="'later'"), changing("id = 5", None, name="'unseen'"))
    assert loaded.synced().check.equal
    held = {row[0]: row[2] for row in loaded.warehouse.rows("items")}
    assert (held[3], held[4], held[5], held[6]) == (None, None, None, 42)


def test_a_dropped_column_is_said_once_and_stays_in_the_status(loaded: Project) -> None:
    loaded.source.execute("ALTER TABLE items DROP COLUMN amount")
    assert "column amount is gone" in loaded.etl("sync").err
    again = loaded.etl("sync")
    assert (again.code, "amount" in again.out + again.err) == (0, False)
    assert loaded.json("status")[0]["gone_columns"] == ["amount"]
    assert "columns gone from the source: amount" in loaded.etl("status").out
    assert loaded.gate() == ""
    _add(loaded, ITEMS.columns[2])
    assert loaded.synced().check.equal
    assert loaded.json("status")[0]["gone_columns"] == []


@pytest.mark.every_warehouse
def test_a_column_that_may_be_null_or_no_longer(loaded: Project) -> None:
    """Copies have no constraints, so a change of nullability is none to the warehouse."""
    for nullable in (False, True):
        columns = tuple(Column(c.name, c.type, nullable and c.name != "id") for c in ITEMS.columns)
        loaded.source.execute("DROP TABLE items")
        loaded.source.create(Table("items", columns, ("id",), ITEMS.cursor))
        loaded.source.insert(ITEMS, items())
        if nullable:
            loaded.source.insert(ITEMS, [(5_000, None, None, None)])
        result = loaded.synced()
        assert (result.drift, result.check.equal) == ("", True)
    loaded.assert_equal(ITEMS)


@pytest.mark.every_warehouse
def test_a_renamed_column_is_a_new_one_beside_the_old(loaded: Project) -> None:
    loaded.source.execute(loaded.source.renaming("items", "amount", "quantity"))
    result = loaded.synced()
    assert "new column quantity" in result.drift
    assert "column amount is gone" in result.drift
    loaded.assert_equal(
        Table("items", tuple(Column("quantity", c.type) if c.name == "amount" else c for c in ITEMS.columns), ("id",))
    )
    assert "new column" not in loaded.synced().drift


@pytest.mark.every_warehouse
def test_a_column_renamed_in_case_alone_is_the_same_column(loaded: Project) -> None:
    loaded.source.needs("capitals")
    loaded.source.execute(
        loaded.source.renaming("items", "amount", "Amount"), 'UPDATE items SET "Amount" = "Amount" + 1'
    )
    assert loaded.synced().drift == "column amount is now called Amount"
    again = loaded.synced()
    assert (again.drift, again.check.equal) == ("", True)
    loaded.assert_equal(
        Table("items", tuple(Column("Amount", c.type) if c.name == "amount" else c for c in ITEMS.columns), ("id",))
    )


def _retyped(project: Project, before: Any, after: Any, value: str) -> Table:
    """A table whose column ``v`` was synced as one type and then became another."""
    key = Column("id", types.INT, nullable=False)
    old, new = (Table("t", (key, Column("v", type_)), ("id",)) for type_ in (before, after))
    project.source.create(old)
    project.source.execute(f"INSERT INTO t VALUES (1, {value})")
    assert project.synced("t").check.equal
    project.source.execute("DROP TABLE t")
    project.source.create(new)
    project.source.execute(f"INSERT INTO t VALUES (1, {value})")
    return new


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (types.decimal(10, 2), types.decimal(18, 2)),
        (types.decimal(10, 2), types.decimal(38, 6)),
        (types.INT, types.decimal(21, 2)),
    ],
    ids=str,
)
def test_a_widened_decimal_is_followed(project: Project, before: Any, after: Any) -> None:
    value = "12" if before == types.INT else "'12.50'"
    _retyped(project, before, after, value)
    result = project.synced("t")
    assert "widened" in result.drift
    assert result.check.equal
    assert project.synced("t").drift == ""


@pytest.mark.parametrize(
    ("before", "after", "value"),
    [
        pytest.param(
            types.decimal(18, 2), types.decimal(10, 2), "'12.50'", marks=pytest.mark.every_warehouse, id="narrower"
        ),
        (types.decimal(18, 4), types.decimal(18, 2), "'12.50'"),
        (types.STRING, types.INT, "12"),
        (types.INT, types.STRING, "12"),
        (types.DATETIME, types.DATE, "'2024-01-01'"),
    ],
    ids=str,
)
def test_a_narrowed_or_changed_type_stops_and_a_full_load_mends_it(
    project: Project, before: Any, after: Any, value: str
) -> None:
    _retyped(project, before, after, value)
    held = project.warehouse.rows("t")
    failed = project.failed("t")
    assert isinstance(failed.error, StoppedTableError)
    assert "column v" in failed.error.message
    assert failed.error.remedy.endswith("etl sync t --full")
    assert project.warehouse.rows("t") == held
    assert project.json("status")[0]["stopped"] == failed.error.message
    assert "t: the newest sync stopped: table t: column v" in project.etl("status").out.replace("\n", " ")
    assert project.synced("t", full=True).check.equal
    assert project.json("status")[0]["stopped"] == ""
    assert project.synced("t").check.equal


@pytest.mark.every_warehouse
def test_a_key_that_becomes_another_column(loaded: Project) -> None:
    loaded.source.execute("DROP TABLE items")
    loaded.source.create(
        Table("items", (*ITEMS.columns[:1], Column("name", types.STRING, False), *ITEMS.columns[2:]), ("name",))
    )
    loaded.source.insert(ITEMS, [(0, name, *rest) for _, name, *rest in items()])
    assert loaded.synced().check.equal
    loaded.assert_equal(ITEMS)


@pytest.mark.every_warehouse
def test_a_new_table_is_loaded_and_a_vanished_one_stays(loaded: Project, caplog: pytest.LogCaptureFixture) -> None:
    loaded.source.execute("CREATE TABLE later (id INTEGER PRIMARY KEY)", "INSERT INTO later VALUES (1)")
    assert loaded.synced("later").check.equal
    loaded.source.execute("DROP TABLE later")
    assert list(loaded.sync()) == ["items"]
    assert "later is gone from the source" in caplog.text
    caplog.clear()
    assert list(loaded.sync()) == ["items"]
    assert "later" not in caplog.text
    status = {table["table"]: table["vanished_at"] for table in loaded.json("status")}
    assert status["later"]
    assert status["items"] is None
    assert "gone from the source since" in loaded.etl("status").out
    assert loaded.warehouse.rows("later") == [(1,)]
    assert loaded.etl("sync").code == 0
    loaded.source.execute("CREATE TABLE later (id INTEGER PRIMARY KEY)", "INSERT INTO later VALUES (1)")
    assert loaded.synced("later").check.equal
    assert {table["vanished_at"] for table in loaded.json("status")} == {None}


@pytest.mark.parametrize("name", [f"{STAGING}items", f"{STAGING.upper()}x"])
def test_a_table_that_is_called_like_staging_is_refused_by_name(loaded: Project, name: str) -> None:
    if name != name.lower():
        loaded.source.needs("capitals")
    loaded.source.execute(f'CREATE TABLE "{name}" (id INTEGER PRIMARY KEY)')
    done = loaded.etl("sync")
    assert done.code == 2
    assert name in done.err
    assert "exclude" in done.err
    assert loaded.synced(tables={name: {"exclude": True}}).check.equal


def test_a_table_that_comes_to_have_an_unfit_value_stops_alone(loaded: Project) -> None:
    loaded.source.execute("CREATE TABLE later (id INTEGER PRIMARY KEY)", "INSERT INTO later VALUES (1)")
    loaded.source.needs("wide decimals")
    _add(loaded, Column("v", types.decimal(50, 10)))
    failed = loaded.failed()
    assert isinstance(failed.error, RunError)
    assert loaded.gate("later") == ""
    assert len(loaded.warehouse.rows("items")) == ROWS
