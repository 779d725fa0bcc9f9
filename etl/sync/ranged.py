"""Large tables loaded whole by ranges of one column, several at once: by threads here, or by tasks elsewhere.

Each range is read in a snapshot of its own, so no snapshot is held for long, and what they give together
is no state that the source ever had. It need not be: the fence was read before the first range was opened
and is the watermark of this load, so that the ordinary sync which follows brings and proves one state.
For the same reason ranges may be hours apart: which of them are staged is in the ledger, and a load that was
killed, or of which one range failed for good, is continued with the others.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from queue import Full, Queue
from threading import Event

import pyarrow as pa

from etl.config import SyncConfig
from etl.errors import RunError, SourceError
from etl.ranges import Ranges
from etl.records import Load, LoadKind, StagedRange, columns_json, new_id
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

TRIES = 3
"""How often a range is read before its table is given up, with ``PAUSE_SECONDS``, and then twice as many, between."""
PAUSE_SECONDS = 1.0


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


def in_one(parts: Sequence[Part]) -> tuple[Part, ...]:
    """The parts, all to be staged in the table of the first one."""
    return tuple(replace(part, staging=parts[0].staging) for part in parts)


def load_parts(context: Context, source: Source, table: Table, parts: Sequence[Part], config: SyncConfig) -> Load:
    """Load all parts, ``config.jobs`` at once, into one staging table that then takes the target's place.

    A part that fails is read again. Raises ``RunError`` if it fails every time; what is staged by then, or
    when the process is killed, stays for ``staged_before``.
    """
    return _Loading(context, source, table, parts).run(config.jobs)


def staged_before(context: Context, table: Table) -> tuple[Part, ...]:
    """The parts of a load that was begun and not ended, if it can be continued; others are dropped."""
    held = set(context.warehouse.tables("raw"))
    found: dict[str, list[StagedRange]] = {}
    for entry in context.ledger.staged_ranges(table.target):
        if entry.staging in held:
            found.setdefault(entry.staging, []).append(entry)
    *old, newest = sorted(found) or [""]
    entries = found.get(newest, [])
    wanted = (context.identity, columns_json(table), str(table.cursor))
    if any((entry.source, entry.columns, entry.cursor) != wanted for entry in entries) or _is_stale(newest):
        old, entries = [*old, newest], []
    for name in filter(None, old):
        context.warehouse.drop(name)
    parts = {entry.part: Part(**json.loads(entry.part)) for entry in entries}
    return tuple(sorted(parts.values(), key=lambda part: part.number))


class _Loading:
    """One table's parts on their way into its staging table."""

    def __init__(self, context: Context, source: Source, table: Table, parts: Sequence[Part]) -> None:
        self._context, self._source, self._table, self._parts = context, source, table, parts
        self._staging = parts[0].staging
        self._mover = Mover(context, table, Reach(parts[0].fence, parts[0].seen), self._staging)
        self._rows: dict[int, int] = {}
        """By the part's number, of those that are staged."""

    def run(self, jobs: int) -> Load:
        newest = self._context.ledger.newest_load(self._table.target)
        if self._staging in self._context.warehouse.tables("raw"):
            self._continue()
        else:
            self._context.ledger.write(*map(self._entry, self._parts))
            self._mover.begin()
        left = [part for part in self._parts if part.number not in self._rows]
        column = self._parts[0].column
        log.info("%s: loading %d ranges of %s, %d at once", self._table.target, len(left), column, jobs)
        self._mover.step("extract")
        # Closed here, not when it is forgotten: an error would keep it, and its readers would wait for it forever.
        with closing(_read_beside(self._source, self._table, left, jobs, self._undo)) as arrivals:
            for part, chunk in arrivals:
                if chunk is None:
                    self._finish(part)
                else:
                    self._mover.add(chunk)
                    self._rows[part.number] = self._rows.get(part.number, 0) + chunk.num_rows
        return self._mover.load_added(newest, LoadKind.FULL, sum(self._rows.values()))

    def _continue(self) -> None:
        """Of what another run has staged, keep the parts that it has finished."""
        numbers = {self._text(part): part.number for part in self._parts}
        for entry in self._context.ledger.staged_ranges(self._table.target):
            if entry.part in numbers and entry.rows is not None:
                self._rows[numbers[entry.part]] = entry.rows
        unfinished = [part for part in self._parts if part.number not in self._rows]
        self._delete(unfinished)
        log.info("%s: %d of %d ranges are staged already", self._table.target, len(self._rows), len(self._parts))

    def _finish(self, part: Part) -> None:
        """Its rows are in the staging table: write that down."""
        self._context.warehouse.flush(self._staging)
        self._context.ledger.write(replace(self._entry(part), rows=self._rows.get(part.number, 0)))

    def _undo(self, part: Part) -> None:
        """Take the rows of a part that has failed out again."""
        self._context.warehouse.flush(self._staging)
        self._delete([part])
        self._rows.pop(part.number, None)

    def _delete(self, parts: Sequence[Part]) -> None:
        dialect, relation = self._context.warehouse.dialect, self._context.warehouse.relation("raw", self._staging)
        wheres = [part.ranges(self._table).condition(dialect) for part in parts]
        if wheres:
            self._context.warehouse.commit([f"DELETE FROM {relation} WHERE {where}" for where in wheres])

    def _entry(self, part: Part) -> StagedRange:
        identity, columns = self._context.identity, columns_json(self._table)
        text, cursor = self._text(part), str(self._table.cursor)
        return StagedRange(self._table.target, self._staging, text, identity, columns, cursor)

    def _text(self, part: Part) -> str:
        return json.dumps(asdict(part), ensure_ascii=False)


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
        if target or _is_stale(name):
            log.info("dropping %s, a range that was staged and never taken", name)
            warehouse.drop(name)


def _is_stale(staging: str) -> bool:
    """Whether a staging table of ranges is older than such tables are kept; true also for any other name."""
    stamp = (staging.split("_")[-3:] or [""])[0]
    if not stamp.isdigit():
        return True
    made = datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
    return datetime.now(UTC) - made > _KEPT


def _ends(reach: Reach) -> tuple[str | None, str | None]:
    return reach.fence, reach.seen


Arrival = tuple[Part, pa.Table | RunError | None]
"""A part with some of its rows, with what stopped its reader, or with None at its end."""


def _read_beside(
    source: Source, table: Table, parts: Sequence[Part], jobs: int, undo: Callable[[Part], None]
) -> Generator[tuple[Part, pa.Table | None]]:
    """The parts' rows in chunks, as readers deliver them, and None at each part's end; at most ``jobs`` chunks wait.

    A part that fails is undone and read again, up to ``TRIES`` times; then its error is raised.
    """
    waiting: Queue[Arrival] = Queue(maxsize=jobs)
    stopped = Event()
    tries = Counter[int]()
    left = len(parts)
    with ThreadPoolExecutor(jobs, thread_name_prefix="range") as pool:
        for part in parts:
            pool.submit(_read, source, table, part, 0.0, waiting, stopped)
        try:
            while left:
                part, arrived = waiting.get()
                if not isinstance(arrived, RunError):
                    left -= arrived is None
                    yield part, arrived
                    continue
                tries[part.number] += 1
                if tries[part.number] == TRIES:
                    raise arrived
                log.warning("%s: range %d of %d, again: %s", part.table, part.number, part.of, arrived.message)
                undo(part)
                pool.submit(_read, source, table, part, PAUSE_SECONDS * tries[part.number], waiting, stopped)
        finally:
            stopped.set()


def _read(source: Source, table: Table, part: Part, pause: float, waiting: Queue[Arrival], stopped: Event) -> None:
    """Put a part's rows where they are waited for, after a pause, and then its end, or what stopped it."""
    end: RunError | None = None
    try:
        if stopped.wait(pause):
            return
        with source.snapshot() as snapshot:
            for chunk in chunks(snapshot.read(table, part.ranges(table)), table):
                if not _put(waiting, (part, chunk), stopped):
                    return
    except RunError as error:
        end = error
    except Exception as error:  # a thread's errors would be lost otherwise, and its part be waited for forever
        end = SourceError(f"range {part.number} of {part.of} of {part.table}: {type(error).__name__}: {error}")
    _put(waiting, (part, end), stopped)


def _put(waiting: Queue[Arrival], arrival: Arrival, stopped: Event) -> bool:
    """Put it where it is waited for; false if nobody waits any more."""
    while not stopped.is_set():
        try:
            waiting.put(arrival, timeout=_WAIT_SECONDS)
        except Full:
            continue
        return True
    return False
