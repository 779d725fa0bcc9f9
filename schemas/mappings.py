"""How each engine spells each logical type in its DDL, as data.

SQLite decides a column's storage by words inside the declared type: any name containing TEXT is
stored as text, whereas DECIMAL or DATE would get NUMERIC affinity and turn ``10.10`` into a REAL
(https://www.sqlite.org/datatype3.html#determination_of_column_affinity). So the exact types are
declared as ``…_TEXT`` there, and the logical type can still be read off the declaration.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from schemas.types import Kind, LogicalType

_SQLITE = {
    Kind.INT: "INTEGER",
    Kind.DECIMAL: "DECIMAL_TEXT({precision},{scale})",
    Kind.STRING: "TEXT",
    Kind.BOOL: "BOOLEAN",
    Kind.DATE: "DATE_TEXT",
    Kind.DATETIME: "DATETIME_TEXT",
    Kind.TIMESTAMP: "TIMESTAMP_TEXT",
    Kind.TIME: "TIME_TEXT",
    Kind.FLOAT: "DOUBLE",
    Kind.BYTES: "BLOB",
    Kind.UUID: "UUID_TEXT",
    Kind.JSON: "JSON_TEXT",
}
_DUCKDB = {
    Kind.INT: "BIGINT",
    Kind.DECIMAL: "DECIMAL({precision},{scale})",
    Kind.STRING: "VARCHAR",
    Kind.BOOL: "BOOLEAN",
    Kind.DATE: "DATE",
    Kind.DATETIME: "TIMESTAMP",
    Kind.TIMESTAMP: "TIMESTAMPTZ",
    Kind.TIME: "TIME",
    Kind.FLOAT: "DOUBLE",
    Kind.BYTES: "BLOB",
    Kind.UUID: "UUID",
    Kind.JSON: "VARCHAR",
}
_POSTGRES = {
    Kind.INT: "bigint",
    Kind.DECIMAL: "numeric({precision},{scale})",
    Kind.STRING: "text",
    Kind.BOOL: "boolean",
    Kind.DATE: "date",
    Kind.DATETIME: "timestamp(6)",
    Kind.TIMESTAMP: "timestamptz(6)",
    Kind.TIME: "time(6)",
    Kind.FLOAT: "double precision",
    Kind.BYTES: "bytea",
    Kind.UUID: "uuid",
    Kind.JSON: "json",
}
# nvarchar(400) can be indexed (900 bytes); longer texts ask for it through `large`.
_MSSQL = {
    Kind.INT: "bigint",
    Kind.DECIMAL: "decimal({precision},{scale})",
    Kind.STRING: "nvarchar(400)",
    Kind.BOOL: "bit",
    Kind.DATE: "date",
    Kind.DATETIME: "datetime2(6)",
    Kind.TIMESTAMP: "datetimeoffset(6)",
    Kind.TIME: "time(6)",
    Kind.FLOAT: "float(53)",
    Kind.BYTES: "varbinary(900)",
    Kind.UUID: "uniqueidentifier",
    Kind.JSON: "nvarchar(max)",
}
# NUMERIC holds 9 digits after the point and 29 before; BIGNUMERIC 38 of each
# (https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types#decimal_types).
_BIGQUERY = {
    Kind.INT: "INT64",
    Kind.DECIMAL: "{numeric}({precision},{scale})",
    Kind.STRING: "STRING",
    Kind.BOOL: "BOOL",
    Kind.DATE: "DATE",
    Kind.DATETIME: "DATETIME",
    Kind.TIMESTAMP: "TIMESTAMP",
    Kind.TIME: "TIME",
    Kind.FLOAT: "FLOAT64",
    Kind.BYTES: "BYTES",
    Kind.UUID: "STRING",
    Kind.JSON: "STRING",
}

DDL: Mapping[str, Mapping[Kind, str]] = MappingProxyType(
    {
        "sqlite": _SQLITE,
        "duckdb": _DUCKDB,
        "postgresql": _POSTGRES,
        "mssql": _MSSQL,
        "bigquery": _BIGQUERY,
    }
)


def ddl_type(engine: str, type_: LogicalType) -> str:
    """The engine's DDL spelling of ``type_``; raises ``KeyError`` for an unknown engine."""
    spelling = DDL[engine][type_.kind]
    if engine == "mssql" and type_.large:
        return spelling.replace("(400)", "(max)").replace("(900)", "(max)")
    if type_.kind is not Kind.DECIMAL:
        return spelling
    assert type_.precision is not None and type_.scale is not None
    numeric = "NUMERIC" if type_.scale <= 9 and type_.precision - type_.scale <= 29 else "BIGNUMERIC"
    return spelling.format(precision=type_.precision, scale=type_.scale, numeric=numeric)
