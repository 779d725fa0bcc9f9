"""The ledger: what ran, what was loaded up to where, and what was proven, kept in the warehouse.

Its tables are only ever inserted into, and the current state is the newest row, so tables that are
synced side by side never wait for one another. The load number makes "newest" exact: a load is
numbered one past the load it started from, and asserts in its own transaction that none came between.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, fields
from datetime import UTC, datetime
from typing import TypeVar

from etl.dialects.base import Statement
from etl.records import (
    Check,
    DifferenceRow,
    Load,
    MartBuild,
    PartitionCheck,
    Presence,
    Record,
    Run,
    Slice,
    StagedRange,
    Stop,
    keeps_deleted,
)
from etl.warehouses.base import LOST_RACE, Warehouse
from schemas import types
from schemas.types import LogicalType

R = TypeVar("R", Run, Load, Check, Presence, Stop, Slice, StagedRange, MartBuild)

_TABLES: dict[type[Record], str] = {
    Run: "runs",
    Load: "loads",
    Check: "checks",
    DifferenceRow: "differences",
    PartitionCheck: "partitions",
    Presence: "presences",
    Stop: "stops",
    Slice: "slices",
    StagedRange: "ranges",
    MartBuild: "marts",
}
_TYPES: dict[str, LogicalType] = {
    "str": types.STRING,
    "str | None": types.STRING,
    "int": types.INT,
    "int | None": types.INT,
    "bool": types.BOOL,
    "float": types.FLOAT,
    "datetime": types.TIMESTAMP,
    "datetime | None": types.TIMESTAMP,
}


class Ledger:
    """Reads and writes the ledger's tables in a warehouse."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._soft: frozenset[str] | None = None
        layout = warehouse.layout("etl")
        changes = [change for record in _TABLES for change in self._changes(record, layout)]
        if changes:
            warehouse.alter(changes)

    def write(self, *records: Record) -> None:
        """Insert records in one transaction of their own."""
        self._warehouse.commit([self.statement(record) for record in records])

    def statement(self, record: Record) -> Statement:
        """The insertion of a record, to be made part of a larger transaction."""
        self._soft = None if isinstance(record, Load) else self._soft
        names = self._warehouse.dialect.columns([f.name for f in fields(record)])
        values = astuple(record)
        # A bound NULL has no type from which an engine could tell that it fits the column.
        marks = ", ".join("NULL" if value is None else "?" for value in values)
        relation = self._warehouse.relation("etl", _TABLES[type(record)])
        bound = tuple(value for value in values if value is not None)
        return Statement(f"INSERT INTO {relation} ({names}) VALUES ({marks})", bound)

    def still_newest(self, table: str, load_no: int) -> str:
        """A statement that aborts its transaction unless ``load_no`` is the table's newest load (0: none yet)."""
        dialect = self._warehouse.dialect
        newest = f"SELECT COALESCE(MAX(load_no), 0) FROM {self._warehouse.relation('etl', 'loads')}"
        return dialect.assertion(f"({newest} WHERE table_name = {dialect.string(table)}) = {load_no}", LOST_RACE)

    def newest_loads(self) -> dict[str, Load]:
        """The newest load of each table."""
        return {load.table_name: load for load in self._newest(Load, "load_no")}

    def newest_checks(self) -> dict[str, Check]:
        """The newest check of each table."""
        return {check.table_name: check for check in self._newest(Check, "check_id")}

    def newest_builds(self) -> dict[str, MartBuild]:
        """The newest build of each mart."""
        return {build.table_name: build for build in self._newest(MartBuild, "build_id")}

    def newest_load(self, table: str) -> Load | None:
        """The table's newest load, if it has one."""
        return next(iter(self._newest(Load, "load_no", table)), None)

    def last_equal_check(self, table: str) -> Check | None:
        """The newest check at which the table was equal, if there is one."""
        return next(iter(self._newest(Check, "check_id", table, equal_only=True)), None)

    def unproven_loads(self, table: str) -> list[Load]:
        """The table's loads since the newest one that an equal check names; all if there is no such check."""
        check, dialect = self.last_equal_check(table), self._warehouse.dialect
        relation, name = self._warehouse.relation("etl", "loads"), dialect.string(table)
        proven = "0"
        if check:
            named = f"table_name = {name} AND load_id = {dialect.string(check.load_id)}"
            proven = f"(SELECT COALESCE(MAX(load_no), 0) FROM {relation} WHERE {named})"
        return self._read(Load, f"SELECT * FROM {relation} WHERE table_name = {name} AND load_no > {proven}")

    def soft_tables(self) -> frozenset[str]:
        """The raw tables that hold rows which are marked as deleted."""
        if self._soft is None:
            self._soft = frozenset(name for name, load in self.newest_loads().items() if keeps_deleted(load))
        return self._soft

    def latest_instant(self, table: str) -> datetime:
        """The latest instant of a snapshot that the table was loaded from; the beginning of time if there is none."""
        string, relation = self._warehouse.dialect.string, self._warehouse.relation("etl", "loads")
        query = f"SELECT MAX(snapshot_at) AS latest FROM {relation} WHERE table_name = {string(table)}"
        latest: datetime | None = self._warehouse.query(query)["latest"][0].as_py()
        return latest or datetime.min.replace(tzinfo=UTC)

    def partition_checks(self, table: str, division: str) -> dict[str, datetime]:
        """When each partition of a table that is divided so was last proven."""
        name, division = map(self._warehouse.dialect.string, (table, division))
        rows = self._warehouse.query(
            f"SELECT {self._name('partition')} AS label, MAX({self._name('at')}) AS proven_at "
            f"FROM {self._warehouse.relation('etl', 'partitions')} "
            f"WHERE table_name = {name} AND division = {division} GROUP BY 1"
        )
        return dict(zip(rows["label"].to_pylist(), rows["proven_at"].to_pylist(), strict=True))

    def vanished(self) -> dict[str, datetime]:
        """The loaded tables that the source no longer has, and since when."""
        newest = self._newest(Presence, self._name("at"))
        return {presence.table_name: presence.at for presence in newest if not presence.present}

    def newest_stops(self) -> dict[str, Stop]:
        """The newest stop of each table that ever had one."""
        return {stop.table_name: stop for stop in self._newest(Stop, self._name("at"))}

    def slices(self, table: str, job: str) -> tuple[Slice, ...]:
        """The slices of a job that has not come to its end, in the order in which they were done."""
        string, relation = self._warehouse.dialect.string, self._warehouse.relation("etl", "slices")
        where = f"table_name = {string(table)} AND job = {string(job)}"
        done = self._read(Slice, f"SELECT * FROM {relation} WHERE {where} ORDER BY {self._name('at')}")
        ends = [i for i, slice_ in enumerate(done, 1) if slice_.last]
        return tuple(done[ends[-1] if ends else 0 :])

    def staged_ranges(self, table: str) -> list[StagedRange]:
        """The ranges by which a table was ever loaded, as they were planned and then staged, oldest first."""
        string, relation = self._warehouse.dialect.string, self._warehouse.relation("etl", "ranges")
        where = f"table_name = {string(table)}"
        return self._read(StagedRange, f"SELECT * FROM {relation} WHERE {where} ORDER BY {self._name('at')}")

    def runs(self, limit: int) -> list[Run]:
        """The newest entries of the run log."""
        relation = self._warehouse.relation("etl", "runs")
        return self._read(Run, f"SELECT * FROM {relation} ORDER BY {self._name('at')} DESC LIMIT {int(limit)}")

    def _newest(self, record: type[R], order: str, table: str = "", *, equal_only: bool = False) -> list[R]:
        where = [f"table_name = {self._warehouse.dialect.string(table)}"] if table else []
        where += [self._name("equal")] if equal_only else []
        filtered = f" WHERE {' AND '.join(where)}" if where else ""
        relation = self._warehouse.relation("etl", _TABLES[record])
        return self._read(
            record,
            f"SELECT * FROM {relation}{filtered} "
            f"QUALIFY ROW_NUMBER() OVER (PARTITION BY table_name ORDER BY {order} DESC) = 1 ORDER BY table_name",
        )

    def _read(self, record: type[R], sql: str) -> list[R]:
        names = [f.name for f in fields(record)]
        return [record(**{name: row[name] for name in names}) for row in self._warehouse.query(sql).to_pylist()]

    def _name(self, column: str) -> str:
        return self._warehouse.dialect.quote(column)

    def _changes(self, record: type[Record], layout: Mapping[str, Mapping[str, str]]) -> list[str]:
        """What makes a record's table, or brings one that an earlier version made to this one's columns."""
        dialect, name = self._warehouse.dialect, _TABLES[record]
        held = layout.get(name)
        if not held:
            return [self._ddl(record)]
        return [
            dialect.add_column(self._warehouse.relation("etl", name), f.name, dialect.ddl(_TYPES[str(f.type)]))
            for f in fields(record)
            if f.name not in held
        ]

    def _ddl(self, record: type[Record]) -> str:
        dialect = self._warehouse.dialect
        columns = ", ".join(f"{dialect.quote(f.name)} {dialect.ddl(_TYPES[str(f.type)])}" for f in fields(record))
        return f"CREATE TABLE IF NOT EXISTS {self._warehouse.relation('etl', _TABLES[record])} ({columns})"
