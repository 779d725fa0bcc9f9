"""The vectors: typed values with their canonical text, by which every engine proves itself.

An engine may compute rowsums, and a reader may feed them, only for the types whose vectors it
renders to the very cells listed in ``vectors.json``.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from schemas import types
from schemas.types import Kind, LogicalType


@dataclass(frozen=True, slots=True)
class Vector:
    """A value of a type, in Python's form (str for decimals, dates, times), and its framed text."""

    type: LogicalType
    value: Any
    cell: str


_TYPES: dict[str, LogicalType] = {
    "bool": types.BOOL,
    "int": types.INT,
    "float": types.FLOAT,
    "real": types.FLOAT,
    "date": types.DATE,
    "datetime": types.DATETIME,
    "timestamptz": types.TIMESTAMP,
    "time": types.TIME,
    "guid": types.UUID,
    "string": types.STRING,
    "char": types.CHAR,
    "bytes": types.BYTES,
    "lob_string": LogicalType(Kind.STRING, large=True),
    "lob_bytes": LogicalType(Kind.BYTES, large=True),
    "json": types.JSON,
}


@cache
def vectors() -> tuple[Vector, ...]:
    """Every vector of a type that all engines share; those of SQL Server's own types belong to its dialect."""
    raw = json.loads((files("etl.verify") / "vectors.json").read_text("utf-8"))["vectors"]
    known = [item for item in raw if item["type"] == "decimal" or item["type"] in _TYPES]
    return tuple(Vector(_type(item), _value(item), item["cell"]) for item in known)


def vectors_of(type_: LogicalType) -> Sequence[Vector]:
    """The vectors that prove ``type_``: those of its kind; for decimals, of every scale."""
    return [
        vector
        for vector in vectors()
        if vector.type.kind is type_.kind and vector.type.fixed == type_.fixed and vector.type.large == type_.large
    ]


def _type(item: dict[str, Any]) -> LogicalType:
    return types.decimal(38, item["param"]) if item["type"] == "decimal" else _TYPES[item["type"]]


def _value(item: dict[str, Any]) -> Any:
    value = item["value"]
    if not isinstance(value, dict):
        return value
    if "float" in value:
        number = float(value["float"])
        # A SQL Server real arrives as the double nearest to its 32 bits.
        return float(_single(number)) if item["type"] == "real" else number
    if "hex" in value:
        return bytes.fromhex(value["hex"])
    if "hex_repeat" in value:
        digits, times = value["hex_repeat"]
        return bytes.fromhex(digits) * times
    text, times = value["repeat"]
    return text * times


def _single(number: float) -> float:
    return float(struct.unpack("f", struct.pack("f", number))[0])
