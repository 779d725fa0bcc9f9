"""Reading the comment a query starts with."""

from __future__ import annotations

import pytest

from etl.publish.errors import QueryError
from etl.publish.header import parse

HEADER = """\
-- question: How many,
--   and when?
-- grain: one row a month
-- notes: Counted at the end.
--
--   Not at the start.
-- columns:
--   month DATE: first day
--     of the month
--   amount NUMERIC(18, 2): what was paid
-- tests:
--   positive: SELECT 1
--   balanced:
--     SELECT *
--     FROM marts.x
--     WHERE a != b
SELECT 1
-- question: not part of the header
"""


def test_sections_and_entries() -> None:
    header = parse(HEADER, "a query")
    assert header.question == "How many, and when?"
    assert header.grain == "one row a month"
    assert header.notes == "Counted at the end. Not at the start."
    assert header.columns == {"month": "first day of the month", "amount": "what was paid"}
    assert header.types == {"month": "DATE", "amount": "NUMERIC(18, 2)"}
    assert header.tests == {"positive": "SELECT 1", "balanced": "SELECT * FROM marts.x WHERE a != b"}


@pytest.mark.parametrize("section", ["question", "grain", "columns"])
def test_required_sections(section: str) -> None:
    with pytest.raises(QueryError, match=f"queries/x.sql has no '{section}:'"):
        parse(HEADER.replace(f"-- {section}:", "-- notes:"), "queries/x.sql")


@pytest.mark.parametrize(
    "line", ["month: first day", "month DATE first day", "month date: first day", "the month DATE: first day"]
)
def test_unreadable_column(line: str) -> None:
    with pytest.raises(QueryError, match="cannot read the header entry") as caught:
        parse(f"-- question: q\n-- grain: g\n-- columns:\n--   {line}\n", "a query")
    assert "name TYPE: meaning" in caught.value.remedy


def test_line_outside_any_section() -> None:
    with pytest.raises(QueryError, match="belongs to no section"):
        parse("-- Copyright\n" + HEADER, "a query")


def test_no_header_at_all() -> None:
    with pytest.raises(QueryError, match="has no 'question:'"):
        parse("SELECT 1", "a query")


def test_how_a_mart_is_stored() -> None:
    stored = HEADER.replace("-- tests:", "-- partition: month\n-- cluster: amount, month\n-- tests:")
    header = parse(stored, "a query")
    assert (header.partition, header.cluster) == ("month", ("amount", "month"))
    with pytest.raises(QueryError, match="stored by 'day'"):
        parse(stored.replace("partition: month", "partition: day"), "a query")
