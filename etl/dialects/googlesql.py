"""GoogleSQL, the language of BigQuery.

Every expression is proven on the reference implementation of the language; an emulator that
computes otherwise fails the vectors and is streamed.
"""

from __future__ import annotations

import re
from typing import Any

from etl.dialects.base import Layout, WarehouseDialect
from schemas.types import Kind, LogicalType

_SPECIAL = re.compile(r"[\\'`\x00-\x1f\x7f]")
_MANTISSA = 2**52 - 1
_LEAST_NORMAL = "2.2250738585072014e-308"
_TRUNC = {Kind.DATE: "DATE_TRUNC", Kind.DATETIME: "DATETIME_TRUNC", Kind.TIMESTAMP: "TIMESTAMP_TRUNC"}
PARTITIONED_BY = (*_TRUNC, Kind.INT)
"""https://cloud.google.com/bigquery/docs/partitioned-tables#types_of_partitioning"""
CLUSTERED_BY = (Kind.BOOL, Kind.DATE, Kind.DATETIME, Kind.DECIMAL, Kind.INT, Kind.STRING, Kind.TIMESTAMP, Kind.UUID)
"""https://cloud.google.com/bigquery/docs/creating-clustered-tables#limitations"""
MOST_PARTITIONS = 10_000
"""https://cloud.google.com/bigquery/quotas#partitioned_tables"""


EXPIRING = "expiration_timestamp = TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL 1 DAY)"


class GoogleSqlDialect(WarehouseDialect):
    """https://cloud.google.com/bigquery/docs/reference/standard-sql/introduction"""

    name = "bigquery"
    sqlglot = "bigquery"
    scripts = True

    def __init__(self, scratch: str = "") -> None:
        """``scratch``, a quoted dataset with a name's beginning, is where temporary tables go if not into a session."""
        self._scratch = scratch

    def quote(self, identifier: str) -> str:
        return f"`{_escaped(identifier)}`"

    def string(self, value: str) -> str:
        # BigQuery takes NUL in a literal; an emulator that does not can be told its code point.
        if "\0" in value:
            parts = ", CODE_POINTS_TO_STRING([0]), ".join(f"'{_escaped(part)}'" for part in value.split("\0"))
            return f"CONCAT({parts})"
        return f"'{_escaped(value)}'"

    def literal(self, value: Any, type_: LogicalType) -> str:
        # A parameter would round: CAST('1.005' AS NUMERIC(10,2)) is 1.01.
        plain = self.ddl(type_).partition("(")[0]
        if value is None:
            return f"CAST(NULL AS {plain})"
        if type_.kind is Kind.BYTES:
            return f"FROM_HEX('{value.hex()}')"
        return f"CAST({self.string(str(value))} AS {plain})"

    def bool_text(self, x: str) -> str:
        return f"CAST(CAST({x} AS INT64) AS STRING)"

    def int_text(self, x: str) -> str:
        return f"CAST({x} AS STRING)"

    def decimal_text(self, x: str, scale: int) -> str:
        # NUMERIC and BIGNUMERIC print as few digits as they can; an emulator that pads them is right too.
        parts = f"SPLIT(CAST({x} AS STRING), '.')"
        digits = f"RTRIM(IFNULL({parts}[SAFE_OFFSET(1)], ''), '0')"
        if scale:
            # RPAD would also cut off.
            padded = f"CONCAT({digits}, REPEAT('0', GREATEST({scale} - LENGTH({digits}), 0)))"
            return f"CONCAT({parts}[OFFSET(0)], '.', {padded})"
        return f"CONCAT({parts}[OFFSET(0)], IF({digits} = '', '', '.'), {digits})"

    def float_text(self, x: str) -> str:
        """GoogleSQL cannot show a FLOAT64's bits, so they are put together from sign, exponent and mantissa.

        Scaling by a power of two is exact; it is done in two steps, since one could overflow.
        """
        size = f"ABS({x})"
        # Less a half, the logarithm's floor is the exponent or one below it, however LOG rounds.
        power = f"CAST(FLOOR(LOG({size}, 2) - 0.5) AS INT64)"
        half = f"DIV(52 - {power}, 2)"
        # So this has 53 or 54 bits, all of them exact, and its 54th bit tells which.
        whole = f"CAST({size} * POW(2, {half}) * POW(2, 52 - {power} - {half}) AS INT64)"
        exponent = f"IF({x} < 0, 3071, 1023) + {power} + ({whole} >> 53)"
        mantissa = f"({whole} >> ({whole} >> 53)) & {_MANTISSA}"
        # Only division tells -0.0 from 0.0. A subnormal is a multiple of 2**-1074.
        sign = f"IF({x} < 0 OR IEEE_DIVIDE(1, {x}) < 0, 2048, 0)"
        subnormal = f"CAST({size} * POW(2, 537) * POW(2, 537) AS INT64)"
        return (
            f"CASE WHEN IS_NAN({x}) THEN '7FF8000000000000' "
            f"WHEN IS_INF({x}) THEN IF({x} > 0, '7FF0000000000000', 'FFF0000000000000') "
            f"WHEN {size} < {_LEAST_NORMAL} THEN FORMAT('%03X%013X', {sign}, {subnormal}) "
            f"ELSE FORMAT('%03X%013X', {exponent}, {mantissa}) END"
        )

    def date_text(self, x: str) -> str:
        return f"CAST(UNIX_DATE({x}) AS STRING)"

    def datetime_text(self, x: str) -> str:
        return f"CAST(UNIX_MICROS(TIMESTAMP({x}, 'UTC')) AS STRING)"

    def timestamp_text(self, x: str) -> str:
        return f"CAST(UNIX_MICROS({x}) AS STRING)"

    def time_text(self, x: str) -> str:
        return f"CAST(TIME_DIFF({x}, TIME '00:00:00', MICROSECOND) AS STRING)"

    def uuid_text(self, x: str) -> str:
        return f"UPPER({x})"

    def bytes_text(self, x: str) -> str:
        return f"UPPER(TO_HEX({x}))"

    def string_text(self, x: str) -> str:
        return x

    def trimmed(self, x: str) -> str:
        return f"RTRIM({x}, ' ')"

    def byte_length(self, x: str) -> str:
        return f"CAST(BYTE_LENGTH({x}) AS STRING)"

    def large_text(self, x: str, kind: Kind) -> str:  # noqa: ARG002 (one set of functions takes both)
        return f"CONCAT(CAST(BYTE_LENGTH({x}) AS STRING), '#', UPPER(TO_HEX(SHA256({x}))))"

    def concat(self, *parts: str) -> str:
        return f"CONCAT({', '.join(parts)})"

    def hashed(self, text: str) -> str:
        return f"TO_HEX(SHA256({text}))"

    def words(self, h: str) -> tuple[str, str, str, str]:
        first, second, third, fourth = (
            f"CAST(CONCAT('0x', SUBSTR({h}, {start}, 8)) AS INT64)" for start in (1, 9, 17, 25)
        )
        return first, second, third, fourth

    def wide_sum(self, x: str) -> str:
        # NUMERIC has 29 digits before the point: the keys of 10**10 rows, whatever they are.
        return f"SUM(CAST({x} AS NUMERIC))"

    def bucket(self, s1: str) -> str:
        return f"({s1} & 65535)"

    def temporary(self, name: str) -> str:
        return f"{self._scratch}{name}`" if self._scratch else name

    def create_temporary(self, name: str, query: str) -> str:
        """It lives as long as the session, or the script, whose query made it; in a dataset, a day at the most.

        https://cloud.google.com/bigquery/docs/multi-statement-queries#temporary_tables
        """
        if self._scratch:
            return f"CREATE OR REPLACE TABLE {name} OPTIONS ({EXPIRING}) AS {query}"
        return f"CREATE TEMP TABLE {name} AS {query}"

    def scratch_dropped(self, sql: str) -> str:
        """The name of the scratch table that a statement drops; empty of any other statement."""
        begins = f"DROP TABLE IF EXISTS {self._scratch}"
        return f"{self._scratch.rpartition('`')[2]}{sql.removeprefix(begins)[:-1]}" if sql.startswith(begins) else ""

    def create_as(self, relation: str, query: str, layout: Layout | None = None) -> str:
        layout = layout or Layout()
        typed = [self._column(column.name, self.ddl(column.type), column.comment) for column in layout.columns]
        listed = f" ({', '.join(typed)})" if typed else ""
        return f"CREATE TABLE {relation}{listed}{self._stored(layout)} AS\n{query}"

    def partition_by(self, name: str, kind: Kind, size: int, unit: str = "month") -> str:
        """The expression by which a table is partitioned: units of time, or runs of an integer from 0 on."""
        if kind is Kind.INT:
            return f"RANGE_BUCKET({self.quote(name)}, GENERATE_ARRAY(0, {size * (MOST_PARTITIONS - 1)}, {size}))"
        if kind is Kind.DATE and unit == "day":
            return self.quote(name)
        return f"{_TRUNC[kind]}({self.quote(name)}, {unit.upper()})"

    def _column(self, name: str, type_: str, description: str) -> str:
        options = f" OPTIONS (description = {self.string(description[:1024])})" if description else ""
        return f"{self.quote(name)} {type_}{options}"

    def _stored(self, layout: Layout) -> str:
        """PARTITION BY, CLUSTER BY and OPTIONS."""
        text = ""
        if layout.partition:
            by = self.partition_by(layout.partition.name, layout.partition.type.kind, layout.size, layout.unit)
            text += f" PARTITION BY {by}"
        if layout.cluster:
            text += f" CLUSTER BY {self.columns(layout.cluster)}"
        options = [f"description = {self.string(layout.description[:16_384])}"] if layout.description else []
        options += ["require_partition_filter = TRUE"] if layout.partition and layout.require_filter else []
        return text + (f" OPTIONS ({', '.join(options)})" if options else "")

    def catalog_type(self, type_: LogicalType) -> str:
        # INFORMATION_SCHEMA.COLUMNS puts a space after the comma.
        return self.ddl(type_).replace(",", ", ")

    def partition_start(self, x: str, kind: Kind, size: int) -> str:
        return f"{x} - MOD(MOD({x}, {size}) + {size}, {size})" if kind is Kind.INT else f"DATE_TRUNC(DATE({x}), MONTH)"

    def time_start(self, x: str, kind: Kind, unit: str) -> str:
        """The beginning of the hour, day, month or year (UTC) that ``x`` lies in, of the type of ``x``."""
        return f"{_TRUNC[kind]}({x}, {unit.upper()})"

    def assertion(self, condition: str, message: str) -> str:
        return f"SELECT IF({condition}, 0, ERROR({self.string(message)}))"

    def rename(self, relation: str, name: str) -> str:
        return f"ALTER TABLE {relation} RENAME TO {self.quote(name)}"


def _escaped(text: str) -> str:
    """Backslash escapes, which quoted names and strings share; neither may hold a line's end.

    https://cloud.google.com/bigquery/docs/reference/standard-sql/lexical#escape_sequences
    """
    return _SPECIAL.sub(lambda match: _escape(match[0]), text)


def _escape(character: str) -> str:
    return f"\\x{ord(character):02x}" if ord(character) < 32 or character == "\x7f" else "\\" + character
