"""Tables that are proven by partitions: what was touched every time, the rest in turn, all of it within n runs."""

from __future__ import annotations

from typing import Any

import pytest
from support.items import CURSORLESS, ITEMS, ROWS, changing, items, moment
from support.project import Project

from etl.errors import ConfigError
from etl.records import LoadKind

BY_HUNDREDS = {"partition": "id", "partition_size": 100}
TOUCHED: dict[str, Any] = {"items": {"verify": "touched", **BY_HUNDREDS}}
ROTATING: dict[str, Any] = {"items": {"verify": "rotate", "rotate": 4, **BY_HUNDREDS}}
OF = ROWS // 100 + 1
"""Ten hundreds, and NULL's partition."""


@pytest.fixture
def loaded(project: Project) -> Project:
    """A thousand items, synced once and so proven in every partition."""
    project.source.create(ITEMS)
    project.source.insert(ITEMS, items())
    first = project.synced(tables=ROTATING)
    assert first.check.scope == "full"
    assert first.check.oldest_at == first.check.at
    return project


def test_only_the_touched_partitions_are_compared(loaded: Project) -> None:
    loaded.source.execute(changing("id IN (5, 250)", ROWS + 1, amount="-1"))
    check = loaded.synced(tables=TOUCHED).check
    assert check.equal
    # The tie with the watermark is row 999, in the last hundred.
    assert (check.scope, check.source_rows, check.warehouse_rows) == (f"3 of {OF} partitions", 300, 300)
    loaded.assert_equal(ITEMS)


def test_a_silent_change_beside_a_touched_row_is_found(loaded: Project) -> None:
    loaded.source.execute(changing("id = 5", ROWS + 1, amount="-1"), changing("id = 7", None, amount="-2"))
    result = loaded.synced(tables=TOUCHED)
    assert (result.repaired, result.check.equal) == (1, True)
    loaded.assert_equal(ITEMS)


@pytest.mark.every_warehouse
def test_the_partition_a_row_was_in_before_is_compared_too(loaded: Project) -> None:
    tables = {"items": {"verify": "touched", "partition": "amount", "partition_size": 10}}
    loaded.synced(tables=tables)
    loaded.source.execute(changing("id = 5", ROWS + 1, amount="3"))  # from the thirties, where 7 * 5 put it
    check = loaded.synced(tables=tables).check
    assert check.equal
    with loaded.session() as session:
        proven = session.ledger.partition_checks("items", "amount/10")
    newest = {label for label, at in proven.items() if at == max(proven.values())}
    assert newest >= {"0", "3"}


def test_a_row_moved_silently_to_an_untouched_partition_is_moved_and_not_doubled(loaded: Project) -> None:
    tables = {"items": {"verify": "touched", "partition": "amount", "partition_size": 10}}
    loaded.synced(tables=tables)
    loaded.source.execute(
        changing("id = 5", None, amount="98"), changing("id IN (15, 25)", ROWS + 1, name="'touches the thirties'")
    )
    loaded.synced(tables=tables)
    loaded.assert_equal(ITEMS)


def test_a_delete_far_away_shows_in_the_counts_and_widens_the_scope(loaded: Project) -> None:
    loaded.source.execute("DELETE FROM items WHERE id = 444", changing("id = 5", ROWS + 1, amount="-1"))
    result = loaded.synced(tables=TOUCHED)
    assert (result.repaired, result.check.scope, result.check.equal) == (1, "full", True)
    loaded.assert_equal(ITEMS)


def test_every_partition_has_its_turn(loaded: Project) -> None:
    loaded.source.execute(changing("id = 444", None, amount="-4"))
    found = 0
    for _ in range(4):
        result = loaded.synced(tables=ROTATING)
        assert result.check.scope != "full"
        found += result.repaired
    assert found == 1
    loaded.assert_equal(ITEMS)


def test_null_has_a_partition_of_its_own(loaded: Project) -> None:
    tables = {"items": {"verify": "touched", "partition": "amount", "partition_size": 10}}
    loaded.source.insert(ITEMS, [(5_000, "no amount", None, moment(ROWS + 1))])
    assert loaded.synced(tables=tables).check.equal
    loaded.source.execute(changing("id = 5000", ROWS + 2, amount="1"))
    assert loaded.synced(tables=tables).check.equal
    loaded.assert_equal(ITEMS)


def test_by_months_of_a_date_time(loaded: Project) -> None:
    tables = {"items": {"verify": "touched", "partition": "updated_at"}}
    loaded.synced(tables=tables)
    loaded.source.insert(ITEMS, [(5_000, "later", 1, moment(60 * 24 * 45))])
    check = loaded.synced(tables=tables).check
    assert (check.equal, check.scope) == (True, "2 of 3 partitions")  # January for the tie; February; NULL
    loaded.assert_equal(ITEMS)


def test_the_gate_shuts_when_a_partition_has_waited_too_long(loaded: Project) -> None:
    assert loaded.synced(tables=TOUCHED).check.scope != "full"
    assert loaded.gate() == ""
    row = loaded.json("status")[0]
    assert row["scope"].endswith(f"of {OF} partitions")
    assert row["oldest_at"] < row["checked_at"]
    shut = loaded.etl("status", "--json", ETL_SYNC_MAX_UNCHECKED_DAYS="0")
    assert "not proven for more than 0 days" in shut.out


def test_without_a_cursor_the_differing_rows_of_the_turn_are_moved(project: Project) -> None:
    project.source.create(CURSORLESS)
    project.source.insert(CURSORLESS, [row[:3] for row in items()])
    project.synced(tables=ROTATING)
    project.source.execute("UPDATE items SET amount = -1 WHERE id % 100 = 3")
    kinds = [project.synced(tables=ROTATING).kind for _ in range(4)]
    assert LoadKind.INCREMENTAL in kinds
    project.assert_equal(CURSORLESS)


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        ({"verify": "touched", "partition": "name"}, "column name is string"),
        ({"verify": "touched", "partition": "nothing"}, "nothing"),
        ({"verify": "touched", "cursor": "full"}, "without a cursor"),
        ({"verify": "touched", "key": []}, "without a key"),
        ({"verify": "rotate", "partition": "id", "partition_size": 1, "rotate": 2}, ""),
    ],
)
def test_what_cannot_divide_a_table_is_refused(loaded: Project, wish: dict[str, Any], says: str) -> None:
    if not says:
        assert loaded.synced(tables={"items": wish}).check.equal
        return
    with pytest.raises(ConfigError, match=says):
        loaded.sync(tables={"items": wish})


def test_what_a_killed_sync_has_merged_is_proven_by_the_next(loaded: Project) -> None:
    """Its watermark has moved on, so that nothing is extracted again; what it touched is in the ledger."""
    loaded.source.execute(changing("id = 5", ROWS + 1, amount="-1"), changing("id = 7", None, amount="-2"))

    def killed(_table: str, step: str, _rows: int) -> None:
        if step == "sum":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loaded.sync(tables=TOUCHED, progress=killed)
    result = loaded.synced(tables=TOUCHED)
    assert (result.repaired, result.check.scope) == (1, f"2 of {OF} partitions")  # the tie's too
    loaded.assert_equal(ITEMS)


def test_what_differed_and_was_not_repaired_stays_in_the_scope(loaded: Project) -> None:
    loaded.source.execute(changing("id = 5", ROWS + 1, amount="-1"), changing("id = 7", None, amount="-2"))
    assert not loaded.synced(tables=TOUCHED, repair=False).check.equal
    assert not loaded.synced(tables=TOUCHED, repair=False).check.equal
    assert loaded.synced(tables=TOUCHED).check.equal
    loaded.assert_equal(ITEMS)


def test_a_new_column_is_proven_everywhere(loaded: Project) -> None:
    """Its default is in every row of the source, also in those of partitions that nothing touched."""
    loaded.source.execute(f"ALTER TABLE items {loaded.source.add_column} extra integer DEFAULT 7")
    check = loaded.synced(tables=TOUCHED).check
    assert (check.equal, check.scope) == (True, "full")
    assert {row[-1] for row in loaded.warehouse.rows("items")} == {7}


def test_another_division_is_proven_as_a_whole_first(loaded: Project) -> None:
    loaded.source.execute(changing("id = 5", ROWS + 1, amount="-1"), changing("id = 7", None, amount="-2"))
    assert not loaded.synced(tables=TOUCHED, repair=False).check.equal
    by_amount: dict[str, Any] = {"items": {"verify": "touched", "partition": "amount", "partition_size": 10}}
    check = loaded.synced(tables=by_amount).check
    assert (check.equal, check.scope) == (True, "full")
    loaded.assert_equal(ITEMS)


def test_a_repair_that_moves_a_row_has_the_partition_it_moved_to_proven(loaded: Project) -> None:
    """Row 5 went from the thirties to the nineties silently, where row 14 has changed silently too."""
    tables = {"items": {"verify": "touched", "partition": "amount", "partition_size": 10}}
    loaded.synced(tables=tables)
    loaded.source.execute(
        changing("id = 5", None, amount="98"),
        changing("id = 14", None, name="'silent'"),
        changing("id IN (15, 25)", ROWS + 1, name="'touches the thirties'"),
    )
    assert loaded.synced(tables=tables).repaired == 2
    loaded.assert_equal(ITEMS)


def test_partitions_that_nothing_is_in_do_not_shut_the_gate(loaded: Project) -> None:
    """Ten empty ones lie between the row that came and those there were."""
    loaded.source.insert(ITEMS, [(2_050, "far away", 1, moment(ROWS + 1))])
    check = loaded.synced(tables=TOUCHED).check
    assert (check.equal, check.scope) == (True, f"12 of {OF + 11} partitions")
    assert loaded.gate() == ""


def test_a_turn_is_not_passed_on_while_it_is_repaired(loaded: Project) -> None:
    """Each repair empties the partitions that were taken first, and others would have had their turn in their place."""
    loaded.source.execute("DELETE FROM items WHERE id >= 700")
    result = loaded.synced(tables=ROTATING, max_delete_share=1, reload_share=1)
    assert (result.check.equal, result.check.warehouse_rows) == (True, 700)
    loaded.assert_equal(ITEMS)


def test_proven_in_another_division_is_not_proven_in_this(loaded: Project) -> None:
    loaded.source.execute(changing("id = 444", None, amount="-4"))
    by_ten: dict[str, Any] = {"items": {"verify": "touched", "partition": "id", "partition_size": 10}}
    result = loaded.synced(tables=by_ten)
    assert (result.repaired, result.check.equal) == (1, True)
    loaded.assert_equal(ITEMS)
