"""`etl verify`: a fresh snapshot of the source against the warehouse as it is now."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime

from etl.errors import RunError
from etl.ledger import Ledger
from etl.records import DIFFERENCES_KEPT, FULL_SCOPE, Check, DifferenceRow, Load, LoadKind, new_id, next_load
from etl.sources.base import Snapshot
from etl.verify.comparison import Comparer, Comparison
from etl.verify.differences import Difference, DifferenceKind, Judged
from etl.verify.drift import drift_of
from etl.verify.keeping import Keeper, refuse_hardening
from etl.verify.repair import apply_repair, refuse_mass_deletion
from etl.verify.rowsum import Side
from etl.warehouses.base import Warehouse
from schemas.table import Table

ROUNDS = 3
"""How often a repaired table is compared again before it is given up."""


@dataclass(frozen=True, slots=True)
class Verified:
    """A check with the first of the differences it counts; ``pending`` ones are those the next sync brings."""

    check: Check
    comparison: Comparison
    differences: tuple[Difference, ...]
    pending: tuple[Difference, ...]


class Verifier:
    """Checks tables of one snapshot and, if asked, repairs them."""

    def __init__(
        self, snapshot: Snapshot, warehouse: Warehouse, ledger: Ledger, comparer: Comparer, run_id: str
    ) -> None:
        self._snapshot, self._warehouse, self._ledger = snapshot, warehouse, ledger
        self._comparer, self._run_id = comparer, run_id

    def verify(self, table: Table) -> Verified:
        """Compare the table and write the check down."""
        try:
            return self._round(table, self._comparer.source(table))
        finally:
            self._comparer.forget()

    def repair(self, table: Table, max_delete_share: float) -> tuple[Verified, Verified]:
        """Verify, bring the located rows to the source, and verify again; returns both checks.

        Rows that are only pending are brought as well. Raises ``StoppedTableError`` where more than
        ``max_delete_share`` of the table would be deleted.
        """
        try:
            source = self._comparer.source(table)
            before = after = self._round(table, source)
            for _ in range(ROUNDS):
                if after.check.equal and not after.check.pending:
                    break
                self._apply(table, source, after.comparison, max_delete_share)
                after = self._round(table, source, found=before.check.differences + before.check.pending)
            return before, after
        finally:
            self._comparer.forget()

    def _round(self, table: Table, source: Side, found: int | None = None) -> Verified:
        """One comparison of the summed source with the warehouse as it is now, judged and written down."""
        started = time.monotonic()
        newest = self._newest(table)
        warehouse = self._comparer.warehouse(table)
        comparison = self._comparer.compare(table, source, warehouse)
        self._require_history(table, comparison)
        waits = self._unmoved(newest, comparison)
        judged = self._comparer.judge(table, comparison, source, warehouse, seen=newest.seen, waits=waits)
        verified = self._verified(table, newest, comparison, judged, started, found)
        self._ledger.write(verified.check, *difference_rows(verified.check.check_id, verified.differences))
        return verified

    def _require_history(self, table: Table, comparison: Comparison) -> None:
        """Raise ``RunError`` if the table's history is not one of the copy that was found equal."""
        if table.history and comparison.equal:
            flaw = Keeper(self._warehouse, self._ledger, table).flaw()
            if flaw:
                raise RunError(f"the history of {table.target} is wrong: {flaw}", f"run: etl sync {table.target}")

    def _apply(self, table: Table, source: Side, comparison: Comparison, max_delete_share: float) -> None:
        newest = self._newest(table)
        repair = self._comparer.plan_repair(table, comparison, source)
        load = next_load(
            table,
            newest,
            run_id=self._run_id,
            kind=LoadKind.REPAIR,
            snapshot_at=self._snapshot.instant,
        )
        rows = comparison.warehouse.rows
        apply_repair(
            *(self._warehouse, self._ledger, table, repair, load),
            lambda deletes: refuse_mass_deletion(table, deletes, rows, max_delete_share),
        )

    def _newest(self, table: Table) -> Load:
        newest = self._ledger.newest_load(table.target)
        held = self._warehouse.columns("raw", table.target)
        if newest is None or not held:
            raise RunError(f"table {table.target} has not been synced", f"run: etl sync {table.target}")
        refuse_hardening(table, newest)
        drift = drift_of(self._warehouse.dialect, table, held)
        if drift:
            raise RunError(
                f"table {table.target} cannot be compared, the source has changed: {drift.describe()}",
                f"run: etl sync {table.target}",
            )
        return newest

    def _verified(
        self,
        table: Table,
        newest: Load,
        comparison: Comparison,
        judged: Judged,
        started: float,
        found: int | None,
    ) -> Verified:
        check = make_check(
            table,
            newest,
            comparison,
            judged,
            run_id=self._run_id,
            found=comparison.differing if found is None else found,
            seconds=time.monotonic() - started,
            snapshot_at=self._snapshot.instant,
            moving=not self._snapshot.consistent,
        )
        return Verified(check, comparison, judged.shown, judged.shown_pending)

    def _unmoved(self, newest: Load, comparison: Comparison) -> bool:
        """Whether the warehouse is what it was when last proven, so that only the source can have moved on."""
        last = None if comparison.equal else self._ledger.last_equal_check(newest.table_name)
        return bool(last and last.load_id == newest.load_id and last.warehouse_hash == comparison.warehouse.digest)


def make_check(
    table: Table,
    load: Load,
    comparison: Comparison,
    judged: Judged,
    *,
    run_id: str,
    found: int,
    seconds: float,
    snapshot_at: datetime,
    moving: bool = False,
    scope: str = FULL_SCOPE,
) -> Check:
    """The check that a comparison amounts to."""
    counts = judged.counts
    return Check(
        table_name=table.target,
        check_id=new_id(),
        run_id=run_id,
        load_id=load.load_id,
        equal=not any(counts.values()),
        source_rows=comparison.source.rows,
        warehouse_rows=comparison.warehouse.rows,
        source_hash=comparison.source.digest,
        warehouse_hash=comparison.warehouse.digest,
        source_mode=comparison.source_mode,
        warehouse_mode=comparison.warehouse_mode,
        found=found,
        missing=counts[DifferenceKind.MISSING],
        extra=counts[DifferenceKind.EXTRA],
        changed=counts[DifferenceKind.CHANGED],
        pending=judged.pending,
        rows_fetched=comparison.located.fetched if comparison.located else 0,
        seconds=round(seconds, 3),
        moving=moving,
        scope=scope,
        oldest_at=None,
        losses=json.dumps([asdict(loss) for loss in comparison.losses], ensure_ascii=False),
        snapshot_at=snapshot_at,
    )


def difference_rows(check_id: str, differences: Iterable[Difference]) -> list[DifferenceRow]:
    """The first differences of a check as the ledger keeps them, one record a cell."""
    rows: list[DifferenceRow] = []
    for difference in differences:
        key = json.dumps(difference.key, ensure_ascii=False)
        for cell in difference.columns:
            if len(rows) == DIFFERENCES_KEPT:
                return rows
            rows.append(
                DifferenceRow(check_id, difference.table, key, difference.kind, cell.name, cell.source, cell.warehouse)
            )
    return rows
