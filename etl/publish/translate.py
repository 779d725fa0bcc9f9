"""GoogleSQL into the warehouse's own SQL.

sqlglot does the spelling; this corrects what it leaves different in DuckDB
(``tests/queries/test_constructs.py`` holds every construct against the reference implementation):

* DATE_TRUNC, DATE_ADD and DATE_SUB of a DATE are a TIMESTAMP in DuckDB
  (https://duckdb.org/docs/stable/sql/functions/date.html) and a DATE in GoogleSQL;
* COUNTIF is a HUGEINT in DuckDB and an INT64 in GoogleSQL;
* NUMERIC without parameters is DECIMAL(18,3) in DuckDB and has nine digits after the point in GoogleSQL.

Sums of integers are a HUGEINT in DuckDB too; the header's types bring them back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol, get_args

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from etl.publish.errors import QueryError

Room = Literal["raw", "marts", "etl"]
ROOMS: tuple[str, ...] = get_args(Room)
BUILDING = "__building"
_DATE_RESULTS = (exp.DateTrunc, exp.DateAdd, exp.DateSub)


class TargetDialect(Protocol):
    """The part of a dialect that publishing needs."""

    name: str
    sqlglot: str


class Target(Protocol):
    """The part of a warehouse that translation needs."""

    @property
    def dialect(self) -> TargetDialect: ...

    def namespace(self, room: Room) -> str: ...


def translate(
    sql: str,
    target: Target,
    where: str = "the query",
    *,
    building: frozenset[str] = frozenset(),
    types: Mapping[str, str] | None = None,
) -> str:
    """One GoogleSQL query in the target's SQL, without its comments.

    ``raw.x`` and ``marts.x`` become the target's own names; marts in ``building`` become their
    tables under construction. With ``types`` (column → GoogleSQL type) the result has exactly
    these columns and types. Raises :class:`QueryError`, naming ``where``.
    """
    tree = parsed(sql, where)
    for table in _tables(tree):
        table.replace(_located(table, target, building, where))
    if target.dialect.sqlglot == "duckdb":
        tree = tree.transform(_duckdb)
    if types:
        tree = _typed(tree, types, target)
    return tree.sql(dialect=target.dialect.sqlglot, pretty=True, comments=False)


def references(sql: str, where: str = "the query") -> frozenset[tuple[str, str]]:
    """Every ``(room, table)`` the query reads; raises :class:`QueryError`."""
    return frozenset((_room(table, where), table.name) for table in _tables(parsed(sql, where)))


def parsed(sql: str, where: str) -> exp.Expression:
    """The syntax tree of exactly one GoogleSQL query; raises :class:`QueryError`."""
    try:
        trees = [tree for tree in sqlglot.parse(sql, read="bigquery") if tree is not None]
    except SqlglotError as error:
        reason = str(error).splitlines()[0]
        raise QueryError(f"{where} is not GoogleSQL: {reason}", "correct it there") from error
    if len(trees) != 1 or not isinstance(trees[0], exp.Query):
        raise QueryError(f"{where} is not one SELECT", "write exactly one query, without other statements")
    return trees[0]


def _tables(tree: exp.Expression) -> list[exp.Table]:
    """References to stored tables, which are those that no WITH clause defines."""
    defined = {cte.alias for cte in tree.find_all(exp.CTE)}
    return [table for table in tree.find_all(exp.Table) if table.db or table.name not in defined]


def _room(table: exp.Table, where: str) -> str:
    if table.db not in ROOMS or table.catalog:
        written = ".".join(part.name for part in table.parts)
        raise QueryError(f"{where} reads {written!r}", "write raw.<table> or marts.<mart>")
    return str(table.db)


def _located(table: exp.Table, target: Target, building: frozenset[str], where: str) -> exp.Table:
    room, name = _room(table, where), table.name
    stored = name + BUILDING if room == "marts" and name in building else name
    located = exp.to_table(target.namespace(room), dialect=target.dialect.sqlglot)  # type: ignore[arg-type]
    namespace = [part.copy() for part in located.parts]
    copy = table.copy()
    copy.set("this", exp.to_identifier(stored, quoted=True))
    copy.set("db", namespace[-1])
    copy.set("catalog", namespace[-2] if len(namespace) > 1 else None)
    if not copy.alias:
        copy.set("alias", exp.TableAlias(this=exp.to_identifier(name)))
    return copy


def _duckdb(node: exp.Expression) -> exp.Expression:
    if isinstance(node, _DATE_RESULTS):
        return node if isinstance(node.parent, exp.Cast) else exp.cast(node, "DATE")
    if isinstance(node, exp.CountIf):
        return node if isinstance(node.parent, exp.Cast) else exp.cast(node, "BIGINT")
    if isinstance(node, exp.DataType) and node.this == exp.DataType.Type.DECIMAL and not node.expressions:
        return exp.DataType.build("DECIMAL(38, 9)")
    return node


def _typed(tree: exp.Expression, types: Mapping[str, str], target: Target) -> exp.Expression:
    columns = [
        exp.alias_(exp.cast(exp.column(name, quoted=True), exp.DataType.build(type_, dialect="bigquery")), name)
        for name, type_ in types.items()
    ]
    assert isinstance(tree, exp.Query)
    return exp.select(*columns).from_(tree.subquery("mart"))
