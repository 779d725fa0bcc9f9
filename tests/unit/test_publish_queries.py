"""Finding a world's queries and the order in which they can be built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from etl.publish.errors import QueryError
from etl.publish.queries import Query, chosen, load, ordered, read, worlds

HEADER = "-- question: q\n-- grain: g\n-- columns:\n--   n INT64: a number\n"


@pytest.fixture
def query(tmp_path: Path) -> Callable[..., Query]:
    def make(name: str, *needs: str) -> Query:
        path = tmp_path / f"{name}.sql"
        joined = " CROSS JOIN ".join(["(SELECT 1 AS n) AS one", *(f"marts.{need}" for need in needs)])
        path.write_text(f"{HEADER}SELECT one.n FROM {joined}")
        return read("test", name, path)

    return make


def test_needed_marts_come_first(query: Callable[..., Query]) -> None:
    marts = ordered([query("a", "b", "c"), query("b", "c"), query("c"), query("d")])
    names = list(marts)
    assert sorted(names) == ["a", "b", "c", "d"]
    assert names.index("c") < names.index("b") < names.index("a")


def test_order_does_not_depend_on_the_order_of_files(query: Callable[..., Query]) -> None:
    marts = [query("a", "b"), query("b"), query("c"), query("d", "c")]
    assert list(ordered(marts)) == list(ordered(reversed(marts)))


def test_a_circle_is_named(query: Callable[..., Query]) -> None:
    with pytest.raises(QueryError, match=r"in a circle: (a → b → c → a|b → c → a → b|c → a → b → c)"):
        ordered([query("a", "b"), query("b", "c"), query("c", "a")])


def test_a_mart_that_reads_itself_is_a_circle(query: Callable[..., Query]) -> None:
    with pytest.raises(QueryError, match="in a circle: a → a"):
        ordered([query("a", "a")])


def test_a_missing_mart_is_named(query: Callable[..., Query]) -> None:
    with pytest.raises(QueryError, match=r"queries/test/a.sql reads marts.nowhere, which no query builds"):
        ordered([query("a", "nowhere")])


def test_chosen_marts_bring_what_they_need(query: Callable[..., Query]) -> None:
    marts = ordered([query("a", "b"), query("b", "c"), query("c"), query("d")])
    assert list(chosen(marts, ["a"])) == ["c", "b", "a"]
    assert chosen(marts, []) == marts
    with pytest.raises(QueryError, match="there is no mart 'e'") as caught:
        chosen(marts, ["e"])
    assert "a, b, c, d" in caught.value.remedy


def test_unknown_world() -> None:
    with pytest.raises(QueryError, match="no queries for the world 'atlantis'") as caught:
        load("atlantis")
    assert "hopify" in caught.value.remedy


@pytest.mark.parametrize("world", worlds())
def test_every_query_says_what_it_answers(world: str) -> None:
    for query in load(world).values():
        assert query.header.question.endswith("?"), query.where
        assert query.header.grain.startswith("one row"), query.where
        assert query.tests, query.where


def test_what_a_test_reads_is_built_before_it(query: Callable[..., Query]) -> None:
    early, late = query("early"), query("late")
    tested = replace(early, header=replace(early.header, tests={"t": "SELECT l.n FROM marts.early, marts.late AS l"}))
    marts = ordered([tested, late])
    assert list(marts) == ["late", "early"]
    assert chosen(marts, ["early"]).keys() == {"early", "late"}
