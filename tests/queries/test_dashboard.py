"""The dashboard as a file and, where there is a browser, as a page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import mart_reference as reference
import pytest
from browser import Browser, executable
from mart_worlds import World, random_world, stored, world, world_of

from etl.errors import RunError
from etl.publish import hopify
from etl.publish.dashboard import BOARDS, render
from etl.publish.dashboard import page as dashboard_page
from etl.publish.errors import MartError, QueryError
from etl.publish.figures import Board, Figure, reader, side_by_side
from etl.publish.hopify.campaigns import campaign_return
from etl.publish.marts import build
from etl.publish.queries import Query, load, worlds
from etl.publish.verification import verdict
from etl.warehouses.duckdb import DuckDbWarehouse
from generators.churn import batches as churn_batches
from generators.health.batches import batches
from schemas.churn import metadata as churn_metadata
from schemas.health import metadata as health_metadata

ATTACK = "<script>alert(1)</script><img src=x onerror=alert(2)>"
CHARTS = (
    "growth",
    "movements",
    "retention",
    "recurring",
    "revenue",
    "churn",
    "reasons",
    "funnel",
    "channels",
    "campaigns",
    "promo",
    "support",
    "targets",
)
WITHOUT_A_CHART = 1
"""The random world lasts less than a year, so there is no net revenue retention to draw."""
CHECK = {
    "table": "customers",
    "source_rows": 12345,
    "warehouse_rows": 12345,
    "source_hash": "abcdef0123456789" * 4,
    "warehouse_hash": "abcdef0123456789" * 4,
    "equal": True,
    "checked_at": datetime(2026, 1, 31, 12, 30, tzinfo=UTC),
    "mode": "stream/pushdown",
}


def hostile() -> World:
    """A world whose every free text attacks the page."""
    contents = random_world(7, customers=60)
    for table, column in (("customers", "company_name"), ("discounts", "code"), ("campaigns", "name")):
        for number, row in enumerate(contents[table]):
            row[column] = f"{ATTACK}{number}"
    return contents


@pytest.fixture(scope="module")
def warehouse(queries: dict[str, Query], tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDbWarehouse]:
    warehouse = stored(hostile(), tmp_path_factory.mktemp("dashboard") / "warehouse.duckdb")
    build(warehouse, queries, lambda: None)
    yield warehouse
    warehouse.close()


@pytest.fixture(scope="module")
def page(warehouse: DuckDbWarehouse, tmp_path_factory: pytest.TempPathFactory) -> Path:
    checks = [CHECK, {**CHECK, "table": ATTACK, "mode": ATTACK, "warehouse_rows": 12344, "equal": False}]
    return render(warehouse, "hopify", tmp_path_factory.mktemp("page") / "dashboard.html", checks)


class _Outline(HTMLParser):
    """Tags in order, with what each figure holds."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.figures: dict[str, set[str]] = {}
        self._figure = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "figure":
            self._figure = dict(attrs)["id"] or ""
        self.figures.setdefault(self._figure, set()).add(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag == "figure":
            self._figure = ""


@pytest.fixture(scope="module")
def outline(page: Path) -> _Outline:
    outline = _Outline()
    outline.feed(page.read_text("utf-8"))
    return outline


def test_every_chart_has_a_table(outline: _Outline) -> None:
    assert set(CHARTS) < outline.figures.keys()
    for key in CHARTS:
        assert {"figcaption", "h2", "details", "table", "th"} <= outline.figures[key], key


def test_texts_stay_texts(page: Path, outline: _Outline) -> None:
    text = page.read_text("utf-8")
    assert ATTACK not in text
    assert "img" not in outline.tags
    # The library, our script, and one block of data a chart.
    assert outline.tags.count("script") == 2 + outline.tags.count("figure") - WITHOUT_A_CHART


def test_nothing_is_fetched(page: Path) -> None:
    text = page.read_text("utf-8")
    markup = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert not re.findall(r"https?://", markup)
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)""", markup)
    assert "default-src 'none'" in markup
    assert "unsafe-eval" not in markup
    assert text.count("vegaEmbed=") == 1, "the library stands in the file once"


def test_questions_are_googlesql(warehouse: DuckDbWarehouse, queries: dict[str, Query]) -> None:
    asked: list[str] = []
    read = reader(warehouse)

    def recorded(sql: str) -> list[dict[str, Any]]:
        asked.append(sql)
        return read(sql)

    hopify.board(recorded)
    assert len(asked) > len(CHARTS)
    for sql in asked:
        reference.output(sql, reference.tables(queries))


def test_verification_is_told(page: Path) -> None:
    text = page.read_text("utf-8")
    assert "1 table differs from the source" in text
    assert "12,344" in text
    assert "2026-01-31 12:30:00 UTC" in text


def test_file_is_replaced_in_one_step(warehouse: DuckDbWarehouse, tmp_path: Path) -> None:
    path = tmp_path / "new" / "dashboard.html"
    path.parent.mkdir()
    path.write_text("old")
    assert render(warehouse, "hopify", path, []) == path
    assert "The copy has not been verified" in path.read_text("utf-8")
    assert [entry.name for entry in path.parent.iterdir()] == ["dashboard.html"]


def test_unwritable_place_is_a_clear_error(warehouse: DuckDbWarehouse, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        render(warehouse, "hopify", tmp_path / "file" / "dashboard.html", [])


def test_world_without_a_dashboard(warehouse: DuckDbWarehouse, tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="no dashboard"):
        render(warehouse, "atlantis", tmp_path / "dashboard.html", [])


def test_marts_that_are_not_built(tmp_path: Path) -> None:
    warehouse = DuckDbWarehouse(tmp_path / "warehouse.duckdb")
    with pytest.raises(MartError, match="has not been built"):
        render(warehouse, "hopify", tmp_path / "dashboard.html", [])
    assert not (tmp_path / "dashboard.html").exists()
    warehouse.close()


@pytest.mark.parametrize(
    "contents",
    [
        world(),
        world(customers=[{"customer_id": 1, "segment": "SMB", "signed_up_on": date(2024, 2, 29)}]),
        world(orders=[{"order_id": 1, "ordered_at": datetime(2024, 2, 29), "status": "pending"}]),
    ],
    ids=["nothing", "one customer", "an orphaned order"],
)
def test_next_to_nothing_can_be_shown(contents: World, queries: dict[str, Query], tmp_path: Path) -> None:
    warehouse = stored(contents, tmp_path / "warehouse.duckdb")
    build(warehouse, queries, lambda: None)
    assert render(warehouse, "hopify", tmp_path / "dashboard.html", [CHECK]).stat().st_size > 0
    warehouse.close()


def test_every_world_with_a_dashboard_has_its_marts() -> None:
    assert set(BOARDS) <= set(worlds())


@pytest.fixture(scope="module")
def churn_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("churn")
    contents = {name: batch.to_pylist() for name, batch in churn_batches(60, 42, 0).items()}
    warehouse = stored(contents, directory / "warehouse.duckdb", churn_metadata)
    build(warehouse, load("churn"), lambda: None)
    path = render(warehouse, "churn", directory / "dashboard.html", [CHECK])
    warehouse.close()
    return path


CHURN_CHARTS = {"active", "days", "plans", "activity", "billing", "tickets", "quality"}


def test_the_churn_page_has_a_table_for_every_chart(churn_page: Path) -> None:
    outline = _Outline()
    outline.feed(churn_page.read_text("utf-8"))
    figures = outline.figures.keys() - {""}
    assert figures == CHURN_CHARTS
    assert all({"figcaption", "details", "table", "th", "script"} <= outline.figures[key] for key in figures)


@pytest.mark.parametrize("world", ["churn", "health"])
def test_questions_of_the_other_boards_are_googlesql(world: str, tmp_path: Path) -> None:
    schema = {"churn": churn_metadata, "health": health_metadata}[world]
    contents = {name: batch.to_pylist() for name, batch in BATCHES[world]().items()}
    warehouse = stored(contents, tmp_path / "warehouse.duckdb", schema)
    build(warehouse, load(world), lambda: None)
    asked: list[str] = []
    read = reader(warehouse)

    def recorded(sql: str) -> list[dict[str, Any]]:
        asked.append(sql)
        return read(sql)

    BOARDS[world](recorded)
    assert len(asked) >= 5
    for sql in asked:
        reference.output(sql, reference.tables(load(world), schema))
    warehouse.close()


BATCHES = {"churn": lambda: churn_batches(30, 42, 0), "health": lambda: batches(30)}


@pytest.mark.parametrize("rows", [{}, {"customers": [{"customer_id": 1, "plan": "Pro", "region": "EU"}]}])
def test_next_to_nothing_of_the_churn_world_can_be_shown(rows: World, tmp_path: Path) -> None:
    warehouse = stored(world_of(churn_metadata, rows), tmp_path / "warehouse.duckdb", churn_metadata)
    build(warehouse, load("churn"), lambda: None)
    assert "hold no data yet" in render(warehouse, "churn", tmp_path / "d.html", []).read_text("utf-8")
    warehouse.close()


def test_a_figure_beside_a_gap_is_made_wide() -> None:
    def figure(key: str) -> Figure:
        return Figure(key, "", "", None, (), (), wide=key.isupper())

    for given, expected in {"ab": "ab", "a": "A", "aBcd": "ABcd", "abcDe": "abCDE", "aBc": "ABC", "": ""}.items():
        found = side_by_side([figure(key) for key in given])
        assert "".join(f.key.upper() if f.wide else f.key for f in found) == expected


def test_a_page_says_what_sort_it_is(page: Path) -> None:
    assert "<title>Hopify dashboard</title>" in page.read_text("utf-8")
    text = dashboard_page(Board("Churn model", "It beats its baseline.", sort="report"), verdict([]))
    assert "<title>Churn model report</title>" in text


@pytest.mark.parametrize(
    ("revenues", "title"),
    [
        ([0, 0], "No campaign that is over has brought in what it cost"),
        ([200, 0], "1 of 2 campaigns that are over have brought in what they cost"),
        ([200, 100], "Every campaign that is over has brought in what it cost"),
    ],
)
def test_campaigns_are_told_by_what_they_brought_in(revenues: list[int], title: str) -> None:
    campaign = {"channel": "email", "starts_on": date(2024, 1, 1), "customers": 1, "active_customers": 0, "cac": 100.0}
    rows = [
        {
            **campaign,
            "name": f"c{revenue}",
            "spend": Decimal(100),
            "revenue": Decimal(revenue),
            "return_on_spend": revenue / 100,
            "is_paid_back": revenue >= 100,
        }
        for revenue in revenues
    ]
    assert campaign_return(lambda _sql: rows).title == title
    assert campaign_return(lambda _sql: []).spec is None


@pytest.fixture(scope="module")
def health_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("health")
    contents = {name: batch.to_pylist() for name, batch in batches(80).items()}
    warehouse = stored(contents, directory / "warehouse.duckdb", health_metadata)
    build(warehouse, load("health"), lambda: None)
    path = render(warehouse, "health", directory / "dashboard.html", [CHECK])
    warehouse.close()
    return path


def test_the_health_page_has_a_table_for_every_chart(health_page: Path) -> None:
    outline = _Outline()
    outline.feed(health_page.read_text("utf-8"))
    figures = outline.figures.keys() - {""}
    assert figures == {"waterfall", "recurring", "curve", "churn", "retention", "scores"}
    assert all({"figcaption", "details", "table", "th", "script"} <= outline.figures[key] for key in figures)


def test_an_empty_health_world_can_be_shown(tmp_path: Path) -> None:
    warehouse = stored(world_of(health_metadata, {}), tmp_path / "warehouse.duckdb", health_metadata)
    build(warehouse, load("health"), lambda: None)
    assert "hold no data yet" in render(warehouse, "health", tmp_path / "d.html", []).read_text("utf-8")
    warehouse.close()


def test_a_year_and_more_of_revenue_is_compared(queries: dict[str, Query], tmp_path: Path) -> None:
    paying = {"subscription_id": 1, "customer_id": 1, "started_on": date(2023, 1, 1), "status": "active"}
    contents = world(
        customers=[{"customer_id": 1, "segment": "SMB", "signed_up_on": date(2023, 1, 1)}],
        subscriptions=[{**paying, "monthly_price": Decimal("9.00")}],
        support_tickets=[{"customer_id": 1, "opened_at": datetime(2024, 2, 29), "status": "open", "priority": "low"}],
    )
    warehouse = stored(contents, tmp_path / "warehouse.duckdb")
    build(warehouse, queries, lambda: None)
    (figure,) = (figure for figure in hopify.board(reader(warehouse)).figures if figure.key == "nrr")
    assert figure.title == "Customers of a year ago pay 100\N{NO-BREAK SPACE}% of what they paid then"
    assert [row[0] for row in figure.rows] == ["February 2024"] * 2 + ["January 2024"] * 2
    warehouse.close()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if executable() is None:
        pytest.skip("no Chromium on PATH")
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_charts_are_drawn_within_the_page(browser: Browser, page: Path, width: int, scheme: str) -> None:
    browser.open(page, width=width, scheme=scheme)
    drawn = browser.value("[...document.querySelectorAll('.chart svg.marks')].map(svg => svg.getBBox().width)")
    assert len(drawn) == browser.value("document.querySelectorAll('figure').length") - WITHOUT_A_CHART
    assert all(chart > 150 for chart in drawn), drawn
    assert browser.value("document.documentElement.scrollWidth") <= width
    assert browser.complaints == []
    assert browser.requests[:1] == [page.as_uri()]
    assert [url for url in browser.requests[1:] if not url.startswith("data:")] == []


def test_the_health_charts_are_drawn_on_a_phone_in_the_dark(browser: Browser, health_page: Path) -> None:
    browser.open(health_page, width=390, scheme="dark")
    drawn = browser.value("[...document.querySelectorAll('.chart svg.marks')].map(svg => svg.getBBox().width)")
    assert len(drawn) == 6
    assert all(chart > 150 for chart in drawn), drawn
    assert browser.value("document.documentElement.scrollWidth") <= 390
    assert browser.complaints == []


def test_the_churn_charts_are_drawn_on_a_phone(browser: Browser, churn_page: Path) -> None:
    browser.open(churn_page, width=390, scheme="light")
    drawn = browser.value("[...document.querySelectorAll('.chart svg.marks')].map(svg => svg.getBBox().width)")
    assert len(drawn) == len(CHURN_CHARTS)
    assert all(chart > 150 for chart in drawn), drawn
    assert browser.value("document.documentElement.scrollWidth") <= 390
    assert browser.complaints == []


def test_no_bar_is_named_after_the_month_that_follows(browser: Browser, churn_page: Path) -> None:
    browser.open(churn_page, width=1280, scheme="light")
    labels = browser.value("[...document.querySelectorAll('#active .role-axis-label text')].map(t => t.textContent)")
    assert "Jul 2024" in labels
    assert "Jan 2026" not in labels, "the last bar is December's"


def test_charts_follow_the_colour_scheme(browser: Browser, page: Path) -> None:
    ink = "getComputedStyle(document.querySelector('#growth .role-axis-label text')).fill"
    browser.open(page, width=1280, scheme="light")
    light = browser.value(ink)
    browser.prefer("dark")
    browser.wait("document.documentElement.dataset.drawn.endsWith('dark')")
    assert browser.value(ink) != light


def test_a_bar_tells_its_name_as_text(browser: Browser, page: Path) -> None:
    browser.open(page, width=1280, scheme="light")
    browser.value("document.querySelector('#largest').scrollIntoView({block: 'center'})")
    place: dict[str, Any] = browser.value(
        "(({x, y, width, height}) => ({x: x + width / 3, y: y + height / 2}))"
        "(document.querySelector('#largest .mark-rect path').getBoundingClientRect())"
    )
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", **place)
    browser.wait("document.querySelector('#vg-tooltip-element.visible')?.textContent.includes('<script>')")
    assert browser.value("document.querySelectorAll('#vg-tooltip-element img, main img, main svg script').length") == 0
    assert browser.complaints == []


def test_keyboard_reaches_a_table(browser: Browser, page: Path) -> None:
    browser.open(page, width=390, scheme="light")
    browser.value("document.querySelector('#growth summary').focus()")
    for kind in ("keyDown", "keyUp"):
        browser.call(
            "Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", windowsVirtualKeyCode=13, text="\r"
        )
    browser.wait("document.querySelector('#growth details').open")
    assert browser.value("document.querySelector('#growth table').getBoundingClientRect().height") > 0


def test_months_are_the_same_west_of_greenwich(browser: Browser, page: Path) -> None:
    labels = "[...document.querySelectorAll('.role-axis-label text')].map(text => text.textContent)"
    found = []
    for zone in ("UTC", "America/Los_Angeles", "Pacific/Auckland"):
        browser.call("Emulation.setTimezoneOverride", timezoneId=zone)
        browser.open(page, width=1280, scheme="light")
        found.append(browser.value(labels))
    assert "Jan 2024" in found[0]
    assert found[0] == found[1] == found[2]
