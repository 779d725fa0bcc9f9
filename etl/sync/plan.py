"""What a table is, after the user's wishes, and in which order tables are taken."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from graphlib import CycleError, TopologicalSorter

from etl.config import TableConfig
from etl.errors import ConfigError
from etl.warehouses.base import RANGE_STAGING, STAGING
from schemas.table import DELETED_AT, FULL, VALID_FROM, VALID_TO, Column, Cursor, CursorKind, Table
from schemas.types import Kind, parse


def configured(tables: Iterable[Table], wishes: Mapping[str, TableConfig]) -> tuple[Table, ...]:
    """The source's tables with the configuration applied, children before the parents they refer to.

    Raises ``ConfigError`` for a wish about a table or column that the source does not have, and for
    a table whose name the warehouse cannot give it.
    """
    tables = tuple(tables)
    found = {table.target: table for table in tables}
    for name in wishes:
        if name not in found:
            raise ConfigError(f"[tables.{name}]: the source has no table {name}", _suggest(name, found))
    kept = {
        name: _with_wishes(table, wishes.get(name, TableConfig()))
        for name, table in found.items()
        if not wishes.get(name, TableConfig()).exclude
    }
    _refuse_names([table for table in tables if table.target in kept])
    return tuple(kept[name] for name in _children_first(kept))


def _refuse_names(tables: Sequence[Table]) -> None:
    """Names that begin like staging, which is dropped, and those of which a warehouse holds two to be the same."""
    seen: dict[str, Table] = {}
    for table in tables:
        name, folded = table.target, table.target.casefold()
        remedy = f"rename it in the source, or leave it out: [tables.{json.dumps(name, ensure_ascii=False)}] exclude"
        if folded.startswith((STAGING, RANGE_STAGING)):
            raise ConfigError(f"the source has a table {name}, which is what staging tables are called", remedy)
        if folded in seen:
            other = seen[folded].target
            raise ConfigError(f"the source has two tables that are {name} in the warehouse ({other} too)", remedy)
        seen[folded] = table


def chosen(tables: Sequence[Table], names: Sequence[str]) -> tuple[Table, ...]:
    """The tables called ``names``, or all; raises ``ConfigError`` for an unknown one."""
    known = {table.target: table for table in tables}
    for name in names:
        if name not in known:
            raise ConfigError(f"the source has no table {name}", _suggest(name, known))
    return tuple(table for table in tables if not names or table.target in names)


def _suggest(name: str, known: Mapping[str, Table]) -> str:
    close = get_close_matches(name, known, 1)
    return f"did you mean {close[0]}?" if close else f"it has: {', '.join(sorted(known)) or 'no table at all'}"


def _with_wishes(table: Table, wish: TableConfig) -> Table:
    for name in (*wish.columns, *(wish.key or ()), *((wish.partition,) if wish.partition else ())):
        _require(table, name)
    columns = tuple(
        replace(column, type=parse(wish.columns[column.name]), refused="") if column.name in wish.columns else column
        for column in table.columns
    )
    table = replace(table, columns=columns, key=table.key if wish.key is None else wish.key)
    table = _keeping(table, wish)
    if wish.cursor is None:
        return table
    return replace(table, cursor=FULL if wish.cursor == "full" else _cursor(table, wish.cursor))


def _keeping(table: Table, wish: TableConfig) -> Table:
    """The table with what is to be kept of it; raises ``ConfigError`` where that cannot be."""
    soft, place = wish.deletes == "soft", f"[tables.{table.target}]"
    for wanted, text, columns in (
        (soft, 'deletes = "soft"', (DELETED_AT,)),
        (wish.history, "history = true", (VALID_FROM, VALID_TO)),
    ):
        if wanted and not table.key:
            raise ConfigError(f"{place} {text}: the table has no key by which a row is known again", "name one: key")
        taken = {column.name for column in columns} & {column.name.lower() for column in table.columns}
        if wanted and taken:
            raise ConfigError(f"{place} {text}: the source has a column {min(taken)} of its own", "leave it out")
    return replace(table, soft=soft, history=wish.history)


def _cursor(table: Table, name: str) -> Cursor:
    for found in (table.cursor, *table.cursors):
        if name == found.column or name == found.kind != CursorKind.UPDATED_AT:
            return found
    if name in (CursorKind.ROWVERSION, CursorKind.CHANGE_TRACKING):
        raise ConfigError(
            f"[tables.{table.target}] cursor = {name!r}: the source offers none for this table",
            "leave it out for the best there is, or see: etl doctor",
        )
    column = _require(table, name)
    if column.type.kind not in (Kind.DATETIME, Kind.TIMESTAMP, Kind.INT):
        raise ConfigError(
            f"[tables.{table.target}] cursor = {name!r}: a {column.type} cannot tell when a row changed",
            "name a date-time or integer column that grows with every change, or full",
        )
    return Cursor(CursorKind.UPDATED_AT, name)


def _require(table: Table, name: str) -> Column:
    try:
        return table.column(name)
    except KeyError:
        known = ", ".join(column.name for column in table.columns)
        raise ConfigError(f"[tables.{table.target}]: there is no column {name}", f"its columns are {known}") from None


def _children_first(tables: Mapping[str, Table]) -> list[str]:
    """Reverse foreign-key order; a cycle is cut at its alphabetically first table."""
    parents = {name: (set(table.references) & set(tables)) - {name} for name, table in tables.items()}
    while True:
        sorter = TopologicalSorter({name: sorted(parents[name]) for name in sorted(parents)})
        try:
            return list(reversed(list(sorter.static_order())))
        except CycleError as error:
            cut = min(error.args[1])
            parents[cut] -= set(error.args[1])
