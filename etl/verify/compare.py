"""Two sides' bucket sums subtracted, and single rows decoded from what is left.

A bucket that holds one row more on one side leaves that row's hash words and key in the
differences. The same numbers can also arise from several rows, so a decoded row is only a
candidate until the real row has been fetched and, subtracted, leaves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from etl.dialects.base import BUCKETS, WORDS
from etl.scratch import Scratch

_WORD = 2**32


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row that would explain a bucket's difference: one row more on the source's or the warehouse's side."""

    bucket: int
    in_source: bool
    words: tuple[int, int, int, int]
    key: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class BucketDifferences:
    """The buckets that differ, apart into those that look like a single row and the rest."""

    candidates: tuple[Candidate, ...]
    others: tuple[int, ...]

    @property
    def buckets(self) -> int:
        """How many buckets differ."""
        return len(self.candidates) + len(self.others)

    @property
    def saturated(self) -> bool:
        """Whether so many differ that decoding is of no use: single rows are then the exception."""
        return self.buckets > BUCKETS // 2


def subtract(scratch: Scratch, source: pa.Table, warehouse: pa.Table) -> BucketDifferences:
    """What is left of the source's bucket sums after the warehouse's; both as ``Side.buckets`` gives them."""
    sums = [name for name in source.schema.names if name != "bucket"]
    left = ", ".join(f"CAST(COALESCE(s.{x}, 0) - COALESCE(w.{x}, 0) AS HUGEINT) AS {x}" for x in sums)
    nonzero = " OR ".join(f"{x} <> 0" for x in sums)
    exact = ", ".join(f"CAST({x} AS HUGEINT) AS {x}" for x in sums)
    with scratch.holding(source_buckets=source, warehouse_buckets=warehouse):
        rows = scratch.query(
            f"WITH s AS (SELECT bucket, {exact} FROM source_buckets), "
            f"w AS (SELECT bucket, {exact} FROM warehouse_buckets) "
            f"SELECT * FROM (SELECT COALESCE(s.bucket, w.bucket) AS bucket, {left} "
            f"FROM s FULL JOIN w ON s.bucket = w.bucket) AS d WHERE {nonzero} ORDER BY bucket"
        )
    return _decode(rows)


def _decode(rows: pa.Table) -> BucketDifferences:
    columns = [[int(value) for value in column.to_pylist()] for column in rows.columns]
    candidates, others = [], []
    for bucket, n, *sums in zip(*columns, strict=True):
        candidate = _candidate(bucket, n, sums)
        if candidate:
            candidates.append(candidate)
        else:
            others.append(bucket)
    return BucketDifferences(tuple(candidates), tuple(others))


def _candidate(bucket: int, n: int, sums: Sequence[int]) -> Candidate | None:
    if n not in (1, -1):
        return None
    s1, s2, s3, s4, *key = (n * value for value in sums)
    if all(0 <= word < _WORD for word in (s1, s2, s3, s4)) and s1 % BUCKETS == bucket:
        return Candidate(bucket, n == 1, (s1, s2, s3, s4), tuple(key))
    return None


def surplus(scratch: Scratch, source: pa.Table, warehouse: pa.Table) -> pa.Table:
    """The rows of which one side has more copies: the given columns and ``etl_surplus``.

    Both tables have the same columns, ``WORDS`` among them; ``etl_surplus`` is positive where the
    source has more. Rows with the same words are the same rows.
    """
    with scratch.holding(source_members=source, warehouse_members=warehouse):
        return surplus_of(scratch, source.schema.names, "source_members", "warehouse_members")


def surplus_of(scratch: Scratch, names: Sequence[str], source: str, warehouse: str) -> pa.Table:
    """The same of two relations of the scratch database with these columns."""
    names = [name for name in names if name not in WORDS]
    picked = "".join(f"ANY_VALUE({scratch.dialect.quote(name)}) AS {scratch.dialect.quote(name)}, " for name in names)
    words = ", ".join(WORDS)
    return scratch.query(
        f"SELECT {picked}{words}, CAST(SUM(etl_sign) AS BIGINT) AS etl_surplus FROM ("
        f"SELECT *, 1 AS etl_sign FROM {source} UNION ALL BY NAME "
        f"SELECT *, -1 AS etl_sign FROM {warehouse}"
        f") AS sides GROUP BY {words} HAVING SUM(etl_sign) <> 0"
    )
