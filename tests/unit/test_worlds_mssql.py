"""What can be proven of the SQL Server writer without a server.

Proven: the DDL is T-SQL by sqlglot's parser, with reserved words in brackets; and what bulk copy is
given, in which order and what is undone, against a connection that only takes notes, as no server
that takes a bulk copy can run here. The rest is in ``tests/contract/test_worlds_mssql_server.py``.
"""

from __future__ import annotations

import inspect
import logging
import re
from collections import Counter
from typing import Any

import pytest
import sqlglot

from generators import worlds
from generators.errors import FailedRunError, GeneratorError
from generators.worlds import WORLDS
from generators.writers import ddl, mssql
from generators.writers.mssql_tables import dialect, with_cursors

mssql_python = pytest.importorskip("mssql_python", reason="needs the extra mssql")

URL = "mssql://me:secret@db.example:1444/shop"


class Panic(BaseException):
    """As the driver's core in Rust raises it: no ``Exception``."""


class Notes:
    """A connection, and its cursor, that takes notes of what it is told and counts what it is given."""

    def __init__(self, *, tables: tuple[str, ...] = (), refuses: BaseException | None = None, lost: int = 0) -> None:
        self.tables, self.refuses, self.lost = tables, refuses, lost
        self.said: list[str] = []
        self.rows: Counter[str] = Counter()
        self.answer: list[tuple[Any, ...]] = []

    def cursor(self) -> Notes:
        return self

    def close(self) -> None:
        self.said.append("close")

    def execute(self, statement: str) -> Notes:
        self.said.append(statement)
        if statement.startswith("SELECT COUNT"):
            self.answer = [(self.rows[statement.rpartition("[")[2].rstrip("]")] - self.lost,)]
        elif "sys.tables" in statement:
            self.answer = [(table,) for table in self.tables]
        else:
            self.answer = [(None,)]
        return self

    def setinputsizes(self, sizes: list[tuple[int, int, int]]) -> None:
        assert all(len(size) == 3 for size in sizes)

    def executemany(self, statement: str, rows: list[tuple[Any, ...]]) -> None:
        self.said.append(statement)
        assert {len(row) for row in rows} == {statement.count("?")}
        self.rows[statement.split()[2].strip("[]")] += len(rows)

    def fetchone(self) -> tuple[Any, ...]:
        return self.answer[0]

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self.answer

    def bulkcopy_arrow(self, table: str, batch: Any, **options: Any) -> None:
        if self.refuses is not None:
            raise self.refuses
        inspect.signature(mssql_python.Cursor.bulkcopy_arrow).bind(None, table, batch, **options)
        assert (options["timeout"], options["batch_size"]) == (0, batch.num_rows)
        assert options["column_mappings"] == batch.schema.names
        self.said.append(f"BULK {table}")
        self.rows[table.strip("[]")] += batch.num_rows


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Any:
    def connected(notes: Notes) -> Notes:
        monkeypatch.setattr(mssql, "connect", lambda _: notes)
        return notes

    return connected


def course(notes: Notes) -> list[str]:
    """The kinds of statements in their order, each run of one kind once."""
    kinds = [statement.split()[0] for statement in notes.said]
    return [kind for kind, before in zip(kinds, [None, *kinds], strict=False) if kind != before]


@pytest.mark.parametrize("name", list(WORLDS))
def test_all_ddl_is_tsql(name: str) -> None:
    with_them, spelled = with_cursors(WORLDS[name].metadata), dialect()
    made = [*ddl.bare_tables(with_them, spelled), *ddl.constraints(with_them, spelled)]
    for statement in [*made, *ddl.comments(with_them, spelled), *ddl.drops(with_them, spelled)]:
        tree = sqlglot.parse_one(statement, read="tsql")
        assert not isinstance(tree, sqlglot.exp.Command), statement
    creates = [statement for statement in made if statement.startswith("CREATE TABLE")]
    assert len(creates) == len(WORLDS[name].metadata.tables)
    assert all("row_version ROWVERSION NOT NULL" in create and "updated_at" in create for create in creates)
    foreign = sum(len(table.foreign_keys) for table in WORLDS[name].metadata.tables.values())
    assert sum("FOREIGN KEY" in statement for statement in made) == foreign


def test_a_column_that_is_a_reserved_word_is_in_brackets_everywhere() -> None:
    """sqlglot reads ``plan IN ('Free')``; servers do not."""
    with_them, spelled = with_cursors(WORLDS["churn"].metadata), dialect()
    text = "\n".join([*ddl.bare_tables(with_them, spelled), *ddl.constraints(with_them, spelled)])
    unquoted = re.sub(r"'[^']*'|\[[^\]]*\]|ck_\w+", "", text).lower()
    assert "[plan] IN (" in text
    assert not re.search(r"\bplan\b", unquoted)


@pytest.mark.parametrize("refuses", [None, RuntimeError("not\nhere"), Panic("dest is out of bounds")])
def test_tables_then_rows_then_constraints(
    wire: Any, refuses: BaseException | None, caplog: pytest.LogCaptureFixture
) -> None:
    notes = wire(Notes(refuses=refuses))
    with caplog.at_level(logging.WARNING):
        rows = worlds.generate("churn", URL, customers=40)
    assert dict(notes.rows) == rows
    how = "BULK" if refuses is None else "INSERT"
    said = [kind for kind in course(notes) if kind in {"DROP", "CREATE", how, "ALTER", "execute", "SELECT", "close"}]
    order = [kind for kind, before in zip(said, [None, *said], strict=False) if kind != before]
    first = order.index("DROP")
    assert order[first : first + 4] == ["DROP", "CREATE", how, "ALTER"]
    assert order[-2:] == ["SELECT", "close"]  # counts after everything else
    loaded = re.findall(rf"^{how}(?: INTO)? \[(\w+)\]", "\n".join(notes.said), re.MULTILINE)
    assert loaded[0] == "customers"  # parents before children
    assert any("sp_addextendedproperty" in statement for statement in notes.said)
    assert ("no bulk copy" in caplog.text) is (refuses is not None)


def test_a_load_that_is_interrupted_is_not_inserted_instead(wire: Any) -> None:
    notes = wire(Notes(refuses=KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        worlds.generate("churn", URL, customers=4)
    assert not any(statement.startswith("INSERT") for statement in notes.said)
    assert course(notes)[-5:] == ["close", "BEGIN", "DROP", "COMMIT", "close"]


def test_a_filled_database_is_refused_unless_replaced(wire: Any) -> None:
    notes = wire(Notes(tables=("billing", "mine")))
    with pytest.raises(GeneratorError, match="already has the tables billing") as caught:
        worlds.generate("churn", URL, customers=4)
    assert "secret" not in str(caught.value)
    assert [statement for statement in notes.said if "TABLE" in statement] == []
    worlds.generate("churn", URL, customers=4, replace=True)
    assert not any("mine" in statement for statement in notes.said)


def test_a_count_that_is_short_is_a_message_and_undone(wire: Any) -> None:
    notes = wire(Notes(lost=1))
    with pytest.raises(FailedRunError, match="after loading"):
        worlds.generate("churn", URL, customers=4)
    assert [statement.split()[0] for statement in notes.said[-6:]] == ["DROP"] * 4 + ["COMMIT", "close"]
