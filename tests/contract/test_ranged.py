"""Large tables that are loaded whole by ranges, several at once, and then caught up with and proven."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import count
from typing import Any, cast

import pyarrow as pa
import pytest
from support.items import ITEMS, KEYLESS, ROWS, changing, items, moment, stored
from support.project import Project

from etl import tasks
from etl.errors import RunError, SourceError, WarehouseError
from etl.ranges import Ranges
from etl.records import LoadKind
from etl.sources.base import Snapshot, Source
from etl.sync import ranged
from etl.sync.ranged import drop_stale
from etl.sync.run import Failed, sync
from etl.sync.table import Synced
from etl.verify import rowsum
from etl.warehouses.base import RANGE_STAGING, Warehouse, range_staging_prefix
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


def test_a_reader_that_fails_fails_the_table_alone(filled: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranged, "PAUSE_SECONDS", 0.01)
    filled.source.needs("wide decimals")
    filled.source.execute("CREATE TABLE other (id INTEGER PRIMARY KEY)", "INSERT INTO other VALUES (1)")
    filled.source.execute(
        f"ALTER TABLE items {filled.source.add_column} {filled.source.column_ddl(Column('v', types.decimal(50, 10)))}"
    )
    results = filled.sync(**WISHES)
    assert isinstance(getattr(results["items"], "error", None), RunError)
    assert filled.gate("other") == ""


class _Failing:
    """A source of which the n-th snapshot's reads break off in the middle, for each n that is named."""

    def __init__(self, source: Source, *broken: int) -> None:
        self._source, self._broken, self._opened = source, broken, count(1)
        self.read: list[str] = []
        """The ranges that were begun to be read."""

    @property
    def identity(self) -> str:
        return self._source.identity

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        number = next(self._opened)
        with self._source.snapshot() as snapshot:
            read = snapshot.read

            def noted(table: Table, part: Any = None) -> Iterator[pa.RecordBatch]:
                if isinstance(part, Ranges):
                    self.read.append(part.ranges[0].label)
                for batch in read(table, part):
                    yield batch.slice(0, batch.num_rows // 2)
                    if number in self._broken:
                        raise SourceError("the server has gone away", "run the same command again")
                    yield batch.slice(batch.num_rows // 2)

            snapshot.read = noted  # type: ignore[method-assign]
            yield snapshot


def _synced_from(project: Project, source: _Failing, tables: Any = None) -> Synced | Failed:
    with project.session(tables, **WISHES | {"jobs": 2}) as session:
        (result,) = sync(session.config, cast("Source", source), session.warehouse)
    return result


SNAPSHOTS = 2
"""Those in which the tables are listed and the ranges planned; range i is read in number ``SNAPSHOTS + i``."""


def test_a_range_that_fails_is_read_again(filled: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """What had arrived of it is taken out again, and no other range is read twice."""
    monkeypatch.setattr(ranged, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(rowsum, "CHUNK_ROWS", 20)
    source = _Failing(filled.source.open(), SNAPSHOTS + 3, SNAPSHOTS + 5)
    result = _synced_from(filled, source)
    assert isinstance(result, Synced), result
    assert (result.check.equal, filled.loads()[0].extracted) == (True, ROWS)
    assert (len(source.read), len(set(source.read))) == (12, 10)
    filled.assert_equal(ITEMS)


def _fail_at_the_fourth_range(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranged, "PAUSE_SECONDS", 0.2)  # the other reader has ended by then
    lost = _synced_from(project, _Failing(project.source.open(), *range(SNAPSHOTS + 4, 40)))
    assert isinstance(lost, Failed)
    assert lost.error.message == "the server has gone away"


def test_a_range_that_fails_for_good_is_where_the_next_sync_goes_on(
    filled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fail_at_the_fourth_range(filled, monkeypatch)
    filled.source.execute(changing("id IN (5, 905)", ROWS + 1, name="'meanwhile'"), "DELETE FROM items WHERE id = 7")
    source = _Failing(filled.source.open())
    result = _synced_from(filled, source)
    assert isinstance(result, Synced), result
    assert result.check.equal
    assert len(source.read) == 7, "three were staged before"
    filled.assert_equal(ITEMS)
    with filled.warehouse.opened() as warehouse:
        assert warehouse.tables("raw") == ["items"]


def test_a_warehouse_that_fails_leaves_no_reader_behind(filled: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = count(1)

    def failing(self: Warehouse, *arguments: Any) -> int:
        if next(calls) == 3:
            raise WarehouseError("the disk is full", "make room")
        return append(self, *arguments)

    with filled.session(**WISHES) as session:
        append = type(session.warehouse).append
        monkeypatch.setattr(type(session.warehouse), "append", failing)
        (lost,) = session.sync()
        assert isinstance(lost, Failed)
        assert lost.error.message == "the disk is full"
        assert [thread.name for thread in threading.enumerate() if thread.name.startswith("range")] == []
        (result,) = session.sync()
    assert isinstance(result, Synced), result
    assert result.check.equal


@pytest.mark.parametrize("change", ["a new column", "a day", "another cursor"])
def test_what_was_staged_of_another_table_or_too_long_ago_is_dropped(
    filled: Project, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    _fail_at_the_fourth_range(filled, monkeypatch)
    if change == "a day":
        monkeypatch.setattr(ranged, "_KEPT", timedelta(seconds=-1))
    if change == "a new column":
        filled.source.execute(f"ALTER TABLE items {filled.source.add_column} extra integer DEFAULT 7")
    source = _Failing(filled.source.open())
    result = _synced_from(filled, source, {"items": {"cursor": "amount"}} if change == "another cursor" else None)
    assert isinstance(result, Synced), result
    assert (result.check.equal, len(source.read)) == (True, 10)
    with filled.warehouse.opened() as warehouse:
        assert warehouse.tables("raw") == ["items"]


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
