"""A sync of many tables from one snapshot, each on its own feet: one that stops does not stop the others."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from etl.config import Config
from etl.errors import RunError, WarehouseError
from etl.ledger import Ledger, Presence, Run, new_id
from etl.scratch import Scratch
from etl.sources.base import Source
from etl.sync.move import Context, Progress
from etl.sync.plan import chosen, configured
from etl.sync.scope import Scoper
from etl.sync.table import Synced, sync_table
from etl.verify.comparison import Comparer
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
    progress: Progress = lambda _table, _step, _rows: None,
) -> Iterator[Synced | Failed]:
    """Sync the named tables, or all, yielding each as it is done.

    All tables are read at one instant: the snapshot is open from the first to the last. Raises
    ``ConfigError`` before anything moves if a name is unknown.
    """
    ledger = Ledger(warehouse)
    run_id = new_id()
    scratch = Scratch(config.warehouse.memory_limit)
    try:
        with source.snapshot() as snapshot:
            known = configured(snapshot.tables(), config.tables)
            selected = chosen(known, tables)
            scoper = Scoper(snapshot, warehouse, ledger, config.tables)
            for table in selected:
                scoper.partitioning(table)  # refuses what cannot divide it
            ledger.write(Run(run_id, "sync"))
            warehouse.label(run=run_id)
            if warehouse.exclusive:
                _drop_leftovers(warehouse)
            _tell_vanished(ledger, known, config)
            comparer = Comparer(snapshot, warehouse, scratch)
            context = Context(
                snapshot, source.identity, warehouse, ledger, comparer, scoper, config.sync, run_id, progress
            )
            failures = 0
            for table in selected:
                try:
                    synced = _leased(context, table, full=full)
                    log.info(synced.summary())
                    yield synced
                except RunError as error:
                    failures += 1
                    log.error("%s: failed", table.target)
                    yield Failed(table.target, error)
            ledger.write(Run(run_id, "sync", exit_code=3 if failures else 0))
    finally:
        scratch.close()


def _leased(context: Context, table: Table, *, full: bool) -> Synced:
    """One table's sync by whoever holds its lease, without what others or a failure left in staging."""
    with context.warehouse.lease(table.target):
        _drop_leftovers(context.warehouse, table.target)
        try:
            return sync_table(context, table, full=full)
        except RunError:
            with suppress(WarehouseError):
                _drop_leftovers(context.warehouse, table.target)
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


def _drop_leftovers(warehouse: Warehouse, target: str = "") -> None:
    """Staging tables of a run that was killed or has failed: whoever holds the lease may drop them."""
    for name in warehouse.leftovers(target):
        log.info("dropping %s, left over from a run that did not end", name)
        warehouse.drop(name)
