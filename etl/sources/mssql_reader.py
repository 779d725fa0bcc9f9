"""Rows of SQL Server as Arrow batches of the logical types, exactly."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from etl.errors import SourceError
from etl.sources import mssql_sql as sql
from etl.sources.base import refuse
from etl.sources.exact import Tally, convert
from etl.sources.mssql_catalog import Catalog, catalog
from etl.sources.mssql_link import Link
from etl.sources.mssql_types import Physical, Reading, reading
from schemas import types
from schemas.table import Column, Table
from schemas.types import Kind, LogicalType

log = logging.getLogger(__name__)

_UNIT_BYTES = 3
"""UTF-8 bytes of a UTF-16 unit, at the most."""


class Reader:
    """Reads tables through one link, by what the catalog said when it was first asked."""

    def __init__(self, link: Link) -> None:
        self._link = link

    @cached_property
    def catalog(self) -> Catalog:
        """What the database has."""
        with self._link.statement():
            return catalog(self._link.session.rows)

    def physical(self, table: Table) -> Mapping[str, Physical]:
        """The columns' own types; raises ``SourceError`` where the catalog has no such table."""
        found = self.catalog.physical.get(table.target)
        if found is None or not {column.name for column in table.columns} <= found.keys():
            raise SourceError(
                f"table {table.target} is no longer in the source as it was", "run the same command again to look anew"
            )
        return found

    def reading(self, column: Column, physical: Mapping[str, Physical], alias: str = "t") -> Reading:
        """How a column of the table called ``alias`` is asked for."""
        x = f"{alias}.{sql.DIALECT.quote(column.name)}"
        return reading(x, physical[column.name], column.type, self._link.server.char_bytes)

    def batches(
        self, table: Table, source: str, where: str = "", physical: Mapping[str, Physical] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Typed batches of what follows FROM, in which the table is called t.

        Rows with a value that has to be fetched by itself are read apart, so that they do not slow the others.
        """
        refuse(table)
        physical = physical or self.physical(table)
        readings = [self.reading(column, physical) for column in table.columns]
        width = sum(one.width for one in readings)
        long = self._link.row(sql.longest(readings, source, where), table) if sql.long(readings) else {"n": 0}
        fitting = sql.every(where, sql.short(readings)) if long["n"] else where
        yield from self._arriving(table, sql.select([one.sql for one in readings], source, fitting), width)
        if long["n"]:
            # The driver drops to one row at a time for them.
            log.debug("%s: rows with long values, fetched one by one: %s", table.target, f"{long['n']:,}")
            text = sql.select([one.whole or one.sql for one in readings], source, sql.every(where, sql.long(readings)))
            yield from self._arriving(table, text, width + _UNIT_BYTES * long["widest"])

    def constants(self, type_: LogicalType, values: Sequence[Any]) -> pa.Array:
        """The values, made by the server and read as rows are."""
        table = Table("constants", (Column("i", types.INT), Column("v", type_)))
        listed = ", ".join(f"({i}, {sql.DIALECT.literal(value, type_)})" for i, value in enumerate(values))
        batches = self.batches(table, f"(VALUES {listed}) AS t(i, v)", "", {"i": Physical("int"), "v": _made(type_)})
        return pa.Table.from_batches(batches, table.arrow).sort_by("i")["v"].combine_chunks()

    def _arriving(self, table: Table, text: str, width: int) -> Iterator[pa.RecordBatch]:
        lost = Tally()  # which stays empty: what is lost here is counted by the server
        with self._link.statement(table), closing(self._link.session.batches(text, width)) as batches:
            for batch in batches:
                yield convert(arrived(batch), table, lost)


def _made(type_: LogicalType) -> Physical:
    """The type that a constant of a logical type is made with."""
    name, _, length = sql.DIALECT.ddl(type_).partition("(")
    if type_.kind in (Kind.STRING, Kind.JSON, Kind.BYTES):
        unit = 2 if name.startswith("n") else 1
        return Physical(name, -1 if length == "max)" else int(length.rstrip(")")) * unit)
    return Physical(name, 0, type_.precision or 0, type_.scale or (type_.fraction if length else 0))


def arrived(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with Arrow's usual lengths, and times to the microsecond."""
    arrays = [_usual(array) for array in batch.columns]
    return pa.RecordBatch.from_arrays(arrays, names=[f"c{i}" for i in range(len(arrays))])


def plain(table: pa.Table) -> pa.Table:
    """The same of a query's result."""
    return pa.table([_usual(column) for column in table.columns], names=table.schema.names)


def _usual(array: Any) -> Any:
    """An array or a chunked one."""
    if pa.types.is_large_string(array.type):
        return array.cast(pa.string())
    if pa.types.is_large_binary(array.type):
        return array.cast(pa.binary())
    if pa.types.is_time64(array.type):
        return pc.cast(array, pa.time64("us"), safe=False)
    return array
