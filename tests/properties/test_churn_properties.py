"""Every size and seed of the churn world meets the specification."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from generators.calibration import Report
from generators.churn import batches, calibration, shards
from generators.churn.arrow import schema
from schemas.churn import metadata

SIZES = (0, 1, 2, 17, 1_000)


def _report(customers: int, seed: int) -> Report:
    made = [batches(customers, seed, shard) for shard in range(shards(customers))]

    def read(table: str) -> pa.Table:
        return pa.Table.from_batches([shard[table] for shard in made], schema(metadata.tables[table]))

    return calibration.report(read, customers)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(customers=st.sampled_from(SIZES), seed=st.integers(0, 2**63))
def test_any_seed_and_size_passes(customers: int, seed: int) -> None:
    report = _report(customers, seed)
    assert report.passed, report.text()
