"""Random histories of a database: what its writers do, and the syncs in between, as steps that read like a log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from etl.sync.backfill import Wanted


@dataclass(frozen=True, slots=True)
class Begin:
    """A writer opens a transaction."""

    writer: int


@dataclass(frozen=True, slots=True)
class End:
    """A writer's transaction is committed or rolled back."""

    writer: int
    commit: bool = True


@dataclass(frozen=True, slots=True)
class Write:
    """Statements of one writer."""

    writer: int
    statements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Alone:
    """Statements that take a table to themselves: a new column, a TRUNCATE."""

    statements: tuple[str, ...]


Step = Begin | End | Write | Alone


@dataclass(frozen=True, slots=True)
class Sync:
    """A sync; ``meanwhile`` are steps that happen at its n-th instant, ``crash`` is the instant it is killed at.

    With ``jobs`` over 1, what is loaded whole is loaded by ranges of a few rows.
    """

    reload_share: float = 0.1
    max_delete_share: float = 1
    meanwhile: tuple[tuple[int, Step], ...] = ()
    crash: int | None = None
    full: bool = False
    jobs: int = 1


@dataclass(frozen=True, slots=True)
class Backfill:
    """A backfill of a range, of keys or of all of a table; it is killed at an instant as a sync is."""

    table: str
    wanted: Wanted
    slice_rows: int = 4
    meanwhile: tuple[tuple[int, Step], ...] = ()
    crash: int | None = None


@dataclass(frozen=True, slots=True)
class Chapter:
    """What is done, perhaps a backfill, and the sync that follows."""

    steps: tuple[Step, ...]
    backfill: Backfill | None
    sync: Sync


@dataclass(frozen=True, slots=True)
class History:
    """What happens to one or two of the ``TABLES``; ``mode`` says how they are configured: one of ``WISHES``."""

    tables: tuple[str, ...]
    mode: str
    chapters: tuple[Chapter, ...]


# One of each shape: key and cursor, key of two parts without a cursor, no key, text key with a number as cursor.
TABLES = {
    "items": "CREATE TABLE items (id {int} PRIMARY KEY, name text, amount {decimal}, updated_at {datetime})",
    "plain": "CREATE TABLE plain (a {int} NOT NULL, b text NOT NULL, amount {decimal}, PRIMARY KEY (a, b))",
    "heap": "CREATE TABLE heap (name text, amount {decimal})",
    "docs": "CREATE TABLE docs (code text NOT NULL PRIMARY KEY, name text, amount {decimal}, version {int})",
}
TYPES = {
    "postgresql": {"int": "bigint", "decimal": "numeric(10,2)", "datetime": "timestamp"},
    "sqlite": {"int": "INTEGER", "decimal": "DECIMAL_TEXT(10,2)", "datetime": "DATETIME_TEXT"},
}
WISHES: dict[str, dict[str, dict[str, Any]]] = {
    "plain": {"docs": {"cursor": "version"}},
    "kept": {
        "docs": {"cursor": "version", "deletes": "soft"},
        "items": {"history": True},
        "plain": {"history": True, "deletes": "soft"},
    },
    "touched": {
        "docs": {"cursor": "version", "verify": "touched", "partition": "version", "partition_size": 5},
        "items": {"verify": "touched", "partition": "id", "partition_size": 4},
    },
    "rotated": {
        "docs": {"cursor": "version", "verify": "rotate", "rotate": 3, "partition": "version", "partition_size": 5},
        "items": {"verify": "rotate", "rotate": 3, "partition": "id", "partition_size": 4},
        "plain": {"verify": "rotate", "rotate": 2, "partition": "a", "partition_size": 1},
    },
}
"""What is configured: a cursor that has no usual name; what is kept of the past; and what a sync proves."""

_names = st.sampled_from(["'x'", "'y'", "''", "'é'", "NULL"])
_amounts = st.sampled_from(["'0.00'", "'-1.50'", "'99.99'", "NULL"])
_numbers = st.integers(0, 11)
_codes = st.sampled_from(["a", "A", "á", "a ", "b", ""])
_minutes = st.integers(0, 40)
_writers = st.integers(0, 2)


def created(engine: str, tables: Sequence[str]) -> list[str]:
    """The statements that make the tables, with a dozen rows each."""
    statements = [TABLES[table].format(**TYPES[engine]) for table in tables]
    for i in range(12):
        rows = {
            "items": f"({i}, 'x', '{i}.00', {_instant(i)})",
            "plain": f"({i % 4}, '{i}', '{i}.00')",
            "heap": f"('x', '{i % 4}.00')",
            "docs": f"('{i}', 'x', '{i}.00', {i})",
        }
        statements += [f"INSERT INTO {table} VALUES {rows[table]}" for table in tables]
    return statements


def _instant(minute: int) -> str:
    return f"'2024-01-01 00:{minute:02}:00.000000'"


@st.composite
def _positions(draw: st.DrawFn, table: str) -> str:
    """A cursor value: clocks run backwards, values tie, and some are missing."""
    if draw(st.integers(0, 5)) == 0:
        return "NULL"
    minute = draw(_minutes)
    return str(minute) if table == "docs" else _instant(minute)


@st.composite
def _rows(draw: st.DrawFn, table: str) -> str:
    cells = {"items": [str(draw(_numbers))], "docs": [f"'{draw(_codes)}'"], "heap": []}
    cells["plain"] = [str(draw(st.integers(0, 3))), f"'{draw(_numbers)}'"] if table == "plain" else []
    named = [] if table == "plain" else [draw(_names)]
    cursor = [draw(_positions(table))] if table in ("items", "docs") else []
    return f"({', '.join([*cells[table], *named, draw(_amounts), *cursor])})"


_COLUMNS = {
    "items": "id, name, amount, updated_at",
    "plain": "a, b, amount",
    "heap": "name, amount",
    "docs": "code, name, amount, version",
}
_KEYS = {"items": "id", "plain": "a", "heap": "name", "docs": "code"}


@st.composite
def _inserted(draw: st.DrawFn, table: str) -> str:
    rows = draw(st.lists(_rows(table), min_size=1, max_size=4))
    known = "" if table == "heap" else " ON CONFLICT DO NOTHING"
    return f"INSERT INTO {table} ({_COLUMNS[table]}) VALUES {', '.join(rows)}{known}"


@st.composite
def _where(draw: st.DrawFn, table: str) -> str:
    if table in ("items", "plain"):
        low = draw(_numbers)
        return f"{_KEYS[table]} BETWEEN {low} AND {low + draw(st.integers(0, 3))}"
    if table == "docs":
        return f"code IN ('{draw(_codes)}', '{draw(_numbers)}')"
    return f"amount = {draw(_amounts)} OR name = {draw(_names)}"


@st.composite
def _updated(draw: st.DrawFn, table: str) -> str:
    """Cells change; the cursor with them, or forgotten."""
    sets = [f"amount = {draw(_amounts)}"]
    if table != "plain" and draw(st.booleans()):
        sets.append(f"name = {draw(_names)}")
    cursor = {"items": "updated_at", "docs": "version"}.get(table)
    if cursor and draw(st.booleans()):
        sets.append(f"{cursor} = {draw(_positions(table))}")
    return f"UPDATE {table} SET {', '.join(sets)} WHERE {draw(_where(table))}"


@st.composite
def _rekeyed(draw: st.DrawFn, table: str) -> str:
    value = {"items": "id + 100", "plain": "a + 1", "heap": "name || '!'", "docs": "code || '!'"}[table]
    return f"UPDATE {table} SET {_KEYS[table]} = {value} WHERE {draw(_where(table))}"


@st.composite
def _deleted(draw: st.DrawFn, table: str) -> str:
    return f"DELETE FROM {table} WHERE {draw(_where(table))}"


@st.composite
def _written(draw: st.DrawFn, table: str) -> tuple[str, ...]:
    kind = draw(st.sampled_from(["insert", "update", "update", "delete", "rekey", "delete and reinsert"]))
    if kind == "delete and reinsert":
        return draw(_deleted(table)), draw(_inserted(table))
    drawn = {"insert": _inserted, "update": _updated, "delete": _deleted, "rekey": _rekeyed}[kind]
    return (draw(drawn(table)),)


def _altered(table: str, engine: str) -> st.SearchStrategy[str]:
    changes = [
        "ADD COLUMN extra text",
        "ADD COLUMN extra text DEFAULT 'd'",
        "ADD COLUMN extra integer DEFAULT 7",
        "DROP COLUMN extra",
        "DROP COLUMN amount",
        "RENAME COLUMN name TO title",
        "RENAME COLUMN title TO name",
    ]
    if engine == "postgresql":
        changes += [
            "ALTER COLUMN amount TYPE numeric(14,4)",
            "ALTER COLUMN amount TYPE numeric(10,1)",
            "ALTER COLUMN extra TYPE varchar(40)",
        ]
    return st.sampled_from(changes).map(lambda change: f"ALTER TABLE {table} {change}")


_OTHER_KEYS = {
    "items": ("id", "id, updated_at", ""),
    "plain": ("a, b", "b, a", ""),
    "docs": ("code", ""),
    "heap": ("",),
}


@st.composite
def _with_other_key(draw: st.DrawFn, table: str, engine: str) -> tuple[str, ...]:
    """The table made anew with another key, and its rows put into it; refused where they do not fit."""
    key = draw(st.sampled_from(_OTHER_KEYS[table]))
    held = TABLES[table].format(**TYPES[engine]).replace(", PRIMARY KEY (a, b)", "").replace(" PRIMARY KEY", "")
    made = f"{held.removesuffix(')')}, PRIMARY KEY ({key}))" if key else held
    names = _COLUMNS[table]
    return (
        f"ALTER TABLE {table} RENAME TO before",
        made,
        f"INSERT INTO {table} ({names}) SELECT {names} FROM before",
        "DROP TABLE before",
    )


@st.composite
def steps(draw: st.DrawFn, engine: str, tables: Sequence[str], mode: str) -> Step:
    """One thing that a writer does."""
    kinds = [*["write"] * 10, "begin", "begin", "commit", "commit", "rollback", "alter", "refill"]
    # Elsewhere a table without a key is refused, as it should be.
    kind = draw(st.sampled_from([*kinds, "key"] if mode == "plain" else kinds))
    table = draw(st.sampled_from(tables))
    if kind == "alter":
        return Alone((draw(_altered(table, engine)),))
    if kind == "key":
        return Alone(draw(_with_other_key(table, engine)))
    if kind == "refill":
        return Alone((f"TRUNCATE {table}", *draw(st.lists(_inserted(table), max_size=3))))
    writer = draw(_writers)
    if kind == "begin":
        return Begin(writer)
    if kind in ("commit", "rollback"):
        return End(writer, kind == "commit")
    return Write(writer, draw(_written(table)))


_instants = st.integers(1, 30)
_AXES = {"items": ("id", "updated_at"), "plain": ("a",), "docs": ("version",), "heap": ()}
_KEYED = {
    "items": _numbers.map(str),
    "docs": _codes,
    "plain": st.tuples(st.integers(0, 3), _numbers).map("{0[0]},{0[1]}".format),
}


@st.composite
def _crash(draw: st.DrawFn) -> int | None:
    return draw(_instants) if draw(st.integers(0, 5)) == 5 else None


@st.composite
def _meanwhile(draw: st.DrawFn, step: st.SearchStrategy[Step]) -> tuple[tuple[int, Step], ...]:
    return tuple(draw(st.lists(st.tuples(_instants, step), max_size=3)))


@st.composite
def _wanted(draw: st.DrawFn, table: str) -> Wanted:
    kind = draw(st.sampled_from(["all", "range", "keys"]))
    if kind == "keys" and table in _KEYED:
        return Wanted(keys=tuple(draw(st.lists(_KEYED[table], min_size=1, max_size=2))))
    if kind == "range" and _AXES[table]:
        column = draw(st.sampled_from(_AXES[table]))
        if column == "updated_at":
            return Wanted(column, "2024-01-01", draw(st.sampled_from(["2024-01-01", "2024-02-01"])))
        low = draw(st.integers(0, 40))
        return Wanted(column, str(low), draw(st.one_of(st.none(), st.integers(low, 60).map(str))))
    return Wanted()


@st.composite
def _chapters(draw: st.DrawFn, engine: str, tables: Sequence[str], mode: str) -> Chapter:
    """Some steps and a sync, which one in six does not survive, and one in four times a backfill before it."""
    step = steps(engine, tables, mode)
    sync = Sync(
        reload_share=draw(st.sampled_from([0.1, 0.5, 1.0])),
        max_delete_share=draw(st.sampled_from([0.3, 1.0])),
        meanwhile=draw(_meanwhile(step)),
        crash=draw(_crash()),
        full=draw(st.integers(0, 5)) == 5,
        jobs=draw(st.sampled_from([1, 1, 2])),
    )
    backfill = None
    if draw(st.integers(0, 3)) == 3:
        table = draw(st.sampled_from(tables))
        backfill = Backfill(table, draw(_wanted(table)), 4, draw(_meanwhile(step)), draw(_crash()))
    return Chapter(tuple(draw(st.lists(step, max_size=14))), backfill, sync)


@st.composite
def histories(draw: st.DrawFn, engine: str, chapters: int = 3) -> History:
    """One to so many ``chapters`` of one or two tables."""
    tables = draw(st.sampled_from([("items",), ("plain",), ("heap",), ("docs",), ("items", "plain"), ("docs", "heap")]))
    mode = draw(st.sampled_from(sorted(WISHES)))
    return History(tables, mode, tuple(draw(st.lists(_chapters(engine, tables, mode), min_size=1, max_size=chapters))))
