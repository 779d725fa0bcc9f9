"""One table on both sides: summed, compared, and where unequal located and described."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import pyarrow as pa

from etl.errors import ConfigError, SourceError, WarehouseError
from etl.ranges import Ranges
from etl.scratch import Scratch
from etl.sources.base import Loss, Snapshot
from etl.verify.differences import EQUAL, Judge, Judged
from etl.verify.locate import Located, locate
from etl.verify.proof import EngineProof, ReaderProof
from etl.verify.repair import Repair, plan_repair
from etl.verify.rowsum import Mode, PushdownSide, Side, StreamSide, Totals
from etl.warehouses.base import Warehouse
from schemas.table import Table

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sides' totals and, if they differ, the located rows."""

    source: Totals
    warehouse: Totals
    source_mode: Mode
    warehouse_mode: Mode
    located: Located | None
    losses: tuple[Loss, ...]

    @property
    def equal(self) -> bool:
        """Whether both sides hold the same multiset of rows."""
        return self.located is None

    @property
    def differing(self) -> int:
        """How many rows one side has more copies of."""
        return self.located.rows.num_rows if self.located else 0


class Comparer:
    """Compares tables of one snapshot with their copies in one warehouse."""

    def __init__(self, snapshot: Snapshot, warehouse: Warehouse, scratch: Scratch, mode: Mode | None = None) -> None:
        """``mode`` forces how the warehouse is summed; None takes pushdown where it is proven."""
        self._snapshot, self._warehouse, self._scratch, self._mode = snapshot, warehouse, scratch, mode
        self._sides: list[Side] = []
        self._warehouse_proof = EngineProof(warehouse, warehouse.dialect)
        self._reader_proof = ReaderProof(snapshot, scratch)
        pushdown = snapshot.pushdown
        self._source_proof = EngineProof(pushdown.engine, pushdown.dialect) if pushdown else None

    def unsummed_source(self, table: Table, part: Ranges | None = None) -> StreamSide:
        """The source's side, to which the caller adds the rows as they pass by on a full load."""
        self._reader_proof.require(table)
        read, read_keys = partial(self._snapshot.read, table, part), partial(self._snapshot.read_keys, table)
        side = StreamSide(self._scratch, table, read, read_keys)
        self._sides.append(side)
        return side

    def source(self, table: Table, part: Ranges | None = None) -> Side:
        """The source's side, or a part of it, in the snapshot; summed by the source where it has proven it can."""
        pushdown = self._snapshot.pushdown
        if pushdown is None or self._source_proof is None or self._streams(table, self._source_proof, "source"):
            return self.unsummed_source(table, part).add_all()

        def read_keys(keys: pa.Table) -> pa.Table:
            return pa.Table.from_batches(self._snapshot.read_keys(table, keys), table.arrow)

        self._reader_proof.require(table)
        relation = pushdown.relation(table)
        read = partial(self._snapshot.read, table, part)
        side = PushdownSide(pushdown.engine, pushdown.dialect, relation, table, read, read_keys, part)
        self._sides.append(side)
        return side

    def warehouse(self, table: Table, part: Ranges | None = None) -> Side:
        """The warehouse's side, or a part of it, summed now."""
        streams = self._streams(table, self._warehouse_proof, "warehouse")
        side = self._streamed(table, part) if streams else self._pushed_down(table, part)
        self._sides.append(side)
        return side

    def forget(self) -> None:
        """Drop the sums of every side made so far; none of them may be used any more."""
        while self._sides:
            side = self._sides.pop()
            # A session that is lost has taken its tables with it, and why it was lost is the error to be told.
            with suppress(SourceError, WarehouseError):
                side.close()

    def compare(self, table: Table, source: Side, warehouse: Side, part: Ranges | None = None) -> Comparison:
        """Compare the totals, and locate what differs.

        Raises ``SourceError`` if the reader did not deliver as many rows as the server counts.
        """
        ours, theirs = source.totals(), warehouse.totals()
        counted = self._snapshot.count(table, part)
        if counted != ours.rows and self._snapshot.consistent:
            raise SourceError(
                f"table {table.target}: the source counts {counted} rows but its reader delivered {ours.rows}",
                "do not trust this copy; report the driver's version and the table's definition",
            )
        located = None if ours == theirs else locate(self._scratch, table, source, warehouse)
        losses = self._snapshot.losses(table)
        return Comparison(ours, theirs, source.mode, warehouse.mode, located, losses)

    def plan_repair(self, table: Table, comparison: Comparison, source: Side) -> Repair:
        """What would bring the warehouse to the source."""
        assert comparison.located is not None
        return plan_repair(self._scratch, table, comparison.located, source)

    def judge(
        self,
        table: Table,
        comparison: Comparison,
        source: Side,
        warehouse: Side,
        *,
        seen: str | None = None,
        waits: bool = False,
    ) -> Judged:
        """Count the differences of a comparison, and name the first ones cell by cell.

        Pending are all if the warehouse ``waits``, else those whose cursor is past ``seen``.
        """
        if comparison.located is None:
            return EQUAL
        return Judge(self._scratch, table, seen, waits=waits).judge(comparison.located, source, warehouse)

    def _pushed_down(self, table: Table, part: Ranges | None) -> Side:
        relation = self._warehouse.live(table)
        read, read_keys = partial(self._warehouse.read, table, part), partial(self._warehouse.read_keys, table)
        return PushdownSide(self._warehouse, self._warehouse.dialect, relation, table, read, read_keys, part)

    def _streamed(self, table: Table, part: Ranges | None) -> Side:
        def read_keys(keys: pa.Table) -> list[pa.RecordBatch]:
            batches: list[pa.RecordBatch] = self._warehouse.read_keys(table, keys).to_batches()
            return batches

        return StreamSide(self._scratch, table, partial(self._warehouse.read, table, part), read_keys).add_all()

    def _streams(self, table: Table, proof: EngineProof, side: str) -> bool:
        failed = ", ".join(map(str, proof.failures(table)))
        if failed and self._mode is Mode.PUSHDOWN:
            raise ConfigError(f"table {table.target}: the {side} fails the proof for {failed}", "use --mode auto")
        if failed:
            log.warning("%s: the %s fails the proof for %s; streaming", table.target, side, failed)
        return bool(failed) or self._mode is Mode.STREAM
