"""The queries of a world, in the order in which they can be built.

A query is GoogleSQL in ``queries/<world>/<mart>.sql``. It reads ``raw.<table>`` and
``marts.<mart>``; which mart needs which is found from these references, never declared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType

from etl.publish import translate
from etl.publish.errors import QueryError
from etl.publish.header import Header, parse
from etl.publish.translate import Target


@dataclass(frozen=True, slots=True)
class Query:
    """One mart's query: its GoogleSQL text as it stands in the file, and the header read from it."""

    name: str
    world: str
    text: str
    header: Header

    @property
    def columns(self) -> dict[str, str]:
        """The mart's columns in order, each with its meaning."""
        return self.header.columns

    @property
    def tests(self) -> dict[str, str]:
        """The mart's tests by name: GoogleSQL that must return no rows."""
        return self.header.tests

    @property
    def needs(self) -> frozenset[str]:
        """The marts this query and its tests read; raises :class:`QueryError` if one cannot be parsed."""
        return frozenset(name for room, name in self.reads if room == "marts")

    @property
    def tables(self) -> frozenset[str]:
        """The copied tables this query and its tests read; raises :class:`QueryError` if one cannot be parsed."""
        return frozenset(name for room, name in self.reads if room != "marts")

    @property
    def reads(self) -> frozenset[tuple[str, str]]:
        """Every ``(room, table)`` this query and its tests read; raises :class:`QueryError` if one cannot be parsed.

        That a test reads the mart it tests does not count.
        """
        tested = (translate.references(sql, f"test {name} of {self.where}") for name, sql in self.tests.items())
        read_by_tests = frozenset().union(*tested) - {("marts", self.name)}
        return translate.references(self.text, self.where) | read_by_tests

    @property
    def where(self) -> str:
        """The file, as messages name it."""
        return f"queries/{self.world}/{self.name}.sql"


def load(world: str) -> dict[str, Query]:
    """Every query of ``world``, in building order; raises :class:`QueryError`."""
    folder = files("queries") / world
    if not folder.is_dir():
        known = ", ".join(sorted(worlds())) or "none"
        raise QueryError(f"there are no queries for the world {world!r}", f"the worlds with queries are: {known}")
    found = (read(world, entry.name.removesuffix(".sql"), entry) for entry in _sql_files(folder))
    return ordered(found)


def worlds() -> list[str]:
    """The worlds that have queries."""
    return [entry.name for entry in files("queries").iterdir() if entry.is_dir() and any(_sql_files(entry))]


def read(world: str, name: str, source: Traversable) -> Query:
    """The query in one file; raises :class:`QueryError`."""
    text = source.read_text(encoding="utf-8")
    return Query(name, world, text, parse(text, f"queries/{world}/{name}.sql"))


def ordered(queries: Iterable[Query], published: Iterable[str] = ()) -> dict[str, Query]:
    """The queries, each after those it reads and otherwise by name.

    Marts that are ``published`` may be read without being among them. Raises :class:`QueryError`
    for a cycle or for a mart that no query builds.
    """
    by_name = {query.name: query for query in sorted(queries, key=lambda query: query.name)}
    for query in by_name.values():
        for missing in sorted(query.needs - by_name.keys() - set(published)):
            raise QueryError(f"{query.where} reads marts.{missing}, which no query builds", "correct the name")
    try:
        graph = {name: sorted(query.needs & by_name.keys()) for name, query in by_name.items()}
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        path = " → ".join(reversed(error.args[1]))
        raise QueryError(f"the marts need each other in a circle: {path}", "break the circle") from error
    return {name: by_name[name] for name in order}


def chosen(queries: Mapping[str, Query], names: Iterable[str]) -> dict[str, Query]:
    """The named queries with all they need, in building order; all of them if no name is given.

    Raises :class:`QueryError` for an unknown name.
    """
    wanted: set[str] = set()
    pending = list(names) or list(queries)
    while pending:
        name = pending.pop()
        if name not in queries:
            raise QueryError(f"there is no mart {name!r}", f"the marts are: {', '.join(sorted(queries))}")
        if name not in wanted:
            wanted.add(name)
            pending.extend(queries[name].needs)
    return {name: query for name, query in queries.items() if name in wanted}


def render(
    query: Query,
    warehouse: Target,
    building: frozenset[str] = frozenset(),
    renewed: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """The query in the warehouse's dialect, its columns cast to the types the header names.

    References to marts in ``building`` go to their tables under construction, to those in ``renewed`` in part,
    as :func:`translate.translate` says. Raises :class:`QueryError`.
    """
    return translate.translate(
        query.text, warehouse, query.where, building=building, renewed=renewed, types=query.header.types
    )


def _sql_files(folder: Traversable) -> list[Traversable]:
    return sorted((entry for entry in folder.iterdir() if entry.name.endswith(".sql")), key=lambda entry: entry.name)
