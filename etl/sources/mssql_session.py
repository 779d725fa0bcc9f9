"""One connection to SQL Server: statements in, Arrow out, failures in words."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import pyarrow as pa

from schemas.mssql import Address, Driver, MssqlError, chosen_driver, connect, translated

log = logging.getLogger(__name__)

SOFT_BYTES = 32 << 20
"""About how large a batch is."""
HARD_BYTES = 256 << 20
"""How large a batch cannot exceed, unless a single row does."""
MOST_ROWS = 65_536
T = TypeVar("T")


class Session:
    """A connection on which one statement runs at a time; every method raises ``MssqlError``."""

    def __init__(self, at: Address) -> None:
        self._at, self._connection = at, connect(at)

    @property
    def driver(self) -> Driver:
        """What the connection speaks through."""
        return chosen_driver(self._at.provider)

    def run(self, sql: str) -> None:
        """Run a statement for its effect, unprepared: what a prepared one makes would go with it."""
        with self.cursor(sql):
            pass

    def query(self, sql: str) -> pa.Table:
        """The result of a query."""
        with self.cursor(sql) as cursor:
            return cursor.arrow(MOST_ROWS)

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a small query."""
        found: list[dict[str, Any]] = self.query(sql).to_pylist()
        return found

    def batches(self, sql: str, widest: int) -> Generator[pa.RecordBatch]:
        """The result of a large query, in batches bounded by their bytes; no row has more than ``widest``."""
        most = max(1, min(MOST_ROWS, HARD_BYTES // max(widest, 1)))
        with self.cursor(sql) as cursor:
            asked = max(1, min(most, SOFT_BYTES // max(widest, 1)))
            while True:
                batch = cursor.arrow_batch(asked)
                if batch.num_rows:
                    yield batch
                if batch.num_rows < asked:
                    return
                asked = max(1, min(most, SOFT_BYTES * batch.num_rows // max(batch.nbytes, 1), 4 * asked))

    def in_transaction(self) -> bool:
        """Whether a transaction is open, which some errors end."""
        return bool(self.rows("SELECT @@TRANCOUNT AS n")[0]["n"])

    def close(self) -> None:
        """Let go of the connection, and with it of everything that was made on it."""
        with suppress(Exception):  # a broken one cannot be closed either, and nothing is lost
            self._connection.close()

    @contextmanager
    def cursor(self, sql: str) -> Iterator[Any]:
        """The driver's cursor with the statement's result."""
        log.debug("%s", sql)
        try:
            cursor = self._connection.cursor()
            try:
                cursor.execute(sql)
                yield cursor
            finally:
                cursor.close()
        except (self._connection.Error, RuntimeError, pa.ArrowException) as error:
            raise translated(error, str(self._at)) from error


def attempt(ask: Callable[[], T]) -> T | None:
    """What a server that may lack it answers; None if it does."""
    try:
        return ask()
    except MssqlError as error:
        log.debug("not had from this server: %s", error.message)
        return None
