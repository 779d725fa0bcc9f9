"""docs/metrics.md says what the queries say."""

from __future__ import annotations

import re
from pathlib import Path

from etl.publish.catalogue import marts, refreshed
from etl.publish.queries import load, worlds

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_generated_parts_are_not_stale() -> None:
    page = PAGE.read_text("utf-8")
    assert refreshed(page) == page, "run: python -m etl.publish.catalogue docs/metrics.md"


def test_every_mart_of_every_world_is_there() -> None:
    page = PAGE.read_text("utf-8")
    for world in worlds():
        assert marts(world) in page
        for query in load(world).values():
            assert query.where in page


def test_what_is_linked_exists() -> None:
    page = PAGE.read_text("utf-8")
    files, places = re.findall(r"\]\(\.\./([^)]+)\)", page), set(re.findall(r"\]\(#([^)]+)\)", page))
    assert len(files) > 40
    assert [file for file in files if not (PAGE.parents[1] / file).is_file()] == []
    assert places <= set(re.findall(r'<a id="([^"]+)"', page))


def test_stale_parts_are_brought_up_to_date() -> None:
    page = PAGE.read_text("utf-8")
    stale = page.replace("one row a promo code", "one row a code")
    assert stale != page
    assert refreshed(stale) == page
