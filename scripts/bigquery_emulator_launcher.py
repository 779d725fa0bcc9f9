"""Starts local-bigquery on the DuckDB it is given; run by the emulator's own interpreter.

It is made for DuckDB 2.0, for which its extensions do not come as packages. Two things are different
in DuckDB 1.5: a time zone is not set while connecting (the extension that knows zones would have to be
there already), and a BEGIN inside of a transaction breaks that transaction. What it looks up at every
statement is looked up where it is written down (see ``bigquery_emulator_lookups.py``).
"""

from __future__ import annotations

import functools
import logging
import os
import shutil
import threading
import time
from typing import Any

import duckdb
import uvicorn

_MOST_DIGITS = 38
_connect = duckdb.connect


def _connect_then_set_zone(*arguments: Any, config: dict[str, Any] | None = None, **options: Any) -> Any:
    wanted = dict(config or {})
    zone = wanted.pop("TimeZone", None)
    connection = _connect(*arguments, config=wanted, **options)
    if zone:
        connection.execute(f"SET GLOBAL TimeZone = '{zone}'")
    return connection


class _OwnTables:
    """A cursor that is not asked for temporary tables: each query has its own, which has none at first."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def sql(self, sql: str, *arguments: Any, **named: Any) -> Any:
        if sql == "SELECT table_name FROM duckdb_tables() WHERE temporary":
            sql = "SELECT '' WHERE false"
        return self._cursor.sql(sql, *arguments, **named)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


class _InTransaction:
    """A cursor whose transaction survives being asked to begin another."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def execute(self, sql: str, *arguments: Any) -> Any:
        if sql == "BEGIN":
            raise duckdb.TransactionException("there is a transaction already")
        return self._cursor.execute(sql, *arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


def _end_with(process: int) -> None:
    while True:
        time.sleep(1)
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            if os.environ.get("ETL_EMULATOR_REMOVE") == "1":
                shutil.rmtree(settings.data_dir, ignore_errors=True)
            os._exit(0)


duckdb.connect = _connect_then_set_zone

import bigquery_emulator_lookups  # noqa: E402
from local_bigquery.catalog import ddl  # noqa: E402
from local_bigquery.cli import main  # noqa: E402
from local_bigquery.engine import types  # noqa: E402
from local_bigquery.jobs import merge, query  # noqa: E402
from local_bigquery.settings import settings  # noqa: E402
from local_bigquery.sql.script import Interpreter  # noqa: E402
from sqlglot import exp  # noqa: E402

_open: set[int] = set()
_run, _sql, _merge, _execute = Interpreter.run, Interpreter.sql, merge.run, query.execute


def _run_script(self: Any, statements: Any) -> None:
    _open.discard(id(self.cursor))
    _run(self, statements)


def _run_statement(self: Any, statement: Any) -> None:
    _sql(self, statement)
    word = statement.text.split(maxsplit=1)[0].upper()
    if word == "BEGIN":
        _open.add(id(self.cursor))
    elif word in ("COMMIT", "ROLLBACK"):
        _open.discard(id(self.cursor))


def _run_merge(cursor: Any, tree: Any, context: Any) -> Any:
    return _merge(_InTransaction(cursor) if id(cursor) in _open else cursor, tree, context)


def _execute_query(cursor: Any, *arguments: Any, session: Any = None, **named: Any) -> Any:
    # Listing the temporary tables lists all there are.
    return _execute(cursor if session else _OwnTables(cursor), *arguments, session=session, **named)


_time_partitioning = ddl._partitioning


def _partitioning(node: Any) -> dict[str, Any]:
    # Its own name for RANGE_BUCKET is not recognised where tables are recorded: they were divided by days.
    by = node.this
    if by.name != "bq.main.range_bucket":
        return dict(_time_partitioning(node))
    column, numbers = by.expressions
    start, end, interval = (number.name for number in numbers.expressions)
    bounds = {"start": start, "end": end, "interval": interval}
    return {"rangePartitioning": {"field": column.name, "range": bounds}}


ddl._partitioning = _partitioning
_duckdb_type = types.duckdb_type


def _sized_type(field: Any) -> str:
    # A decimal of the catalog's call is stored as the same one of DDL, which can be widened.
    if field.type in ("NUMERIC", "BIGNUMERIC") and field.precision and int(field.precision) <= _MOST_DIGITS:
        return f"DECIMAL({field.precision}, {field.scale or 0})"
    return str(_duckdb_type(field))


types.duckdb_type = _sized_type
_other_alteration = ddl._alteration


def _alteration(stored: Any, action: Any, *arguments: Any) -> dict[str, Any]:
    # Digits of a decimal that is added or widened are written down as those of one that is created with its table.
    kind = action.args.get("kind" if isinstance(action, exp.ColumnDef) else "dtype")
    sizes = ddl._parameters(kind) if isinstance(action, exp.ColumnDef | exp.AlterColumn) else {}
    if not sizes:
        return dict(_other_alteration(stored, action, *arguments))
    fields = (field.replace(**sizes) if field.name == action.name else field for field in stored.schema_.fields)
    return {"schema": {"fields": list(fields)}}


ddl._alteration = _alteration
query.execute = _execute_query
Interpreter.run, Interpreter.sql, merge.run = _run_script, _run_statement, _run_merge
bigquery_emulator_lookups.use()

# What it stores beside its own engine's SQL, such as CLUSTER BY, is no news.
logging.getLogger("sqlglot").setLevel(logging.ERROR)
uvicorn.run = functools.partial(uvicorn.run, log_level="warning")
watched = int(os.environ.get("ETL_EMULATOR_WATCH", "0"))
if watched:
    threading.Thread(target=_end_with, args=(watched,), daemon=True).start()
main()
