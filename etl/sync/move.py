"""Moving one table's rows: into staging, and from there in one transaction into the target."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial

import pyarrow as pa

from etl.config import SyncConfig
from etl.dialects.base import Statement
from etl.ledger import Ledger
from etl.readahead import readahead
from etl.records import Load, LoadKind, columns_json, next_load
from etl.sources.base import Reach, Snapshot, Window
from etl.sync.scope import Scoper
from etl.verify.comparison import Comparer
from etl.verify.drift import Drift
from etl.verify.keeping import Keeper
from etl.verify.repair import Repair, apply_repair, refuse_mass_deletion
from etl.verify.rowsum import PIECE_ROWS, Passing, StreamSide, chunks
from etl.warehouses.base import Warehouse, staging_name
from schemas.table import DELETED_AT, CursorKind, Table

log = logging.getLogger(__name__)

Progress = Callable[[str, str, int], None]
"""Called with a table's name, the step it is in, and the rows moved since the last call."""


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


class Mover:
    """Moves one table's rows. ``extracted`` and ``repaired`` count them, ``kind`` is that of the first load."""

    def __init__(self, context: Context, table: Table, reach: Reach, staging: str = "") -> None:
        """``staging`` is the staging table's name, if it is to have one by which it is found again."""
        self._context, self._table, self._reach = context, table, reach
        self._warehouse, self._ledger = context.warehouse, context.ledger
        self._target = context.warehouse.relation("raw", table.target)
        self._staging = staging or staging_name(table.target)
        self._gone = f"{self._staging}__gone"
        self._keeper = Keeper(context.warehouse, context.ledger, table)
        self.extracted = self.repaired = 0
        self.kind: LoadKind | None = None

    def load_all(self, newest: Load | None, kind: LoadKind) -> StreamSide:
        """Every row into a new table that takes the target's place; returns the source's side, summed on the way."""
        source = self._context.comparer.unsummed_source(self._table)
        self._create_staging()
        before = self.extracted
        self.step("extract")
        # Two cores, three kinds of work: the next piece is read and the last chunk summed while this piece is loaded.
        pieces = readahead(chunks(self._context.snapshot.read(self._table), self._table, PIECE_ROWS))
        with Passing(source) as passing:
            with closing(self._counted(passing.through(pieces))) as batches:
                self._warehouse.append(self._staging, self._table, batches)
            self._take(newest, kind, self.extracted - before)
        return source

    def begin(self) -> None:
        """Make the staging table, for rows that are read elsewhere and added."""
        self._create_staging()

    def add(self, chunk: pa.Table) -> None:
        """Rows that were read elsewhere, into the staging table."""
        self._stage(chunk)

    def load_added(self, newest: Load | None, kind: LoadKind, rows: int) -> Load:
        """The staging table, which by now has so many rows, takes the target's place."""
        return self._take(newest, kind, rows)

    def load_staged(self, newest: Load | None, kind: LoadKind, staged: Sequence[str]) -> Load:
        """Rows that others have staged, into a new table that takes the target's place."""
        self._create_staging()
        self.step("gather")
        into, names = self._warehouse.relation("raw", self._staging), [column.name for column in self._table.columns]
        parts = [self._warehouse.relation("raw", name) for name in staged]
        self._warehouse.commit([self._warehouse.dialect.insert_from(into, part, names) for part in parts])
        self.extracted = int(self._warehouse.query(f"SELECT COUNT(*) AS n FROM {into}")["n"][0].as_py())
        return self._take(newest, kind, self.extracted)

    def _take(self, newest: Load | None, kind: LoadKind, rows: int) -> Load:
        """The staging table becomes the target."""
        self._warehouse.flush(self._staging)
        self.step("merge")
        load = self._next(newest, kind, rows)
        staged = self._warehouse.relation("raw", self._staging)
        kept = self._keeper.versions(load, current=staged)
        self._warehouse.commit(self._keeper.carry(staged, load))
        self._warehouse.replace(self._staging, self._table.target, self._recording(load, *kept))
        return load

    def merge_window(self, newest: Load) -> None:
        """Extract what is at or past the watermark, and merge it; nothing is written if that is nothing."""
        self._create_staging()
        self.step("extract")
        window = self._window(newest)
        for chunk in chunks(self._context.snapshot.read(self._table, window), self._table):
            self._stage(chunk)
        self._warehouse.flush(self._staging)
        gone = self._context.snapshot.deleted(self._table, window) if window else None
        if self.extracted or gone:
            self.step("merge")
            self._refuse_refill()
            merge = self._warehouse.merge(self._table, self._staging)
            load = self._next(newest, LoadKind.INCREMENTAL, self.extracted)
            if gone:
                load = replace(load, changed=load.changed + gone.num_rows)
            deleted = self._deletion(gone, load) if gone else []
            keys = [self._gone] if gone else []
            load = replace(load, touched=self._context.scoper.touched(self._table, self._staging, *keys))
            kept = self._keeper.versions(load, self._warehouse.relation("raw", self._staging))
            self._warehouse.commit(self._recording(load, *deleted, merge, *kept))
        self._warehouse.drop(self._staging)
        self._warehouse.drop(self._gone)

    def expired(self, newest: Load) -> str:
        """Why the source can no longer tell what changed since the watermark; empty if it can, or was never asked."""
        window = self._window(newest)
        return self._context.snapshot.expired(self._table, window.low) if window else ""

    def follow(self, newest: Load, drift: Drift) -> Load:
        """Change the target's columns, in a load of its own, since what was proven is no longer what is there.

        A column that is gone changes nothing, but the load no longer names it, so that it is reported once.
        """
        if not drift and not drift.gone:
            return newest
        self.step("drift")
        load = replace(self._next(newest, LoadKind.DRIFT, 0), watermark=newest.watermark, seen=newest.seen)
        self._warehouse.alter(drift.statements(self._warehouse.dialect, self._target), self._recording(load))
        return load

    def keep(self, newest: Load) -> None:
        """Bring the history to what the copy holds, in a load of its own."""
        self.step("history")
        load = replace(self._next(newest, LoadKind.HISTORY, 0), watermark=newest.watermark, seen=newest.seen)
        load = replace(load, touched=self._context.scoper.nothing(self._table))
        self._warehouse.commit(self._recording(load, *self._keeper.versions(load)))

    def repair(self, newest: Load, repair: Repair, guard: Callable[[int], None]) -> None:
        """Delete and insert exactly the located rows, if ``guard`` lets as many vanish."""
        # A table without a cursor has no other way to move its changes, so this is its extraction.
        moves = self._table.cursor.kind is CursorKind.FULL
        kind = LoadKind.INCREMENTAL if moves else LoadKind.REPAIR
        load = self._next(newest, kind, 0)
        touched = partial(self._context.scoper.touched, self._table)
        load = apply_repair(self._warehouse, self._ledger, self._table, repair, load, guard, touched)
        self.extracted += load.extracted
        self.repaired += 0 if moves else load.changed

    def step(self, name: str) -> None:
        """Say which step the table is in."""
        log.debug("%s: %s", self._table.target, name)
        self._warehouse.label(step=name)
        self._context.progress(self._table.target, name, 0)

    def _window(self, newest: Load) -> Window | None:
        """What to extract; everything if there is no watermark of this very cursor yet."""
        if newest.watermark is None or newest.cursor != str(self._table.cursor):
            return None
        return Window(self._table.cursor.column, newest.watermark)

    def _create_staging(self) -> None:
        """The staging table; columns that only the warehouse still has are kept, as NULL."""
        dialect = self._warehouse.dialect
        columns = {column.name: dialect.ddl(column.type) for column in self._table.columns}
        held = self._warehouse.columns("raw", self._table.target)
        columns |= {name: type_ for name, type_ in held.items() if name not in columns and name != DELETED_AT.name}
        if self._table.soft:
            columns[DELETED_AT.name] = dialect.ddl(DELETED_AT.type)
        self._warehouse.create(self._staging, columns, self._table)

    def _refuse_refill(self) -> None:
        """Stop before a merge that would add so many new keys that as many old ones have to be gone."""
        target, staged = self._warehouse.live(self._table), self._warehouse.relation("raw", self._staging)
        matched = " AND ".join(f"etl_t.{q} = etl_s.{q}" for q in map(self._warehouse.dialect.quote, self._table.key))
        row = self._warehouse.query(
            f"SELECT (SELECT COUNT(*) FROM {target} AS etl_t) AS held, (SELECT COUNT(*) FROM {staged} AS etl_s "
            f"WHERE NOT EXISTS (SELECT 1 FROM {target} AS etl_t WHERE {matched})) AS added"
        ).to_pylist()[0]
        gone = row["held"] + row["added"] - self._context.snapshot.count(self._table)
        refuse_mass_deletion(self._table, gone, row["held"], self._context.config.max_delete_share)

    def _deletion(self, keys: pa.Table, load: Load) -> list[str]:
        """The deletion of the rows with these keys, which are put beside the staged rows."""
        table = Table(self._gone, self._table.key_columns)
        self._warehouse.stage(table.name, table.columns, keys)
        relation = self._warehouse.relation("raw", table.name)
        deleted = self._keeper.delete(relation, load)
        return [*deleted, *self._keeper.versions(load, relation)]

    def _stage(self, chunk: pa.Table) -> None:
        self._warehouse.append(self._staging, self._table, self._counted([chunk]))

    def _counted(self, chunks: Iterable[pa.Table]) -> Generator[pa.RecordBatch, None, None]:
        """The batches of the chunks, counted as they are staged."""
        for chunk in chunks:
            yield from chunk.to_batches()
            self.extracted += chunk.num_rows
            self._context.progress(self._table.target, "extract", chunk.num_rows)

    def _recording(self, load: Load, *changes: Statement | str) -> list[Statement | str]:
        """The changes between the assertion that no load came first and the insertion of this one."""
        newest = self._ledger.still_newest(self._table.target, load.load_no - 1)
        return [newest, *changes, self._ledger.statement(load)]

    def _next(self, newest: Load | None, kind: LoadKind, rows: int) -> Load:
        self.kind = self.kind or (kind if kind not in (LoadKind.DRIFT, LoadKind.HISTORY) else None)
        return next_load(
            self._table,
            newest,
            run_id=self._context.run_id,
            kind=kind,
            extracted=rows,
            changed=rows,
            source=self._context.identity,
            columns=columns_json(self._table),
            cursor=str(self._table.cursor),
            watermark=self._reach.fence,
            seen=self._reach.seen,
            snapshot_at=self._context.snapshot.instant,
        )
