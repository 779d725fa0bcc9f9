"""Bringing rows again that lie behind the cursor: those of a range, of some keys, or all, in slices.

A slice is read in a snapshot of its own, compared with the warehouse, and where they differ brought to
the source in a load of its own that keeps the watermark; then it is compared again and written down,
so that the same command continues where it was stopped. In the end the table is synced as ever, so that
the state that stands is one that was proven: no check of a range alone opens the gate. Where a sync proves
only partitions, those that hold rows of the range are among them.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from etl.config import Config
from etl.errors import ConfigError, ExitCode, RunError, StoppedTableError
from etl.ledger import Ledger
from etl.ranges import Ranges
from etl.records import Load, LoadKind, Run, Slice, new_id, next_load
from etl.scratch import Scratch
from etl.sources.base import Snapshot, Source
from etl.sync.keys import differing, key_table
from etl.sync.move import Progress
from etl.sync.plan import chosen, configured
from etl.sync.run import Failed, sync
from etl.sync.scope import Scoper
from etl.sync.slices import Axis, Span, asked, axis_of, natural_axis, ranges, span_of
from etl.sync.table import Synced
from etl.verify.comparison import Comparer
from etl.verify.drift import drift_of
from etl.verify.keeping import refuse_hardening
from etl.verify.partitions import labels_of
from etl.verify.repair import Repair, apply_repair, refuse_mass_deletion
from etl.verify.verify import ROUNDS
from etl.warehouses.base import Warehouse
from schemas.table import Table

log = logging.getLogger(__name__)

SLICE_ROWS = 500_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows to bring again: those with ``keys``; else those of a range; all with neither.

    A range is of ``column``, or of the table's cursor, from ``low`` to ``high``, both included, open
    where None. Values are the texts that people write.
    """

    column: str = ""
    low: str | None = None
    high: str | None = None
    keys: tuple[str, ...] = ()

    def require_one(self, *, everything: bool) -> None:
        """Raise ``ConfigError`` unless exactly one of a range, keys and everything was asked for."""
        ranged = self.low is not None or self.high is not None
        if ranged + bool(self.keys) + everything != 1:
            raise ConfigError(
                "a backfill is of a range, of keys, or of everything", "give --from and --to, or --key, or --all"
            )
        if self.column and self.keys:
            raise ConfigError("--column belongs to a range, not to keys", "leave one of them out")

    @property
    def everything(self) -> bool:
        """Whether nothing limits it."""
        return self.low is None and self.high is None and not self.keys


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a backfill will do: ``rows`` of the source in ``slices``, in about ``seconds`` (None: no check to go by).

    ``done`` slices were proven by a run that was stopped, and are not repeated.
    """

    table: str
    what: str
    rows: int
    slices: int
    done: int
    seconds: float | None

    def __str__(self) -> str:
        count = "1 slice" if self.slices == 1 else f"{self.slices:,} slices"
        time_ = "" if self.seconds is None else f", about {max(round(self.seconds), 1):,} s"
        done = f"; {self.done:,} done before are not repeated" if self.done else ""
        return f"{self.table}: {self.rows:,} rows of {self.what} in {count}{time_}{done}"


@dataclass(frozen=True, slots=True)
class Backfilled:
    """What a backfill did: rows compared, rows brought or deleted, and the sync that proved the table in the end."""

    table: str
    what: str
    slices: int
    rows: int
    changed: int
    synced: Synced | Failed
    seconds: float


def backfill(
    config: Config,
    source: Source,
    warehouse: Warehouse,
    table: str,
    wanted: Wanted,
    *,
    slice_rows: int = SLICE_ROWS,
    restart: bool = False,
    dry_run: bool = False,
    announce: Callable[[Estimate], None] = lambda _estimate: None,
    progress: Progress = lambda _table, _step, _rows: None,
) -> Backfilled | None:
    """Bring the wanted rows of a table to the source's state, and prove the table; None if only estimated.

    ``announce`` is called once, before anything is changed. Raises ``ConfigError`` for a table, column, value
    or key that is not there, ``RunError`` for what stopped it.
    """
    scratch = Scratch(config.warehouse.memory_limit)
    try:
        with source.snapshot() as snapshot:
            (known,) = chosen(configured(snapshot.tables(), config.tables), [table])
        course = _Backfill(config, source, warehouse, scratch, known, progress)
        return course.run(course.plan(wanted, slice_rows, restart=restart), announce, dry_run=dry_run)
    finally:
        scratch.close()


@dataclass(frozen=True, slots=True)
class _Plan:
    """The slices that are left to do, in order, and what is known of them."""

    job: str
    axis: Axis | None
    slices: tuple[Span | None, ...]
    """None is the slice of NULLs, or for a table without an axis the whole of it."""
    keys: tuple[str, ...]
    estimate: Estimate
    whole: Ranges | None
    """All that was asked for, with what was done before; None for keys, and for the whole table."""


class _Backfill:
    def __init__(
        self, config: Config, source: Source, warehouse: Warehouse, scratch: Scratch, table: Table, progress: Progress
    ) -> None:
        self._config, self._source, self._warehouse, self._scratch = config, source, warehouse, scratch
        self._table, self._progress = table, progress
        self._ledger = Ledger(warehouse)
        self._run_id = new_id()
        self._started = time.monotonic()
        self._deleted = 0
        self._newest()

    def plan(self, wanted: Wanted, slice_rows: int, *, restart: bool) -> _Plan:
        """What is to be done; raises ``ConfigError`` for what cannot be, before anything is."""
        if wanted.keys:
            return self._plan_keys(wanted.keys)
        if wanted.everything and not wanted.column:
            axis = natural_axis(self._table)
        else:
            axis = axis_of(self._table, wanted.column)
        if axis is None:
            return self._planned("", None, (None,), None, 0, "the whole table")
        span = asked(axis, wanted.low, wanted.high)
        job = json.dumps([axis.column.name, span.low, span.high])
        done = () if restart else self._ledger.slices(self._table.target, job)
        nulls = wanted.everything and axis.column.nullable
        return self._plan_range(job, axis, span, done, slice_rows, nulls=nulls)

    def _plan_range(
        self, job: str, axis: Axis, whole: Span, done: tuple[Slice, ...], slice_rows: int, *, nulls: bool
    ) -> _Plan:
        """The slices after those that are done; they were taken from the lowest on, the NULLs last."""
        ends = [_span(slice_) for slice_ in done]
        left: Span | None = whole
        if ends:
            left = None if ends[-1] is None or ends[-1].high == whole.high else Span(ends[-1].high, whole.high)
        with self._source.snapshot() as snapshot:
            extent = span_of(axis, snapshot.extent(self._table, axis.column))
            part = ranges(axis, *([left] if left else []), nulls=nulls and None not in ends)
            rows = snapshot.count(self._table, part)
            self._refuse_vanished(snapshot, ranges(axis, whole, nulls=nulls))
        spans: tuple[Span | None, ...] = ()
        if left:
            spans = left.cut(extent, -(-rows // slice_rows)) if extent and rows else (left,)
        if nulls and None not in ends:
            spans = (*spans, None)
        asked_for = ranges(axis, whole, nulls=nulls)
        return self._planned(job, axis, spans, rows, len(done), whole.show(axis), whole=asked_for)

    def _plan_keys(self, keys: tuple[str, ...]) -> _Plan:
        with self._source.snapshot() as snapshot:
            self._repair_keys(snapshot, keys)  # names those that neither side has
        return self._planned("", None, (None,), len(keys), 0, "the named keys", keys)

    def _planned(
        self,
        job: str,
        axis: Axis | None,
        slices: tuple[Span | None, ...],
        rows: int | None,
        done: int,
        what: str,
        keys: tuple[str, ...] = (),
        whole: Ranges | None = None,
    ) -> _Plan:
        check = self._ledger.last_equal_check(self._table.target)
        if rows is None:
            with self._source.snapshot() as snapshot:
                rows = snapshot.count(self._table)
        seconds = None
        if check and check.source_rows:
            # The rows at the pace of the newest proof, and that proof once more in the end.
            seconds = check.seconds * (1 + rows / check.source_rows)
        estimate = Estimate(self._table.target, what, rows, len(slices), done, seconds)
        return _Plan(job, axis, slices, keys, estimate, whole)

    def run(self, plan: _Plan, announce: Callable[[Estimate], None], *, dry_run: bool) -> Backfilled | None:
        """Do it, unless it is only to be estimated."""
        announce(plan.estimate)
        if dry_run:
            return None
        self._ledger.write(Run(self._run_id, "backfill", message=str(plan.estimate)))
        rows = changed = 0
        for i, span in enumerate(plan.slices, 1):
            compared, brought = self._slice(plan, span, i)
            rows, changed = rows + compared, changed + brought
        if plan.job:
            self._ledger.write(Slice(self._table.target, plan.job, "", rows, changed, last=True))
        target = self._table.target
        (synced,) = sync(
            self._config,
            self._source,
            self._warehouse,
            tables=[target],
            also={target: self._held(plan)},
            progress=self._progress,
        )
        failed = isinstance(synced, Failed) or not synced.check.equal
        self._ledger.write(Run(self._run_id, "backfill", ExitCode.FAILED if failed else ExitCode.EQUAL))
        seconds = time.monotonic() - self._started
        return Backfilled(target, plan.estimate.what, len(plan.slices), rows, changed, synced, seconds)

    def _held(self, plan: _Plan) -> set[str]:
        """The partitions in which the warehouse now holds what was asked for; none where all of it is proven."""
        with self._source.snapshot() as snapshot:
            scoper = self._scoper(snapshot)
            if not plan.keys:
                return scoper.within(self._table, plan.whole)
            by = scoper.partitioning(self._table)
        rows = self._warehouse.read_keys(self._table, key_table(self._table, plan.keys))
        return labels_of(by, rows[by.column.name].to_pylist()) if by else set()

    def _scoper(self, snapshot: Snapshot) -> Scoper:
        return Scoper(snapshot, self._warehouse, self._ledger, self._config.tables)

    def _slice(self, plan: _Plan, span: Span | None, number: int) -> tuple[int, int]:
        """One slice, brought and written down; the rows compared and those changed."""
        self._progress(self._table.target, f"slice {number} of {len(plan.slices)}", 0)
        with self._opened() as snapshot:
            if plan.keys:
                return self._bring_keys(snapshot, plan.keys)
            part = None
            if plan.axis:
                part = ranges(plan.axis, span) if span else ranges(plan.axis, nulls=True)
            rows, changed = self._bring(snapshot, part)
        if plan.job:
            at = "" if span is None else json.dumps([span.low, span.high])
            self._ledger.write(Slice(self._table.target, plan.job, at, rows, changed, last=False))
        self._progress(self._table.target, f"slice {number} of {len(plan.slices)}", rows)
        shown = span.show(plan.axis) if span and plan.axis else "the rest"
        log.info(
            "%s: slice %d of %d, %s: %s rows compared, %s brought",
            *(self._table.target, number, len(plan.slices), shown, f"{rows:,}", f"{changed:,}"),
        )
        return rows, changed

    @contextmanager
    def _opened(self) -> Iterator[Snapshot]:
        """A snapshot taken by whoever holds the table's lease, so that none is older than the newest load."""
        with self._warehouse.lease(self._table.target), self._source.snapshot() as snapshot:
            yield snapshot

    def _bring(self, snapshot: Snapshot, part: Ranges | None) -> tuple[int, int]:
        """Compare a part and bring what differs, until nothing does; the rows compared and those changed."""
        comparer = Comparer(snapshot, self._warehouse, self._scratch)
        changed = 0
        try:
            source = comparer.source(self._table, part)
            for round_ in range(ROUNDS + 1):
                comparison = comparer.compare(self._table, source, comparer.warehouse(self._table, part), part)
                if comparison.equal or round_ == ROUNDS:
                    break
                changed += self._apply(snapshot, comparer.plan_repair(self._table, comparison, source))
        finally:
            comparer.forget()
        if not comparison.equal:
            log.warning("%s: a slice differs still; the whole table is compared in the end", self._table.target)
        return comparison.source.rows, changed

    def _bring_keys(self, snapshot: Snapshot, texts: tuple[str, ...]) -> tuple[int, int]:
        repair = self._repair_keys(snapshot, texts)
        return len(texts), self._apply(snapshot, repair) if repair else 0

    def _repair_keys(self, snapshot: Snapshot, texts: tuple[str, ...]) -> Repair | None:
        keys = key_table(self._table, texts)
        return differing(self._table, keys, snapshot, self._warehouse, self._scratch)

    def _apply(self, snapshot: Snapshot, repair: Repair) -> int:
        newest = self._newest()
        load = next_load(
            self._table,
            newest,
            run_id=self._run_id,
            kind=LoadKind.BACKFILL,
            snapshot_at=snapshot.instant,
        )
        touched = partial(self._scoper(snapshot).touched, self._table)
        return apply_repair(self._warehouse, self._ledger, self._table, repair, load, self._guard, touched).changed

    def _guard(self, deletes: int) -> None:
        """Refuse what all slices together would delete."""
        self._deleted += deletes
        self._refuse_deletion(self._deleted)

    def _refuse_vanished(self, snapshot: Snapshot, part: Ranges) -> None:
        """Stop before the first slice where the source has lost too much of what is to be brought."""
        where = part.condition(self._warehouse.dialect)
        held = self._count(f" WHERE {where}")
        self._refuse_deletion(held - snapshot.count(self._table, part))

    def _refuse_deletion(self, deletes: int) -> None:
        refuse_mass_deletion(self._table, deletes, self._count(), self._config.sync.max_delete_share)

    def _count(self, where: str = "") -> int:
        target = self._warehouse.live(self._table)
        return int(self._warehouse.query(f"SELECT COUNT(*) AS n FROM {target} AS etl_t{where}")["n"][0].as_py())

    def _newest(self) -> Load:
        """The load to start from; raises ``RunError`` where a sync has to come first."""
        table, sync_first = self._table, f"run: etl sync {self._table.target}"
        newest, held = self._ledger.newest_load(table.target), self._warehouse.columns("raw", table.target)
        if newest is None or not held:
            raise RunError(f"table {table.target} has not been synced", sync_first)
        if newest.source != self._source.identity:
            raise StoppedTableError(
                f"table {table.target} was loaded from {newest.source}, but the source is {self._source.identity}",
                f"if that is right, load it anew: etl sync {table.target} --full",
            )
        refuse_hardening(table, newest)
        drift = drift_of(self._warehouse.dialect, table, held)
        if drift:
            raise RunError(f"table {table.target} has changed in the source: {drift.describe()}", sync_first)
        return newest


def _span(slice_: Slice) -> Span | None:
    return Span(*json.loads(slice_.part)) if slice_.part else None
