"""Draw the plots of ``docs/hopify.md`` from a freshly generated world: ``python docs/make_hopify_plots.py``.

The world is the default one (20,000 customers, seed 42), written as Parquet to a temporary
directory and read by DuckDB, so a plot shows what an analyst would find in the rows.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import altair as alt
import duckdb
import vl_convert

from generators import worlds
from generators.hopify.calibration.exposure import measured
from generators.readers import open_reader
from schemas.hopify import SEGMENTS
from schemas.hopify import metadata as hopify

IMAGES = Path(__file__).parent / "images" / "hopify"
COLOURS = ["#3b6ea5", "#e0913a", "#5b8f5a"]
GREY = "#8a8f98"
LARGEST = 150_000
"""Bytes a plot may have."""

Rows = list[dict[str, Any]]
Chart = Any

_VALUES = """SELECT o.order_id, o.customer_id, c.segment, EXISTS (SELECT 1 FROM order_discounts d
    WHERE d.order_id = o.order_id) AS discounted, SUM(i.quantity * i.unit_price)::DOUBLE AS amount
    FROM orders o JOIN order_items i USING (order_id) JOIN customers c USING (customer_id) GROUP BY ALL"""
_AGES = """SELECT segment, age, SUM(GREATEST(LEAST(ended_on - signed_up_on, 30.4375 * (age + 1))
    - GREATEST(started_on - signed_up_on, 30.4375 * age), 0)) / 30.4375 AS months
    FROM spans, (SELECT UNNEST(RANGE(0, {})) AS age) GROUP BY ALL"""
_MONTHS = "SELECT segment, SUM(ended_on - started_on) / 30.4375 AS months FROM spans GROUP BY ALL"

QUERIES: Mapping[str, str] = {
    "segments": f"""WITH exposed AS ({_MONTHS})
        SELECT segment, 'order value, $' AS measure, AVG(amount) AS value FROM ({_VALUES}) GROUP BY ALL
        UNION ALL SELECT segment, 'tickets a month', (SELECT COUNT(*) FROM support_tickets JOIN customers c
            USING (customer_id) WHERE c.segment = e.segment) / months FROM exposed e
        UNION ALL SELECT segment, 'hours to resolution', (SELECT MEDIAN(EPOCH(t.closed_at - t.opened_at)) / 3600
            FROM support_tickets t JOIN customers c USING (customer_id) WHERE c.segment = e.segment) FROM exposed e
        UNION ALL SELECT segment, 'churn a month, %', 100 * (SELECT COUNT(*) FROM subscriptions s JOIN customers c
            USING (customer_id) WHERE s.status = 'cancelled' AND c.segment = e.segment) / months FROM exposed e""",
    "plans": """SELECT p.segment, p.name AS plan, p.tier, COUNT(*) AS customers
        FROM subscriptions s JOIN plans p USING (plan_id) WHERE s.status = 'active' GROUP BY ALL""",
    "tenure": f"""WITH exposed AS ({_AGES.format(30)}), gone AS (
            SELECT c.segment, FLOOR((s.ended_on - c.signed_up_on) / 30.4375) AS age, COUNT(*) AS n
            FROM subscriptions s JOIN customers c USING (customer_id) WHERE s.status = 'cancelled' GROUP BY ALL)
        SELECT age, segment, 100 * COALESCE(n, 0) / months AS churn FROM exposed LEFT JOIN gone USING (segment, age)
        WHERE segment <> 'Enterprise'""",
    "slow_support": """WITH asked AS (
        SELECT t.customer_id, AVG(EPOCH(t.closed_at - t.opened_at)) / 3600 AS hours,
            NTILE(10) OVER (ORDER BY AVG(EPOCH(t.closed_at - t.opened_at))) AS tenth
        FROM support_tickets t JOIN customers c USING (customer_id) WHERE c.segment = 'SMB' AND t.status = 'closed'
        GROUP BY ALL)
        SELECT MEDIAN(hours) AS hours, 100 * AVG(EXISTS (SELECT 1 FROM subscriptions s
            WHERE s.customer_id = asked.customer_id AND s.status = 'cancelled')::INT) AS left_us
        FROM asked GROUP BY tenth""",
    "failed_payments": """WITH bought AS (
            SELECT o.customer_id, c.segment, LEAST(COUNT(*) FILTER (WHERE p.status = 'failed'), 3) AS failed
            FROM orders o JOIN payments p USING (order_id) JOIN customers c USING (customer_id)
            GROUP BY ALL HAVING COUNT(DISTINCT o.order_id) BETWEEN 3 AND 8)
        SELECT CASE failed WHEN 3 THEN '3 or more' ELSE failed::VARCHAR END AS failed,
            100 * AVG(EXISTS (SELECT 1 FROM subscriptions s WHERE s.customer_id = bought.customer_id
            AND s.status = 'cancelled')::INT) AS left_us FROM bought WHERE segment = 'SMB' GROUP BY ALL""",
    "satisfaction": """SELECT LEAST(FLOOR(LOG2(GREATEST(EPOCH(closed_at - opened_at) / 3600, 1))), 8) AS doubling,
            AVG(satisfaction) AS satisfaction FROM support_tickets WHERE satisfaction IS NOT NULL GROUP BY ALL""",
    "discounts": f"""SELECT segment, CASE WHEN discounted THEN 'with' ELSE 'without' END AS discount,
            AVG(amount) AS amount FROM ({_VALUES}) GROUP BY ALL""",
    "skew": f"""WITH spent AS (SELECT customer_id, COALESCE(SUM(amount), 0) AS spent FROM customers
            LEFT JOIN ({_VALUES}) USING (customer_id) GROUP BY ALL),
        ranked AS (SELECT ROW_NUMBER() OVER by_spent AS place, COUNT(*) OVER () AS n,
            SUM(spent) OVER by_spent / SUM(spent) OVER () AS share FROM spent WINDOW by_spent AS
            (ORDER BY spent DESC, customer_id))
        SELECT 100.0 * place / n AS customers, 100 * share AS revenue FROM ranked WHERE place % (n // 100) = 0""",
    "growth": """SELECT DATE_TRUNC('month', signed_up_on)::VARCHAR AS month, COUNT(*) AS signups FROM customers
        GROUP BY ALL""",
    "weekdays": """SELECT 'orders' AS kind, DAYNAME(ordered_at) AS day, 7.0 * COUNT(*) / SUM(COUNT(*)) OVER () AS factor
            FROM orders GROUP BY ALL
        UNION ALL SELECT 'tickets', DAYNAME(opened_at), 7.0 * COUNT(*) / SUM(COUNT(*)) OVER () FROM support_tickets
            GROUP BY ALL""",
    "campaigns": """SELECT w.month::VARCHAR AS month, w.channel, w.leads, (SELECT COUNT(*) FROM customers c
            WHERE c.acquisition_source = w.channel AND DATE_TRUNC('month', c.signed_up_on) = w.month) AS signups,
            EXISTS (SELECT 1 FROM campaigns k WHERE k.channel = w.channel
            AND LEAST(k.ends_on, LAST_DAY(w.month)) - GREATEST(k.starts_on, w.month) >= 5) AS runs
        FROM web_traffic w WHERE w.channel IN ('paid_search', 'email')""",
    "newcomers": f"""WITH exposed AS ({_AGES.format(13)}), asked AS (
            SELECT c.segment, FLOOR((t.opened_at::DATE - c.signed_up_on) / 30.4375) AS age, COUNT(*) AS n
            FROM support_tickets t JOIN customers c USING (customer_id) GROUP BY ALL)
        SELECT age, n / months AS tickets FROM exposed JOIN asked USING (segment, age) WHERE segment = 'SMB'""",
}


def main() -> None:
    """Draw every plot; raises ``ValueError`` for one that is too large to be committed."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as scratch:
        url = f"parquet:{scratch}"
        worlds.generate("hopify", url, workers=2)
        with open_reader(url, hopify) as connection:
            measured(connection)
            for name, draw in PLOTS.items():
                _save(name, draw(_rows(connection, QUERIES[name])))


def _rows(connection: duckdb.DuckDBPyConnection, sql: str) -> Rows:
    found = connection.execute(sql)
    names = [column[0] for column in found.description]
    rows = sorted(tuple(row) for row in found.fetchall())
    return [dict(zip(names, row, strict=True)) for row in rows]


def _save(name: str, chart: Chart) -> None:
    styled = (
        chart.configure_view(stroke=None)
        .configure_axis(labelColor="#444", titleColor="#444", gridColor="#eceef1", domainColor="#b8bcc4")
        .configure_legend(title=None, orient="top", labelColor="#444")
        .configure_title(anchor="start", fontSize=13, color="#222")
        .properties(background="white", padding=10)
    )
    png = _packed(vl_convert.vegalite_to_png(styled.to_json(), scale=1.5))
    if len(png) > LARGEST:
        raise ValueError(f"{name}.png has {len(png):,} bytes; draw fewer marks")
    (IMAGES / f"{name}.png").write_bytes(png)
    print(f"{IMAGES / name}.png  {len(png):,} bytes")


def _packed(png: bytes) -> bytes:
    """The same picture with its pixels deflated as far as they go; vl-convert is content with less."""
    chunks, at = [], 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        chunks.append((png[at + 4 : at + 8], png[at + 8 : at + 8 + length]))
        at += length + 12
    pixels = zlib.compress(zlib.decompress(b"".join(body for kind, body in chunks if kind == b"IDAT")), 9)
    head = [chunk for chunk in chunks if chunk[0] not in {b"IDAT", b"IEND"}]
    return png[:8] + b"".join(map(_chunk, [*head, (b"IDAT", pixels), (b"IEND", b"")]))


def _chunk(chunk: tuple[bytes, bytes]) -> bytes:
    kind, body = chunk
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _of(rows: Rows, title: str, *, width: int = 520, height: int = 240) -> Chart:
    return alt.Chart(alt.Data(values=rows), title=title, width=width, height=height)


def _segment(segments: Sequence[str] = SEGMENTS) -> Any:
    names = list(segments)
    return alt.Color("segment:N", sort=names, scale=alt.Scale(domain=names, range=COLOURS[: len(names)]))


def _segments(rows: Rows) -> Chart:
    bars = (
        _of(rows, "", width=120, height=150)
        .mark_bar()
        .encode(
            x=alt.X("segment:N", sort=list(SEGMENTS), title=None, axis=alt.Axis(labelAngle=-30)),
            y=alt.Y("value:Q", title=None),
            color=_segment().legend(None),
            column=alt.Column("measure:N", title=None, header=alt.Header(labelFontSize=12, labelColor="#222")),
        )
    )
    return bars.resolve_scale(y="independent")


def _plans(rows: Rows) -> Chart:
    return (
        _of(rows, "Active customers by plan", height=200)
        .mark_bar()
        .encode(
            x=alt.X("customers:Q", title="customers"),
            y=alt.Y("plan:N", sort=alt.SortArray([r["plan"] for r in sorted(rows, key=_plan_order)]), title=None),
            color=_segment(),
        )
    )


def _plan_order(row: dict[str, Any]) -> tuple[int, int]:
    return SEGMENTS.index(row["segment"]), row["tier"]


def _tenure(rows: Rows) -> Chart:
    return (
        _of(rows, "Newcomers leave sooner")
        .mark_line(point=True)
        .encode(
            x=alt.X("age:Q", title="months since signup"),
            y=alt.Y("churn:Q", title="churn a month, %"),
            color=_segment(SEGMENTS[:2]),
        )
    )


def _slow_support(rows: Rows) -> Chart:
    return (
        _of(rows, "Slow support drives away (SMB, tenths of customers)")
        .mark_line(point=True, color=COLOURS[0])
        .encode(
            x=alt.X(
                "hours:Q", title="customer's mean hours to resolution", scale=alt.Scale(type="log", domain=[5, 100])
            ),
            y=alt.Y("left_us:Q", title="ever cancelled, %", scale=alt.Scale(zero=False)),
        )
    )


def _failed_payments(rows: Rows) -> Chart:
    return (
        _of(rows, "Failed payments go with leaving (SMB, 3 to 8 orders)")
        .mark_bar(color=COLOURS[0], size=60)
        .encode(
            x=alt.X("failed:N", title="failed payments", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("left_us:Q", title="ever cancelled, %"),
        )
    )


def _satisfaction(rows: Rows) -> Chart:
    hours = [{**row, "hours": 2 ** row["doubling"]} for row in rows]
    return (
        _of(hours, "Quick answers please")
        .mark_line(point=True, color=COLOURS[0])
        .encode(
            x=alt.X("hours:Q", title="hours to resolution, at least", scale=alt.Scale(type="log", base=2)),
            y=alt.Y("satisfaction:Q", title="mean satisfaction, 1 to 5", scale=alt.Scale(domain=[1, 5])),
        )
    )


def _discounts(rows: Rows) -> Chart:
    order = ["without", "with"]
    bars = (
        _of(rows, "", width=150, height=180)
        .mark_bar()
        .encode(
            x=alt.X("discount:N", sort=order, title="discount", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("amount:Q", title="mean order value before discount, $"),
            color=alt.Color("discount:N", scale=alt.Scale(domain=order, range=[GREY, COLOURS[0]]), legend=None),
            column=alt.Column("segment:N", sort=list(SEGMENTS), title=None, header=alt.Header(labelFontSize=12)),
        )
    )
    return bars.resolve_scale(y="independent")


def _skew(rows: Rows) -> Chart:
    return (
        _of(rows, "A few customers make much of the revenue")
        .mark_area(color=COLOURS[0], opacity=0.35, line={"color": COLOURS[0]})
        .encode(
            x=alt.X("customers:Q", title="top customers, %"),
            y=alt.Y("revenue:Q", title="share of order revenue, %", scale=alt.Scale(domain=[0, 100])),
        )
    )


def _growth(rows: Rows) -> Chart:
    return (
        _of(rows, "Signups grow, peak in November and dip in July")
        .mark_bar(color=COLOURS[0])
        .encode(x=alt.X("month:T", title=None), y=alt.Y("signups:Q", title="signups a month"))
    )


def _weekdays(rows: Rows) -> Chart:
    days = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
    return (
        _of(rows, "The working week")
        .mark_bar()
        .encode(
            x=alt.X("day:N", sort=days, title=None, axis=alt.Axis(labelAngle=0)),
            xOffset="kind:N",
            y=alt.Y("factor:Q", title="relative to an average day"),
            color=alt.Color("kind:N", scale=alt.Scale(range=COLOURS)),
        )
    )


def _campaigns(rows: Rows) -> Chart:
    charts = []
    for channel in ("paid_search", "email"):
        own = [row for row in rows if row["channel"] == channel]
        base = _of(own, f"{channel}: leads (bars) and signups (line)", height=130)
        leads = base.mark_bar().encode(
            x=alt.X("month:T", title=None),
            y=alt.Y("leads:Q", title="leads"),
            color=alt.Color(
                "runs:N",
                scale=alt.Scale(domain=[True, False], range=[COLOURS[1], "#cfd4dc"]),
                legend=alt.Legend(labelExpr="datum.value ? 'a campaign runs' : 'none runs'"),
            ),
        )
        line = base.mark_line(point=True, color=COLOURS[0]).encode(
            x=alt.X("month:T", title=None), y=alt.Y("signups:Q", title="signups")
        )
        charts.append(alt.layer(leads, line).resolve_scale(y="independent"))
    return alt.vconcat(*charts)


def _newcomers(rows: Rows) -> Chart:
    return (
        _of(rows, "Newcomers ask more (SMB)")
        .mark_bar(color=COLOURS[0])
        .encode(
            x=alt.X("age:O", title="months since signup", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("tickets:Q", title="tickets a month of an active customer"),
        )
    )


PLOTS: Mapping[str, Callable[[Rows], Chart]] = {
    "segments": _segments,
    "plans": _plans,
    "tenure": _tenure,
    "slow_support": _slow_support,
    "failed_payments": _failed_payments,
    "satisfaction": _satisfaction,
    "discounts": _discounts,
    "skew": _skew,
    "growth": _growth,
    "weekdays": _weekdays,
    "campaigns": _campaigns,
    "newcomers": _newcomers,
}


if __name__ == "__main__":
    main()
