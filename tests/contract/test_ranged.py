"""Large tables that are loaded whole by ranges, several at once, and then caught up with and proven."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from support.items import ITEMS, KEYLESS, ROWS, changing, items, moment, stored
from support.project import Project

from etl import tasks
from etl.errors import RunError
from etl.ledger import LoadKind
from etl.sync.ranged import drop_stale
from etl.warehouses.base import RANGE_STAGING, range_staging_prefix
from schemas import types
from schemas.table import Column, Table

WISHES: dict[str, Any] = {"jobs": 3, "range_rows": 100}


@pytest.fixture
def filled(project: Project) -> Project:
    project.source.create(ITEMS)
    project.source.insert(ITEMS, items())
    return project


def _meanwhile(project: Project) -> None:
    """What happens while ranges are being read: a change, a late one, a delete, a new row."""
    project.source.execute_elsewhere(
        changing("id IN (5, 905)", ROWS + 1, name="'meanwhile'"),
        changing("id IN (6, 906)", None, name="'meanwhile, unseen'"),
        "DELETE FROM items WHERE id IN (7, 907)",
        f"INSERT INTO items VALUES (5000, 'new', 1, '{stored(ROWS + 2)}')",
    )


def test_ranges_side_by_side_then_one_state_is_proven(filled: Project) -> None:
    told = False

    def progress(_table: str, step: str, rows: int) -> None:
        nonlocal told
        if step == "extract" and rows and not told:
            told = True
            _meanwhile(filled)

    result = filled.synced(progress=progress, **WISHES)
    assert told
    assert (result.kind, result.check.equal) == (LoadKind.FULL, True)
    assert result.extracted >= ROWS - 2
    filled.assert_equal(ITEMS)
    assert filled.gate() == ""
    load = filled.loads()[0]
    assert load.kind == "full"
    assert datetime.fromisoformat(load.watermark or "") == moment(ROWS - 1), "the fence from before the first range"
    assert filled.synced(**WISHES).extracted == 1, "only the tie: nothing is loaded whole again"


def test_a_full_load_on_demand_goes_by_ranges_too(filled: Project) -> None:
    filled.synced()
    filled.source.execute("DELETE FROM items WHERE id < 900")
    assert filled.synced(full=True, **WISHES | {"range_rows": 20}).check.equal
    filled.assert_equal(ITEMS)
    assert [load.kind for load in filled.loads()][:2] == ["full", "full"]


def test_by_a_date_where_the_key_is_a_text(project: Project) -> None:
    columns = (Column("code", types.STRING, False), Column("day", types.DATE, False), Column("v", types.INT))
    table = Table("codes", columns, ("code",))
    project.source.create(table)
    project.source.insert(table, [(f"c{i}", moment(i * 1440).date(), i) for i in range(300)])
    check = project.synced("codes", **WISHES).check
    assert (check.equal, check.warehouse_rows) == (True, 300)


def test_a_table_without_a_column_to_cut_it_by_is_loaded_as_a_whole(project: Project) -> None:
    project.source.create(KEYLESS)
    project.source.insert(KEYLESS, [row[1:3] for row in items()])
    assert project.synced(**WISHES).check.equal
    project.assert_equal(KEYLESS)
    assert len(project.loads()) == 1


def test_a_reader_that_fails_fails_the_table_alone(filled: Project) -> None:
    filled.source.execute("CREATE TABLE other (id INTEGER PRIMARY KEY)", "INSERT INTO other VALUES (1)")
    filled.source.execute(
        f"ALTER TABLE items ADD COLUMN {filled.source.column_ddl(Column('v', types.decimal(50, 10)))}"
    )
    results = filled.sync(**WISHES)
    assert isinstance(getattr(results["items"], "error", None), RunError)
    assert filled.gate("other") == ""


def test_the_option(filled: Project) -> None:
    done = filled.etl("sync", "--jobs", "2", ETL_SYNC_RANGE_ROWS="250")
    assert done.code == 0, done.err
    assert "items: loading 4 ranges of id, 2 at once" in done.err
    filled.assert_equal(ITEMS)
    assert filled.etl("sync", "--jobs", "0").code == 2


def test_as_tasks_each_of_which_may_be_repeated(filled: Project) -> None:
    config = filled.config(**WISHES | {"range_rows": 250})
    plan = tasks.plan_ranges(config, "items")
    assert [part["number"] for part in plan] == [1, 2, 3, 4]
    with pytest.raises(RunError, match="not all of its 4 ranges"):
        tasks.take_ranges(config, "items", [tasks.load_range(config, plan[0]), *plan[1:]])
    staged = [tasks.load_range(config, part) for part in plan]
    _meanwhile(filled)
    assert tasks.load_range(config, plan[0]) == plan[0]
    moved = tasks.take_ranges(config, "items", staged)
    assert moved["kind"] == "incremental"
    filled.assert_equal(ITEMS)
    with filled.warehouse.opened() as warehouse:
        assert warehouse.tables("raw") == ["items"]
    assert tasks.take_ranges(config, "items", staged)["extracted"] <= 1, "taken already"
    assert tasks.plan_ranges(config, "items") == []
    assert tasks.take_ranges(config, "items", [])["table"] == "items"


def test_staged_ranges_that_nobody_took_are_dropped_after_a_day(filled: Project) -> None:
    filled.sync()
    with filled.warehouse.opened() as warehouse:
        prefix = range_staging_prefix("items")
        for stamp in ("20200101000000", "29990101000000"):
            warehouse.create(f"{prefix}{stamp}_abcd1234_1", {"id": warehouse.dialect.ddl(types.INT)})
        drop_stale(warehouse)
        assert [name for name in warehouse.tables("raw") if name.startswith(RANGE_STAGING)] == [
            f"{prefix}29990101000000_abcd1234_1"
        ]
        drop_stale(warehouse, "items")
        assert warehouse.tables("raw") == ["items"]
