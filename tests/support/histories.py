"""Random histories of a database: what its writers do, and the syncs in between, as steps that read like a log."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st


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
    """A sync; ``meanwhile`` are steps that happen at its n-th instant, ``crash`` is the instant it is killed at."""

    reload_share: float = 0.1
    max_delete_share: float = 1
    meanwhile: tuple[tuple[int, Step], ...] = ()
    crash: int | None = None


@dataclass(frozen=True, slots=True)
class Chapter:
    """What is done, and the sync that follows."""

    steps: tuple[Step, ...]
    sync: Sync


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
WISHES: dict[bool, dict[str, dict[str, object]]] = {
    False: {"docs": {"cursor": "version"}},
    True: {"docs": {"cursor": "version", "deletes": "soft"}, "items": {"history": True}},
}
"""What is configured: a cursor that has no usual name, and in some histories what is kept of the past."""

_names = st.sampled_from(["'x'", "'y'", "''", "'é'", "NULL"])
_amounts = st.sampled_from(["'0.00'", "'-1.50'", "'99.99'", "NULL"])
_numbers = st.integers(0, 11)
_codes = st.sampled_from(["a", "A", "á", "a ", "b", ""])
_minutes = st.integers(0, 40)
_writers = st.integers(0, 2)


def created(engine: str) -> list[str]:
    """The statements that make the tables, with a dozen rows each."""
    statements = [ddl.format(**TYPES[engine]) for ddl in TABLES.values()]
    for i in range(12):
        statements += [
            f"INSERT INTO items VALUES ({i}, 'x', '{i}.00', {_instant(i)})",
            f"INSERT INTO plain VALUES ({i % 4}, '{i}', '{i}.00')",
            f"INSERT INTO heap VALUES ('x', '{i % 4}.00')",
            f"INSERT INTO docs VALUES ('{i}', 'x', '{i}.00', {i})",
        ]
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


@st.composite
def steps(draw: st.DrawFn, engine: str) -> Step:
    """One thing that a writer does."""
    kind = draw(st.sampled_from([*["write"] * 10, "begin", "begin", "commit", "commit", "rollback", "alter", "refill"]))
    table = draw(st.sampled_from(sorted(TABLES)))
    if kind == "alter":
        return Alone((draw(_altered(table, engine)),))
    if kind == "refill":
        return Alone((f"TRUNCATE {table}", *draw(st.lists(_inserted(table), max_size=3))))
    writer = draw(_writers)
    if kind == "begin":
        return Begin(writer)
    if kind in ("commit", "rollback"):
        return End(writer, kind == "commit")
    return Write(writer, draw(_written(table)))


@st.composite
def chapters(draw: st.DrawFn, engine: str) -> Chapter:
    """Some steps and a sync, which one in six does not survive."""
    instants = st.integers(1, 30)
    sync = Sync(
        reload_share=draw(st.sampled_from([0.1, 0.5, 1.0])),
        max_delete_share=draw(st.sampled_from([0.3, 1.0])),
        meanwhile=tuple(draw(st.lists(st.tuples(instants, steps(engine)), max_size=3))),
        crash=draw(instants) if draw(st.integers(0, 5)) == 5 else None,
    )
    return Chapter(tuple(draw(st.lists(steps(engine), max_size=14))), sync)
