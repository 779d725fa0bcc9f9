"""Large tables loaded whole by ranges of one column, several at once: by threads here, or by tasks elsewhere.

Each range is read in a snapshot of its own, so no snapshot is held for long, and what they give together
is no state that the source ever had. It need not be: the fence was read before the first range was opened
and is the watermark of this load, so that the ordinary sync which follows brings and proves one state.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from queue import Empty, Full, Queue
from threading import Event

import pyarrow as pa

from etl.config import SyncConfig
from etl.errors import RunError
from etl.ledger import Load, LoadKind, new_id
from etl.ranges import Ranges
from etl.sources.base import Reach, Snapshot, Source
from etl.sync.move import Context, Mover
from etl.sync.slices import Axis, Span, natural_axis, ranges, span_of
from etl.verify.rowsum import chunks
from etl.warehouses.base import RANGE_STAGING, Warehouse, range_staging_prefix
from schemas.table import Table

log = logging.getLogger(__name__)

_STAMP = "%Y%m%d%H%M%S"
_KEPT = timedelta(days=1)
_WAIT_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Part:
    """One range of one table's load, in terms that can be written down and carried elsewhere.

    ``low`` and ``high`` count along ``column`` as its axis does; NULLs belong to the last part. All
    parts of a load share ``fence`` and ``seen``, which were read before the first was opened.
    """

    table: str
    number: int
    of: int
    column: str
    low: int | None
    high: int | None
    staging: str
    fence: str | None
    seen: str | None

    def ranges(self, table: Table) -> Ranges:
        """The part's rows as a condition."""
        axis = Axis(table.column(self.column))
        return ranges(axis, Span(self.low, self.high), nulls=self.number == self.of and axis.column.nullable)


def parts_of(snapshot: Snapshot, table: Table, range_rows: int) -> tuple[Part, ...]:
    """The ranges by which a table is best loaded, none if it is too small or has no column to cut it by."""
    axis, rows = natural_axis(table), snapshot.count(table)
    extent = span_of(axis, snapshot.extent(table, axis.column)) if axis and rows > range_rows else None
    if axis is None or extent is None:
        return ()
    reach = snapshot.reach(table)
    spans = Span(None, None).cut(extent, -(-rows // range_rows))
    prefix = f"{range_staging_prefix(table.target)}{datetime.now(UTC).strftime(_STAMP)}_{new_id()[-8:]}"
    return tuple(
        Part(table.target, i, len(spans), axis.column.name, *(span.low, span.high), f"{prefix}_{i}", *_ends(reach))
        for i, span in enumerate(spans, 1)
    )


def load_parts(context: Context, source: Source, table: Table, parts: Sequence[Part], config: SyncConfig) -> Load:
    """Load all parts, ``config.jobs`` at once, into one staging table that then takes the target's place."""
    mover = Mover(context, table, Reach(parts[0].fence, parts[0].seen))
    log.info("%s: loading %d ranges of %s, %d at once", table.target, len(parts), parts[0].column, config.jobs)
    newest = context.ledger.newest_load(table.target)
    return mover.load_chunks(newest, LoadKind.FULL, _read_beside(source, table, parts, config.jobs))


def stage_part(source: Source, warehouse: Warehouse, table: Table, part: Part) -> int:
    """Load one part into the staging table that it names; done again it is replaced. Returns its rows."""
    warehouse.create(part.staging, {column.name: warehouse.dialect.ddl(column.type) for column in table.columns})
    rows = 0
    with source.snapshot() as snapshot:
        for chunk in chunks(snapshot.read(table, part.ranges(table)), table):
            rows += warehouse.append(part.staging, table, chunk.to_batches())
    warehouse.flush(part.staging)
    return rows


def take_parts(context: Context, table: Table, parts: Sequence[Part]) -> Load:
    """Put the staged parts, all of one load, in the target's place.

    Parts that are all gone were taken before. Raises ``RunError`` if some are not there.
    """
    held = set(context.warehouse.tables("raw"))
    newest = context.ledger.newest_load(table.target)
    missing = [part.number for part in parts if part.staging not in held]
    if newest and len(missing) == len(parts):
        return newest
    if missing or len(parts) != parts[0].of:
        raise RunError(
            f"table {table.target}: not all of its {parts[0].of} ranges are staged",
            "load the missing ranges again, or begin anew with: etl sync " + table.target + " --full",
        )
    mover = Mover(context, table, Reach(parts[0].fence, parts[0].seen))
    load = mover.load_staged(newest, LoadKind.FULL, [part.staging for part in parts])
    for part in parts:
        context.warehouse.drop(part.staging)
    return load


def drop_stale(warehouse: Warehouse, target: str = "") -> None:
    """Drop staged ranges of ``target``, or those of any table that nobody has taken for a day."""
    for name in warehouse.tables("raw"):
        if not name.startswith(range_staging_prefix(target) if target else RANGE_STAGING):
            continue
        stamp = name.split("_")[-3]
        if target or not stamp.isdigit() or datetime.now(UTC).strftime(_STAMP) > _expiry(stamp):
            log.info("dropping %s, a range that was staged and never taken", name)
            warehouse.drop(name)


def _expiry(stamp: str) -> str:
    return (datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC) + _KEPT).strftime(_STAMP)


def _ends(reach: Reach) -> tuple[str | None, str | None]:
    return reach.fence, reach.seen


def _read_beside(source: Source, table: Table, parts: Sequence[Part], jobs: int) -> Iterator[pa.Table]:
    """The parts' rows in chunks, as readers deliver them; never more than ``jobs`` chunks wait."""
    waiting: Queue[pa.Table] = Queue(maxsize=jobs)
    stopped = Event()

    def read(part: Part) -> None:
        if stopped.is_set():
            return
        with source.snapshot() as snapshot:
            for chunk in chunks(snapshot.read(table, part.ranges(table)), table):
                if not _put(waiting, chunk, stopped):
                    return

    with ThreadPoolExecutor(jobs, thread_name_prefix="range") as pool:
        readers: list[Future[None]] = [pool.submit(read, part) for part in parts]
        try:
            while readers or not waiting.empty():
                try:
                    yield waiting.get(timeout=_WAIT_SECONDS)
                except Empty:
                    ended = [reader for reader in readers if reader.done()]
                    for reader in ended:
                        reader.result()
                    readers = [reader for reader in readers if reader not in ended]
        finally:
            stopped.set()


def _put(waiting: Queue[pa.Table], chunk: pa.Table, stopped: Event) -> bool:
    """Put a chunk where it is waited for; false if nobody waits any more."""
    while not stopped.is_set():
        try:
            waiting.put(chunk, timeout=_WAIT_SECONDS)
        except Full:
            continue
        return True
    return False
