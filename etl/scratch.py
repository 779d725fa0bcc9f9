"""An in-memory DuckDB, in which streamed rows are summed and small sets of rows compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa

from etl.dialects.duckdb import DuckDbDialect
from etl.private import PrivateDirectory


def without_progress_bar(connection: duckdb.DuckDBPyConnection) -> None:
    """Turn the progress bar off, which is on by itself where Python has no main file, as in spawned processes.

    In a notebook without ipywidgets it is off, and DuckDB refuses to be told so.
    """
    shown = connection.sql("SELECT current_setting('enable_progress_bar')").fetchall()
    if shown != [(False,)]:
        connection.execute("SET enable_progress_bar = false").complete()


class Scratch:
    """A private database that is gone when closed."""

    dialect = DuckDbDialect()

    def __init__(self, memory_limit: str = "") -> None:
        self._connection = duckdb.connect()
        self.run("SET TimeZone = 'UTC'")
        self.run("SET preserve_insertion_order = false")
        without_progress_bar(self._connection)
        # Where it spills to, if it has to: private, gone when closed, and not in the user's own directory.
        self._spill = PrivateDirectory("spill")
        self.run(f"SET temp_directory = {self.dialect.string(str(self._spill.path))}")
        if memory_limit:
            self.run(f"SET memory_limit = {self.dialect.string(memory_limit)}")

    def run(self, sql: str, values: Sequence[Any] = ()) -> None:
        """Run a statement for its effect."""
        self._connection.execute(sql, list(values) or None).complete()

    def query(self, sql: str, values: Sequence[Any] = ()) -> pa.Table:
        """The result of a query."""
        return self._connection.sql(sql, params=list(values) or None).to_arrow_table()

    @contextmanager
    def holding(self, **tables: pa.Table) -> Iterator[None]:
        """Make Arrow tables visible by name while the context lasts; nothing is copied."""
        for name, table in tables.items():
            self._connection.register(name, table)
        try:
            yield
        finally:
            for name in tables:
                self._connection.unregister(name)

    def close(self) -> None:
        """Free everything."""
        self._connection.close()
        self._spill.close()
