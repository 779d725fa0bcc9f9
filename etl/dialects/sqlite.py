"""SQLite's text: it stores what it is given, so every column is read by what its declaration promises.

SQLite has no SHA-256 and is therefore never asked for a rowsum; its rows are streamed.
"""

from __future__ import annotations

import re
from typing import Any

from etl.dialects.base import Dialect
from schemas import types
from schemas.types import Kind, LogicalType

_PARAMETERS = re.compile(r"\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)")
_NAMED: dict[str, LogicalType] = {
    "DATE": types.DATE,
    "DATETIME": types.DATETIME,
    "TIMESTAMP": types.DATETIME,
    "TIMESTAMPTZ": types.TIMESTAMP,
    "TIMESTAMP WITH TIME ZONE": types.TIMESTAMP,
    "DATETIMEOFFSET": types.TIMESTAMP,
    "TIME": types.TIME,
    "BOOLEAN": types.BOOL,
    "BOOL": types.BOOL,
    "BIT": types.BOOL,
    "UUID": types.UUID,
    "UNIQUEIDENTIFIER": types.UUID,
    "JSON": types.JSON,
    "DATE_TEXT": types.DATE,
    "DATETIME_TEXT": types.DATETIME,
    "TIMESTAMP_TEXT": types.TIMESTAMP,
    "TIME_TEXT": types.TIME,
    "UUID_TEXT": types.UUID,
    "JSON_TEXT": types.JSON,
}
_DECIMALS = {"DECIMAL", "NUMERIC", "DECIMAL_TEXT", "MONEY"}


def declared_type(declaration: str) -> LogicalType:
    """The logical type that a column's declaration promises.

    Known names first, then SQLite's own affinity rules
    (https://www.sqlite.org/datatype3.html#determination_of_column_affinity).
    A decimal without precision is a float, which is how SQLite stores one.
    """
    upper = " ".join(declaration.upper().split())
    name = _PARAMETERS.sub("", upper).strip()
    if name in _DECIMALS:
        match = _PARAMETERS.search(upper)
        if not match:
            return types.decimal(19, 4) if name == "MONEY" else types.FLOAT
        precision, scale = int(match[1]), int(match[2] or 0)
        return types.decimal(precision, scale) if 0 <= scale <= precision <= 76 and precision else types.FLOAT
    if name in _NAMED:
        return _NAMED[name]
    return _by_affinity(name)


def _by_affinity(name: str) -> LogicalType:
    if "INT" in name:
        return types.INT
    if any(word in name for word in ("CHAR", "CLOB", "TEXT")):
        return types.STRING
    if "BLOB" in name:
        return types.BYTES
    if any(word in name for word in ("REAL", "FLOA", "DOUB")):
        return types.FLOAT
    return types.STRING if not name else types.FLOAT


class SqliteDialect(Dialect):
    """https://www.sqlite.org/lang.html"""

    name = "sqlite"
    sqlglot = "sqlite"

    def quote(self, identifier: str) -> str:
        return '"' + identifier.replace('"', '""') + '"'

    def string(self, value: str) -> str:
        quoted = "'" + value.replace("'", "''") + "'"
        return "(" + quoted.replace("\0", "' || char(0) || '") + ")" if "\0" in value else quoted

    def literal(self, value: Any, type_: LogicalType) -> str:
        """``value`` in the form in which SQLite stores ``type_``."""
        if value is None:
            return "NULL"
        if type_.kind is Kind.BYTES:
            return f"x'{value.hex()}'"
        if type_.kind is Kind.FLOAT:
            return _float(float(value))
        if type_.kind in (Kind.INT, Kind.BOOL):
            # The least integer has no literal of its own: -9223372036854775808 is parsed as a negated REAL.
            return "(-9223372036854775807 - 1)" if value == -(2**63) else str(int(value))
        return self.string(str(value))

    def ordered(self, x: str, type_: LogicalType) -> str:
        """Texts of instants, whose order is not that of the instants, as ``YYYY-MM-DD HH:MM:SS+00:00``.

        SQLite reads offsets as ±HH:MM and Z (https://www.sqlite.org/lang_datefunc.html#time_values), Arrow also ±HH
        and ±HHMM. The fraction is left out, which SQLite would round up.
        """
        if type_.kind is not Kind.TIMESTAMP:
            return x
        zone = f"ltrim(substr({x}, 11), 'T :.0123456789')"
        hours, minutes = f"substr({zone}, 1, 3)", f"substr({zone}, 4)"
        short = f"WHEN 3 THEN {zone} || ':00' WHEN 5 THEN {hours} || ':' || {minutes}"
        spelled = f"CASE length({zone}) {short} ELSE {zone} END"
        instant = f"datetime(substr(substr({x}, 1, length({x}) - length({zone})), 1, 19) || {spelled}) || '+00:00'"
        # A path that json_extract cannot read is an error, which repeats it.
        refused = f"json_extract('{{}}', 'no instant: ' || {x})"
        return f"CASE WHEN {x} IS NULL THEN NULL ELSE COALESCE({instant}, {refused}) END"

    def sentinel(self, type_: LogicalType) -> str:
        """A value whose storage class is the one every value of ``type_`` must have."""
        if type_.kind in (Kind.INT, Kind.BOOL):
            return "0"
        if type_.kind is Kind.FLOAT:
            return "0.0"
        return "x''" if type_.kind is Kind.BYTES else "''"

    def stored(self, x: str, type_: LogicalType, position: int) -> str:
        """An expression of the storage class of ``sentinel``; it fails where ``x`` holds a value of another.

        The driver refuses another class beside integers and doubles only. Beside text and blobs it
        converts, and not to the same value in every batch, so these are told apart here.
        """
        if type_.kind in (Kind.INT, Kind.BOOL):
            return x
        if type_.kind is Kind.FLOAT:
            # Integers too large for a double, in a column read as double, are made to fail likewise.
            limit = 2**53
            return f"CASE WHEN typeof({x}) = 'integer' AND {x} NOT BETWEEN -{limit} AND {limit} THEN 'x' ELSE {x} END"
        cases = " ".join(f"WHEN '{held}' THEN {value}" for held, value in self._fitting(x, type_).items())
        # SQL has no RAISE outside of triggers; json_extract repeats a path that it cannot read.
        refused = f"json_extract('{{}}', 'etl {position} ' || typeof({x}))"
        return f"CASE typeof({x}) {cases} WHEN 'null' THEN NULL ELSE {refused} END"

    def _fitting(self, x: str, type_: LogicalType) -> dict[str, str]:
        """By the storage classes that a ``type_`` may have: the value's exact text, or its bytes."""
        if type_.kind is Kind.BYTES:
            return {"blob": x}
        if type_.kind is Kind.STRING:
            return {"text": x, "integer": f"CAST({x} AS TEXT)", "real": f"printf('%!.17g', {x})"}
        if type_.kind is not Kind.DECIMAL:
            return {"text": x}
        # NUMERIC affinity turned a decimal's text into an integer or a REAL. The REAL is written with the declared
        # scale if that gives the same REAL back, and in full otherwise, so that it is refused instead of rounded.
        rounded = f"printf('%.{type_.scale}f', {x})"
        exact = f"CASE WHEN CAST({rounded} AS REAL) = {x} THEN {rounded} ELSE printf('%!.17g', {x}) END"
        return {"text": x, "real": exact, "integer": f"CAST({x} AS TEXT)"}


def _float(value: float) -> str:
    if value in (float("inf"), float("-inf")):
        return "9e999" if value > 0 else "-9e999"
    # SQLite parses -0.0 as the negation of 0.0, which its REAL arithmetic keeps; 17 digits keep the rest.
    return f"{value:.17e}" if value else ("-0.0" if str(value).startswith("-") else "0.0")
