"""The pieces that commands are composed of, opened together and closed together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from etl.config import Config
from etl.engines import open_source, open_warehouse
from etl.errors import ExitCode, RunError
from etl.ledger import Ledger
from etl.publish import looker
from etl.publish.gate import Gate
from etl.publish.marts import MartResult
from etl.publish.queries import Query, chosen, load
from etl.publish.refresh import refresh
from etl.records import Run, new_id
from etl.scratch import Scratch
from etl.sources.base import Snapshot, Source
from etl.sync import plan
from etl.sync.backfill import SLICE_ROWS, Backfilled, Estimate, Wanted, backfill
from etl.sync.move import Progress
from etl.sync.ranged import Part
from etl.sync.run import Failed, drop_leftovers, sync, take_staged
from etl.sync.table import Synced
from etl.verify.comparison import Comparer
from etl.verify.rowsum import Mode
from etl.verify.samples import Sample, Sampler
from etl.verify.verify import Verified, Verifier
from etl.warehouses.base import Warehouse
from schemas.table import Table


def _quiet(_table: str, _step: str, _rows: int) -> None:
    """No progress."""


@dataclass(frozen=True, slots=True)
class Session:
    """One warehouse, its ledger, and the source where a command needs it."""

    config: Config
    warehouse: Warehouse
    ledger: Ledger

    def source(self) -> Source:
        """The configured source."""
        return open_source(self.config)

    def sync(
        self, tables: Sequence[str] = (), *, full: bool = False, progress: Progress = _quiet
    ) -> Iterator[Synced | Failed]:
        """Sync tables, yielding each result."""
        return sync(self.config, self.source(), self.warehouse, tables=tables, full=full, progress=progress)

    def verify(
        self, tables: Sequence[str] = (), *, repair: bool = False, mode: Mode | None = None
    ) -> Iterator[Verified | Failed]:
        """Verify tables against a fresh snapshot, yielding each result, and after a repair the last one."""
        run_id = new_id()
        scratch = Scratch(self.config.warehouse.memory_limit)
        try:
            with self.source().snapshot() as snapshot:
                selected = plan.chosen(plan.configured(snapshot.tables(), self.config.tables), tables)
                self.ledger.write(Run(run_id, "verify"))
                comparer = Comparer(snapshot, self.warehouse, scratch, mode)
                verifier = Verifier(snapshot, self.warehouse, self.ledger, comparer, run_id)
                for table in selected:
                    try:
                        yield self._verified(verifier, table, repair=repair)
                    except RunError as error:
                        yield Failed(table.target, error)
        finally:
            scratch.close()

    def table(self, snapshot: Snapshot, name: str) -> Table:
        """The table called ``name`` as it is configured; raises ``ConfigError`` if there is none."""
        return plan.chosen(plan.configured(snapshot.tables(), self.config.tables), [name])[0]

    def take_parts(self, name: str, parts: Sequence[Part]) -> None:
        """Put staged ranges in a table's place; raises ``RunError`` if one is missing."""
        take_staged(self.config, self.source(), self.warehouse, self.ledger, name, parts)

    def backfill(
        self,
        table: str,
        wanted: Wanted,
        *,
        slice_rows: int = SLICE_ROWS,
        restart: bool = False,
        dry_run: bool = False,
        announce: Callable[[Estimate], None] = lambda _estimate: None,
        progress: Progress = _quiet,
    ) -> Backfilled | None:
        """Bring the wanted rows of a table again, and prove it; None if that is only estimated."""
        return backfill(
            self.config,
            self.source(),
            self.warehouse,
            table,
            wanted,
            slice_rows=slice_rows,
            restart=restart,
            dry_run=dry_run,
            announce=announce,
            progress=progress,
        )

    def samples(self, tables: Sequence[str] = ()) -> Iterator[list[Sample] | Failed]:
        """Aggregates of tables asked of a fresh snapshot and of the warehouse, yielding each table's."""
        with self.source().snapshot() as snapshot:
            sampler = Sampler(snapshot, self.warehouse)
            for table in plan.chosen(plan.configured(snapshot.tables(), self.config.tables), tables):
                try:
                    with self.warehouse.whole([table.target]):
                        found = sampler.samples(table)
                    yield found
                except RunError as error:
                    yield Failed(table.target, error)

    def _verified(self, verifier: Verifier, table: Table, *, repair: bool) -> Verified:
        with self.warehouse.lease(table.target):
            if not repair:
                return verifier.verify(table)
            drop_leftovers(self.warehouse, table.target)
            return verifier.repair(table, self.config.sync.max_delete_share)[1]

    def build_marts(self, names: Sequence[str] = (), *, full: bool = False) -> list[MartResult]:
        """Build the named marts of the configured world with what they need, or all; raises ``GateShutError``.

        Marts that would be the same again are left as they are, unless ``full``. With all of them, the views
        for Looker Studio are made on BigQuery, which is what it reads.
        """
        queries = chosen(load(self.config.publish.world), names)
        wishes = self.config.sync
        tables = raw_tables(queries.values())
        gate = Gate(self.ledger, tables, wishes.max_unchecked_days, accept_moving=wishes.accept_moving)
        gate()
        run_id = new_id()
        self.ledger.write(Run(run_id, "marts"))
        with self.warehouse.whole(tables):
            results = refresh(self.warehouse, self.ledger, queries, gate, run_id, full=full)
        if not names and looker.is_bigquery(self.config.warehouse.url):
            looker.bring_up_to_date(self.warehouse, self.ledger, self.config.publish.world, run_id)
        self.ledger.write(Run(run_id, "marts", exit_code=ExitCode.EQUAL))
        return results

    def dashboard(self, path: Path) -> Path:
        """Write the dashboard over the published marts."""
        from etl.publish.dashboard import render  # noqa: PLC0415  # Altair takes a second to import

        checks = [
            {
                "table": check.table_name,
                "source_rows": check.source_rows,
                "warehouse_rows": check.warehouse_rows,
                "source_hash": check.source_hash,
                "warehouse_hash": check.warehouse_hash,
                "equal": check.equal,
                "checked_at": check.at,
                "mode": f"{check.source_mode} / {check.warehouse_mode}",
            }
            for check in self.ledger.newest_checks().values()
        ]
        return render(self.warehouse, self.config.publish.world, path, checks)


def raw_tables(queries: Iterable[Query]) -> set[str]:
    """The copies, or their histories, that queries read."""
    return {name for query in queries for room, name in query.reads if room in ("raw", "raw_history")}


@contextmanager
def open_session(config: Config, tables: Sequence[str] | None = None) -> Iterator[Session]:
    """A session on the configured warehouse, which is closed at the end.

    With ``tables`` (empty for all) the source is looked at first, so that a wrong path or name is
    said before a warehouse is made; without, the warehouse has to be there already.
    Raises ``ConfigError``.
    """
    if tables is not None:
        with open_source(config).snapshot() as snapshot:
            plan.chosen(plan.configured(snapshot.tables(), config.tables), tables)
    warehouse = open_warehouse(config, create=tables is not None)
    try:
        ledger = Ledger(warehouse)
        warehouse.soft_tables = ledger.soft_tables  # type: ignore[method-assign]  # what the ledger knows
        yield Session(config, warehouse, ledger)
    finally:
        warehouse.close()
