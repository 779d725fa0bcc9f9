"""Which part of a table one sync proves, where the whole of it would be too much each time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from etl.config import TableConfig
from etl.errors import ConfigError
from etl.ledger import Check, Ledger, PartitionCheck
from etl.ranges import Range, Value
from etl.sources.base import Snapshot
from etl.verify.partitions import Partitioning, Scope, partitioning, scope_of
from etl.warehouses.base import Warehouse
from schemas.table import CursorKind, Table


@dataclass(frozen=True, slots=True)
class Scoper:
    """Divides tables as configured and remembers, in the ledger, when each partition was last proven."""

    snapshot: Snapshot
    warehouse: Warehouse
    ledger: Ledger
    wishes: Mapping[str, TableConfig]

    def partitioning(self, table: Table) -> Partitioning | None:
        """How the table is divided; None where it is proven as a whole. Raises ``ConfigError``."""
        wish = self.wishes.get(table.target, TableConfig())
        if wish.verify == "full":
            return None
        if wish.verify == "touched" and table.cursor.kind is CursorKind.FULL:
            raise ConfigError(
                f'[tables.{table.target}] verify = "touched": without a cursor nothing says what was touched',
                'name a cursor, or use verify = "rotate" or "full"',
            )
        return partitioning(table, wish.partition, wish.partition_size)

    def touched(self, table: Table, staging: str) -> set[str]:
        """The partitions of staged rows, and those that hold rows with their keys now; asked before the merge."""
        by = self.partitioning(table)
        if by is None:
            return set()
        dialect, target, staged = self.warehouse.dialect, *(self._relation(name) for name in (table.target, staging))
        start = dialect.partition_start(f"etl_t.{dialect.quote(by.column.name)}", by.column.type.kind, by.size)
        matched = " AND ".join(f"etl_t.{q} = etl_s.{q}" for q in map(dialect.quote, table.key))
        found = self.warehouse.query(
            f"SELECT DISTINCT {start} AS etl_start FROM {staged} AS etl_t UNION DISTINCT "
            f"SELECT DISTINCT {start} AS etl_start FROM {target} AS etl_t "
            f"WHERE EXISTS (SELECT 1 FROM {staged} AS etl_s WHERE {matched})"
        )
        return {by.label(value) for value in found["etl_start"].to_pylist()}

    def scope(self, table: Table, touched: Iterable[str]) -> Scope | None:
        """What this sync proves; None for the whole table."""
        by = self.partitioning(table)
        if by is None:
            return None
        wish = self.wishes[table.target]
        share = wish.rotate if wish.verify == "rotate" else 0
        every = self._cover(table, by)
        return scope_of(by, every, set(touched), self.ledger.partition_checks(table.target), share)

    def proven(self, table: Table, scope: Scope | None, check: Check) -> list[PartitionCheck]:
        """The records of the partitions that an equal check has proven."""
        by = self.partitioning(table)
        if by is None or not check.equal:
            return []
        labels = scope.labels if scope else [one.label for one in self._cover(table, by)]
        return [PartitionCheck(table.target, label, check.check_id, check.at) for label in labels]

    def oldest(self, table: Table, proven: Iterable[PartitionCheck]) -> datetime | None:
        """When the partition that has waited longest was last proven; None if one never was."""
        by = self.partitioning(table)
        if by is None:
            return None
        times = self.ledger.partition_checks(table.target) | {one.partition: one.at for one in proven}
        every = [times.get(one.label) for one in self._cover(table, by)]
        return min((at for at in every if at is not None), default=None) if None not in every else None

    def _cover(self, table: Table, by: Partitioning) -> tuple[Range, ...]:
        """Every partition that either side has values in."""
        ours = self.snapshot.extent(table, by.column)
        name, relation = self.warehouse.dialect.quote(by.column.name), self._relation(table.target)
        row = self.warehouse.query(f"SELECT MIN({name}) AS low, MAX({name}) AS high FROM {relation}").to_pylist()[0]
        lows = [value for value in (_day(ours[0]), _day(row["low"])) if value is not None]
        highs = [value for value in (_day(ours[1]), _day(row["high"])) if value is not None]
        return by.cover(min(lows, default=None), max(highs, default=None))

    def _relation(self, name: str) -> str:
        return self.warehouse.relation("raw", name)


def _day(value: Value | None) -> Value | None:
    """An instant's day, so that instants and dates compare."""
    return value.date() if isinstance(value, datetime) else value
