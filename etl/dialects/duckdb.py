"""DuckDB's text. Streamed rows of any source are summed with it too, so there is one implementation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from etl.dialects.base import WarehouseDialect
from schemas.table import Column
from schemas.types import Kind, LogicalType


class DuckDbDialect(WarehouseDialect):
    """https://duckdb.org/docs/stable/sql/introduction"""

    name = "duckdb"
    sqlglot = "duckdb"

    def quote(self, identifier: str) -> str:
        return '"' + identifier.replace('"', '""') + '"'

    def string(self, value: str) -> str:
        # A literal cannot hold NUL, so it is spelled by its code point.
        quoted = "'" + value.replace("'", "''") + "'"
        return "(" + quoted.replace("\0", "' || chr(0) || '") + ")" if "\0" in value else quoted

    def literal(self, value: Any, type_: LogicalType) -> str:
        if value is None:
            return f"CAST(NULL AS {self.ddl(type_)})"
        if type_.kind is Kind.BYTES:
            return f"unhex('{value.hex()}')"
        return f"CAST({self.string(str(value))} AS {self.ddl(type_)})"

    def bool_text(self, x: str) -> str:
        return f"CAST(CAST({x} AS INTEGER) AS VARCHAR)"

    def int_text(self, x: str) -> str:
        return f"CAST({x} AS VARCHAR)"

    def decimal_text(self, x: str, scale: int) -> str:
        # TRY_CAST rounds to the scale and is NULL where the digits do not fit into 38.
        exact = f"TRY_CAST({x} AS DECIMAL(38,{scale}))"
        rescaled = f"CASE WHEN {exact} = {x} THEN CAST({exact} AS VARCHAR) ELSE RTRIM(CAST({x} AS VARCHAR), '0') END"
        # The column nearly always has the scale; its type is known when the query is planned.
        return f"CASE WHEN typeof({x}) LIKE 'DECIMAL(%,{scale})' THEN CAST({x} AS VARCHAR) ELSE {rescaled} END"

    def float_text(self, x: str) -> str:
        bits = f"hex(CAST(CAST(CAST({x} AS DOUBLE) AS BIT) AS BLOB))"
        return f"CASE WHEN isnan({x}) THEN '7FF8000000000000' ELSE {bits} END"

    def date_text(self, x: str) -> str:
        return f"CAST({x} - DATE '1970-01-01' AS VARCHAR)"

    def datetime_text(self, x: str) -> str:
        return f"CAST(epoch_us({x}) AS VARCHAR)"

    def timestamp_text(self, x: str) -> str:
        return f"CAST(epoch_us({x}) AS VARCHAR)"

    def time_text(self, x: str) -> str:
        return f"CAST(epoch_us({x}) AS VARCHAR)"

    def uuid_text(self, x: str) -> str:
        return f"UPPER(CAST({x} AS VARCHAR))"

    def bytes_text(self, x: str) -> str:
        return f"hex({x})"

    def string_text(self, x: str) -> str:
        return x

    def trimmed(self, x: str) -> str:
        return f"RTRIM({x}, ' ')"

    def byte_length(self, x: str) -> str:
        return f"CAST(strlen({x}) AS VARCHAR)"

    def large_text(self, x: str, kind: Kind) -> str:
        length = "octet_length" if kind is Kind.BYTES else "strlen"
        return f"CAST({length}({x}) AS VARCHAR) || '#' || UPPER(sha256({x}))"

    def concat(self, *parts: str) -> str:
        return "(" + " || ".join(parts) + ")"

    def cell(self, x: str, type_: LogicalType) -> str:
        return self._closed([(x, type_)])

    def row_text(self, columns: Sequence[Column]) -> str:
        return self._closed([(self.quote(column.name), column.type) for column in columns], self.salt())

    def _closed(self, cells: Sequence[tuple[str, LogicalType]], *before: str) -> str:
        """One call for all the parts: a chain of ``||`` would copy the growing text once for each of them."""
        parts = (part for x, type_ in cells for part in (self.present(self.framed(x, type_), "'~'"), "','"))
        return f"concat({', '.join((*before, *parts))})"

    def hashed(self, text: str) -> str:
        return f"sha256({text})"

    def words(self, h: str) -> tuple[str, str, str, str]:
        # Two casts of 16 hex digits and a split cost half of four casts of 8.
        high, low = (f"CAST('0x' || substr({h}, {start}, 16) AS UBIGINT)" for start in (1, 17))
        word = "CAST({0} {1} AS BIGINT)"
        return (
            word.format(high, ">> 32"),
            word.format(high, "& 4294967295"),
            word.format(low, ">> 32"),
            word.format(low, "& 4294967295"),
        )

    def wide_sum(self, x: str) -> str:
        return f"CAST(SUM(CAST({x} AS HUGEINT)) AS DECIMAL(38,0))"

    def bucket(self, s1: str) -> str:
        return f"({s1} & 65535)"

    def create_temporary(self, name: str, query: str) -> str:
        return f"CREATE OR REPLACE TEMPORARY TABLE {name} AS {query}"

    def catalog_type(self, type_: LogicalType) -> str:
        return "TIMESTAMP WITH TIME ZONE" if type_.kind is Kind.TIMESTAMP else self.ddl(type_)

    def partition_start(self, x: str, kind: Kind, size: int) -> str:
        return f"{x} - (({x} % {size}) + {size}) % {size}" if kind is Kind.INT else f"date_trunc('month', {x})::DATE"

    def assertion(self, condition: str, message: str) -> str:
        return f"SELECT CASE WHEN ({condition}) THEN 0 ELSE error({self.string(message)}) END"

    def rename(self, relation: str, name: str) -> str:
        return f"ALTER TABLE {relation} RENAME TO {self.quote(name)}"
