"""Logical types: what a column holds, whatever engine holds it.

A logical type is named once, in the source, and every engine maps it (``schemas.mappings``),
every reader yields it as the Arrow type given here, and every rowsum dialect renders it as text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa


class Kind(StrEnum):
    """The twelve families of values that any engine's column is reduced to."""

    INT = "int"
    DECIMAL = "decimal"
    STRING = "string"
    BOOL = "bool"
    DATE = "date"
    DATETIME = "datetime"
    TIMESTAMP = "timestamp"
    TIME = "time"
    FLOAT = "float"
    BYTES = "bytes"
    UUID = "uuid"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class LogicalType:
    """A kind with its parameters.

    ``precision`` and ``scale`` belong to decimals. ``fixed`` marks ``char(n)``: padded by the
    source, so compared without trailing blanks. ``large`` marks max-length text or bytes, whose
    rowsum cell is a hash of the value instead of the value. ``fraction`` is the number of digits
    below the second that the source keeps; more than six are floored to microseconds, which is a
    declared loss.
    """

    kind: Kind
    precision: int | None = None
    scale: int | None = None
    fixed: bool = False
    large: bool = False
    fraction: int = 6

    def __post_init__(self) -> None:
        if self.kind is not Kind.DECIMAL:
            return
        precision, scale = self.precision, self.scale
        if precision is None or scale is None or not 0 <= scale <= precision or precision < 1:
            raise ValueError(f"decimal needs 1 <= precision and 0 <= scale <= precision, not ({precision},{scale})")

    def __str__(self) -> str:
        if self.kind is Kind.DECIMAL:
            return f"decimal({self.precision},{self.scale})"
        if self.fixed:
            return "char"
        return f"large {self.kind}" if self.large else self.kind.value

    @property
    def arrow(self) -> pa.DataType:
        """The Arrow type in which every reader delivers this column."""
        if self.kind is Kind.DECIMAL:
            assert self.precision is not None and self.scale is not None
            wide = pa.decimal128 if self.precision <= 38 else pa.decimal256
            return wide(self.precision, self.scale)
        return _ARROW[self.kind]


_ARROW: dict[Kind, pa.DataType] = {
    Kind.INT: pa.int64(),
    Kind.STRING: pa.string(),
    Kind.BOOL: pa.bool_(),
    Kind.DATE: pa.date32(),
    Kind.DATETIME: pa.timestamp("us"),
    Kind.TIMESTAMP: pa.timestamp("us", tz="UTC"),
    Kind.TIME: pa.time64("us"),
    Kind.FLOAT: pa.float64(),
    Kind.BYTES: pa.binary(),
    Kind.UUID: pa.string(),
    Kind.JSON: pa.string(),
}

INT = LogicalType(Kind.INT)
STRING = LogicalType(Kind.STRING)
CHAR = LogicalType(Kind.STRING, fixed=True)
BOOL = LogicalType(Kind.BOOL)
DATE = LogicalType(Kind.DATE)
DATETIME = LogicalType(Kind.DATETIME)
TIMESTAMP = LogicalType(Kind.TIMESTAMP)
TIME = LogicalType(Kind.TIME)
FLOAT = LogicalType(Kind.FLOAT)
BYTES = LogicalType(Kind.BYTES)
UUID = LogicalType(Kind.UUID)
JSON = LogicalType(Kind.JSON)


def decimal(precision: int, scale: int) -> LogicalType:
    """An exact number of at most ``precision`` digits, ``scale`` of them after the point."""
    return LogicalType(Kind.DECIMAL, precision, scale)


_SPELLING = re.compile(r"\s*(large\s+)?([a-z]+)\s*(?:\(\s*(\d+)\s*,\s*(\d+)\s*\))?\s*", re.IGNORECASE)


def parse(text: str) -> LogicalType:
    """Read a type as ``str(LogicalType)`` and ``etl.toml`` write it: ``decimal(18,2)``, ``large string``.

    Raises ``ValueError`` for any other spelling.
    """
    match = _SPELLING.fullmatch(text)
    if match:
        large, name, precision, scale = match.groups()
        if name.lower() == "char" and not large and precision is None:
            return CHAR
        if name.lower() == "decimal" and not large and precision is not None:
            return decimal(int(precision), int(scale))
        if name.lower() in set(Kind) - {Kind.DECIMAL} and precision is None:
            return LogicalType(Kind(name.lower()), large=bool(large))
    known = ", ".join(sorted(set(Kind) - {Kind.DECIMAL}))
    raise ValueError(f"unknown type {text!r}; the types are {known}, char and decimal(p,s)")
