"""SQL Server's text, from version 2019: only there are collations whose varchar is UTF-8.

These expressions follow the vendor's pages. Babelfish has run them, as far as it goes: it has no such
collation. An engine proves them on the vectors before it is asked for a rowsum; one that fails is streamed.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any, ClassVar

from etl.dialects.base import SALT, RowsumDialect
from schemas.types import Kind, LogicalType, decimal

_SHORT_DATETIME = 3
# By kind, whether it is fixed, and digits below the second.
_OWN: dict[tuple[Kind, bool, int], tuple[tuple[str, str], ...]] = {
    (Kind.DATETIME, False, 0): (("CAST('2024-02-29T12:34:00' AS smalldatetime)", "1709210040000000"),),
    # 44,507 days after 1900 and 14,984,756 ticks of 1/300 s.
    (Kind.DATETIME, False, 3): (("CAST(0x0000ADDB00E4A5C4 AS datetime)", "1636465949187000"),),
    (Kind.DATETIME, False, 7): (
        ("CAST('2024-02-29T12:34:56.1234567' AS datetime2(7))", "1709210096123456"),
        ("CAST('1969-12-31T23:59:59.9999999' AS datetime2(7))", "-1"),
    ),
    (Kind.TIMESTAMP, False, 7): (
        ("CAST('2024-03-31T01:30:00.1234569+05:30' AS datetimeoffset(7))", "1711828800123456"),
    ),
    (Kind.TIME, False, 7): (("CAST('23:59:59.9999999' AS time(7))", "86399999999"),),
    (Kind.DECIMAL, False, 6): (("CAST(-922337203685477.5808 AS money)", "-922337203685477.5808"),),
    (Kind.STRING, False, 6): (("CAST(N'café' COLLATE Latin1_General_CI_AS AS varchar(10))", "5:café"),),
    (Kind.STRING, True, 6): (("CAST('ab' AS char(5))", "2:ab"),),
    (Kind.BYTES, False, 6): (("CAST(0x00000000000007D1 AS rowversion)", "00000000000007D1"),),
}


class TsqlDialect(RowsumDialect):
    """https://learn.microsoft.com/en-us/sql/t-sql/language-reference"""

    name = "mssql"
    sqlglot = "tsql"

    row_count = "COUNT_BIG(*)"
    utf8: ClassVar[str] = "Latin1_General_100_BIN2_UTF8"
    """The collation whose varchar is UTF-8."""

    def quote(self, identifier: str) -> str:
        return "[" + identifier.replace("]", "]]") + "]"

    def string(self, value: str) -> str:
        """A varchar for ASCII, an nvarchar otherwise.

        Were the rowsum's frame nvarchar, every text joined to it would turn into UTF-16. A backslash
        that ends a line would join it with the next one
        (https://learn.microsoft.com/en-us/sql/t-sql/language-elements/sql-server-utilities-statements-backslash).
        """
        prefix = "" if value.isascii() else "N"
        broken = {"\0": "NCHAR(0)", "\\\n": "'\\' + NCHAR(10)", "\\\r": "'\\' + NCHAR(13)"}
        quoted = prefix + "'" + value.replace("'", "''") + "'"
        for trap, spelled in broken.items():
            quoted = quoted.replace(trap, f"' + {spelled} + {prefix}'")
        # Without a max-length operand the pieces together would be cut off at 8,000 bytes.
        return quoted if "' + " not in quoted else f"(CAST('' AS nvarchar(max)) + {quoted})"

    def literal(self, value: Any, type_: LogicalType) -> str:
        physical = self._physical(type_)
        if value is None:
            return f"CAST(NULL AS {physical})"
        if type_.kind is Kind.BYTES:
            return f"CAST(0x{value.hex()} AS {physical})"
        return f"CAST({self.string(str(value))} AS {physical})"

    def has(self, value: Any) -> bool:
        """Floats are finite and normal; what a literal of -0.0 becomes is not documented.

        https://learn.microsoft.com/en-us/sql/t-sql/data-types/float-and-real-transact-sql
        """
        if not isinstance(value, float):
            return True
        return math.isfinite(value) and (str(value) == "0.0" or abs(value) >= sys.float_info.min)

    def _physical(self, type_: LogicalType) -> str:
        """The type's DDL with as many digits below the second as the type itself says."""
        return self.ddl(type_).replace("(6)", f"({type_.fraction})")

    def bool_text(self, x: str) -> str:
        return f"CONVERT(varchar(1), {x})"

    def int_text(self, x: str) -> str:
        return f"CONVERT(varchar(20), {x})"

    def decimal_text(self, x: str, scale: int) -> str:
        # money converts to text with two digits only; as a decimal(38,4) it shows all four.
        # TRY_CAST rounds to the scale and is NULL where the digits do not fit into 38.
        exact = f"TRY_CAST({x} AS decimal(38,{scale}))"
        # RTRIM of other characters than blanks came with version 2022.
        trimmed = f"REPLACE(RTRIM(REPLACE(CONVERT(varchar(41), {x}), '0', ' ')), ' ', '0')"
        return f"CASE WHEN {exact} = {x} THEN CONVERT(varchar(41), {exact}) ELSE {trimmed} END"

    def float_text(self, x: str) -> str:
        return f"CONVERT(varchar(16), CAST(CAST({x} AS float(53)) AS binary(8)), 2)"

    def date_text(self, x: str) -> str:
        return f"CONVERT(varchar(20), DATEDIFF(day, CAST('19700101' AS date), {x}))"

    def text(self, x: str, type_: LogicalType) -> str:
        """The old ``datetime`` has a ``fraction`` of 3, which is what it shows and every driver delivers.

        It counts in 1/300 s, of which a longer datetime2 would show more digits since version 2016
        (https://learn.microsoft.com/en-us/sql/t-sql/data-types/datetime2-transact-sql).
        """
        if type_.kind is Kind.DATETIME and type_.fraction <= _SHORT_DATETIME:
            x = f"CAST({x} AS datetime2({type_.fraction}))"
        return super().text(x, type_)

    def datetime_text(self, x: str) -> str:
        return _microseconds("1970-01-01T00:00:00", "datetime2(7)", x)

    def timestamp_text(self, x: str) -> str:
        return _microseconds(
            "1970-01-01T00:00:00", "datetime2(7)", f"CAST(SWITCHOFFSET({x}, '+00:00') AS datetime2(7))"
        )

    def time_text(self, x: str) -> str:
        return _microseconds("00:00:00", "time(7)", x)

    def uuid_text(self, x: str) -> str:
        return f"CONVERT(char(36), {x})"

    def bytes_text(self, x: str) -> str:
        return f"CONVERT(varchar(max), CAST({x} AS varbinary(max)), 2)"

    def string_text(self, x: str) -> str:
        # On a varchar the COLLATE would first pass through that column's old code page.
        return f"CONVERT(varchar(max), CONVERT(nvarchar(max), {x}) COLLATE {self.utf8})"

    def trimmed(self, x: str) -> str:
        return f"RTRIM({x})"

    def byte_length(self, x: str) -> str:
        # LEN counts characters and leaves trailing blanks out.
        return f"CONVERT(varchar(20), DATALENGTH({x}))"

    def large_text(self, x: str, kind: Kind) -> str:
        # HASHBYTES of an nvarchar would hash UTF-16.
        held = f"CAST({x} AS varbinary(max))" if kind is Kind.BYTES else self.string_text(x)
        return f"({self.byte_length(held)} + '#' + CONVERT(varchar(64), HASHBYTES('SHA2_256', {held}), 2))"

    def concat(self, *parts: str) -> str:
        """With ``+``: CONCAT takes NULL for an empty string."""
        return "(" + " + ".join(parts) + ")"

    def present(self, text: str, otherwise: str) -> str:
        # COALESCE would compute the text twice. ISNULL cuts off at the length of the text's type,
        # which is two or more with its comma (https://learn.microsoft.com/en-us/sql/t-sql/functions/isnull-transact-sql).
        return f"ISNULL({text}, {otherwise})"

    def salt(self) -> str:
        # The first operand decides: without varchar(max), a row would be cut off at 8,000 bytes
        # (https://learn.microsoft.com/en-us/sql/t-sql/language-elements/string-concatenation-transact-sql).
        return f"CAST({self.string(SALT)} AS varchar(max)) COLLATE {self.utf8}"

    def hashed(self, text: str) -> str:
        return f"HASHBYTES('SHA2_256', {text})"

    def words(self, h: str) -> tuple[str, str, str, str]:
        first, second, third, fourth = (
            f"CONVERT(bigint, 0x00000000 + SUBSTRING({h}, {start}, 4))" for start in (1, 5, 9, 13)
        )
        return first, second, third, fourth

    def wide_sum(self, x: str) -> str:
        return f"SUM(CAST({x} AS decimal(38,0)))"

    def bucket(self, s1: str) -> str:
        return f"({s1} & 65535)"

    def temporary(self, name: str) -> str:
        return f"#{name}"

    def create_temporary(self, name: str, query: str) -> str:
        """Run it as a batch of its own: made by a prepared statement, the table would go with that.

        Hashing is work for every core of the server; it is given four, since others use it too.
        """
        return f"SELECT * INTO {name} FROM ({query}) AS made OPTION (MAXDOP 4)"

    def own_proofs(self, type_: LogicalType) -> Sequence[tuple[str, str]]:
        """Old types, seventh digits and other code pages."""
        constants = _OWN.get((type_.kind, type_.fixed, type_.fraction), ())
        scaled = decimal(19, 4) if type_.kind is Kind.DECIMAL else type_
        return [] if type_.large else [(self.cell(constant, scaled), f"{text},") for constant, text in constants]

    def loss(self, x: str, type_: LogicalType) -> str:
        timed = type_.kind in (Kind.DATETIME, Kind.TIMESTAMP, Kind.TIME)
        parts = [f"DATEPART(nanosecond, {x}) % 1000 <> 0"] if timed and type_.fraction > 6 else []
        if type_.kind is Kind.TIMESTAMP:
            parts.append(f"DATEPART(tzoffset, {x}) <> 0")
        return " OR ".join(parts)


def _microseconds(origin: str, type_: str, x: str) -> str:
    """The microseconds' boundaries between an origin and ``x``, which is to say floored.

    https://learn.microsoft.com/en-us/sql/t-sql/functions/datediff-big-transact-sql
    """
    return f"CONVERT(varchar(20), DATEDIFF_BIG(microsecond, CAST('{origin}' AS {type_}), {x}))"
