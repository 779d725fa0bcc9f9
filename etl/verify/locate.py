"""From two sides that differ to the rows that differ, moving as few rows as possible."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from etl.dialects.base import WORDS
from etl.scratch import Scratch
from etl.verify.compare import BucketDifferences, Candidate, subtract, surplus_of
from etl.verify.rowsum import Selection, Side, summed_key
from schemas.table import Table

_KEYS_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class Located:
    """Rows of which one side has more copies than the other.

    ``rows`` has the table's key columns (all columns for a table without a key), ``WORDS`` and
    ``etl_surplus``: the source's copies less the warehouse's. ``fetched`` is the number of rows that
    were moved from both sides to find them.
    """

    rows: pa.Table
    fetched: int


def locate(scratch: Scratch, table: Table, source: Side, warehouse: Side) -> Located:
    """Every row that differs; none is lost and none invented.

    Buckets that look like one row are decoded and proven, the rest are fetched as (key, words).
    """
    return _Search(scratch, table, source, warehouse).run()


class _Search:
    def __init__(self, scratch: Scratch, table: Table, source: Side, warehouse: Side) -> None:
        self._scratch, self._table = scratch, table
        self._sides = {True: source, False: warehouse}
        self._named = list(table.key) or [column.name for column in table.columns]
        self._fetched = 0

    def run(self) -> Located:
        left = subtract(self._scratch, self._sides[True].buckets(), self._sides[False].buckets())
        if left.saturated:
            return self._located([], None)
        proven, failed = self._prove(left)
        return self._located(proven, Selection(buckets=tuple(sorted((*left.others, *failed)))))

    def _located(self, proven: list[pa.Table], rest: Selection | None) -> Located:
        found = list(proven)
        if rest is None or rest:
            found.append(self._surplus(rest))
        rows = pa.concat_tables(found, promote_options="permissive")
        return Located(rows, self._fetched)

    def _surplus(self, selection: Selection | None) -> pa.Table:
        """What one side has more of; both are gathered in the scratch database, which spills what it cannot hold."""
        gathered = {True: "etl_ours", False: "etl_theirs"}
        try:
            for in_source, name in gathered.items():
                made = False
                for members in self._members(in_source, selection):
                    with self._scratch.holding(etl_some=members):
                        into = f"INSERT INTO {name}" if made else f"CREATE OR REPLACE TEMPORARY TABLE {name} AS"
                        self._scratch.run(f"{into} SELECT * FROM etl_some")
                    made, names = True, members.schema.names
            return surplus_of(self._scratch, names, gathered[True], gathered[False])
        finally:
            for name in gathered.values():
                self._scratch.run(f"DROP TABLE IF EXISTS {name}")

    def _members(self, in_source: bool, selection: Selection | None) -> Iterator[pa.Table]:
        for members in self._sides[in_source].members(self._named, selection):
            self._fetched += members.num_rows
            yield members

    def _prove(self, left: BucketDifferences) -> tuple[list[pa.Table], list[int]]:
        """The candidates whose row exists with exactly the decoded words, and the buckets of those that failed."""
        proven: list[pa.Table] = []
        failed: list[int] = []
        for in_source in (True, False):
            candidates = [candidate for candidate in left.candidates if candidate.in_source is in_source]
            for start in range(0, len(candidates), _KEYS_AT_ONCE):
                some = candidates[start : start + _KEYS_AT_ONCE]
                rows, missing = self._prove_some(some, in_source)
                proven.append(rows)
                failed += missing
        return proven, failed

    def _prove_some(self, candidates: Sequence[Candidate], in_source: bool) -> tuple[pa.Table, list[int]]:
        decoded = _decoded(candidates)
        members = self._candidate_rows(candidates, in_source)
        names = ", ".join(f"m.{self._scratch.dialect.quote(name)}" for name in self._named)
        same = " AND ".join(f"m.{word} = d.{word}" for word in WORDS)
        words = ", ".join(f"d.{word}" for word in WORDS)
        sign = 1 if in_source else -1
        with self._scratch.holding(decoded=decoded, members=members):
            # A doubled row is there more than once with the same words; the bucket says that one copy is too many.
            rows = self._scratch.query(
                f"SELECT {names}, {words}, CAST({sign} AS BIGINT) AS etl_surplus FROM decoded AS d "
                f"JOIN members AS m ON {same} QUALIFY ROW_NUMBER() OVER (PARTITION BY d.bucket) = 1"
            )
            missing = self._scratch.query(f"SELECT bucket FROM decoded AS d ANTI JOIN members AS m ON {same}")
        return rows, missing["bucket"].to_pylist()

    def _candidate_rows(self, candidates: Sequence[Candidate], in_source: bool) -> pa.Table:
        """(key, words) of the rows that the candidates name, by key where the buckets sum it."""
        if not summed_key(self._table):
            words = Selection(first_words=tuple(c.words[0] for c in candidates))
            return pa.concat_tables(self._members(in_source, words))
        keys = _key_table(self._table, candidates)
        rows = self._sides[in_source].rows(keys)
        self._fetched += rows.num_rows
        with self._scratch.holding(fetched=rows):
            return self._scratch.query(self._scratch.dialect.hashes(self._table.columns, self._named, "fetched"))


def _decoded(candidates: Sequence[Candidate]) -> pa.Table:
    columns = {"bucket": pa.array([c.bucket for c in candidates], pa.int64())}
    for i, word in enumerate(WORDS):
        columns[word] = pa.array([c.words[i] for c in candidates], pa.int64())
    return pa.table(columns)


def _key_table(table: Table, candidates: Sequence[Candidate]) -> pa.Table:
    """The candidates' keys; a sum that is no 64-bit integer cannot be a key and is left out."""
    fitting = [c.key for c in candidates if all(-(2**63) <= part < 2**63 for part in c.key)]
    columns = list(zip(*fitting, strict=True)) or [()] * len(table.key)
    return pa.table({name: pa.array(column, pa.int64()) for name, column in zip(table.key, columns, strict=True)})
