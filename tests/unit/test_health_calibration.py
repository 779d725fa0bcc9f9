"""The health world's calibration report sees what is wrong."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest

from generators.errors import GeneratorError
from generators.health import calibration, generate
from generators.health.batches import batches
from generators.health.core import World, world
from generators.health.stored import read


def test_the_world_meets_its_specification() -> None:
    report = calibration.report(world(), 500)
    assert report.passed, report.text()
    assert all(line.judged for line in report.lines)


def test_a_reader_of_tables_does_as_well() -> None:
    made = batches()
    by_tables = calibration.report(lambda table: pa.Table.from_batches([made[table]]), 500)
    assert by_tables == calibration.report(world(), 500)


@pytest.mark.parametrize(
    ("spoil", "failing"),
    [
        ("DELETE FROM day06_customers WHERE rowid = 5", "subscriptions without their customer"),
        ("UPDATE day06_subscriptions SET mrr = -mrr WHERE rowid = 5", "negative amounts"),
        ("UPDATE day06_subscriptions SET mrr = mrr + 0.01 WHERE rowid = 5", "months whose movements"),
        ("UPDATE day06_subscriptions SET end_date = DATE(start_date, '-1 day') WHERE rowid = 5", "end before or on"),
        ("UPDATE day06_subscriptions SET end_date = start_date WHERE rowid = 5", "end before or on"),
        ("UPDATE day06_subscriptions SET start_date = '2022-12-31' WHERE rowid = 5", "dates outside"),
        ("UPDATE day06_customers SET signup_date = '9999-12-31' WHERE rowid = 5", "dates outside"),
        ("UPDATE day06_customers SET email = 'nobody' WHERE rowid = 5", "bad or repeated id or email"),
        ("UPDATE day06_customers SET email = 'a@b.com'", "bad or repeated id or email"),
        ("UPDATE day06_subscriptions SET subscription_id = 'x' WHERE rowid = 5", "subscriptions with a bad"),
        ("UPDATE day06_customers SET mrr_current = 5000 WHERE rowid = 5", "outside their tier's range"),
        ("UPDATE day06_customers SET status = 'active' WHERE status = 'churned'", "status is not their last"),
        ("UPDATE day06_customers SET plan_tier = 'Pro' WHERE plan_tier = 'Starter'", "customers now on Starter"),
        ("DELETE FROM day06_subscriptions WHERE customer_id = (SELECT MIN(customer_id) FROM day06_customers)",
         "customers without a subscription"),
        ("UPDATE day06_mrr_movements SET net_mrr = net_mrr + 0.01 WHERE month = '2023-05-01'", "months whose net"),
        ("UPDATE day06_mrr_movements SET new_mrr = new_mrr + 1, net_mrr = net_mrr + 1 WHERE month = '2023-05-01'",
         "MRR before and the net"),
        ("DELETE FROM day06_mrr_movements WHERE month = '2023-05-01'", "months missing"),
        ("UPDATE day06_subscriptions SET mrr = mrr * 1.3", "MRR at the end of month 24"),
        ("UPDATE day06_subscriptions SET end_date = NULL", "retention: month 12"),
        ("UPDATE day06_subscriptions SET plan_tier = 'Starter'", "customers with an upgrade"),
    ],
)  # fmt: skip
def test_an_injected_defect_is_named(tmp_path: Path, spoil: str, failing: str) -> None:
    path = tmp_path / "saas.db"
    generate(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(spoil)
    measures = [line.measure for line in calibration.report(read(path), 500).failures]
    assert any(failing in measure for measure in measures), measures


def test_rows_of_another_shape_are_refused() -> None:
    made = {name: pa.Table.from_batches([batch]) for name, batch in batches(17).items()}
    made["day06_customers"] = pa.table({"x": ["y"]})
    with pytest.raises(GeneratorError, match="not the health world's"):
        calibration.report(made.__getitem__, 17)


def test_totals_and_cases_are_not_asked_of_a_small_world() -> None:
    report = calibration.report(world(17), 17)
    assert report.passed
    assert {line.measure for line in report.lines if not line.judged} > {"MRR at the end of month 1"}


def test_a_world_of_another_size_fails() -> None:
    assert "customers" in [line.measure for line in calibration.report(world(499), 500).failures]


def test_an_empty_world_passes() -> None:
    assert calibration.report(World([], [], world(0).movements), 0).passed
