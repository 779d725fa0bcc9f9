"""PostgreSQL's types: which logical type each one is, which are refused, and how values are asked for.

https://www.postgresql.org/docs/current/datatype.html
"""

from __future__ import annotations

from dataclasses import dataclass

from schemas import types
from schemas.types import Kind, LogicalType

_NAMED: dict[str, LogicalType] = {
    "int2": types.INT,
    "int4": types.INT,
    "int8": types.INT,
    "oid": types.INT,
    "xid8": types.INT,
    "bool": types.BOOL,
    "float4": types.FLOAT,
    "float8": types.FLOAT,
    "date": types.DATE,
    "timestamp": types.DATETIME,
    "timestamptz": types.TIMESTAMP,
    "time": types.TIME,
    "uuid": types.UUID,
    "json": types.JSON,
    "jsonb": types.JSON,
    "bytea": types.BYTES,
    "bpchar": types.CHAR,
}
UNBOUNDED = types.decimal(38, 18)
"""A numeric without precision: what does not fit is refused when it is read, and never rounded."""

# Strings, enums, network addresses and bit strings are what their text says
# (https://www.postgresql.org/docs/current/catalog-pg-type.html#CATALOG-TYPCATEGORY-TABLE), and so are these.
_STRINGS = "S"
_TEXTUAL = frozenset("SEIV")
_TEXTS = frozenset({"timetz", "xml", "macaddr", "macaddr8", "pg_lsn", "xid", "tsvector", "tsquery", "jsonpath", "char"})
# Made of parts, which JSON has names and places for.
_COMPOUND = frozenset("ARC")

_ARRIVES = {
    Kind.INT: "bigint",
    Kind.BOOL: "boolean",
    Kind.FLOAT: "float8",
    Kind.DATE: "date",
    Kind.DATETIME: "timestamp",
    Kind.TIMESTAMP: "timestamptz",
    Kind.TIME: "time",
    Kind.BYTES: "bytea",
}


@dataclass(frozen=True, slots=True)
class Physical:
    """A column's type as the catalog has it; a domain is what it is made of.

    ``name`` is the base type's, ``declared`` how SQL writes the column's own, ``category`` the
    catalog's letter, ``modifier`` what stands in parentheses, as one number.
    """

    name: str
    declared: str
    category: str
    modifier: int = -1

    @property
    def logical(self) -> LogicalType:
        """The logical type; text for what has none of its own."""
        return _numeric(self.modifier) if self.name == "numeric" else _NAMED.get(self.name, types.STRING)

    @property
    def refused(self) -> str:
        """Why its values cannot be copied as they are, empty if they can."""
        if self.name == "numeric" or self.name in _NAMED or self.name in _TEXTS or self.category in _TEXTUAL:
            return ""
        if self.compound:
            return f'has the type {self.declared}, which no warehouse has; as JSON if its type is "json"'
        return f"has the type {self.declared}, which no warehouse has"

    @property
    def compound(self) -> bool:
        """Whether it is an array, a range, a row or an hstore."""
        return self.category in _COMPOUND or self.name == "hstore"


def valued(x: str, type_: LogicalType, physical: Physical | None) -> str:
    """The quoted column ``x`` as a value of its logical type that the driver knows: of its own, or a chosen one."""
    if physical is None:
        return x
    if physical.name == "xid8" and type_.kind is Kind.INT:
        return f"CAST(CAST({x} AS text) AS bigint)"
    if type_.kind in (Kind.STRING, Kind.JSON, Kind.UUID) and not (type_.kind is Kind.JSON and physical.compound):
        return x if physical.category == _STRINGS else f"CAST({x} AS text)"
    if type_.kind is physical.logical.kind:
        return x
    if type_.kind is Kind.JSON and physical.compound:
        return f"CAST(to_json({x}) AS text)"
    return f"CAST({x} AS {'numeric' if type_.kind is Kind.DECIMAL else _ARRIVES[type_.kind]})"


def arriving(x: str, type_: LogicalType, physical: Physical | None) -> str:
    """The column ``x`` as a type that the driver delivers as itself; text for all that Arrow converts exactly."""
    return f"CAST({valued(x, type_, physical)} AS {_ARRIVES.get(type_.kind, 'text')})"


def _numeric(modifier: int) -> LogicalType:
    """Precision and scale out of a type modifier: precision in the high half, scale as 11 bits with sign in the low.

    https://github.com/postgres/postgres/blob/REL_17_STABLE/src/backend/utils/adt/numeric.c (make_numeric_typmod)
    """
    if modifier < 0:
        return UNBOUNDED
    precision, scale = (modifier - 4) >> 16 & 0xFFFF, ((modifier - 4 & 0x7FF) ^ 1024) - 1024
    if scale < 0:
        return types.decimal(precision - scale, 0)
    return types.decimal(max(precision, scale), scale)
