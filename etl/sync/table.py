"""One table's sync: plan, extract, merge, prove, repair, and prove again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import pyarrow as pa

from etl.config import SyncConfig
from etl.dialects.base import Statement
from etl.errors import StoppedTableError
from etl.ledger import FULL_SCOPE, Check, Ledger, Load, LoadKind, columns_json, next_load
from etl.ranges import Ranges
from etl.readahead import readahead
from etl.sources.base import Reach, Snapshot, Window
from etl.sync.scope import Scoper
from etl.verify.comparison import Comparer, Comparison
from etl.verify.differences import Difference
from etl.verify.drift import Drift, drift_of
from etl.verify.partitions import Scope
from etl.verify.repair import apply_repair, refuse_mass_deletion, vanished
from etl.verify.rowsum import Side, chunks
from etl.verify.verify import difference_rows, make_check
from etl.warehouses.base import STAGING, Warehouse
from schemas.table import CursorKind, Table

log = logging.getLogger(__name__)

Progress = Callable[[str, str, int], None]
"""Called with a table's name, the step it is in, and the rows moved since the last call."""

ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Synced:
    """What one table's sync did.

    ``extracted`` counts the rows read to be moved (not those only summed), ``repaired`` the rows
    that the cursor had missed and the rowsum found, ``seconds`` the whole of it.
    """

    table: str
    kind: LoadKind | None
    extracted: int
    repaired: int
    check: Check
    differences: tuple[Difference, ...]
    drift: str
    seconds: float

    def summary(self) -> str:
        """One line for a log."""
        proof = "equal" if self.check.equal else f"{self.check.differences} differences"
        return (
            f"{self.table}: {self.kind or 'unchanged'}, {self.extracted:,} rows moved, {self.repaired:,} repaired, "
            f"{self.check.source_rows:,} rows in all, {proof}, {self.seconds:.2f} s"
        )


@dataclass(frozen=True, slots=True)
class Context:
    """What every table of one run shares."""

    snapshot: Snapshot
    identity: str
    warehouse: Warehouse
    ledger: Ledger
    comparer: Comparer
    scoper: Scoper
    config: SyncConfig
    run_id: str
    progress: Progress


def sync_table(context: Context, table: Table, *, full: bool = False) -> Synced:
    """Bring one table to the snapshot and prove it.

    Raises ``StoppedTableError`` before anything has changed if the load would be dangerous.
    """
    try:
        return _TableSync(context, table).run(full=full)
    finally:
        context.comparer.forget()


class _TableSync:
    def __init__(self, context: Context, table: Table) -> None:
        self._context, self._table = context, table
        self._warehouse, self._ledger = context.warehouse, context.ledger
        self._target = context.warehouse.relation("raw", table.target)
        self._started = time.monotonic()
        self._extracted = self._repaired = 0
        self._kind: LoadKind | None = None
        self._drift = ""
        self._touched: set[str] = set()
        self._scope: Scope | None = None

    def run(self, *, full: bool) -> Synced:
        newest = self._ledger.newest_load(self._table.target)
        held = self._warehouse.columns("raw", self._table.target)
        reach = self._context.snapshot.reach(self._table)
        if full or newest is None or not held:
            source: Side = self._load_all(newest, reach, LoadKind.FULL, allow=full or not held)
        else:
            source = self._load_changes(newest, held, reach)
        return self._prove(source, reach)

    # --- moving -------------------------------------------------------------------------------

    def _load_changes(self, newest: Load, held: dict[str, str], reach: Reach) -> Side:
        self._refuse_other_source(newest)
        drift = drift_of(self._warehouse.dialect, self._table, held)
        self._refuse_mass_deletion(self._shrinkage(), self._held_rows())
        newest = self._follow_drift(newest, drift)
        if self._table.key and self._table.cursor.kind is CursorKind.UPDATED_AT:
            self._merge_window(newest, reach)
        self._step("sum")
        self._scope = self._context.scoper.scope(self._table, self._touched)
        return self._context.comparer.source(self._table, self._part)

    @property
    def _part(self) -> Ranges | None:
        return self._scope.partitions if self._scope else None

    def _merge_window(self, newest: Load, reach: Reach) -> None:
        """Extract what is at or past the watermark, and merge it; nothing is written if that is nothing."""
        window = self._window(newest)
        staging = f"{STAGING}{self._table.target}"
        self._create(staging)
        self._step("extract")
        for chunk in chunks(self._context.snapshot.read(self._table, window), self._table):
            self._stage(staging, chunk)
        if self._extracted:
            self._step("merge")
            self._kind = LoadKind.INCREMENTAL
            self._touched = self._context.scoper.touched(self._table, staging)
            load = self._next(newest, reach, LoadKind.INCREMENTAL, self._extracted)
            names = [column.name for column in self._table.columns]
            staged = self._warehouse.relation("raw", staging)
            self._commit(load, self._warehouse.dialect.merge(self._target, staged, names, self._table.key))
        self._warehouse.drop(staging)

    def _window(self, newest: Load) -> Window | None:
        """What to extract; everything if there is no watermark of this very cursor yet."""
        if newest.watermark is None or newest.cursor != str(self._table.cursor):
            return None
        return Window(self._table.cursor.column, newest.watermark)

    def _load_all(self, newest: Load | None, reach: Reach, kind: LoadKind, *, allow: bool) -> Side:
        """Every row into a new table that takes the target's place; the rows are summed as they pass."""
        if newest and not allow:
            self._refuse_mass_deletion(self._shrinkage(), self._held_rows())
        self._scope = None
        source = self._context.comparer.unsummed_source(self._table)
        staging = f"{STAGING}{self._table.target}"
        self._create(staging)
        before = self._extracted
        self._step("extract")
        # Two cores, three kinds of work: the next chunk is read and the last one summed while this one is loaded.
        with ThreadPoolExecutor(1, thread_name_prefix="rowsum") as pool:
            for chunk in readahead(chunks(self._context.snapshot.read(self._table), self._table)):
                summed = pool.submit(source.add, chunk)
                self._stage(staging, chunk)
                summed.result()
        self._step("merge")
        self._kind = self._kind or kind
        load = self._next(newest, reach, kind, self._extracted - before)
        dialect = self._warehouse.dialect
        staged = self._warehouse.relation("raw", staging)
        swap = (f"DROP TABLE IF EXISTS {self._target}", dialect.rename(staged, self._table.target))
        self._commit(load, *swap)
        return source

    def _create(self, staging: str) -> None:
        """The staging table; columns that only the warehouse still has are kept, as NULL."""
        dialect = self._warehouse.dialect
        columns = {column.name: dialect.ddl(column.type) for column in self._table.columns}
        held = self._warehouse.columns("raw", self._table.target)
        self._warehouse.create(staging, columns | {name: t for name, t in held.items() if name not in columns})

    def _stage(self, staging: str, chunk: pa.Table) -> None:
        rows = self._warehouse.append(staging, self._table, chunk.to_batches())
        self._extracted += rows
        self._context.progress(self._table.target, "extract", rows)

    def _commit(self, load: Load, *statements: Statement | str) -> None:
        newest = self._ledger.still_newest(self._table.target, load.load_no - 1)
        self._warehouse.commit([newest, *statements, self._ledger.statement(load)])

    def _follow_drift(self, newest: Load, drift: Drift) -> Load:
        self._drift = drift.describe()
        if not drift:
            return newest
        self._step("drift")
        load = next_load(
            self._table,
            newest,
            run_id=self._context.run_id,
            kind=LoadKind.DRIFT,
            extracted=0,
            changed=0,
            columns=columns_json(self._table.columns),
        )
        self._commit(load, *drift.statements(self._warehouse.dialect, self._target))
        return load

    def _next(self, newest: Load | None, reach: Reach, kind: LoadKind, rows: int) -> Load:
        return next_load(
            self._table,
            newest,
            run_id=self._context.run_id,
            kind=kind,
            extracted=rows,
            changed=rows,
            source=self._context.identity,
            columns=columns_json(self._table.columns),
            cursor=str(self._table.cursor),
            watermark=reach.fence,
            seen=reach.seen,
            snapshot_at=self._context.snapshot.instant,
        )

    # --- proving ------------------------------------------------------------------------------

    def _prove(self, source: Side, reach: Reach) -> Synced:
        found = 0
        for round_ in range(ROUNDS + 1):
            self._step("compare")
            warehouse = self._context.comparer.warehouse(self._table, self._part)
            comparison = self._context.comparer.compare(self._table, source, warehouse, self._part)
            found = found or comparison.differing
            done = round_ == ROUNDS or not self._context.config.repair
            if comparison.equal and self._counts_differ() and not done:
                source = self._widen()
            elif comparison.equal or done:
                return self._conclude(comparison, source, warehouse, found)
            else:
                source = self._bring(comparison, source, reach)
        raise AssertionError("the last round returns")

    def _counts_differ(self) -> bool:
        """Whether rows are missing or too many outside of the part that was compared."""
        return self._scope is not None and self._held_rows() != self._context.snapshot.count(self._table)

    def _widen(self) -> Side:
        log.info("%s: the numbers of rows differ beyond %s; comparing the whole", self._table.target, self._scope)
        self._scope = None
        return self._context.comparer.source(self._table)

    def _bring(self, comparison: Comparison, source: Side, reach: Reach) -> Side:
        """Bring what differs: the located rows, or everything if those are too many."""
        newest = self._ledger.newest_load(self._table.target)
        assert newest is not None
        rows = self._held_rows() if self._scope else 0
        share = comparison.differing / max(comparison.source.rows, comparison.warehouse.rows, rows)
        if share > self._context.config.reload_share:
            assert comparison.located is not None
            self._refuse_mass_deletion(vanished(self._table, comparison.located), comparison.warehouse.rows)
            return self._load_all(newest, reach, LoadKind.RELOAD, allow=True)
        self._step("repair")
        repair = self._context.comparer.plan_repair(self._table, comparison, source)
        self._refuse_mass_deletion(repair.deletes, comparison.warehouse.rows)
        # A table without a cursor has no other way to move its changes, so this is its extraction.
        moves = self._table.cursor.kind is CursorKind.FULL
        kind = LoadKind.INCREMENTAL if moves else LoadKind.REPAIR
        load = replace(self._next(newest, reach, kind, repair.rows.num_rows), changed=repair.keys.num_rows)
        apply_repair(self._warehouse, self._ledger, self._table, repair, load)
        self._extracted += repair.rows.num_rows
        self._repaired += 0 if moves else repair.keys.num_rows
        self._kind = self._kind or kind
        return source

    def _conclude(self, comparison: Comparison, source: Side, warehouse: Side, found: int) -> Synced:
        self._step("check")
        differences = self._context.comparer.describe(self._table, comparison, source, warehouse)
        newest = self._ledger.newest_load(self._table.target)
        assert newest is not None
        seconds = time.monotonic() - self._started
        check = make_check(
            self._table,
            newest,
            comparison,
            differences,
            run_id=self._context.run_id,
            found=found,
            seconds=seconds,
            snapshot_at=self._context.snapshot.instant,
            scope=str(self._scope) if self._scope else FULL_SCOPE,
        )
        proven = self._context.scoper.proven(self._table, self._scope, check)
        check = replace(check, oldest_at=self._context.scoper.oldest(self._table, proven))
        self._ledger.write(check, *proven, *difference_rows(check.check_id, differences))
        named = tuple(differences)
        return Synced(
            self._table.target, self._kind, self._extracted, self._repaired, check, named, self._drift, seconds
        )

    # --- small things -------------------------------------------------------------------------

    def _step(self, name: str) -> None:
        log.debug("%s: %s", self._table.target, name)
        self._context.progress(self._table.target, name, 0)

    def _refuse_other_source(self, newest: Load) -> None:
        if newest.source != self._context.identity:
            raise StoppedTableError(
                f"table {self._table.name} was loaded from {newest.source}, but the source is {self._context.identity}",
                f"if that is right, load it anew: etl sync {self._table.target} --full",
            )

    def _refuse_mass_deletion(self, deletes: int, rows: int) -> None:
        refuse_mass_deletion(self._table, deletes, rows, self._context.config.max_delete_share)

    def _held_rows(self) -> int:
        return int(self._warehouse.query(f"SELECT COUNT(*) AS n FROM {self._target}")["n"][0].as_py())

    def _shrinkage(self) -> int:
        """By how many rows the source is smaller than the warehouse."""
        return max(self._held_rows() - self._context.snapshot.count(self._table), 0)
