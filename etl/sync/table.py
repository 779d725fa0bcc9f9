"""One table's sync: move what changed, prove it, bring what was missed, and prove it again."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass, replace

from etl.errors import LostRaceError, RunError, StoppedTableError
from etl.ranges import Ranges
from etl.records import FULL_SCOPE, Check, Load, LoadKind, keeps_deleted
from etl.sync.move import Context, Mover
from etl.verify.comparison import Comparison
from etl.verify.differences import Difference, moved_after
from etl.verify.drift import drift_of
from etl.verify.keeping import Keeper, refuse_hardening
from etl.verify.partitions import Scope
from etl.verify.repair import refuse_mass_deletion, vanished
from etl.verify.rowsum import Side
from etl.verify.verify import ROUNDS, difference_rows, make_check
from schemas.table import CursorKind, Table

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ahead:
    """What was loaded of a table by ranges, before the sync that proves it."""

    rows: int
    seconds: float


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

    def after(self, ahead: Ahead | None) -> Synced:
        """The same with what was loaded by ranges before."""
        if ahead is None:
            return self
        rows, seconds = self.extracted + ahead.rows, self.seconds + ahead.seconds
        return replace(self, kind=LoadKind.FULL, extracted=rows, seconds=seconds)

    def summary(self) -> str:
        """One line for a log."""
        proof = "equal" if self.check.equal else f"not equal, {self.check.differences:,} found"
        return (
            f"{self.table}: {self.kind or 'unchanged'}, {self.extracted:,} rows moved, {self.repaired:,} repaired, "
            f"{self.check.source_rows:,} rows in all, {proof}, {self.seconds:.2f} s"
            f"{'; ' if self.drift else ''}{self.drift}"
        )


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
        self._keeper = Keeper(context.warehouse, context.ledger, table)
        self._reach = context.snapshot.reach(table)
        self._mover = Mover(context, table, self._reach)
        self._started = time.monotonic()
        self._drift = ""
        self._fetched = 0
        self._scope: Scope | None = None

    def run(self, *, full: bool) -> Synced:
        newest = self._ledger.newest_load(self._table.target)
        if newest and self._overtaken(newest):
            return self._as_proven(newest)
        held = self._warehouse.columns("raw", self._table.target)
        self._keeper.prepare()
        if newest is None or not held or full:
            return self._prove(self._mover.load_all(newest, LoadKind.FULL))
        return self._prove(self._load_changes(newest, held))

    def _overtaken(self, newest: Load) -> bool:
        """Whether another run, while this one waited, has loaded a later snapshot: bringing this one would go back."""
        run, instant = self._context.run_id, self._context.snapshot.instant
        return newest.run_id != run and newest.load_id > run and newest.snapshot_at > instant

    def _as_proven(self, newest: Load) -> Synced:
        """What the other run has proven; raises ``LostRaceError`` if it has not."""
        check = self._ledger.newest_checks().get(self._table.target)
        if check is None or check.load_id != newest.load_id or not check.equal:
            raise LostRaceError(
                f"table {self._table.target}: another run has loaded it meanwhile, but not proven it",
                "run the same command again",
            )
        log.info("%s: another run has brought and proven a later state meanwhile", self._table.target)
        return Synced(self._table.target, None, 0, 0, check, (), "", time.monotonic() - self._started)

    def _load_changes(self, newest: Load, held: dict[str, str]) -> Side:
        self._refuse_other_source(newest)
        refuse_hardening(self._table, newest)
        drift = drift_of(self._warehouse.dialect, self._table, held).since(json.loads(newest.columns))
        self._drift = drift.describe()
        self._refuse_shrinkage(newest)
        if expired := self._mover.expired(newest):
            log.warning("%s: %s; loading it anew", self._table.target, expired)
            return self._mover.load_all(newest, LoadKind.RELOAD)
        newest = self._mover.follow(newest, drift)
        if self._table.key and self._table.cursor.kind is not CursorKind.FULL:
            self._mover.merge_window(newest)
        self._mover.step("sum")
        self._scope = None if self._went_back(newest) else self._context.scoper.scope(self._table)
        return self._context.comparer.source(self._table, self._part)

    def _went_back(self, newest: Load) -> bool:
        """Whether the source's newest cursor value is older than before, and says so: then any row may be older."""
        if newest.cursor != str(self._table.cursor) or not moved_after(newest.watermark, self._reach.fence):
            return False
        log.warning(
            "%s: the newest %s in the source is %s, older than the %s of the last load: its newest rows were deleted, "
            "or it is an older backup; all of it is compared",
            self._table.target,
            self._table.cursor.column,
            self._reach.fence,
            newest.watermark,
        )
        return True

    def _prove(self, source: Side) -> Synced:
        found = 0
        for round_ in range(ROUNDS + 1):
            self._mover.step("compare")
            warehouse = self._context.comparer.warehouse(self._table, self._part)
            comparison = self._context.comparer.compare(self._table, source, warehouse, self._part)
            found = found or comparison.differing
            self._fetched += comparison.located.fetched if comparison.located else 0
            done = round_ == ROUNDS or not self._context.config.repair
            if comparison.equal and round_ < ROUNDS and self._counts_differ():
                source = self._widen()
            elif comparison.equal or done:
                return self._conclude(comparison, source, warehouse, found)
            else:
                source = self._bring(comparison, source)
        raise AssertionError("the last round returns")

    def _counts_differ(self) -> bool:
        """Whether rows are missing or too many outside of the part that was compared."""
        return self._scope is not None and self._held_rows() != self._context.snapshot.count(self._table)

    def _widen(self) -> Side:
        log.info("%s: the numbers of rows differ beyond %s; comparing the whole", self._table.target, self._scope)
        self._scope = None
        return self._context.comparer.source(self._table)

    def _bring(self, comparison: Comparison, source: Side) -> Side:
        """Bring what differs: the located rows, or everything if those are too many."""
        newest = self._ledger.newest_load(self._table.target)
        assert newest is not None
        rows = self._held_rows() if self._scope else 0
        share = comparison.differing / max(comparison.source.rows, comparison.warehouse.rows, rows)
        if share > self._context.config.reload_share:
            assert comparison.located is not None
            self._refuse_mass_deletion(vanished(self._table, comparison.located), comparison.warehouse.rows)
            self._scope = None
            return self._mover.load_all(newest, LoadKind.RELOAD)
        self._mover.step("repair")
        repair = self._context.comparer.plan_repair(self._table, comparison, source)
        held = rows or comparison.warehouse.rows
        self._mover.repair(newest, repair, lambda deletes: self._refuse_mass_deletion(deletes, held))
        if self._grown() or not self._context.snapshot.consistent:
            return self._context.comparer.source(self._table, self._part)
        return source

    def _grown(self) -> bool:
        """Whether a repair has brought rows that lie outside of what was compared, so that more is to be."""
        if self._scope is None or not self._table.key:
            return False
        grown = self._context.scoper.scope(self._table, self._scope)
        if grown and set(grown.labels) <= set(self._scope.labels):
            return False
        self._scope = grown
        return True

    def _conclude(self, comparison: Comparison, source: Side, warehouse: Side, found: int) -> Synced:
        versions = self._keep_history() if comparison.equal else None
        self._mover.step("check")
        judged = self._context.comparer.judge(self._table, comparison, source, warehouse)
        newest = self._ledger.newest_load(self._table.target)
        assert newest is not None
        seconds = time.monotonic() - self._started
        check = make_check(
            self._table,
            newest,
            comparison,
            judged,
            run_id=self._context.run_id,
            found=found,
            seconds=seconds,
            snapshot_at=self._context.snapshot.instant,
            moving=not self._context.snapshot.consistent,
            scope=str(self._scope) if self._scope else FULL_SCOPE,
        )
        check = replace(check, versions=versions, rows_fetched=self._fetched)
        proven = self._context.scoper.proven(self._table, self._scope, check)
        check = replace(check, oldest_at=self._context.scoper.oldest(self._table, proven))
        self._ledger.write(check, *proven, *difference_rows(check.check_id, judged.shown))
        moved = self._mover
        return Synced(
            self._table.target,
            moved.kind,
            moved.extracted,
            moved.repaired,
            check,
            judged.shown,
            self._drift,
            seconds,
        )

    def _keep_history(self) -> int | None:
        """Prove the history against the copy that was just proven, and bring it there if it is not; its versions.

        Raises ``RunError`` where that does not mend it.
        """
        if not self._table.history:
            return None
        if flaw := self._keeper.flaw(self._part):
            newest = self._ledger.newest_load(self._table.target)
            assert newest is not None
            log.info("%s: history: %s; bringing it to the copy", self._table.target, flaw)
            self._mover.keep(newest)
            if flaw := self._keeper.flaw():
                raise RunError(
                    f"the history of {self._table.target} is wrong: {flaw}",
                    "mend it in raw_history, or give it another name, and a new one begins with the next sync",
                )
        return self._keeper.count()

    @property
    def _part(self) -> Ranges | None:
        return self._scope.partitions if self._scope else None

    def _refuse_other_source(self, newest: Load) -> None:
        if newest.source != self._context.identity:
            raise StoppedTableError(
                f"table {self._table.target} was loaded from {newest.source}, "
                f"but the source is {self._context.identity}",
                f"if that is right, load it anew: etl sync {self._table.target} --full",
            )

    def _refuse_mass_deletion(self, deletes: int, rows: int) -> None:
        refuse_mass_deletion(self._table, deletes, rows, self._context.config.max_delete_share)

    def _refuse_shrinkage(self, newest: Load) -> None:
        """Stop where the source is smaller than the warehouse by more than may be deleted."""
        held = self._held_rows(replace(self._table, soft=keeps_deleted(newest)))
        self._refuse_mass_deletion(held - self._context.snapshot.count(self._table), held)

    def _held_rows(self, table: Table | None = None) -> int:
        target = self._warehouse.live(table or self._table)
        return int(self._warehouse.query(f"SELECT COUNT(*) AS n FROM {target} AS etl_t")["n"][0].as_py())
