"""Relations an analyst would look for are there, at a size where chance does not make them."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from generators.hopify.benchmarks import benchmark_rows
from generators.hopify.rows import world_rows
from schemas.hopify import SEGMENTS, TARGET_PERIODS

CUSTOMERS = 5_000


@cache
def tables() -> dict[str, pa.Table]:
    batches: dict[str, list[pa.RecordBatch]] = defaultdict(list)
    for name, rows in world_rows(42, CUSTOMERS):
        batches[name].append(rows)
    return {name: pa.Table.from_batches(parts) for name, parts in batches.items()}


def column(table: str, name: str) -> npt.NDArray[np.object_]:
    return np.array(tables()[table].column(name).to_pylist(), object)


def numbers(table: str, name: str) -> npt.NDArray[np.float64]:
    return np.array(tables()[table].column(name).cast(pa.float64()).to_pylist(), np.float64)


def segment_of(customer_ids: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
    return column("customers", "segment")[customer_ids.astype(np.int64) - 1]


@cache
def order_values() -> npt.NDArray[np.float64]:
    order = column("order_items", "order_id").astype(np.int64)
    line = numbers("order_items", "quantity") * numbers("order_items", "unit_price")
    return np.bincount(order, line)[1:]


@cache
def resolution_hours() -> npt.NDArray[np.float64]:
    spent = pc.subtract(
        tables()["support_tickets"].column("closed_at"), tables()["support_tickets"].column("opened_at")
    )
    return np.array([np.nan if gap is None else gap.total_seconds() / 3600 for gap in spent.to_pylist()])


def churned() -> set[int]:
    customer = column("subscriptions", "customer_id").astype(np.int64)
    return set(customer[column("subscriptions", "status") == "cancelled"].tolist())


def share_churned(customer_ids: npt.NDArray[np.int64]) -> float:
    left = churned()
    return float(np.mean([key in left for key in customer_ids.tolist()]))


def ascending(values: list[float]) -> bool:
    return all(first < second for first, second in pairwise(values))


def test_larger_segments_order_more_and_leave_less() -> None:
    segment = segment_of(column("orders", "customer_id"))
    assert ascending([float(order_values()[segment == name].mean()) for name in SEGMENTS])
    keys = np.arange(1, CUSTOMERS + 1)
    assert ascending([-share_churned(keys[column("customers", "segment") == name]) for name in SEGMENTS])


def test_larger_segments_ask_more_and_are_answered_sooner() -> None:
    segment = segment_of(column("support_tickets", "customer_id"))
    people = {name: int((column("customers", "segment") == name).sum()) for name in SEGMENTS}
    assert ascending([int((segment == name).sum()) / people[name] for name in SEGMENTS])
    assert ascending([-float(np.nanmean(resolution_hours()[segment == name])) for name in SEGMENTS])


def test_slow_resolution_goes_with_churn() -> None:
    customer = column("support_tickets", "customer_id").astype(np.int64)
    hours = resolution_hours()
    smb = (segment_of(customer.astype(object)) == "SMB") & ~np.isnan(hours)
    total, count = np.bincount(customer[smb], hours[smb]), np.bincount(customer[smb])
    asked = np.flatnonzero(count)
    mean = total[asked] / count[asked]
    quick, slow = asked[mean <= np.quantile(mean, 0.25)], asked[mean >= np.quantile(mean, 0.75)]
    assert share_churned(slow) > 1.3 * share_churned(quick)


def test_a_discount_goes_with_a_larger_order() -> None:
    discounted = np.isin(column("orders", "order_id"), column("order_discounts", "order_id"))
    smb = segment_of(column("orders", "customer_id")) == "SMB"
    assert order_values()[smb & discounted].mean() > 1.15 * order_values()[smb & ~discounted].mean()


def test_a_few_customers_make_much_of_the_revenue() -> None:
    spent = np.sort(np.bincount(column("orders", "customer_id").astype(np.int64), order_values()))[::-1]
    assert 0.5 < spent[: CUSTOMERS // 10].sum() / spent.sum() < 0.9


def test_newcomers_leave_more_often_than_the_settled() -> None:
    started = column("customers", "signed_up_on")
    owner = column("subscriptions", "customer_id").astype(np.int64)
    left = column("subscriptions", "status") == "cancelled"
    age = np.array(
        [
            (gone - begun).days
            for gone, begun in zip(column("subscriptions", "ended_on")[left], started[owner[left] - 1], strict=True)
        ]
    )
    stayed = np.array([(np.datetime64("2026-01-01") - np.datetime64(day)).astype(int) for day in started])
    early = (age < 90).sum() / np.minimum(stayed, 90).sum()
    late = ((age >= 365) & (age < 730)).sum() / np.clip(stayed - 365, 1, 365).sum()
    assert early > 1.5 * late


def test_signups_grow_peak_in_november_and_dip_in_july() -> None:
    month = np.array([day.year * 12 + day.month for day in column("customers", "signed_up_on")])
    per_month = np.bincount(month - (2023 * 12 + 1), minlength=36)
    years = per_month.reshape(3, 12)
    assert ascending([int(year.sum()) for year in years])
    assert all(year[10] == year.max() and year[6] < year[4] for year in years)


def test_traffic_follows_signups_by_channel() -> None:
    signups = defaultdict(int)
    for day, source in zip(column("customers", "signed_up_on"), column("customers", "acquisition_source"), strict=True):
        signups[day.replace(day=1), source] += 1
    leads = numbers("web_traffic", "leads")
    keys = list(zip(column("web_traffic", "month"), column("web_traffic", "channel"), strict=True))
    assert len(keys) == 24 * 6
    assert np.corrcoef([signups[key] for key in keys], leads)[0, 1] > 0.85


def test_real_data_has_holes_and_other_alphabets() -> None:
    customers = tables()["customers"]
    assert 0.10 < customers.column("phone").null_count / CUSTOMERS < 0.17
    assert 0.05 < customers.column("postal_code").null_count / CUSTOMERS < 0.12
    names = customers.column("contact_name").to_pylist()
    assert any("\u3040" < char < "\u9fff" for name in names for char in name)
    assert any(note and note.endswith(" ") for note in tables()["orders"].column("note").to_pylist())


@pytest.mark.parametrize("period", TARGET_PERIODS)
def test_benchmarks_have_targets_for_every_segment(period: str) -> None:
    rows = [row for row in benchmark_rows().to_pylist() if row["target_period"] == period]
    assert {row["segment"] for row in rows} == {*SEGMENTS, "all"}
    assert all(row["target_value"] > 0 for row in rows)
