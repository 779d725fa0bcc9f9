"""The DDL of a world on a server: bare tables first, and what slows loading after the rows are there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Dialect, ForeignKeyConstraint, MetaData, PrimaryKeyConstraint, Table
from sqlalchemy.schema import AddConstraint, CreateIndex, SetColumnComment, SetTableComment


def quoted(dialect: Dialect, name: str) -> str:
    """``name`` as an identifier."""
    return dialect.identifier_preparer.quote_identifier(name)


def bare_tables(metadata: MetaData, dialect: Dialect) -> Iterator[str]:
    """CREATE TABLE for every table, parents first, with columns only."""
    compiler: Any = dialect.ddl_compiler(dialect, None)  # type: ignore[arg-type]
    for table in metadata.sorted_tables:
        columns = ", ".join(compiler.get_column_specification(column) for column in table.columns)
        yield f"CREATE TABLE {quoted(dialect, table.name)} ({columns})"


def constraints(metadata: MetaData, dialect: Dialect) -> Iterator[str]:
    """Keys, checks and unique constraints of all tables, then foreign keys, then indexes."""
    tables = metadata.sorted_tables
    for foreign in (False, True):
        for table in tables:
            yield from (_text(AddConstraint(c, isolate_from_table=False), dialect) for c in _of(table, foreign=foreign))
    for table in tables:
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            yield _text(CreateIndex(index), dialect)


def comments(metadata: MetaData, dialect: Dialect) -> Iterator[str]:
    """What tables and columns mean, into the engine's catalog."""
    for table in metadata.sorted_tables:
        if table.comment:
            yield _text(SetTableComment(table), dialect)
        for column in table.columns:
            if column.comment:
                yield _text(SetColumnComment(column), dialect)


def drops(metadata: MetaData, dialect: Dialect) -> Iterator[str]:
    """DROP TABLE for every table that is there, children first."""
    for table in reversed(metadata.sorted_tables):
        yield f"DROP TABLE IF EXISTS {quoted(dialect, table.name)}"


def _of(table: Table, *, foreign: bool) -> list[Any]:
    """The constraints of ``table`` that have columns or a condition, primary key first and then by name."""
    chosen = [c for c in table.constraints if isinstance(c, ForeignKeyConstraint) == foreign and _says_anything(c)]
    return sorted(chosen, key=lambda c: (not isinstance(c, PrimaryKeyConstraint), str(c.name)))


def _says_anything(constraint: Any) -> bool:
    return not isinstance(constraint, PrimaryKeyConstraint) or bool(constraint.columns)


def _text(element: Any, dialect: Dialect) -> str:
    return str(element.compile(dialect=dialect)).strip()
