"""`etl doctor`: what works, what does not, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator

from etl.config import Config
from etl.engines import open_source, open_warehouse
from etl.errors import EtlError, SourceError
from etl.scratch import Scratch
from etl.sources.base import Finding, Snapshot
from etl.sync.plan import configured
from etl.urls import without_password
from etl.verify.proof import EngineProof, ReaderProof
from schemas.table import CursorKind, Table


def examine(config: Config) -> Iterator[Finding]:
    """Look at the source, then at the warehouse; a failure of one does not hide the other."""
    tables: tuple[Table, ...] = ()
    scratch = Scratch()
    try:
        with open_source(config).snapshot() as snapshot:
            yield Finding(True, "source", f"{without_password(config.source.url)} answers")
            tables = configured(snapshot.tables(), config.tables)
            yield from _tables(tables)
            yield from snapshot.findings(tables)
            yield from _reader(snapshot, scratch, tables)
            yield _source_rowsum(snapshot, tables)
    except EtlError as error:
        yield Finding(False, "source", error.message, error.remedy)
    finally:
        scratch.close()
    try:
        yield from _warehouse(config, tables)
    except EtlError as error:
        yield Finding(False, "warehouse", error.message, error.remedy)


def _tables(tables: tuple[Table, ...]) -> Iterator[Finding]:
    keyless = [table.target for table in tables if not table.key]
    cursorless = [table.target for table in tables if table.cursor.kind is CursorKind.FULL]
    yield Finding(
        bool(tables), "tables", f"{len(tables)} to sync", "" if tables else "check that it is the right database"
    )
    if keyless:
        text = f"without a primary or unique key, so compared as multisets of rows: {', '.join(keyless)}"
        yield Finding(True, "keys", text, "name a key in etl.toml where there is one")
    if cursorless:
        text = f"without a cursor, so compared by buckets each time: {', '.join(cursorless)}"
        yield Finding(True, "cursors", text, "name a cursor in etl.toml where there is one")


def _reader(snapshot: Snapshot, scratch: Scratch, tables: tuple[Table, ...]) -> Iterator[Finding]:
    proof = ReaderProof(snapshot, scratch)
    refused = False
    for table in tables:
        try:
            proof.require(table)
        except SourceError as error:
            refused = True
            yield Finding(False, "source reader", error.message, error.remedy)
    if not refused:
        yield Finding(True, "source reader", "delivers the vectors of every type the tables have")


def _source_rowsum(snapshot: Snapshot, tables: tuple[Table, ...]) -> Finding:
    pushdown = snapshot.pushdown
    if pushdown is None:
        return Finding(True, "source rowsum", "streamed, as this source does not sum its own rows")
    return _rowsum("source rowsum", EngineProof(pushdown.engine, pushdown.dialect), tables)


def _rowsum(subject: str, proof: EngineProof, tables: tuple[Table, ...]) -> Finding:
    failed = sorted({str(type_) for table in tables for type_ in proof.failures(table)})
    text = (
        f"fails the vectors of {', '.join(failed)}: streamed instead" if failed else "proven, rowsums are pushed down"
    )
    return Finding(True, subject, text)


def _warehouse(config: Config, tables: tuple[Table, ...]) -> Iterator[Finding]:
    warehouse = open_warehouse(config)
    try:
        yield Finding(True, "warehouse", f"{without_password(config.warehouse.url)} answers")
        yield _rowsum("warehouse rowsum", EngineProof(warehouse, warehouse.dialect), tables)
    finally:
        warehouse.close()
