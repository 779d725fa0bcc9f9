"""Numbers and days as a dashboard writes them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from etl.publish.figures import count, day, moment, money, month, percent, short, words
from etl.publish.verification import Check, verdict


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (Decimal("870.4"), "870"),
        (999.6, "1K"),
        (Decimal("-12345.67"), "-12.3K"),
        (999_999, "1M"),
        (4_990_000, "4.99M"),
        (1.5e9, "1.5B"),
        (0.25, "0.25"),
    ],
)
def test_short_amounts(value: Decimal | float, text: str) -> None:
    assert short(value) == text


def test_values_in_tables() -> None:
    assert [count(1234), count(None)] == ["1,234", "\u2013"]
    assert [money(Decimal("1234.50"), 2), money(None)] == ["1,234.50", "\u2013"]
    assert [percent(0.123), percent(0.123, 1, sign=True), percent(None)] == ["12\u00a0%", "+12.3\u00a0%", "\u2013"]
    assert [month(date(2024, 2, 29)), day(date(2024, 2, 9))] == ["February 2024", "9 February 2024"]
    assert moment(datetime(2024, 2, 29, 1, 2, 3, tzinfo=UTC)) == "2024-02-29 01:02:03 UTC"
    assert words("paid_search") == "Paid search"


def check(table: str, *, equal: bool = True) -> Check:
    return Check.read(
        {
            "table": table,
            "source_rows": 1000,
            "warehouse_rows": None,
            "source_hash": "0" * 64,
            "warehouse_hash": None,
            "equal": equal,
            "checked_at": datetime(2024, 1, 1, tzinfo=UTC),
            "mode": "pushdown",
        }
    )


def test_verdict_over_all_tables() -> None:
    assert verdict([]).good is None
    assert verdict([check("a")]).sentence.startswith("The one table equals the source")
    assert verdict([check("a"), check("b")]).sentence.startswith("All 2 tables equal the source")
    bad = verdict([check("a"), check("z", equal=False)])
    assert bad.good is False
    assert bad.sentence == "1 table differs from the source: z"
    assert [row.table for row in bad.checks] == ["z", "a"], "differences come first"


def test_hashes_are_shortened_and_missing_ones_empty() -> None:
    row = check("a")
    assert row.source_hash == "0" * 12 + "…"
    assert row.source_hash_full == "0" * 64
    assert row.warehouse_hash == ""
    assert row.warehouse_rows == "\u2013"
