"""PostgreSQL's text, from version 14: before it, EXTRACT gave a double, which cannot hold the microseconds."""

from __future__ import annotations

from typing import Any

from etl.dialects.base import RowsumDialect
from etl.errors import ConfigError
from schemas.types import Kind, LogicalType

SUM_IN_MEMORY = "SET work_mem = '192MB'"
"""65,536 buckets need some 100 MB; with the default of 4 MB they spill to disk.

https://www.postgresql.org/docs/current/runtime-config-resource.html#GUC-WORK-MEM
"""


class PostgresDialect(RowsumDialect):
    """https://www.postgresql.org/docs/current/sql.html

    Values that no other engine has do not stop a rowsum. A numeric NaN or infinity reads ``NaN``,
    ``Infinity`` or ``-Infinity``, an infinite date or timestamp ``infinity`` or ``-infinity``. No
    copy can hold them, so such a row is a difference, or refused by the reader; it is never lost.
    """

    name = "postgresql"
    sqlglot = "postgres"

    # Without it the planner merges the subquery into its caller and computes the hash for each of
    # the four words (https://www.postgresql.org/docs/current/explicit-joins.html).
    fence = " OFFSET 0"

    def quote(self, identifier: str) -> str:
        return '"' + identifier.replace('"', '""') + '"'

    def string(self, value: str) -> str:
        """Raises ``ConfigError`` for NUL, which no PostgreSQL text can hold."""
        if "\0" in value:
            raise ConfigError("PostgreSQL text cannot hold NUL", "leave it out")
        quoted = "'" + value.replace("'", "''") + "'"
        # With E the backslash means the same whatever standard_conforming_strings is.
        return "E" + quoted.replace("\\", "\\\\") if "\\" in value else quoted

    def literal(self, value: Any, type_: LogicalType) -> str:
        if value is None:
            return f"CAST(NULL AS {self.ddl(type_)})"
        if type_.kind is Kind.BYTES:
            return f"decode('{value.hex()}', 'hex')"
        return f"CAST({self.string(str(value))} AS {self.ddl(type_)})"

    def has(self, value: Any) -> bool:
        return not (isinstance(value, str) and "\0" in value)

    def bool_text(self, x: str) -> str:
        return f"CAST(CAST({x} AS int) AS text)"

    def int_text(self, x: str) -> str:
        return f"CAST({x} AS text)"

    def decimal_text(self, x: str, scale: int) -> str:
        # GREATEST passes over the NULL that is the min_scale of NaN and the infinities.
        return f"CAST(round({x}, GREATEST({scale}, min_scale({x}))) AS text)"

    def float_text(self, x: str) -> str:
        # A NaN keeps its sign and payload when sent, yet PostgreSQL calls all of them equal.
        double = f"CAST({x} AS float8)"
        return f"CASE WHEN {double} = 'NaN' THEN '7FF8000000000000' ELSE upper(encode(float8send({double}), 'hex')) END"

    def date_text(self, x: str) -> str:
        return self._finite(x, f"{x} - DATE '1970-01-01'")

    def datetime_text(self, x: str) -> str:
        return self._microseconds(x)

    def timestamp_text(self, x: str) -> str:
        return self._microseconds(x)

    def time_text(self, x: str) -> str:
        return f"CAST(CAST(EXTRACT(EPOCH FROM {x}) * 1000000 AS bigint) AS text)"

    def _microseconds(self, x: str) -> str:
        return self._finite(x, f"CAST(EXTRACT(EPOCH FROM {x}) * 1000000 AS bigint)")

    def _finite(self, x: str, number: str) -> str:
        """The number as text; where it would raise an error for an infinite ``x``, that one's own name."""
        return f"CASE WHEN isfinite({x}) THEN CAST({number} AS text) ELSE CAST({x} AS text) END"

    def uuid_text(self, x: str) -> str:
        return f"upper(CAST({x} AS text))"

    def bytes_text(self, x: str) -> str:
        return f"upper(encode({x}, 'hex'))"

    def string_text(self, x: str) -> str:
        # json, citext and enums have no octet_length; char(n) would count its padding.
        return f"CAST({x} AS text)"

    def trimmed(self, x: str) -> str:
        return f"rtrim(CAST({x} AS text), ' ')"

    def byte_length(self, x: str) -> str:
        return f"CAST(octet_length({x}) AS text)"

    def large_text(self, x: str, kind: Kind) -> str:
        held = x if kind is Kind.BYTES else f"convert_to(CAST({x} AS text), 'UTF8')"
        return f"CAST(octet_length({held}) AS text) || '#' || upper(encode(sha256({held}), 'hex'))"

    def concat(self, *parts: str) -> str:
        return "(" + " || ".join(parts) + ")"

    def hashed(self, text: str) -> str:
        return f"encode(sha256(convert_to({text}, 'UTF8')), 'hex')"

    def words(self, h: str) -> tuple[str, str, str, str]:
        first, second, third, fourth = (
            f"CAST(CAST('x' || substr({h}, {start}, 8) AS bit(32)) AS bigint)" for start in (1, 9, 17, 25)
        )
        return first, second, third, fourth

    def word_sum(self, word: str) -> str:
        # SUM(bigint) keeps a 128-bit state a bucket and gives a numeric; SUM(int) adds in 64 bits, in place.
        # A word less 2**31 is an int, and COUNT(*) gives back what was taken off.
        return f"SUM(CAST({word} - 2147483648 AS int)) + COUNT(*) * 2147483648"

    def wide_sum(self, x: str) -> str:
        return f"CAST(SUM(CAST({x} AS bigint)) AS numeric(38,0))"

    def bucket(self, s1: str) -> str:
        return f"({s1} & 65535)"

    def create_temporary(self, name: str, query: str) -> str:
        """A transaction that is READ ONLY refuses it, and so does a standby; REPEATABLE READ alone does not.

        https://www.postgresql.org/docs/current/sql-set-transaction.html
        """
        return f"CREATE TEMPORARY TABLE {name} AS {query}"
