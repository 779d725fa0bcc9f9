"""How each engine spells the measures that samples are made of, and how its answers are read.

Every answer is text. Where an engine has canonical texts (``etl.dialects``) these are used: they say the
same on all of them, floor what is finer than a microsecond, and know no collation. SQLite has none, so
its own are spelled here, from what ``etl.dialects.sqlite`` reads.
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from etl.dialects.base import Dialect, RowsumDialect
from etl.dialects.sqlite import SqliteDialect
from schemas.table import Column
from schemas.types import Kind, LogicalType

TEXTS = (Kind.STRING, Kind.JSON)
INSTANTS = (Kind.DATE, Kind.DATETIME, Kind.TIMESTAMP, Kind.TIME)
_LIMB = 10**9
_MOST_DIGITS = 18
_NAN = "7FF8000000000000"


class Spelling(ABC):
    """One engine's expressions. ``x`` is a column's quoted name; each returns text, NULL where there is no value."""

    dialect: Dialect
    rows = "COUNT(*)"

    def measures(self, column: Column) -> dict[str, str]:
        """By its name, the expression of every aggregate that makes sense for the column's type."""
        x, type_ = self.dialect.quote(column.name), column.type
        found = {"nulls": self.number(f"{self.rows} - COUNT({x})"), "distinct": self.number(self.distinct(x, type_))}
        if self.summed(type_):
            found["sum"] = self.total(x, type_)
        if self.summed(type_) or type_.kind in (*INSTANTS, Kind.FLOAT):
            found["lowest"], found["highest"] = self.extreme("MIN", x, type_), self.extreme("MAX", x, type_)
        if type_.kind is Kind.BOOL:
            found["true"] = self.number(f"COUNT(CASE WHEN {self.text(x, type_)} = '1' THEN 1 END)")
        if type_.kind in TEXTS:
            found["bytes"] = self.size(x, type_)
        return found

    def summed(self, type_: LogicalType) -> bool:
        """Whether the type has an exact sum; floats have none, as theirs depends on the order of addition."""
        return type_.kind in (Kind.INT, Kind.DECIMAL)

    def read(self, measure: str, type_: LogicalType, text: str | None) -> str:
        """An answer for people, the same for equal values."""
        if text is None:
            return "NULL"
        if measure == "sum":
            return self.read_number(text, type_)
        return self.read_value(text, type_) if measure in ("lowest", "highest", "value") else text

    def read_value(self, text: str, type_: LogicalType) -> str:
        """What ``text`` says."""
        if type_.kind is Kind.DATE:
            return _shown(lambda: date(1970, 1, 1) + timedelta(int(text)), text)
        if type_.kind in INSTANTS:
            return _shown(lambda: _instant(int(text), type_.kind), text)
        if type_.kind is Kind.FLOAT:
            return repr(self.read_float(text))
        return self.read_number(text, type_) if type_.kind is Kind.DECIMAL else text

    @abstractmethod
    def read_number(self, text: str, type_: LogicalType) -> str:
        """A sum, or a decimal."""

    @abstractmethod
    def read_float(self, text: str) -> float:
        """A float; a zero has no sign, since either may be the lowest."""

    @abstractmethod
    def number(self, x: str) -> str:
        """An integer expression as text."""

    @abstractmethod
    def text(self, x: str, type_: LogicalType) -> str:
        """A value as text."""

    @abstractmethod
    def group(self, x: str, type_: LogicalType) -> str:
        """What to group by, so that values are one group only if their texts are the same bytes."""

    def distinct(self, x: str, type_: LogicalType) -> str:
        """How many different values there are, as an integer."""
        return f"COUNT(DISTINCT {self.group(x, type_)})"

    @abstractmethod
    def total(self, x: str, type_: LogicalType) -> str:
        """The exact sum."""

    @abstractmethod
    def extreme(self, function: str, x: str, type_: LogicalType) -> str:
        """The lowest or highest value; of floats, of those that are numbers."""

    @abstractmethod
    def size(self, x: str, type_: LogicalType) -> str:
        """How many bytes all texts have in UTF-8."""


class Canonical(Spelling):
    """An engine with canonical texts."""

    def __init__(self, dialect: RowsumDialect) -> None:
        self.dialect: RowsumDialect = dialect
        self.rows = dialect.row_count

    def number(self, x: str) -> str:
        return self.dialect.int_text(x)

    def text(self, x: str, type_: LogicalType) -> str:
        return self.dialect.text(x, type_)

    def group(self, x: str, type_: LogicalType) -> str:
        # SQL Server compares texts without their trailing blanks, whatever the collation.
        text = self.text(x, type_)
        return self.dialect.hashed(text) if type_.kind in TEXTS else text

    def total(self, x: str, type_: LogicalType) -> str:
        if type_.kind is Kind.INT:
            return self.dialect.decimal_text(self.dialect.wide_sum(x), 0)
        return self.dialect.decimal_text(f"SUM({x})", type_.scale or 0)

    def extreme(self, function: str, x: str, type_: LogicalType) -> str:
        if type_.kind is Kind.FLOAT:
            x = f"CASE WHEN {self.dialect.float_text(x)} <> '{_NAN}' THEN {x} END"
        return self.dialect.text(f"{function}({x})", type_)

    def size(self, x: str, type_: LogicalType) -> str:
        text = self.dialect.string_text(self.dialect.trimmed(x) if type_.fixed else x)
        integer = self.dialect.ddl(LogicalType(Kind.INT))
        return self.number(f"SUM(CAST({self.dialect.byte_length(text)} AS {integer}))")

    def read_number(self, text: str, type_: LogicalType) -> str:
        return f"{Decimal(text):.{type_.scale or 0}f}"

    def read_float(self, text: str) -> float:
        value: float = struct.unpack(">d", bytes.fromhex(text))[0]
        return value or 0.0


class Stored(Spelling):
    """SQLite, by what it stores. Exact sums are made of integers in two limbs, as its SUM fails past 64 bits."""

    def __init__(self, dialect: SqliteDialect) -> None:
        self.dialect: SqliteDialect = dialect

    def summed(self, type_: LogicalType) -> bool:
        return super().summed(type_) and (type_.precision or 0) <= _MOST_DIGITS

    def number(self, x: str) -> str:
        return f"CAST({x} AS TEXT)"

    def text(self, x: str, type_: LogicalType) -> str:
        return self.number(self._value(x, type_))

    def group(self, x: str, type_: LogicalType) -> str:
        return f"{self.text(x, type_)} COLLATE BINARY"

    def total(self, x: str, type_: LogicalType) -> str:
        value = self._value(x, type_)
        return f"CAST(SUM({value} / {_LIMB}) AS TEXT) || ';' || CAST(SUM({value} % {_LIMB}) AS TEXT)"

    def extreme(self, function: str, x: str, type_: LogicalType) -> str:
        if type_.kind is Kind.FLOAT:
            return _float(f"{function}({x})")
        return self.number(f"{function}({self._value(x, type_)})")

    def size(self, x: str, type_: LogicalType) -> str:
        # length() of a text ends at its first NUL; a blob's counts all bytes.
        text = f"rtrim({x}, ' ')" if type_.fixed else x
        return self.number(f"SUM(length(CAST({text} AS BLOB)))")

    def read_number(self, text: str, type_: LogicalType) -> str:
        high, _, low = text.rpartition(";")
        units = int(high or 0) * _LIMB + int(low)
        return f"{Decimal(units).scaleb(-(type_.scale or 0)):.{type_.scale or 0}f}"

    def read_float(self, text: str) -> float:
        return float(text) or 0.0

    def _value(self, x: str, type_: LogicalType) -> str:
        """The value in the form of the canonical text: an integer of units, days or microseconds, or the text."""
        if type_.kind is Kind.DECIMAL:
            return _units(self.dialect.stored(x, type_, 0), type_.scale or 0)
        if type_.kind is Kind.DATE:
            return f"CAST(strftime('%s', {x}) AS INTEGER) / 86400"
        if type_.kind in INSTANTS:
            return _microseconds(f"'1970-01-01 ' || {x}" if type_.kind is Kind.TIME else x)
        if type_.kind is Kind.FLOAT:
            return _float(x)
        if type_.kind is Kind.BYTES:
            return f"CASE WHEN {x} IS NOT NULL THEN hex({x}) END"
        return {Kind.UUID: f"upper({x})"}.get(type_.kind, f"rtrim({x}, ' ')" if type_.fixed else x)


def spelling(dialect: Dialect) -> Spelling:
    """The engine's spelling; raises ``TypeError`` for one that has none."""
    if isinstance(dialect, SqliteDialect):
        return Stored(dialect)
    if isinstance(dialect, RowsumDialect):
        return Canonical(dialect)
    raise TypeError(f"samples cannot be spelled for {dialect.name}")


def _float(x: str) -> str:
    """All 17 digits; printf takes NULL for 0, and hex for an empty blob."""
    return f"CASE WHEN {x} IS NOT NULL THEN printf('%!.17g', {x}) END"


def _units(text: str, scale: int) -> str:
    """A decimal's text as an integer of its smallest units; NULL for NULL."""
    digits = f"ltrim({text}, '+-')"
    point = f"instr({digits} || '.', '.')"
    padded = f"substr({digits}, 1, {point} - 1) || substr(substr({digits}, {point} + 1) || '{'0' * scale}', 1, {scale})"
    return f"CAST({padded} AS INTEGER) * CASE WHEN {text} LIKE '-%' THEN -1 ELSE 1 END"


def _microseconds(x: str) -> str:
    """An ISO text as microseconds since 1970, floored; strftime, which rounds to milliseconds, sees no fraction."""
    zone = f"ltrim(substr({x}, 20), '.0123456789')"
    whole = f"CAST(strftime('%s', substr({x}, 1, 19) || {zone}) AS INTEGER)"
    fraction = f"CAST(ROUND(CAST('0.' || substr({x}, 21, 6) AS REAL) * 1000000) AS INTEGER)"
    return f"{whole} * 1000000 + CASE substr({x}, 20, 1) WHEN '.' THEN {fraction} ELSE 0 END"


def _instant(microseconds: int, kind: Kind) -> Any:
    at = datetime(1970, 1, 1, tzinfo=UTC if kind is Kind.TIMESTAMP else None) + timedelta(microseconds=microseconds)
    return at.time() if kind is Kind.TIME else at


def _shown(value: Any, text: str) -> str:
    """A date or instant; its number, or an engine's own name, where Python has no such value."""
    try:
        return str(value())
    except (ValueError, OverflowError):
        return text
