"""SQL Server's own types: what logical type each is, and how its values are asked for.

https://learn.microsoft.com/en-us/sql/t-sql/data-types/data-types-transact-sql
"""

from __future__ import annotations

from dataclasses import dataclass

from schemas import types
from schemas.types import Kind, LogicalType

MAX = -1
_BIGGEST = 8_000
"""Bytes of the longest value that is kept in its row, and that drivers fetch in blocks."""
_LARGE_TEXT = LogicalType(Kind.STRING, large=True)
_LARGE_BYTES = LogicalType(Kind.BYTES, large=True)

_FIXED: dict[str, LogicalType] = {
    "bigint": types.INT,
    "int": types.INT,
    "smallint": types.INT,
    "tinyint": types.INT,
    "bit": types.BOOL,
    "money": types.decimal(19, 4),
    "smallmoney": types.decimal(10, 4),
    "float": types.FLOAT,
    "real": types.FLOAT,
    "date": types.DATE,
    # It counts in 1/300 s and shows three digits of them.
    "datetime": LogicalType(Kind.DATETIME, fraction=3),
    "smalldatetime": LogicalType(Kind.DATETIME, fraction=0),
    "uniqueidentifier": types.UUID,
    "timestamp": types.BYTES,
    "text": _LARGE_TEXT,
    "ntext": _LARGE_TEXT,
    "xml": _LARGE_TEXT,
    "json": LogicalType(Kind.JSON, large=True),
    "image": _LARGE_BYTES,
}
_TIMED = {"datetime2": Kind.DATETIME, "datetimeoffset": Kind.TIMESTAMP, "time": Kind.TIME}
_TEXTS = ("char", "varchar", "nchar", "nvarchar", "text", "ntext", "xml", "json")
_WIDE = ("nchar", "nvarchar")
_BINARIES = ("binary", "varbinary", "image", "timestamp")
_LONG_AS_TEXT = ("geography", "geometry", "vector", *_BINARIES)
_AS_TEXT = {"hierarchyid": "{x}.ToString()", "geography": "{x}.AsTextZM()", "geometry": "{x}.AsTextZM()"}


@dataclass(frozen=True, slots=True)
class Physical:
    """A column's type as the catalog gives it; ``length`` in bytes, ``MAX`` for max-length."""

    name: str
    length: int = 0
    precision: int = 0
    scale: int = 0
    encrypted: bool = False
    collation: str = ""

    @property
    def logical(self) -> LogicalType | None:
        """The logical type; None for what has none."""
        if self.encrypted:
            return None
        if self.name in ("decimal", "numeric"):
            return types.decimal(self.precision, self.scale)
        if self.name in _TIMED:
            return LogicalType(_TIMED[self.name], fraction=self.scale)
        if self.name in ("char", "nchar"):
            return types.CHAR
        if self.name in ("varchar", "nvarchar"):
            return LogicalType(Kind.STRING, large=self.length == MAX)
        if self.name in ("binary", "varbinary"):
            return LogicalType(Kind.BYTES, large=self.length == MAX)
        return _FIXED.get(self.name)

    @property
    def refused(self) -> str:
        """Why its values cannot be copied as they are, empty if they can."""
        if self.encrypted:
            return "is encrypted on the client's side (Always Encrypted)"
        return "" if self.logical else f"is a {self.name}, which no warehouse has"

    @property
    def ddl(self) -> str:
        """The type in T-SQL."""
        if self.name in ("decimal", "numeric"):
            return f"{self.name}({self.precision},{self.scale})"
        if self.name in _TIMED:
            return f"{self.name}({self.scale})"
        if self.name in ("char", "varchar", "nchar", "nvarchar", "binary", "varbinary"):
            return f"{self.name}({'max' if self.length == MAX else self.characters})"
        return "binary(8)" if self.name == "timestamp" else self.name

    @property
    def characters(self) -> int:
        """The declared length in characters, or bytes of a binary type."""
        return self.length // 2 if self.name in _WIDE else self.length


@dataclass(frozen=True, slots=True)
class Reading:
    """How a column's values are asked for.

    ``sql`` is for values of at most ``limit`` bytes by ``size``, ``whole`` for longer ones; without
    ``whole`` there are none. ``width`` bounds the bytes that a short value has in Arrow.
    """

    sql: str
    width: int
    whole: str = ""
    size: str = ""
    limit: int = 0


def reading(x: str, physical: Physical, wanted: LogicalType, char_bytes: int) -> Reading:
    """How the column ``x`` is read as ``wanted``; ``char_bytes`` is what DATALENGTH counts for one ``N'a'``.

    A driver fetches max-length columns one row at a time, so that they are cast to what fits into
    a row wherever they do. Text of other code pages is converted by the server, which knows them.
    """
    as_is = physical.logical
    if wanted.kind is Kind.STRING and (as_is is None or as_is.kind is not Kind.STRING):
        shown = _shown(x, physical)
        if physical.name in _LONG_AS_TEXT or physical.encrypted:
            return _text(shown, True, char_bytes)
        return Reading(f"CAST({shown} AS nvarchar({_BIGGEST // 2}))", 3 * _BIGGEST // 2)
    if as_is is None:
        return Reading(x, _BIGGEST)
    if physical.name in _TEXTS:
        if physical.name in _WIDE and physical.length != MAX:
            return Reading(x, 3 * physical.characters)
        if physical.name in ("char", "varchar") and 0 < physical.length <= _BIGGEST // 2:
            return Reading(f"CAST({x} AS nvarchar({physical.length}))", 3 * physical.length)
        return _text(x, physical.name != "nvarchar", char_bytes)
    if physical.name in _BINARIES and (physical.length == MAX or physical.name == "image"):
        short = f"CAST({x} AS varbinary({_BIGGEST}))"
        return Reading(short, _BIGGEST, f"CAST({x} AS varbinary(max))", f"DATALENGTH({x})", _BIGGEST)
    return Reading(x, max(physical.length, 40))


def _text(x: str, converted: bool, char_bytes: int) -> Reading:
    characters = _BIGGEST // 2
    whole = f"CAST({x} AS nvarchar(max))"
    # xml that does not fit is an error of the cast, even in rows that the predicate then leaves out.
    held = whole if converted else x
    limit = characters * char_bytes
    return Reading(f"CAST({held} AS nvarchar({characters}))", 3 * characters, whole, f"DATALENGTH({held})", limit)


def _shown(x: str, physical: Physical) -> str:
    """The value as text, to the last digit."""
    if physical.name in _AS_TEXT:
        return _AS_TEXT[physical.name].format(x=x)
    if physical.name in ("datetime", "smalldatetime"):
        return f"CAST({x} AS datetime2({3 if physical.name == 'datetime' else 0}))"
    if physical.name in ("money", "smallmoney"):
        return f"CAST({x} AS decimal(19,4))"
    if physical.name in ("float", "real"):
        return f"CONVERT(varchar(40), {x}, 3)"
    if physical.name in _BINARIES:
        return f"CONVERT(varchar(max), CAST({x} AS varbinary(max)), 1)"
    return x
