"""A world's tables as SQL Server has them: with what a sync finds changed rows by."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Dialect, MetaData, text
from sqlalchemy.dialects import mssql

ROW_VERSION = "row_version"
UPDATED_AT = "updated_at"

_dialect: Any = mssql.dialect  # SQLAlchemy types none of the three
_instant: Any = mssql.DATETIME2
_row_version: Any = mssql.ROWVERSION


def dialect() -> Dialect:
    """SQL Server's dialect, with the schema that comments name."""
    made: Dialect = _dialect()
    made.default_schema_name = "dbo"
    return made


def with_cursors(metadata: MetaData) -> MetaData:
    """A copy of ``metadata`` in which every table has ``row_version``, and ``updated_at`` where it had none.

    Both are kept by the server: loading leaves them out.
    """
    copy = MetaData(naming_convention=metadata.naming_convention)
    for table in metadata.sorted_tables:
        made = table.to_metadata(copy)
        if UPDATED_AT not in made.columns:
            now = text("SYSUTCDATETIME()")
            made.append_column(Column(UPDATED_AT, _instant(6), nullable=False, server_default=now))
        made.append_column(Column(ROW_VERSION, _row_version(), nullable=False))
    return copy
