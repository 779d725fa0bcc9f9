"""The comment a query starts with: what it answers, at which grain, with which columns and tests.

``partition`` names a date by whose months, and ``cluster`` columns by which, a warehouse that charges for
what it reads stores the mart. ``incremental`` names the WITH clauses that hold all it is made of, so that only
months whose part of these has changed are built again (see ``etl.publish.months``)::

    -- question: How many customers signed up in each month?
    -- grain: one row a month
    -- notes: optional, as long as it needs to be
    -- columns:
    --   month DATE: first day of the month
    --   signups INT64: customers who signed up in it
    -- partition: month
    -- cluster: signups
    -- incremental: people
    -- tests:
    --   no_negative_signups: SELECT * FROM marts.signups WHERE signups < 0

A section starts at the margin, an entry two blanks in, and what is further in continues it.
A test is GoogleSQL that must return no rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from etl.publish.errors import QueryError

_SECTION = re.compile(r"(question|grain|notes|columns|partition|cluster|incremental|tests):\s*(.*)")
_COLUMN = re.compile(r"(\w+)\s+([A-Z0-9]+(?:\(\d+(?:,\s*\d+)?\))?):\s*(.+)", re.DOTALL)
_TEST = re.compile(r"(\w+):\s*(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Header:
    """A query's contract.

    ``columns`` maps each column, in order, to its meaning, and ``types`` to its GoogleSQL type;
    ``tests`` maps each test's name to GoogleSQL that must return no rows.
    """

    question: str
    grain: str
    notes: str
    columns: dict[str, str]
    types: dict[str, str]
    tests: dict[str, str]
    partition: str = ""
    cluster: tuple[str, ...] = ()
    incremental: tuple[str, ...] = ()


def parse(text: str, where: str) -> Header:
    """The header of a query's text; ``where`` names the query in the error (:class:`QueryError`)."""
    sections = _sections(text, where)
    for required in ("question", "grain", "columns"):
        if not sections.get(required):
            raise QueryError(
                f"{where} has no '{required}:' in its header", "add it to the comment the file starts with"
            )
    columns = [_match(_COLUMN, entry, where) for entry in _entries(sections["columns"])]
    tests = [_match(_TEST, entry, where) for entry in _entries(sections.get("tests", []))]
    partition, listed, inputs = (_names(sections.get(name, [])) for name in ("partition", "cluster", "incremental"))
    if len(partition) > 1:
        raise QueryError(f"{where} is partitioned by several columns", "name one of them")
    for name in (*partition, *listed):
        if name not in {column for column, _, _ in columns}:
            raise QueryError(f"{where} is stored by {name!r}, which is not among its columns", "name one of them")
    types = {name: type_ for name, type_, _ in columns}
    if inputs and [types[name] for name in partition] != ["DATE"]:
        raise QueryError(f"{where} is built by months of nothing", "name one DATE among its columns as its partition")
    return Header(
        question=_joined(sections["question"]),
        grain=_joined(sections["grain"]),
        notes=_joined(sections.get("notes", [])),
        columns={name: _joined([meaning]) for name, _, meaning in columns},
        types=types,
        tests={name: _joined([sql]) for name, sql in tests},
        partition="".join(partition),
        cluster=listed,
        incremental=inputs,
    )


def _sections(text: str, where: str) -> dict[str, list[str]]:
    sections: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in _comment(text):
        start = _SECTION.fullmatch(line)
        if start:
            current = sections.setdefault(start[1], [])
            current.extend([start[2]] if start[2] else [])
        elif current is not None and (line.startswith("  ") or not line):
            current.append(line)
        else:
            raise QueryError(f"{where}: the header line {line!r} belongs to no section", "indent it by two blanks")
    return sections


def _comment(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if not line.startswith("--"):
            return
        yield line.removeprefix("--").removeprefix(" ").rstrip()


def _entries(lines: list[str]) -> list[str]:
    entries: list[str] = []
    for line in lines:
        if entries and (line.startswith("   ") or not line):
            entries[-1] += "\n" + line.strip()
        elif line:
            entries.append(line.strip())
    return entries


def _match(pattern: re.Pattern[str], entry: str, where: str) -> tuple[str, ...]:
    found = pattern.fullmatch(entry)
    if not found:
        raise QueryError(
            f"{where}: cannot read the header entry {entry!r}",
            "write columns as 'name TYPE: meaning' and tests as 'name: SELECT …'",
        )
    return found.groups()


def _names(lines: list[str]) -> tuple[str, ...]:
    listed = _joined(lines)
    return tuple(re.split(r",\s*", listed)) if listed else ()


def _joined(lines: list[str]) -> str:
    return " ".join(" ".join(lines).split())
