"""GoogleSQL into the warehouse's own SQL.

sqlglot does the spelling; this corrects what it leaves different in DuckDB
(``tests/queries/test_constructs.py`` holds every construct against the reference implementation):

* DATE_TRUNC, DATE_ADD and DATE_SUB of a DATE are a TIMESTAMP in DuckDB
  (https://duckdb.org/docs/stable/sql/functions/date.html) and a DATE in GoogleSQL;
* COUNTIF of nothing, or of NULLs only, is NULL in DuckDB and 0 in GoogleSQL, and a HUGEINT besides;
* DIV(a + 1, 2) is spelled ``a + 1 // 2``, without the brackets it needs;
* NUMERIC without parameters is DECIMAL(18,3) in DuckDB and has nine digits after the point in GoogleSQL.

Sums of integers are a HUGEINT in DuckDB too; the header's types bring them back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Protocol

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from etl.publish.errors import QueryError
from etl.warehouses.base import ROOMS, Room
from schemas.table import DELETED_AT

BUILDING = "__building"
_DATE_RESULTS = (exp.DateTrunc, exp.DateAdd, exp.DateSub)


class TargetDialect(Protocol):
    """The part of a dialect that translation needs."""

    @property
    def sqlglot(self) -> str: ...


class Target(Protocol):
    """The part of a warehouse that translation needs."""

    @property
    def dialect(self) -> TargetDialect: ...

    def namespace(self, room: Room) -> str: ...

    def soft_tables(self) -> frozenset[str]: ...


def translate(
    sql: str,
    target: Target,
    where: str = "the query",
    *,
    building: frozenset[str] = frozenset(),
    renewed: Mapping[str, str] = MappingProxyType({}),
    types: Mapping[str, str] | None = None,
) -> str:
    """One GoogleSQL query in the target's SQL, without its comments.

    ``raw.x`` and ``marts.x`` become the target's own names; marts in ``building`` become their
    tables under construction. Of those in ``renewed`` as well, only the rows are under construction of
    which its condition, in GoogleSQL, is true; the others are read as published. With ``types``
    (column → GoogleSQL type) the result has exactly these columns and types. Raises
    :class:`QueryError`, naming ``where``.
    """
    read = {name for _, name in references(sql, where)}
    namespaces = tuple((room, target.namespace(room)) for room in ROOMS)
    partly = tuple((name, condition) for name, condition in sorted(renewed.items()) if name in read & building)
    return _translated(
        sql,
        _Names(target.dialect.sqlglot, namespaces, building & read, partly, target.soft_tables() & read),
        where,
        tuple(types.items()) if types else (),
    )


@dataclass(frozen=True, slots=True)
class _Names:
    """What a translation depends on beside its text: only the names it reads are kept."""

    language: str
    namespaces: tuple[tuple[Room, str], ...]
    building: frozenset[str]
    renewed: tuple[tuple[str, str], ...]
    soft: frozenset[str]


@lru_cache(maxsize=512)
def _translated(sql: str, names: _Names, where: str, types: tuple[tuple[str, str], ...]) -> str:
    """The translation; kept, because parsing costs more than a small warehouse takes to answer."""
    tree = parsed(sql, where)
    for table in _tables(tree):
        table.replace(_located(table, names, where))
    if names.language == "duckdb":
        _mend_for_duckdb(tree)
    if types:
        tree = _typed(tree, dict(types))
    return tree.sql(dialect=names.language, pretty=True, comments=False)


@cache
def references(sql: str, where: str = "the query") -> frozenset[tuple[str, str]]:
    """Every ``(room, table)`` the query reads; raises :class:`QueryError`."""
    return frozenset((_room(table, where), table.name) for table in _tables(parsed(sql, where)))


def parsed(sql: str, where: str) -> exp.Query:
    """The syntax tree of exactly one GoogleSQL query; raises :class:`QueryError`."""
    try:
        trees = [tree for tree in sqlglot.parse(sql, read="bigquery") if tree is not None]
    except SqlglotError as error:
        reason = str(error).splitlines()[0]
        raise QueryError(f"{where} is not GoogleSQL: {reason}", "correct it there") from error
    if len(trees) != 1 or not isinstance(trees[0], exp.Query):
        raise QueryError(f"{where} is not one SELECT", "write exactly one query, without other statements")
    return trees[0]


def _tables(tree: exp.Query) -> list[exp.Table]:
    """References to stored tables, which are those that no WITH clause defines."""
    defined = {cte.alias for cte in tree.find_all(exp.CTE)}
    return [table for table in tree.find_all(exp.Table) if table.db or table.name not in defined]


def _room(table: exp.Table, where: str) -> Room:
    for room in ROOMS:
        if table.db == room and not table.catalog:
            return room
    written = ".".join(part.name for part in table.parts)
    raise QueryError(f"{where} reads {written!r}", "write raw.<table> or marts.<mart>")


def _located(table: exp.Table, names: _Names, where: str) -> exp.Table | exp.Subquery:
    room, name = _room(table, where), table.name
    renewed = dict(names.renewed).get(name) if room == "marts" else None
    if renewed:
        return _partly(table, names, where, renewed)
    stored = name + BUILDING if room == "marts" and name in names.building else name
    located = exp.to_table(dict(names.namespaces)[room], dialect=names.language)
    namespace = [part.copy() for part in located.parts]
    copy = table.copy()
    copy.set("this", exp.to_identifier(stored, quoted=True))
    copy.set("db", namespace[-1])
    copy.set("catalog", namespace[-2] if len(namespace) > 1 else None)
    if room == "raw" and name in names.soft:
        return _live(copy, table.alias or name)
    if not copy.alias:
        copy.set("alias", exp.TableAlias(this=exp.to_identifier(name)))
    return copy


def _partly(table: exp.Table, names: _Names, where: str, renewed: str) -> exp.Subquery:
    """The rows under construction, and of the published ones those that they do not replace."""
    alias = exp.to_identifier(table.alias or table.name)
    plain = table.copy()
    plain.set("alias", None)
    building, published = (
        exp.select("*").from_(_located(plain, replace(names, building=held, renewed=()), where))
        for held in (names.building, frozenset[str]())
    )
    kept = published.where(f"({renewed}) IS NOT TRUE", dialect="bigquery")
    return exp.union(kept, building, distinct=False).subquery(alias)


def _live(table: exp.Table, alias: str) -> exp.Subquery:
    """The rows that are not marked as deleted, and the columns that the source has."""
    marked = exp.column(DELETED_AT.name, quoted=True)
    table.set("alias", None)
    rows = exp.select(exp.Star(**{"except_": [marked.this]})).from_(table).where(marked.is_(exp.null()))
    return rows.subquery(exp.to_identifier(alias))


def _mend_for_duckdb(tree: exp.Expr) -> None:
    """Spell differently, innermost first, what would mean something else; ``tree`` is changed in place."""
    for date in reversed(list(tree.find_all(*_DATE_RESULTS))):
        date.replace(exp.cast(date.copy(), "DATE"))
    for counted in list(tree.find_all(exp.CountIf)):
        met = exp.Case().when(counted.this.copy(), exp.Literal.number(1))
        counted.replace(exp.Count(this=met))
    for division in reversed(list(tree.find_all(exp.IntDiv))):
        division.this.replace(exp.Paren(this=division.this.copy()))
        division.expression.replace(exp.Paren(this=division.expression.copy()))
    for type_ in list(tree.find_all(exp.DataType)):
        if type_.this == exp.DataType.Type.DECIMAL and not type_.expressions:
            type_.replace(exp.DataType.build("DECIMAL(38, 9)"))


def _typed(tree: exp.Query, types: Mapping[str, str]) -> exp.Query:
    columns = [
        exp.alias_(exp.cast(exp.column(name, quoted=True), exp.DataType.build(type_, dialect="bigquery")), name)
        for name, type_ in types.items()
    ]
    return exp.select(*columns).from_(tree.subquery("mart"))
