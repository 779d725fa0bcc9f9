"""Leases: a row a table, taken by one conditional UPDATE, by the warehouse's clock, and renewed while alive.

They stand outside of the transactions that load, which would otherwise hold one another up. What a
lease cannot keep apart, a process that slept through its own, the load's assertion does.
"""

from __future__ import annotations

import logging
import os
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import Any

from etl.errors import WarehouseError
from etl.warehouses.bigquery.jobs import Jobs

log = logging.getLogger(__name__)

POLL_SECONDS = 2.0


class Leases:
    """Takes leases of tables in the warehouse."""

    def __init__(self, jobs: Jobs, relation: str, seconds: float, wait_seconds: float) -> None:
        """``relation`` is the quoted table of leases, ``seconds`` how long one holds without being renewed."""
        self._jobs, self._relation = jobs, relation
        self._seconds, self._wait_seconds = seconds, wait_seconds

    @contextmanager
    def held(self, table: str) -> Iterator[None]:
        """Hold the table's lease; raises ``WarehouseError`` if another holds it for longer than is waited."""
        holder = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._wait_for(table, holder)
        ended = Event()
        renewing = Thread(target=self._renew, args=(table, holder, ended), name=f"lease of {table}", daemon=True)
        renewing.start()
        try:
            yield
        finally:
            ended.set()
            renewing.join()
            # A lease that cannot be given back runs out by itself.
            with suppress(WarehouseError):
                self._jobs.read(self.release(), [table, holder])

    def create(self) -> str:
        """The table of leases."""
        return f"CREATE TABLE IF NOT EXISTS {self._relation} (table_name STRING, holder STRING, expires_at TIMESTAMP)"

    def take(self) -> str:
        """Take a free or expired lease; values: holder, microseconds, table, holder."""
        return (
            f"UPDATE {self._relation} SET holder = ?, "
            "expires_at = TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL ? MICROSECOND) "
            "WHERE table_name = ? AND (holder = ? OR expires_at < CURRENT_TIMESTAMP())"
        )

    def renew(self) -> str:
        """Renew one's own; values: microseconds, table, holder."""
        return (
            f"UPDATE {self._relation} SET expires_at = TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL ? MICROSECOND) "
            "WHERE table_name = ? AND holder = ?"
        )

    def release(self) -> str:
        """Give one's own back; values: table, holder."""
        return f"UPDATE {self._relation} SET expires_at = TIMESTAMP '1970-01-01' WHERE table_name = ? AND holder = ?"

    def enter(self) -> str:
        """A free lease for a table that has none; two at once make two rows, which are then taken together."""
        return (
            f"INSERT INTO {self._relation} (table_name, holder, expires_at) "
            "SELECT etl_new, '', TIMESTAMP '1970-01-01' FROM (SELECT ? AS etl_new) AS etl_one "
            f"WHERE NOT EXISTS (SELECT 1 FROM {self._relation} AS etl_l WHERE etl_l.table_name = etl_new)"
        )

    def _wait_for(self, table: str, holder: str) -> None:
        deadline = time.monotonic() + self._wait_seconds
        told = False
        while not self._taken(table, holder):
            if time.monotonic() > deadline:
                raise WarehouseError(
                    f"table {table} is still being loaded by another run after {self._wait_seconds:.0f} s",
                    "wait for that run to end, or end it",
                )
            if not told:
                log.warning("%s is being loaded by another run; waiting for it", table)
                told = True
            time.sleep(min(POLL_SECONDS, self._seconds / 4))

    def _taken(self, table: str, holder: str) -> bool:
        values = [holder, self._microseconds, table, holder]
        if self._changed(self.take(), values):
            return True
        return self._changed(self.enter(), [table]) and self._changed(self.take(), values)

    def _changed(self, sql: str, values: list[Any]) -> bool:
        return bool(self._jobs.read(sql, values).num_dml_affected_rows)

    def _renew(self, table: str, holder: str, ended: Event) -> None:
        while not ended.wait(self._seconds / 3):
            try:
                renewed = self._changed(self.renew(), [self._microseconds, table, holder])
            except WarehouseError as error:
                log.warning("%s: its lease could not be renewed: %s", table, error.message)
            else:
                if not renewed:
                    log.warning("%s: its lease ran out and another run has it; what follows may be refused", table)

    @property
    def _microseconds(self) -> int:
        return int(self._seconds * 1_000_000)
