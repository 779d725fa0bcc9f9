"""A sync of many tables from one snapshot, each on its own feet: one that stops does not stop the others."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from etl.config import Config
from etl.errors import RunError, WarehouseError
from etl.ledger import Ledger
from etl.records import Presence, Run, Stop, new_id
from etl.scratch import Scratch
from etl.sources.base import Snapshot, Source
from etl.sync.move import Context, Progress
from etl.sync.plan import chosen, configured
from etl.sync.ranged import Part, drop_stale, in_one, load_parts, parts_of, staged_before, take_parts
from etl.sync.scope import Scoper
from etl.sync.table import Ahead, Synced, sync_table
from etl.verify.comparison import Comparer
from etl.verify.keeping import Keeper
from etl.warehouses.base import Warehouse
from schemas.table import Table

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Failed:
    """A table that could not be synced, and why."""

    table: str
    error: RunError


def sync(
    config: Config,
    source: Source,
    warehouse: Warehouse,
    *,
    tables: Sequence[str] = (),
    full: bool = False,
    also: Mapping[str, Collection[str]] | None = None,
    progress: Progress = lambda _table, _step, _rows: None,
) -> Iterator[Synced | Failed]:
    """Sync the named tables, or all, yielding each as it is done.

    All tables are read at one instant: the snapshot is open from the first to the last. Large ones that are
    loaded whole may have been loaded by ranges before. ``also`` names partitions that are proven whatever
    was touched. Raises ``ConfigError`` before anything moves if a name is unknown.
    """
    scratch = Scratch(config.warehouse.memory_limit)
    run = _Run(config, source, warehouse, Ledger(warehouse), scratch, progress, also or {})
    try:
        ahead, lost = run.load_ahead(tables, full=full) if config.sync.jobs > 1 else ({}, {})
        with source.snapshot() as snapshot:
            known = configured(snapshot.tables(), config.tables)
            selected = chosen(known, tables)
            context = run.context(snapshot)
            for table in selected:
                context.scoper.partitioning(table)  # refuses what cannot divide it
            run.ledger.write(Run(run.run_id, "sync"))
            warehouse.label(run=run.run_id)
            if warehouse.exclusive:
                drop_leftovers(warehouse)
            drop_stale(warehouse)
            _tell_vanished(run.ledger, known, config)
            failures = 0
            for table in selected:
                try:
                    if table.target in lost:
                        raise lost[table.target]
                    synced = _leased(context, table, full=full and table.target not in ahead)
                    synced = synced.after(ahead.get(table.target))
                    log.info(synced.summary())
                    yield synced
                except RunError as error:
                    failures += 1
                    log.error("%s: failed", table.target)
                    run.ledger.write(Stop(table.target, run.run_id, error.message))
                    yield Failed(table.target, error)
            run.ledger.write(Run(run.run_id, "sync", exit_code=3 if failures else 0))
    finally:
        run.scratch.close()


def take_staged(
    config: Config, source: Source, warehouse: Warehouse, ledger: Ledger, name: str, parts: Sequence[Part]
) -> None:
    """Put ranges that other tasks have staged in a table's place; raises ``RunError`` if one is missing."""
    run = _Run(config, source, warehouse, ledger, Scratch(config.warehouse.memory_limit), lambda _t, _s, _r: None)
    try:
        with source.snapshot() as snapshot, warehouse.lease(name):
            (table,) = chosen(configured(snapshot.tables(), config.tables), [name])
            Keeper(warehouse, ledger, table).prepare()
            take_parts(run.context(snapshot), table, parts)
    finally:
        run.scratch.close()


@dataclass(frozen=True, slots=True)
class _Run:
    """What one run is made of, whatever snapshots it takes."""

    config: Config
    source: Source
    warehouse: Warehouse
    ledger: Ledger
    scratch: Scratch
    progress: Progress
    also: Mapping[str, Collection[str]] = field(default_factory=dict)
    run_id: str = field(default_factory=new_id)

    def context(self, snapshot: Snapshot) -> Context:
        """What the tables that are read in a snapshot share."""
        comparer = Comparer(snapshot, self.warehouse, self.scratch)
        scoper = Scoper(snapshot, self.warehouse, self.ledger, self.config.tables, self.also)
        identity, wishes = self.source.identity, self.config.sync
        return Context(
            snapshot, identity, self.warehouse, self.ledger, comparer, scoper, wishes, self.run_id, self.progress
        )

    def load_ahead(self, names: Sequence[str], *, full: bool) -> tuple[dict[str, Ahead], dict[str, RunError]]:
        """Load large tables by ranges, where the whole of them is to be loaded; the errors of those that failed."""
        with self.source.snapshot() as snapshot:
            tables = chosen(configured(snapshot.tables(), self.config.tables), names)
        done: dict[str, Ahead] = {}
        lost: dict[str, RunError] = {}
        for table in tables:
            started = time.monotonic()
            try:
                rows = self._load_ranges(table, full=full)
            except RunError as error:
                log.warning("%s: ranges that are staged are kept for a day, to go on with them", table.target)
                lost[table.target] = error
                continue
            if rows is not None:
                done[table.target] = Ahead(rows, time.monotonic() - started)
        return done, lost

    def _load_ranges(self, table: Table, *, full: bool) -> int | None:
        """Load a table by ranges, or go on with it; its rows, None if it is not to be loaded so."""
        with self.warehouse.lease(table.target):
            if not full and self._is_loaded(table):
                return None
            drop_leftovers(self.warehouse, table.target)
            with self.source.snapshot() as snapshot:
                context = self.context(snapshot)
                parts = staged_before(context, table)
                parts = parts or in_one(parts_of(snapshot, table, self.config.sync.range_rows))
            if len(parts) < 2:
                return None
            Keeper(self.warehouse, self.ledger, table).prepare()
            return load_parts(context, self.source, table, parts, self.config.sync).extracted

    def _is_loaded(self, table: Table) -> bool:
        return bool(self.ledger.newest_load(table.target) and self.warehouse.columns("raw", table.target))


def _leased(context: Context, table: Table, *, full: bool) -> Synced:
    """One table's sync by whoever holds its lease, without what others or a failure left in staging."""
    with context.warehouse.lease(table.target):
        drop_leftovers(context.warehouse, table.target)
        try:
            return sync_table(context, table, full=full)
        except RunError:
            with suppress(WarehouseError):
                drop_leftovers(context.warehouse, table.target)
            raise


def _tell_vanished(ledger: Ledger, known: Sequence[Table], config: Config) -> None:
    """Tables that were loaded once and that the source no longer has: said once, and kept in the ledger.

    Their copies stay as they are.
    """
    excluded = {name for name, wish in config.tables.items() if wish.exclude}
    gone = ledger.newest_loads().keys() - {table.target for table in known} - excluded
    before = ledger.vanished().keys()
    for name in sorted(gone - before):
        log.warning("%s is gone from the source; its copy stays as it was", name)
    changed = [Presence(name, present=name in before) for name in sorted(gone ^ before)]
    if changed:
        ledger.write(*changed)


def drop_leftovers(warehouse: Warehouse, target: str = "") -> None:
    """Staging tables of a run that was killed or has failed: whoever holds the lease may drop them."""
    for name in warehouse.leftovers(target):
        log.info("dropping %s, left over from a run that did not end", name)
        warehouse.drop(name)
