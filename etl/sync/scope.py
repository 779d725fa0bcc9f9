"""Which part of a table one sync proves, where the whole of it would be too much each time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from etl.config import TableConfig
from etl.errors import ConfigError
from etl.ledger import Ledger
from etl.ranges import Range, Ranges, Value
from etl.records import Check, PartitionCheck
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
    also: Mapping[str, Collection[str]] = field(default_factory=dict)
    """By table: partitions to be proven beside those that loads have touched."""

    def partitioning(self, table: Table) -> Partitioning | None:
        """How the table is divided; None where it is proven as a whole. Raises ``ConfigError``."""
        wish = self.wishes.get(table.target, TableConfig())
        if wish.verify == "full":
            return None
        if wish.verify == "touched" and (table.cursor.kind is CursorKind.FULL or not table.key):
            missing = "key" if table.cursor.kind is not CursorKind.FULL else "cursor"
            raise ConfigError(
                f'[tables.{table.target}] verify = "touched": without a {missing} nothing says what was touched',
                f'name a {missing}, or use verify = "rotate" or "full"',
            )
        return partitioning(table, wish.partition, wish.partition_size)

    def touched(self, table: Table, staged: str, *keys: str) -> str | None:
        """The partitions of staged rows, and of those that have their keys, or ``keys``, in the copy now.

        To be asked before the copy is changed; None where the table is proven as a whole.
        """
        by = self.partitioning(table)
        if by is None:
            return None
        dialect, target, rows = self.warehouse.dialect, *(self._relation(name) for name in (table.target, staged))
        start = self._start(by)
        matched = " AND ".join(f"etl_t.{q} = etl_s.{q}" for q in map(dialect.quote, table.key))
        held = " UNION DISTINCT ".join(
            f"SELECT DISTINCT {start} AS etl_start FROM {target} AS etl_t "
            f"WHERE EXISTS (SELECT 1 FROM {relation} AS etl_s WHERE {matched})"
            for relation in (rows, *map(self._relation, keys))
        )
        found = self.warehouse.query(f"SELECT DISTINCT {start} AS etl_start FROM {rows} AS etl_t UNION DISTINCT {held}")
        return by.write(by.label(value) for value in found["etl_start"].to_pylist())

    def nothing(self, table: Table) -> str | None:
        """What a load has touched that changes no row of the copy."""
        by = self.partitioning(table)
        return by.write(()) if by else None

    def within(self, table: Table, part: Ranges | None) -> set[str]:
        """The partitions in which the copy holds rows of a part of the table."""
        by = self.partitioning(table)
        if by is None:
            return set()
        where = f" WHERE {part.condition(self.warehouse.dialect)}" if part else ""
        relation = self._relation(table.target)
        found = self.warehouse.query(f"SELECT DISTINCT {self._start(by)} AS etl_start FROM {relation} AS etl_t{where}")
        return {by.label(value) for value in found["etl_start"].to_pylist()}

    def scope(self, table: Table, before: Scope | None = None) -> Scope | None:
        """What is to be proven: all that was touched since the last proof or never proven, and a share of the rest.

        With ``before``, that and what was touched. None for the whole table.
        """
        by = self.partitioning(table)
        if by is None:
            return None
        wish, touched = self.wishes[table.target], set(self.also.get(table.target, ()))
        for load in self.ledger.unproven_loads(table.target):
            labels = by.read(load.touched)
            if labels is None:
                return None
            touched |= labels
        touched |= set(before.labels) if before else set()
        share = wish.rotate if wish.verify == "rotate" and not before else 0
        every, proven = self._cover(table, by), self.ledger.partition_checks(table.target, by.name)
        touched |= {one.label for one in every if one.label not in proven}
        return scope_of(by, every, touched, proven, share)

    def proven(self, table: Table, scope: Scope | None, check: Check) -> list[PartitionCheck]:
        """The records of the partitions that an equal check has proven."""
        by = self.partitioning(table)
        if by is None or not check.equal:
            return []
        labels = scope.labels if scope else [one.label for one in self._cover(table, by)]
        return [PartitionCheck(table.target, label, check.check_id, check.at, by.name) for label in labels]

    def oldest(self, table: Table, proven: Iterable[PartitionCheck]) -> datetime | None:
        """When the partition that has waited longest was last proven; None if one never was."""
        by = self.partitioning(table)
        if by is None:
            return None
        times = self.ledger.partition_checks(table.target, by.name) | {one.partition: one.at for one in proven}
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

    def _start(self, by: Partitioning) -> str:
        """The partition of a row that is called etl_t."""
        dialect = self.warehouse.dialect
        return dialect.partition_start(f"etl_t.{dialect.quote(by.column.name)}", by.column.type.kind, by.size)

    def _relation(self, name: str) -> str:
        return self.warehouse.relation("raw", name)


def _day(value: Value | None) -> Value | None:
    """An instant's day, so that instants and dates compare."""
    return value.date() if isinstance(value, datetime) else value
