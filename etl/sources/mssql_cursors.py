"""How far a table's cursor goes, what lies past a watermark, and when that can no longer be told."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from etl.errors import SourceError
from etl.sources import mssql_sql as sql
from etl.sources.base import Reach, Window
from etl.sources.exact import Tally, convert
from etl.sources.mssql_link import Link
from etl.sources.mssql_reader import Reader, arrived
from etl.sources.mssql_server import hexed
from schemas.table import CursorKind, Table

log = logging.getLogger(__name__)


class Cursors:
    """The cursors of a snapshot's tables."""

    def __init__(self, link: Link, reader: Reader) -> None:
        self._link, self._reader = link, reader

    def reach(self, table: Table) -> Reach:
        """How far the table's cursor goes."""
        kind = table.cursor.kind
        if kind is CursorKind.FULL:
            return Reach(None, None)
        if kind is CursorKind.ROWVERSION:
            return self._reach_of_versions(table)
        if kind is CursorKind.CHANGE_TRACKING:
            current = self._tracking(table)["current_version"]
            return Reach(None, None) if current is None else Reach(str(current), str(current))
        return self._reach_of_values(table)

    def expired(self, table: Table, watermark: str) -> str:
        """Why changes since ``watermark`` cannot be told any more; empty if they can."""
        if table.cursor.kind is CursorKind.ROWVERSION:
            return expired_version(self._link.server.fence, watermark)
        if table.cursor.kind is CursorKind.CHANGE_TRACKING:
            known = self._tracking(table)
            return expired_tracking(known["current_version"], known["least"], int(watermark))
        return ""

    def changes(self, table: Table, window: Window) -> Iterator[pa.RecordBatch]:
        """The rows at or past the window's low end, and those without a cursor value."""
        if table.cursor.kind is CursorKind.CHANGE_TRACKING:
            yield from self._reader.batches(table, sql.changed(table, table.key, window.low))
            return
        column = table.column(window.column)
        versions = table.cursor.kind is CursorKind.ROWVERSION
        physical = self._reader.physical(table)[column.name]
        low = sql.version(window.low) if versions else sql.from_text(window.low, physical)
        rows = 0
        for batch in self._reader.batches(table, f"{sql.relation(table)} AS t", sql.at_least(column, low)):
            rows += batch.num_rows
            yield batch
        if versions and rows:
            self._warn_pinned(table, window.low, rows)

    def deleted(self, table: Table, window: Window) -> pa.Table | None:
        """The keys that change tracking says are gone; None for other cursors."""
        if table.cursor.kind is not CursorKind.CHANGE_TRACKING:
            return None
        keys = Table(table.name, table.key_columns, schema=table.schema)
        physical = self._reader.physical(table)
        readings = [self._reader.reading(column, physical, "g").sql for column in keys.columns]
        with self._link.statement(table):
            gone = self._link.session.query(sql.deleted(table, table.key, window.low, readings))
        batches = [convert(arrived(batch), keys, Tally()) for batch in gone.to_batches()]
        return pa.Table.from_batches(batches, keys.arrow)

    def _reach_of_values(self, table: Table) -> Reach:
        column = table.cursor.column
        physical = self._reader.physical(table)[column]
        row = self._link.row(sql.reach(table, column, physical), table)
        seen = fence = sql.iso(row["seen"], physical)
        if row["future"]:
            fence = sql.iso(self._link.row(sql.reach_by_now(table, column, physical), table)["fence"], physical)
        return Reach(fence, seen)

    def _reach_of_versions(self, table: Table) -> Reach:
        if not self._link.server.exact_fence:
            self._link.say(
                "this server does not tell which row versions are still open (it has no MIN_ACTIVE_ROWVERSION, or is a "
                "replica): rows of a transaction that commits after the sync are found by comparing"
            )
        with self._link.statement(table):
            newest = self._link.session.rows(sql.newest_version(table))
        seen = hexed(newest[0]["seen"]) if newest else None
        return Reach(self._link.server.fence or seen, seen)

    def _tracking(self, table: Table) -> dict[str, Any]:
        primary = self._reader.catalog.primary.get(table.target, ())
        if table.key != primary:
            raise SourceError(
                f"table {table.target}: change tracking knows rows by their primary key ({', '.join(primary)})",
                "leave key out of etl.toml, or name another cursor",
            )
        known = self._link.row(sql.tracking(table), table)
        tracked = table.target in self._reader.catalog.tracked
        if withheld_tracking(known["current_version"], known["least"], tracked=tracked):
            user = sql.DIALECT.quote(self._link.server.user)
            raise SourceError(
                f"table {table.target}: {self._link.server.user} may not read its change tracking",
                f"GRANT VIEW CHANGE TRACKING ON {sql.relation(table)} TO {user}, or name another cursor in etl.toml",
            )
        return known

    def _warn_pinned(self, table: Table, low: str, rows: int) -> None:
        """The fence stands where it stood, and yet there are newer rows: an open transaction is older than they."""
        if self._link.server.exact_fence and low == self._link.server.fence:
            log.warning(
                "%s: an open transaction holds the fence at %s; until it ends, each sync reads again what changed "
                "since, %s rows by now; etl doctor names it",
                table.target,
                low,
                f"{rows:,}",
            )


def expired_version(fence: str | None, watermark: str) -> str:
    """Row versions only grow, unless an older state of the database has taken its place."""
    if fence is None or fence >= watermark:
        return ""
    return f"row versions went back from {watermark} to {fence}, so the database was restored"


def withheld_tracking(current: int | None, least: int | None, *, tracked: bool) -> bool:
    """Whether a right is missing: without it the lowest version is NULL as well, which must not be taken for the end.

    https://learn.microsoft.com/en-us/sql/relational-databases/system-functions/change-tracking-min-valid-version-transact-sql
    """
    return tracked and current is not None and least is None


def expired_tracking(current: int | None, least: int | None, watermark: int) -> str:
    """Changes are kept for some days, and forgotten by TRUNCATE and when tracking is switched off.

    https://learn.microsoft.com/en-us/sql/relational-databases/track-changes/work-with-change-tracking-sql-server
    """
    if current is None or least is None:
        return "change tracking was switched off"
    if current < watermark:
        return f"change tracking went back from version {watermark} to {current}, so the database was restored"
    if least > watermark:
        return (
            f"change tracking has forgotten what came before version {least}, and the last sync was at {watermark}: "
            "the table was truncated, or that sync is longer ago than changes are kept"
        )
    return ""
