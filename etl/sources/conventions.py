"""What catalogs do not say: which column tells when a row changed, and which index names a row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from schemas.table import Column, Cursor, CursorKind
from schemas.types import Kind

_NAMES = (
    "updatedat",
    "modifiedat",
    "lastmodified",
    "lastupdated",
    "updatedon",
    "modifiedon",
    "lastmodifiedat",
    "lastupdatedat",
    "modifieddate",
    "updateddate",
    "lastmodifieddate",
    "lastupdateddate",
)


def updated_at(columns: Sequence[Column]) -> Cursor | None:
    """The column that by its usual name and type says when a row last changed."""
    kinds = (Kind.DATETIME, Kind.TIMESTAMP)
    by_name = {column.name.lower().replace("_", ""): column.name for column in columns if column.type.kind in kinds}
    name = next((by_name[name] for name in _NAMES if name in by_name), None)
    return Cursor(CursorKind.UPDATED_AT, name) if name else None


def best_key(indexes: Iterable[tuple[bool, tuple[str, ...]]], usable: set[str]) -> tuple[str, ...]:
    """Of unique indexes, each with whether it is the primary key: that one, else the narrowest over usable columns."""
    found = [(not primary, len(names), names) for primary, names in indexes if names and set(names) <= usable]
    return min(found)[2] if found else ()
