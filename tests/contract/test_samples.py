"""Sample queries: each engine's own aggregates say the same of equal rows, and show what differs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from support.items import ITEMS, items
from support.project import Project
from support.values import ODD, within

from etl.sync.run import Failed
from etl.verify.samples import Sample
from schemas import types
from schemas.table import Column, Table
from schemas.types import Kind

KEY = Column("id", types.INT, nullable=False)


def sampled(project: Project, name: str = "t") -> list[Sample]:
    with project.session() as session:
        (found,) = session.samples([name])
    assert not isinstance(found, Failed), found
    return found


def filled(project: Project, table: Table, rows: Sequence[Sequence[Any]]) -> None:
    project.source.create(table)
    project.source.insert(table, rows)
    assert project.synced(table.name).check.equal


def test_equal_rows_have_equal_samples_of_every_type(project: Project) -> None:
    values = {type_: within(project.source.gaps, found) for type_, found in ODD.items()}
    values[types.CHAR] = ["a", "a ", "é"]
    table = Table("t", (KEY, *(Column(f"v{i}", type_) for i, type_ in enumerate(values))), ("id",))
    longest = max(map(len, values.values()))
    rows = [[n, *(held[n] if n < len(held) else None for held in values.values())] for n in range(longest + 1)]
    filled(project, table, rows)
    found = sampled(project)
    assert [sample for sample in found if not sample.equal] == []
    nulls = {sample.column: int(sample.source) for sample in found if sample.measure == "nulls"}
    unproven = (Kind.STRING, Kind.JSON, Kind.BYTES, Kind.FLOAT) if "pushdown" in project.source.gaps else ()
    assert nulls == {"id": 0} | {
        f"v{i}": len(rows) - len(values[type_]) for i, type_ in enumerate(values) if type_.kind not in unproven
    }


@pytest.mark.every_warehouse
def test_figures_are_those_of_the_rows(project: Project) -> None:
    project.source.needs("pushdown")
    columns = {
        "n": types.INT,
        "d": types.decimal(12, 2),
        "s": types.STRING,
        "day": types.DATE,
        "at": types.DATETIME,
        "o": types.TIME,
        "b": types.BOOL,
        "f": types.FLOAT,
    }
    table = Table("t", (KEY, *(Column(name, type_) for name, type_ in columns.items())), ("id",))
    before = datetime(1969, 12, 31, 23, 59, 59, 999_999)
    first = (7, Decimal("-0.10"), "a", date(1969, 12, 31), before, time(0, 0, 0, 1), True, -0.5)
    second = (2**62, Decimal("9999999999.99"), "a ", date(2024, 2, 29), datetime(2024, 2, 29), time(9), False, 1e300)
    third = (2**62, Decimal("9999999999.99"), "é", None, None, None, None, None)
    filled(project, table, [(i, *row) for i, row in enumerate((first, second, third))])
    found = sampled(project)
    assert [sample for sample in found if not sample.equal] == []
    figures = {(sample.column, sample.measure): sample.source for sample in found}
    expected = {
        ("", "rows"): "3",
        ("n", "sum"): str(2**63 + 7),
        ("n", "distinct"): "2",
        ("n", f"= {2**62}"): "2",
        ("d", "sum"): "19999999999.88",
        ("d", "lowest"): "-0.10",
        ("s", "distinct"): "3",
        ("s", "bytes"): "5",
        ("day", "lowest"): "1969-12-31",
        ("day", "highest"): "2024-02-29",
        ("day", "nulls"): "1",
        ("at", "lowest"): "1969-12-31 23:59:59.999999",
        ("o", "lowest"): "00:00:00.000001",
        ("b", "true"): "1",
        ("b", "= 0"): "1",
    }
    if project.warehouse.name != "bigquery":  # the emulator's floats fail the proof, so they are left out
        expected |= {("f", "lowest"): "-0.5", ("f", "highest"): "1e+300"}
    assert {key: figures[key] for key in expected} == expected
    assert ("f", "sum") not in figures


@pytest.mark.parametrize(
    ("change", "figures"),
    [
        ("UPDATE raw.items SET amount = amount + 1 WHERE id = 3", {"sum"}),
        ("UPDATE raw.items SET name = NULL WHERE id = 3", {"nulls", "distinct", "bytes"}),
        ("UPDATE raw.items SET name = 'ITEM 3' WHERE id = 3", set()),
        ("DELETE FROM raw.items WHERE id = 5", {"rows", "sum", "distinct", "bytes"}),
    ],
)
def test_what_differs_is_shown(project: Project, change: str, figures: set[str]) -> None:
    """A letter's case moves no sum, no count and no length: samples are no proof, and do not say they are."""
    if "distinct" in figures:
        project.source.needs("pushdown")
    filled(project, ITEMS, items(range(40)))
    project.warehouse.execute(change)
    assert figures <= {sample.measure for sample in sampled(project, "items") if not sample.equal}
    done = project.etl("verify", "--samples", "items")
    assert done.code == (1 if figures else 0)
    assert ("DIFFERENT" in done.out) == bool(figures)


def test_groups_of_a_column_with_few_values(project: Project) -> None:
    project.source.needs("pushdown")
    table = Table("t", (KEY, Column("state", types.STRING)), ("id",))
    filled(project, table, [(i, ("open", "Open", "open ")[i % 3]) for i in range(9)])
    project.warehouse.execute("UPDATE raw.t SET state = 'shut' WHERE id = 0")
    groups = {s.measure: (s.source, s.warehouse) for s in sampled(project) if s.measure.startswith("=")}
    assert groups == {"= Open": ("3", "3"), "= open": ("3", "2"), "= open ": ("3", "3"), "= shut": ("0", "1")}


def test_an_empty_table_and_one_that_was_not_synced(project: Project) -> None:
    filled(project, ITEMS, [])
    found = sampled(project, "items")
    assert all(sample.equal for sample in found)
    assert {s.source for s in found if s.measure in ("sum", "lowest", "bytes")} == {"NULL"}
    project.source.create(Table("late", (KEY,), ("id",)))
    done = project.etl("verify", "--samples", "late")
    assert (done.code, "table late has not been synced" in done.err) == (3, True)


def test_samples_repair_nothing(project: Project) -> None:
    filled(project, ITEMS, items(range(3)))
    assert project.etl("verify", "--samples", "--repair").code == 2
    assert all(figure["equal"] for figure in project.json("verify", "--samples"))
