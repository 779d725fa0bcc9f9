"""What `etl doctor` says about a PostgreSQL server: each finding with the statement that mends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from etl.dialects.postgres import PostgresDialect
from etl.sources.base import Finding
from schemas.table import Table

_D = PostgresDialect()
OLDEST = 140_000
"""The oldest version whose EXTRACT is exact, so that it can sum its own rows."""
_APART = timedelta(seconds=5)

# https://www.postgresql.org/docs/current/functions-info.html
_SERVER = """
SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS number,
       current_setting('server_encoding') AS encoding, current_database()::text AS database, current_user::text AS me,
       (SELECT datcollate::text FROM pg_catalog.pg_database WHERE datname = current_database()) AS collation,
       pg_catalog.has_database_privilege(current_database(), 'TEMPORARY') AS temporary,
       pg_catalog.pg_is_in_recovery() AS standby, clock_timestamp() AS now"""
_RIGHTS = """
SELECT n.nspname::text AS schema, c.relname::text AS name,
       pg_catalog.has_schema_privilege(n.oid, 'USAGE') AS enter,
       pg_catalog.has_table_privilege(c.oid, 'SELECT') AS read, row_security_active(c.oid) AS hidden,
       c.relkind::text AS kind, c.relkind = 'm' AND NOT c.relispopulated AS unfilled,
       n.nspname = current_schema() AS is_default
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
  AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' ORDER BY 1, 2"""

Rows = Callable[[str], list[dict[str, Any]]]


def findings(rows: Rows, tables: Sequence[Table]) -> Iterator[Finding]:
    """Everything there is to say about the server, the database and the user's rights."""
    server = rows(_SERVER)[0]
    yield _version(server)
    yield _encoding(server)
    yield _clock(server["now"])
    yield _temporary(server)
    if server["standby"]:
        text = "a standby: it refuses temporary tables, so rows are streamed, and it may cancel long reads"
        yield Finding(True, "standby", text, "raise max_standby_streaming_delay, or read from the primary")
    yield from _tables(rows, server["me"], {table.target for table in tables})


def _version(server: dict[str, Any]) -> Finding:
    text = f"PostgreSQL {server['version']}, database {server['database']}, user {server['me']}"
    if server["number"] < OLDEST:
        return Finding(False, "server", f"{text}: older than 14, which is the oldest tried", "upgrade the server")
    return Finding(True, "server", text)


def _encoding(server: dict[str, Any]) -> Finding:
    text = f"encoding {server['encoding']}, collation {server['collation']}"
    if server["encoding"] == "SQL_ASCII":
        return Finding(
            False,
            "encoding",
            f"{text}: the server does not know what its bytes mean, and what is not UTF-8 is refused",
            "make the database anew with ENCODING 'UTF8'",
        )
    return Finding(True, "encoding", text)


def _clock(now: datetime) -> Finding:
    apart = abs(now - datetime.now(UTC))
    text = f"{apart.total_seconds():.1f} s from this machine's"
    if apart <= _APART:
        return Finding(True, "clock", text)
    # Cursors are compared with the server's own clock, so this only misleads people.
    return Finding(True, "clock", f"{text}: times in the ledger and in the source do not match", "set both by NTP")


def _temporary(server: dict[str, Any]) -> Finding:
    if server["temporary"]:
        return Finding(True, "temporary tables", "allowed: the server sums its own rows once it has proven that it can")
    grant = f"GRANT TEMPORARY ON DATABASE {_D.quote(server['database'])} TO {_D.quote(server['me'])}"
    return Finding(True, "temporary tables", "not allowed: rows are streamed to be summed, which takes longer", grant)


def _tables(rows: Rows, me: str, wanted: set[str]) -> Iterator[Finding]:
    """What keeps single tables from being read; nothing is said of those that are not to be synced."""
    closed: set[str] = set()
    user, readable = _D.quote(me), 0
    for row in rows(_RIGHTS):
        target = row["name"] if row["is_default"] else f"{row['schema']}__{row['name']}"
        if target not in wanted:
            continue
        relation = _D.qualify(row["schema"], row["name"])
        if not row["enter"] and row["schema"] not in closed:
            closed.add(row["schema"])
            grant = f"GRANT USAGE ON SCHEMA {_D.quote(row['schema'])} TO {user}"
            yield Finding(False, f"right on schema {row['schema']}", "none: no table of it can be read", grant)
        if not row["read"]:
            yield Finding(False, f"right on {target}", "may not be read", f"GRANT SELECT ON {relation} TO {user}")
        elif row["hidden"]:
            text = "row-level security would hide rows, so it is refused"
            yield Finding(False, f"right on {target}", text, f"ALTER ROLE {user} BYPASSRLS")
        elif row["unfilled"]:
            yield Finding(False, target, "was never filled", f"REFRESH MATERIALIZED VIEW {relation}")
        else:
            readable += row["enter"]
            if row["kind"] == "f":
                text = "is a foreign table: what is behind it is read when it is asked, at no instant of this server"
                yield Finding(True, target, text, "exclude it, or sync a materialized view of it")
    yield Finding(readable > 0 or not wanted, "rights", f"{readable} of {len(wanted)} tables can be read")
