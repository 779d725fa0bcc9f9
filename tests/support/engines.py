"""Engines on which the dialects are judged: each renders constants and sums small tables, as text."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import duckdb
import psycopg
import pyarrow as pa
import pytest

from etl.dialects.base import WORDS, RowsumDialect
from etl.dialects.duckdb import DuckDbDialect
from etl.dialects.googlesql import GoogleSqlDialect
from etl.dialects.postgres import PostgresDialect
from etl.dialects.tsql import TsqlDialect
from etl.sources.mssql_server import look
from etl.sources.mssql_session import Session
from schemas.mssql import address
from schemas.table import Column
from schemas.types import Kind, LogicalType
from support import googlesql
from support.babelfish import GAPS


class Judged(ABC):
    """A dialect beside the engine that runs its text."""

    dialect: RowsumDialect
    text_type = "text"

    def has(self, value: Any) -> bool:
        """Whether the engine can hold such a value."""
        return self.dialect.has(value)

    def lacks(self, type_: LogicalType) -> str:
        """Why the engine cannot render values of a type, empty if it can."""
        del type_
        return ""

    def needs(self, *types: LogicalType) -> None:
        """Skip the test, with the reason, where the engine cannot render one of the types."""
        for reason in filter(None, map(self.lacks, types)):
            pytest.skip(reason)

    @abstractmethod
    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What a query returns."""

    def run(self, sql: str) -> None:
        """Run a statement for its effect."""
        self.rows(sql)

    def cells(self, values: Sequence[Any], type_: LogicalType, stored: LogicalType | None = None) -> list[str]:
        """The cells of many values in one query; ``stored`` is their type, if not the one they are rendered as."""
        constants = [self.dialect.literal(value, stored or type_) for value in values]
        listed = ", ".join(f"({i}, {constant})" for i, constant in enumerate(constants))
        query = f"SELECT {self.dialect.cell('v', type_)} FROM (VALUES {listed}) AS constants (i, v) ORDER BY i"
        return [row[0] for row in self.rows(query)]

    def words(self, columns: Sequence[Column], table: Sequence[Sequence[Any]]) -> list[tuple[int, ...]]:
        """Each row's words, sorted."""
        return sorted(self._integers(self.dialect.hashes(columns, [], self.relation(columns, table)), WORDS))

    def bucket_sums(
        self, columns: Sequence[Column], key: Sequence[Column], table: Sequence[Sequence[Any]]
    ) -> list[tuple[int, ...]]:
        """``bucket, n, s1 … s4, k1 …``, sorted."""
        names = ["bucket", "n", *WORDS, *(f"k{i}" for i in range(1, len(key) + 1))]
        return sorted(self._integers(self.dialect.bucket_sums(columns, key, self.relation(columns, table)), names))

    def relation(self, columns: Sequence[Column], table: Sequence[Sequence[Any]]) -> str:
        """The rows as a query in parentheses."""
        selects = (
            ", ".join(
                f"{self.dialect.literal(value, column.type)} AS {self.dialect.quote(column.name)}"
                for value, column in zip(row, columns, strict=True)
            )
            for row in table
        )
        return f"(SELECT {' UNION ALL SELECT '.join(selects)})"

    def _integers(self, query: str, names: Sequence[str]) -> list[tuple[int, ...]]:
        shown = ", ".join(f"CAST({name} AS {self.text_type})" for name in names)
        return [tuple(map(int, row)) for row in self.rows(f"SELECT {shown} FROM ({query}) AS result")]


class DuckDb(Judged):
    """The embedded engine."""

    dialect = DuckDbDialect()

    def __init__(self) -> None:
        self._connection = duckdb.connect()
        self._connection.execute("SET TimeZone = 'UTC'")

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql).fetchall()


class GoogleSql(Judged):
    """The reference implementation of BigQuery's language."""

    dialect = GoogleSqlDialect()
    text_type = "STRING"

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return list(googlesql.rows(sql))

    def cells(self, values: Sequence[Any], type_: LogicalType, stored: LogicalType | None = None) -> list[str]:
        listed = ", ".join(self.dialect.literal(value, stored or type_) for value in values)
        cell = self.dialect.cell("v", type_)
        return [row[0] for row in self.rows(f"SELECT {cell} FROM UNNEST([{listed}]) AS v WITH OFFSET AS i ORDER BY i")]


class Postgres(Judged):
    """A PostgreSQL server."""

    dialect = PostgresDialect()

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True)
        # Neither the session's zone nor its styles may show in a text.
        self.connection.execute("SET TimeZone = 'Asia/Kolkata'; SET DateStyle = 'German'; SET bytea_output = 'escape'")

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql).fetchall()

    def run(self, sql: str) -> None:
        self.connection.execute(sql)


class Tsql(Judged):
    """The SQL Server that a URL names.

    Babelfish has no UTF-8 collation. With one of a code page in its place the rest can be judged
    there, by values of ASCII; ``support.babelfish`` has what is left.
    """

    text_type = "varchar(40)"

    def __init__(self, url: str) -> None:
        self._session = Session(address(url))
        self.is_babelfish = bool(look(self._session).babelfish)
        self.dialect = _OfACodePage() if self.is_babelfish else TsqlDialect()

    def has(self, value: Any) -> bool:
        ascii_ = not isinstance(value, str) or (value.isascii() and "\0" not in value)
        return super().has(value) and (ascii_ or not self.is_babelfish)

    def lacks(self, type_: LogicalType) -> str:
        if type_.kind is Kind.FLOAT:
            return self._gap("hex of floats")
        return self._gap("hex of bytes") if type_.kind is Kind.BYTES or type_.large else ""

    def skip_on(self, gap: str) -> None:
        """Skip the test, with the reason, where the server has this gap."""
        if reason := self._gap(gap):
            pytest.skip(reason)

    def _gap(self, name: str) -> str:
        return f"Babelfish: {GAPS[name].reason}" if self.is_babelfish else ""

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in self._session.rows(sql)]

    def run(self, sql: str) -> None:
        self._session.run(sql)

    def close(self) -> None:
        """Let go of the connection."""
        self._session.close()


class _OfACodePage(TsqlDialect):
    utf8 = "Latin1_General_BIN2"


class ArrowEngine:
    """A judged engine as a rowsum's ``Engine``; every column is text."""

    def __init__(self, judged: Judged) -> None:
        self._judged = judged

    def query(self, sql: str) -> pa.Table:
        """The result of a query."""
        columns = zip(*self._judged.rows(sql), strict=True)
        return pa.table({str(i): pa.array(column, pa.string()) for i, column in enumerate(columns)})

    def run(self, sql: str) -> None:
        """Run a statement for its effect."""
        self._judged.run(sql)
