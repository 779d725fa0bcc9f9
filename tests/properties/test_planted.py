"""Differences of every kind, planted one by one among rows that are equal: each is found, named exactly, alone."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from support.located import Row, arrow, located_and_described

from etl.verify.differences import Difference, DifferenceKind
from schemas import types
from schemas.table import Column, Table
from schemas.types import LogicalType

ROWS = 500
# The smallest step of each type, and pairs that look alike.
STEPS: dict[str, tuple[LogicalType, Any, Any]] = {
    "int": (types.INT, 2**63 - 2, 2**63 - 1),
    "decimal": (types.decimal(38, 18), Decimal("1e-18"), Decimal("2e-18")),
    "money": (types.decimal(19, 4), Decimal("922337203685477.5806"), Decimal("922337203685477.5807")),
    "float": (types.FLOAT, 0.1, math.nextafter(0.1, 1)),
    "subnormal": (types.FLOAT, 5e-324, 1e-323),
    "minus zero": (types.FLOAT, 0.0, -0.0),
    "NaN": (types.FLOAT, 0.0, math.nan),
    "infinity": (types.FLOAT, math.inf, -math.inf),
    "bool": (types.BOOL, True, False),
    "date": (types.DATE, date(9999, 12, 30), date(9999, 12, 31)),
    "last microsecond": (
        types.DATETIME,
        datetime(9999, 12, 31, 23, 59, 59, 999_998),
        datetime(9999, 12, 31, 23, 59, 59, 999_999),
    ),
    "timestamp": (types.TIMESTAMP, datetime(2024, 3, 31, 1, tzinfo=UTC), datetime(2024, 3, 31, 1, 0, 0, 1, tzinfo=UTC)),
    "time": (types.TIME, time(23, 59, 59, 999_998), time(23, 59, 59, 999_999)),
    "uuid": (types.UUID, "6f9619ff-8b86-d011-b42d-00c04fc964fe", "6f9619ff-8b86-d011-b42d-00c04fc964ff"),
    "bytes": (types.BYTES, b"\x00", b"\x00\x00"),
    "json": (types.JSON, '{"a":1}', '{"a": 1}'),
    "letter": (types.STRING, "a", "b"),
    "case": (types.STRING, "a", "A"),
    "trailing blank": (types.STRING, "a", "a "),
    "precomposed": (types.STRING, "\u00e9", "e\u0301"),
    "null and empty": (types.STRING, None, ""),
    "null and its sign": (types.STRING, None, "~"),
    "null bytes": (types.BYTES, None, b""),
    "large text": (LogicalType(types.STRING.kind, large=True), "x" * 9_000 + "a", "x" * 9_000 + "b"),
}


def keyed(type_: LogicalType = types.STRING) -> Table:
    return Table("t", (Column("id", types.INT), Column("v", type_), Column("w", types.STRING)), key=("id",))


def found(table: Table, source: list[Row], warehouse: list[Row]) -> list[Difference]:
    return located_and_described(table, arrow(table, source), arrow(table, warehouse))[1]


def named(differences: list[Difference]) -> dict[str | None, tuple[DifferenceKind, list[str]]]:
    return {d.key["id"]: (d.kind, [cell.name for cell in d.columns]) for d in differences}


@pytest.mark.parametrize("name", STEPS)
def test_the_smallest_step_of_a_type_is_named_with_both_values(name: str) -> None:
    type_, one, other = STEPS[name]
    source = [(i, one, "w") for i in range(ROWS)]
    warehouse = [(i, other if i == 123 else one, "w") for i in range(ROWS)]
    (difference,) = found(keyed(type_), source, warehouse)
    assert (difference.key, difference.kind) == ({"id": "123"}, DifferenceKind.CHANGED)
    (cell,) = difference.columns
    assert cell.name == "v"
    assert cell.source != cell.warehouse
    assert (cell.source is None) == (one is None)


def rows() -> list[Row]:
    return [(i, f"v{i}", f"w{i}") for i in range(ROWS)]


def test_values_swapped_between_two_rows() -> None:
    warehouse = rows()
    warehouse[3], warehouse[400] = (3, "v400", "w3"), (400, "v3", "w400")
    changed = (DifferenceKind.CHANGED, ["v"])
    assert named(found(keyed(), rows(), warehouse)) == {"3": changed, "400": changed}


def test_values_swapped_between_two_columns() -> None:
    warehouse = rows()
    warehouse[3] = (3, "w3", "v3")
    assert named(found(keyed(), rows(), warehouse)) == {"3": (DifferenceKind.CHANGED, ["v", "w"])}


def test_two_rows_that_exchanged_their_keys() -> None:
    warehouse = rows()
    warehouse[3], warehouse[4] = (4, "v3", "w3"), (3, "v4", "w4")
    changed = (DifferenceKind.CHANGED, ["v", "w"])
    assert named(found(keyed(), rows(), warehouse)) == {"3": changed, "4": changed}


def test_a_deletion_and_an_insertion() -> None:
    differences = named(found(keyed(), rows(), [*rows()[1:], (9_999, "v0", "w0")]))
    assert differences == {"0": (DifferenceKind.MISSING, ["v", "w"]), "9999": (DifferenceKind.EXTRA, ["v", "w"])}


@pytest.mark.parametrize("times", [1, 2, 5])
def test_a_row_that_is_there_more_than_once(times: int) -> None:
    (difference,) = found(keyed(), rows(), rows() + [rows()[7]] * times)
    assert (difference.key, difference.kind) == ({"id": "7"}, DifferenceKind.EXTRA)
    assert (difference.source_rows, difference.warehouse_rows) == (1, 1 + times)


def test_a_doubled_row_of_which_one_copy_was_edited() -> None:
    (difference,) = found(keyed(), rows(), [*rows(), (7, "edited", "w7")])
    assert (difference.kind, difference.source_rows, difference.warehouse_rows) == (DifferenceKind.EXTRA, 1, 2)


def test_everything_at_once() -> None:
    warehouse = [row for row in rows() if row[0] % 50]
    warehouse = [(i, "edited", w) if i % 70 == 1 else (i, v, w) for i, v, w in warehouse]
    warehouse += [(1_000 + i, "new", "new") for i in range(5)]
    differences = named(found(keyed(), rows(), warehouse))
    assert {key for key, (kind, _) in differences.items() if kind is DifferenceKind.MISSING} == {
        str(i) for i in range(0, ROWS, 50)
    }
    assert {key for key, (kind, _) in differences.items() if kind is DifferenceKind.CHANGED} == {
        str(i) for i in range(ROWS) if i % 70 == 1 and i % 50
    }
    assert {key for key, (kind, _) in differences.items() if kind is DifferenceKind.EXTRA} == {
        str(1_000 + i) for i in range(5)
    }
