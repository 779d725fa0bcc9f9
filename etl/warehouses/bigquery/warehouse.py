"""The warehouse itself: what the contract asks for, in terms of jobs, loads, leases and rows."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import MappingProxyType
from typing import Any

import pyarrow as pa
from google.cloud import bigquery

from etl.config import Config
from etl.dialects.base import Layout, Statement
from etl.dialects.googlesql import GoogleSqlDialect
from etl.errors import WarehouseError
from etl.ranges import Ranges
from etl.warehouses.base import STAGING, Room, Warehouse, staging_name
from etl.warehouses.bigquery import datasets, naming
from etl.warehouses.bigquery.catalog import Catalog
from etl.warehouses.bigquery.client import Place, arrow_of, clients, place_of
from etl.warehouses.bigquery.failures import ANY, translated
from etl.warehouses.bigquery.jobs import Jobs, bound
from etl.warehouses.bigquery.keys import first_keys, listed_keys
from etl.warehouses.bigquery.layout import Layouts, Stored, physical_type, stored_table, with_comments
from etl.warehouses.bigquery.leases import Leases
from etl.warehouses.bigquery.loads import Loader
from etl.warehouses.bigquery.pruning import WORTH_BYTES, division_of, predicate, starts_sql
from etl.warehouses.bigquery.rows import read_table
from schemas.table import DELETED_AT, Table

log = logging.getLogger(__name__)

FEW_KEYS = 500
"""So many go into a query's text, which may be a megabyte long; more are loaded and joined."""


def connect(config: Config, *, create: bool) -> BigQueryWarehouse:
    """The warehouse that a ``bigquery://`` URL names."""
    return BigQueryWarehouse(place_of(config.warehouse.url), config, create=create)


class BigQueryWarehouse(Warehouse):
    """Datasets ``<prefix>_raw``, ``<prefix>_marts`` and ``<prefix>_etl`` of a project."""

    dialect: GoogleSqlDialect

    def __init__(self, place: Place, config: Config, *, create: bool = True) -> None:
        """Connect, and make the datasets unless they are there; without ``create`` that is a ``ConfigError``."""
        settings = config.warehouse
        self._place, self._staging = place, settings.staging
        self._clients = clients(place, settings)
        self._rest = self._clients.rest
        location = datasets.prepare(self._rest, place, create=create)
        self._jobs = Jobs(self._rest, location, datasets.bytes_of(settings.maximum_bytes_billed))
        self.dialect = GoogleSqlDialect(f"{self._dataset('etl')}.`_etl_scratch_{naming.token()}_")
        self._layouts = Layouts(config.tables)
        self._leases = Leases(self._jobs, self.relation("etl", "leases"), settings.lease_seconds, settings.wait_seconds)
        self._loaders: dict[str, Loader] = {}
        self._has_leases = False
        self._catalog = Catalog(self._rest, place)

    @property
    def identity(self) -> str:
        return f"bigquery:{self._place.project}.{self._place.prefix}"

    def namespace(self, room: Room) -> str:
        return self._dataset(room)

    def query(self, sql: str, values: Sequence[Any] = ()) -> pa.Table:
        self._tell_cost(sql)
        rows = self._jobs.read(sql, values)
        try:
            return arrow_of(rows, self._clients.storage)
        except ANY as error:
            raise translated(error) from error

    def commit(self, statements: Sequence[Statement | str]) -> None:
        listed = list(statements)
        for sql in (one if isinstance(one, str) else one.sql for one in listed):
            self._tell_cost(sql)
        if len(listed) > 1:
            listed = ["BEGIN TRANSACTION", *listed, "COMMIT TRANSACTION"]
        if listed:
            self._jobs.script(*bound(listed))

    def alter(self, changes: Sequence[str], statements: Sequence[Statement | str] = ()) -> None:
        self.commit(statements)
        for sql in changes:
            self._tell_cost(sql)
        if changes:
            self._catalog.forget()
            self._redefine(changes)

    def run(self, sql: str) -> None:
        if scratch := self.dialect.scratch_dropped(sql):
            self._catalog.drop("etl", scratch)
            return
        self._tell_cost(sql)
        self._jobs.read(sql)

    def columns(self, room: Room, name: str) -> dict[str, str]:
        found = self._table(room, name)
        return {field.name: physical_type(field) for field in found.schema} if found else {}

    def tables(self, room: Room) -> list[str]:
        return self._catalog.tables(room)

    def create(self, name: str, columns: Mapping[str, str], table: Table | None = None) -> None:
        """By the catalog's own call, which unlike DDL is no job."""
        naming.refuse(name, columns)
        layout = self._layouts.of(table) if table else Layout()
        reference = self._reference("raw", name)
        self._catalog.make(stored_table(reference, columns, layout, expires=name.startswith(STAGING)))

    def append(self, name: str, table: Table, batches: Iterable[pa.RecordBatch]) -> int:
        if name not in self._loaders:
            self._loaders[name] = self._loader("raw", name, table)
        return self._loaders[name].add(batches)

    def flush(self, name: str) -> None:
        loader = self._loaders.pop(name, None)
        if loader:
            try:
                loader.finish()
            finally:
                loader.close()

    def replace(self, staging: str, target: str, statements: Sequence[Statement | str]) -> None:
        staged, relation = self.relation("raw", staging), self.relation("raw", target)
        held = self._table("raw", target)
        new = self._table("raw", staging) if held else None
        if held and new is None:
            raise WarehouseError(f"staging table {staging} is gone", "run the same command again")
        if held and new and Stored.of(held) == Stored.of(new):
            names = [field.name for field in new.schema]
            # Both in one transaction with the ledger; TRUNCATE cannot be part of one.
            emptied = f"DELETE FROM {relation} WHERE TRUE"
            self.commit([*statements, emptied, self.dialect.insert_from(relation, staged, names)])
            self.drop(staging)
            return
        # It is to stay, whatever happens next.
        staying = bigquery.Table(self._reference("raw", staging))
        staying.expires = None
        self._catalog.update(staying, "expires")
        # Killed between the ledger's entry and the last of these, the gate is shut and the next run loads it anew.
        dropped = [f"DROP TABLE IF EXISTS {relation}"] if held else []
        self.alter([*dropped, self.dialect.rename(staged, target)], statements)

    def merge(self, table: Table, staging: str) -> str:
        target, staged = self.relation("raw", table.target), self.relation("raw", staging)
        names = list(self.columns("raw", staging))
        self._describe(table)
        return self.dialect.merge(target, staged, names, table.key, self._within(table, staged, staged=True))

    def within(self, table: Table, keys: str) -> str:
        return self._within(table, keys)

    def publish(
        self,
        marts: Mapping[str, str],
        replaced: Mapping[str, str] = MappingProxyType({}),
        statements: Sequence[Statement | str] = (),
    ) -> None:
        """All at one instant: DDL cannot be part of a transaction, so rows are exchanged and not tables.

        https://cloud.google.com/bigquery/docs/transactions#limitations
        """
        prepared: list[str] = []
        exchanged: list[Statement | str] = []
        for name, aside in marts.items():
            relation, built = self.relation("marts", name), self.relation("marts", aside)
            held, new = self._table("marts", name), self._table("marts", aside)
            if new is None:
                raise WarehouseError(f"mart {aside} is gone before it was published", "run the same command again")
            if name not in replaced and (held is None or Stored.of(held) != Stored.of(new)):
                prepared += [f"DROP TABLE IF EXISTS {relation}", f"CREATE TABLE {relation} LIKE {built}"]
            exchanged += self._exchange(relation, built, aside, replaced.get(name, "TRUE"))
        self.alter(prepared)
        self.commit([*exchanged, *statements])
        self.alter([f"DROP TABLE {self.relation('marts', aside)}" for aside in marts.values()])

    @contextmanager
    def lease(self, target: str) -> Iterator[None]:
        self._jobs.label({"table": target})
        if not self._has_leases and self._table("etl", "leases") is None:
            self._jobs.read(self._leases.create())
        self._has_leases = True
        with self._leases.held(target), self._catalog.remembered(target), self._unfiltered(target):
            yield

    @contextmanager
    def whole(self, targets: Collection[str]) -> Iterator[None]:
        with ExitStack() as leases:
            # In one order, so that two that want the same tables do not wait for one another.
            for target in sorted(filter(self._layouts.requires_filter, targets)):
                leases.enter_context(self.lease(target))
            yield

    def label(self, **labels: str) -> None:
        self._jobs.label(labels)

    def estimate(self, sql: str) -> int | None:
        return self._jobs.estimate(sql)

    def read(self, table: Table, part: Ranges | None = None) -> Iterator[pa.RecordBatch]:
        wanted = [f"({part.condition(self.dialect)})"] if part else []
        wanted += [f"{self.dialect.quote(DELETED_AT.name)} IS NULL"] if table.soft else []
        where = " AND ".join(wanted)
        names = [column.name for column in table.columns]
        for batch in read_table(self._clients, self._reference("raw", table.target), names, where):
            yield batch.cast(table.arrow)

    def read_keys(self, table: Table, keys: pa.Table) -> pa.Table:
        arrow = pa.schema([(column.name, column.type.arrow) for column in table.key_columns])
        keys = keys.select(list(table.key)).cast(arrow)
        if not keys.num_rows:
            return table.arrow.empty_table()
        if keys.num_rows <= FEW_KEYS:
            return self._read_keys(table, listed_keys(self.dialect, table, keys), first_keys(self.dialect, table, keys))
        name = staging_name(table.target, "wanted")
        self.stage(name, table.key_columns, keys)
        try:
            return self._read_keys(table, self.relation("raw", name))
        finally:
            self.drop(name)

    def drop(self, name: str) -> None:
        self._catalog.drop("raw", name)

    def close(self) -> None:
        for loader in self._loaders.values():
            loader.close()
        self._clients.close()

    @contextmanager
    def _unfiltered(self, target: str) -> Iterator[None]:
        """Lift a required partition filter while the table is loaded and proven, which takes all of it."""
        held = self._table("raw", target)
        required = bool(held and held.require_partition_filter)
        self._require_filter(held, required=False)
        try:
            yield
        finally:
            if required or self._layouts.requires_filter(target):
                self._require_filter(self._table("raw", target), required=True)

    def _require_filter(self, table: bigquery.Table | None, *, required: bool) -> None:
        if table and bool(table.require_partition_filter) is not required:
            table.require_partition_filter = required
            self._catalog.update(table, "require_partition_filter")

    def _read_keys(self, table: Table, wanted: str, listed: str = "") -> pa.Table:
        """The rows whose key is in ``wanted``, a table's name or an array; ``listed`` says the same in constants."""
        quote = self.dialect.quote
        matched = " AND ".join(f"etl_t.{q} = etl_k.{q}" for q in map(quote, table.key))
        columns = ", ".join(f"etl_t.{quote(column.name)}" for column in table.columns)
        within = self._within(table, wanted)
        where = "".join(f"({condition}) AND " for condition in (within, listed) if condition)
        found = self.query(
            f"SELECT {columns} FROM {self.live(table)} AS etl_t "
            f"WHERE {where}EXISTS (SELECT 1 FROM {wanted} AS etl_k WHERE {matched})"
        )
        return found.cast(table.arrow)

    def _within(self, table: Table, keys: str, *, staged: bool = False) -> str:
        """A predicate of constants over ``etl_t`` that holds where rows with these keys are, or will be.

        Empty for a table that is not divided, or so small that asking costs more than reading it.
        """
        held = self._table("raw", table.target)
        if held is None or not table.key or (held.num_bytes or 0) < WORTH_BYTES:
            return ""
        by = division_of(Stored.of(held), table)
        if by is None:
            return ""
        target = self.relation("raw", table.target)
        starts = self.query(starts_sql(self.dialect, by, table, target, keys, staged=staged))["etl_start"]
        return predicate(self.dialect, by, starts.to_pylist())

    def _describe(self, table: Table) -> None:
        """Bring the columns' descriptions to the source's, which may have come or changed since the table was made."""
        held = self._table("raw", table.target)
        described = with_comments(held.schema, table) if held else []
        if held and described != list(held.schema):
            held.schema = described
            self._catalog.update(held, "schema")

    def _redefine(self, changes: Sequence[str]) -> None:
        """Run DDL."""
        self._jobs.script(";\n".join(changes))

    def _dataset(self, room: str) -> str:
        return f"`{self._place.project}`.`{self._place.dataset(room)}`"

    def _reference(self, room: Room, name: str) -> bigquery.TableReference:
        return self._catalog.reference(room, name)

    def _table(self, room: Room, name: str) -> bigquery.Table | None:
        return self._catalog.find(room, name)

    def _loader(self, room: Room, name: str, table: Table) -> Loader:
        reference = self._reference(room, name)
        destination = f"{reference.project}.{reference.dataset_id}.{reference.table_id}"
        return Loader(
            self._rest, self._jobs, destination, table, staging=self._staging, emulated=self._clients.emulated
        )

    def _tell_cost(self, sql: str) -> None:
        """Log what a costly statement will read; others are not worth the question, nor is an emulator's answer."""
        if self._clients.emulated or not (log.isEnabledFor(logging.INFO) and _COSTLY.match(sql)):
            return
        sql = sql.partition(";\n")[0]
        shown = " ".join(sql.split())[:60]
        try:
            log.info("%s … reads %s bytes", shown, f"{self._jobs.estimate(sql):,}")
        except WarehouseError as error:
            # What is wrong with a statement is said when it is run; local-bigquery cannot estimate every one.
            log.info("%s … could not be estimated: %s", shown, error.message)


_COSTLY = re.compile(r"\s*(MERGE|CREATE (OR REPLACE )?TABLE\b.*\bAS\s+(SELECT|WITH|\())", re.DOTALL)
