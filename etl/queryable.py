"""What summing rows inside an engine needs of a connection to it."""

from __future__ import annotations

from typing import Protocol

import pyarrow as pa


class Queryable(Protocol):
    """A connection within one session, in which temporary tables live."""

    def query(self, sql: str) -> pa.Table:
        """The result of a query."""

    def run(self, sql: str) -> None:
        """Run a statement that changes nothing but the session."""
