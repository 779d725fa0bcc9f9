"""A session inside its transaction: failures become ours, and leave the snapshot usable."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from etl.errors import ConfigError, SourceError
from etl.sources.mssql_server import Server
from etl.sources.mssql_session import Session, attempt
from etl.sources.mssql_sql import DIALECT, relation
from schemas.mssql import MssqlError, Trouble
from schemas.table import Table

log = logging.getLogger(__name__)

_AGAIN = "it was dropped or altered while it was being read: run the same command again"
_CHANGING = (
    "somebody is changing it (ALTER TABLE, a rebuilt index): wait for that to end, then run the same command again"
)
# What only some tables meet, by what the server says.
_OWN_REMEDIES = {
    "modified by a ddl statement": _AGAIN,
    "snapshot isolation is not allowed": "it reads another database: "
    "ALTER DATABASE … SET ALLOW_SNAPSHOT_ISOLATION ON there too",
    "lock request time out": _CHANGING,
    "lock timeout": _CHANGING,
    "memory optimized": "SNAPSHOT isolation cannot read memory-optimized tables: exclude it in etl.toml",
}


class Link:
    """What a snapshot asks its server through."""

    def __init__(self, session: Session, server: Server) -> None:
        self.session, self.server = session, server
        self._said: set[str] = set()
        self._begun = False

    def begin(self) -> None:
        """Begin the SNAPSHOT transaction, if the database allows one."""
        if not self.server.snapshots:
            return
        self._begun = True
        self.session.run("SET TRANSACTION ISOLATION LEVEL SNAPSHOT")
        self.session.run("BEGIN TRANSACTION")
        # The snapshot is of the moment of the first read of data, not of the beginning. Whether a catalog
        # is data is not documented; at the latest it is the first table's, which does no harm to a fence.
        self.session.rows("SELECT COUNT(*) AS n FROM sys.tables")

    @contextmanager
    def statement(self, table: Table | None = None) -> Iterator[None]:
        """What is asked of the server within, about ``table``."""
        try:
            yield
        except MssqlError as error:
            self._mend()
            raise (about(error, table, self.server.user) if table else failure(error)) from error

    def row(self, text: str, table: Table) -> dict[str, Any]:
        """The one row of a query about a table."""
        with self.statement(table):
            return self.session.rows(text)[0]

    def say(self, warning: str) -> None:
        """Say it once."""
        if warning not in self._said:
            self._said.add(warning)
            log.warning("%s", warning)

    def _mend(self) -> None:
        """Where the failed statement has taken the transaction with it, begin another."""
        if not self._begun or attempt(self.session.in_transaction) is not False:
            return
        log.warning("the server ended the transaction with an error; what follows is read at a later instant")
        with suppress(MssqlError):
            self.begin()


def failure(error: MssqlError) -> SourceError | ConfigError:
    """The error in this toolkit's classes."""
    wrong_call = error.trouble in (Trouble.ADDRESS, Trouble.DRIVER)
    return (ConfigError if wrong_call else SourceError)(error.message, error.remedy)


def about(error: MssqlError, table: Table, user: str) -> SourceError:
    """The error of reading a table, with what mends it there."""
    remedy = next((own for sign, own in _OWN_REMEDIES.items() if sign in error.message.lower()), error.remedy)
    if error.trouble is Trouble.ABSENT:
        remedy = _AGAIN
    if error.trouble is Trouble.DENIED:
        right = "VIEW CHANGE TRACKING" if "change tracking" in error.message.lower() else "SELECT"
        remedy = f"GRANT {right} ON {relation(table)} TO {DIALECT.quote(user)}, or exclude the table in etl.toml"
    return SourceError(f"table {table.target}: {error.message}", remedy)
