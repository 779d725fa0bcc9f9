"""Quality queries: what breaks a rule, asked inside the source itself, before anything is copied.

A query is GoogleSQL in ``queries/<world>/quality/<name>.sql`` over ``raw.<table>``, which here is the
source's own table; it returns one row, ``rule, row_key``, for every row that breaks a rule. One canonical
text each: sqlglot spells it for SQL Server, PostgreSQL and SQLite.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from sqlglot import exp

from etl.dialects.base import Dialect
from etl.publish.errors import QueryError
from etl.publish.queries import Query, read
from etl.publish.translate import parsed
from etl.sources.base import Snapshot

FOLDER = "quality"
SHOWN = 5
"""How many keys of a broken rule are told."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule of a query, how many rows break it, and the keys of the first of them."""

    query: str
    rule: str
    rows: int
    keys: tuple[str, ...]


def load(world: str) -> dict[str, Query]:
    """The world's quality queries by name; raises :class:`QueryError` where it has none."""
    folder = files("queries") / world / FOLDER
    if not folder.is_dir():
        raise QueryError(f"there are no quality queries for the world {world!r}", f"write some into {folder}")
    names = sorted(entry.name.removesuffix(".sql") for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return {name: read(world, name, folder / f"{name}.sql") for name in names}


def chosen(queries: Mapping[str, Query], names: Sequence[str]) -> list[Query]:
    """The named queries, or all; raises :class:`QueryError` for an unknown name."""
    for name in names:
        if name not in queries:
            raise QueryError(f"there is no quality query {name!r}", f"they are: {', '.join(queries)}")
    return [query for name, query in queries.items() if not names or name in names]


def broken(snapshot: Snapshot, query: Query) -> Iterator[Broken]:
    """The rules of a query that rows of the source break, worst first.

    Raises :class:`QueryError` for a table the source does not have, and ``SourceError``.
    """
    tables = {table.name: table for table in snapshot.tables()}
    for name in sorted(query.tables - tables.keys()):
        raise QueryError(f"{_where(query)} reads {name}, which the source does not have", "is it of another world?")
    relations = {name: snapshot.relation(tables[name]) for name in query.tables}
    counted = snapshot.query(counts(query, snapshot.dialect, relations)).to_pylist()
    for row in sorted(counted, key=lambda row: (-int(row["broken"]), row["rule"])):
        keys = snapshot.query(first(query, snapshot.dialect, relations, row["rule"]))["row_key"].to_pylist()
        yield Broken(query.name, row["rule"], int(row["broken"]), tuple(map(str, keys)))


def counts(query: Query, dialect: Dialect, relations: Mapping[str, str]) -> str:
    """SQL for how many rows break each rule; rules that none breaks are left out."""
    rows = exp.Count(this=exp.Star(), big_int=True)
    rules = exp.select("rule", exp.alias_(rows, "broken")).from_(_located(query, dialect, relations)).group_by("rule")
    return _spelled(rules, dialect)


def first(query: Query, dialect: Dialect, relations: Mapping[str, str], rule: str) -> str:
    """SQL for the keys of the first rows that break a rule."""
    keys = exp.select("row_key").from_(_located(query, dialect, relations)).where(exp.column("rule").eq(rule))
    return _spelled(keys.order_by("row_key").limit(SHOWN), dialect)


def _spelled(tree: exp.Select, dialect: Dialect) -> str:
    """The dialect's text, with every name quoted: a column may be called ``plan``, which is a word of SQL Server's."""
    if dialect.sqlglot == "tsql":
        # SQL Server has no DATE(); SQLite, on the other hand, casts to a number.
        for day in list(tree.find_all(exp.Date, exp.TsOrDsToDate)):
            day.replace(exp.cast(day.this.copy(), "DATE"))
    return tree.sql(dialect=dialect.sqlglot, identify=True, comments=False)


def _located(query: Query, dialect: Dialect, relations: Mapping[str, str]) -> exp.Subquery:
    """The query over the source's own tables, whose names go in as they are quoted there."""
    tree = parsed(query.text, _where(query))
    for table in [table for table in tree.find_all(exp.Table) if table.db == "raw"]:
        located = exp.to_table(relations[table.name], dialect=dialect.sqlglot)
        located.set("alias", exp.TableAlias(this=exp.to_identifier(table.alias_or_name)))
        table.replace(located)
    return tree.subquery("etl_broken")


def statements(snapshot: Snapshot, queries: Sequence[Query]) -> Iterator[str]:
    """The SQL that the source is asked, one statement a query."""
    relations = {table.name: snapshot.relation(table) for table in snapshot.tables()}
    for query in queries:
        yield counts(query, snapshot.dialect, relations)


def _where(query: Query) -> str:
    return f"queries/{query.world}/{FOLDER}/{query.name}.sql"
