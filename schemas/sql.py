"""Logical types inside SQLAlchemy: one column type that every dialect spells by its mapping.

SQLite has no exact decimal, date or time, so values go there as text and come back as Python's
own ``Decimal``, ``date``, ``datetime``, ``time`` and ``UUID``; every other engine's driver does so itself.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from sqlalchemy import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.types import UserDefinedType

from schemas.mappings import ddl_type
from schemas.types import Kind, LogicalType

_Processor = Callable[[Any], Any]


class Logical(UserDefinedType[Any]):
    """A SQLAlchemy column type that is a logical type."""

    cache_ok = True

    def __init__(self, logical: LogicalType) -> None:
        self.logical = logical

    def bind_processor(self, dialect: Dialect) -> _Processor | None:
        write = _SQLITE_WRITE.get(self.logical.kind) if dialect.name == "sqlite" else None
        return _unless_null(write) if write else None

    def result_processor(self, dialect: Dialect, coltype: object) -> _Processor | None:
        del coltype
        read = _SQLITE_READ.get(self.logical.kind) if dialect.name == "sqlite" else None
        return _unless_null(read) if read else None


@compiles(Logical)
def _spell(type_: Logical, compiler: Any, **_: Any) -> str:
    return ddl_type(compiler.dialect.name, type_.logical)


def _unless_null(convert: _Processor) -> _Processor:
    return lambda value: None if value is None else convert(value)


def _utc_text(value: datetime) -> str:
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds") + "+00:00"


_SQLITE_WRITE: dict[Kind, _Processor] = {
    Kind.DECIMAL: lambda value: format(value, "f"),
    Kind.BOOL: int,
    Kind.DATE: date.isoformat,
    Kind.DATETIME: lambda value: value.isoformat(" ", "microseconds"),
    Kind.TIMESTAMP: _utc_text,
    Kind.TIME: lambda value: value.isoformat("microseconds"),
    Kind.UUID: lambda value: str(value).upper(),
}
_SQLITE_READ: dict[Kind, _Processor] = {
    Kind.DECIMAL: Decimal,
    Kind.BOOL: bool,
    Kind.DATE: date.fromisoformat,
    Kind.DATETIME: datetime.fromisoformat,
    Kind.TIMESTAMP: datetime.fromisoformat,
    Kind.TIME: time.fromisoformat,
    Kind.UUID: uuid.UUID,
}
