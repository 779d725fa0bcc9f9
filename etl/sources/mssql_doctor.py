"""What `etl doctor` says about a SQL Server: each finding with the statement that mends it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from etl.dialects.tsql import TsqlDialect
from etl.sources.base import Finding
from etl.sources.mssql_server import Server, now
from etl.sources.mssql_session import Session, attempt
from etl.sources.mssql_sql import relation
from schemas.mssql import OFFICIAL, Driver, remedy
from schemas.table import CursorKind, Table

_D = TsqlDialect()
_MOST_SECONDS = 5
_AT_ONCE = 200
# https://learn.microsoft.com/en-us/sql/relational-databases/system-catalog-views/change-tracking-catalog-views-sys-change-tracking-databases
TRACKING = """
SELECT t.retention_period AS period, t.retention_period_units_desc AS units, t.is_auto_cleanup_on AS cleans
FROM sys.change_tracking_databases AS t WHERE t.database_id = DB_ID()"""
# https://learn.microsoft.com/en-us/sql/relational-databases/system-dynamic-management-views/sys-dm-tran-active-transactions-transact-sql
OLDEST = """
SELECT TOP (1) s.session_id AS session_id, t.transaction_begin_time AS since
FROM sys.dm_tran_active_transactions AS t
JOIN sys.dm_tran_session_transactions AS s ON s.transaction_id = t.transaction_id
WHERE s.is_user_transaction = 1 AND s.session_id <> @@SPID ORDER BY t.transaction_begin_time"""
_SECONDS_LEFT_OUT = "%Y-%m-%d %H:%M"


def findings(session: Session, server: Server, tables: Sequence[Table]) -> Iterator[Finding]:
    """Everything there is to say about the server, the database and the user's rights."""
    yield _driver(session.driver)
    yield Finding(True, "server", f"{server.described}, database {server.database}, collation {server.collation}")
    yield _snapshots(server)
    yield _utf8(server)
    yield _fence(session, server)
    yield from _rights(session, server, tables)
    yield from _tracking(session, server, tables)
    yield _clock(now(session))


def _driver(driver: Driver) -> Finding:
    if not driver.missed:
        return Finding(True, "driver", f"{driver.name}, mssql-python {driver.module.__version__}")
    text = f"{driver.name}, which is young, as {OFFICIAL} cannot be loaded: {driver.missed}"
    return Finding(True, "driver", text, f"to have Microsoft's own: {remedy(OFFICIAL)}")


def _snapshots(server: Server) -> Finding:
    if server.snapshots:
        return Finding(True, "snapshot isolation", "allowed: everything is read as of one instant")
    return Finding(
        False,
        "snapshot isolation",
        "not allowed: checks compare a source that moves, and the gate refuses them",
        f"ALTER DATABASE {_D.quote(server.database)} SET ALLOW_SNAPSHOT_ISOLATION ON, "
        "or let such checks pass: [sync] accept_moving = true",
    )


def _utf8(server: Server) -> Finding:
    if server.has_utf8:
        return Finding(True, "UTF-8", "the server has UTF-8 collations, so it may sum its rows itself")
    return Finding(True, "UTF-8", "without UTF-8 collations (SQL Server 2019) rows are streamed to be summed")


def _fence(session: Session, server: Server) -> Finding:
    if not server.exact_fence:
        text = "no MIN_ACTIVE_ROWVERSION: late commits are found by comparing instead of by their row version"
        return Finding(True, "row versions", text)
    if server.fence and server.last and server.fence > server.last:
        return Finding(True, "row versions", f"up to {server.last}, held back by no transaction")
    oldest = attempt(lambda: session.rows(OLDEST))
    since = f": session {oldest[0]['session_id']} since {oldest[0]['since']:{_SECONDS_LEFT_OUT}}" if oldest else ""
    text = f"an open transaction holds the fence at {server.fence}{since}; what changed since is read again each time"
    return Finding(True, "row versions", text, "end it if it is forgotten")


def _rights(session: Session, server: Server, tables: Sequence[Table]) -> Iterator[Finding]:
    may = _may(session, tables, "SELECT")
    denied = [table for table in tables if not may.get(table.target, True)]
    user = _D.quote(server.user)
    for table in denied:
        yield Finding(
            False,
            f"right on {table.target}",
            f"{server.user} may not SELECT from it",
            f"GRANT SELECT ON {relation(table)} TO {user}, or exclude the table",
        )
    if not denied:
        yield Finding(True, "rights", f"{server.user} may read all of the {len(tables)} tables")
    if not server.babelfish:  # which shows only what may be read, whatever else is granted
        yield _definition(session, server)


def _definition(session: Session, server: Server) -> Finding:
    sees = attempt(lambda: session.rows("SELECT HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'VIEW DEFINITION') AS may")[0])
    if sees and sees["may"]:
        return Finding(True, "definitions", f"{server.user} sees every table, also those that it may not read")
    return Finding(
        True,
        "definitions",
        f"{server.user} sees only the tables that it may read: one without the right is not missed",
        f"GRANT VIEW DEFINITION TO {_D.quote(server.user)}",
    )


def _may(session: Session, tables: Sequence[Table], right: str) -> dict[str, bool]:
    """Which tables the user has a right on, asked for many at once; a server that cannot tell says nothing."""
    found: dict[str, bool] = {}
    for start in range(0, len(tables), _AT_ONCE):
        some = tables[start : start + _AT_ONCE]
        row = (attempt(partial(session.rows, asking_for(some, right))) or [{}])[0]
        found |= {table.target: row.get(f"c{i}") != 0 for i, table in enumerate(some)}
    return found


def asking_for(tables: Sequence[Table], right: str) -> str:
    """The query for one row of whether the user has a right on each of the tables."""
    asked = (f"HAS_PERMS_BY_NAME({_D.string(relation(table))}, 'OBJECT', '{right}')" for table in tables)
    return "SELECT " + ", ".join(f"{one} AS c{i}" for i, one in enumerate(asked))


def _tracking(session: Session, server: Server, tables: Sequence[Table]) -> Iterator[Finding]:
    rows = attempt(lambda: session.rows(TRACKING))
    tracked = [table for table in tables if any(c.kind is CursorKind.CHANGE_TRACKING for c in _cursors(table))]
    if not rows:
        yield Finding(
            True,
            "change tracking",
            "off: where there is no row version, deletes and changes are found by comparing",
            "" if server.babelfish else f"ALTER DATABASE {_D.quote(server.database)} SET CHANGE_TRACKING = ON",
        )
        return
    keeps = f"{rows[0]['period']} {str(rows[0]['units']).lower()}" if rows[0]["cleans"] else "without end"
    yield Finding(True, "change tracking", f"on for {len(tracked)} tables, changes are kept {keeps}")
    may = _may(session, tracked, "VIEW CHANGE TRACKING")
    for table in tracked:
        if not may.get(table.target, True):
            yield Finding(
                table.cursor.kind is not CursorKind.CHANGE_TRACKING,
                f"change tracking of {table.target}",
                f"{server.user} may not read it",
                f"GRANT VIEW CHANGE TRACKING ON {relation(table)} TO {_D.quote(server.user)}",
            )


def _cursors(table: Table) -> tuple[Any, ...]:
    return table.cursor, *table.cursors


def _clock(instant: datetime) -> Finding:
    """The difference, of which the way there and back is a part."""
    seconds = (instant - datetime.now(UTC)).total_seconds()
    text = f"{abs(seconds):.1f} s {'ahead of' if seconds > 0 else 'behind'} this machine's"
    if abs(seconds) <= _MOST_SECONDS:
        return Finding(True, "clock", text)
    return Finding(
        True, "clock", text, "nothing depends on it, but logs will not match: see both machines' time service"
    )
