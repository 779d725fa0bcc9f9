"""Keys as constants, for statements about a few rows."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from etl.dialects.googlesql import CLUSTERED_BY, GoogleSqlDialect
from schemas.table import Table


def listed_keys(dialect: GoogleSqlDialect, table: Table, keys: pa.Table) -> str:
    """Keys as an array of constants."""
    rows = zip(*(keys[column.name].to_pylist() for column in table.key_columns), strict=True)
    structs = (
        ", ".join(
            f"{dialect.literal(value, column.type)} AS {dialect.quote(column.name)}"
            for value, column in zip(row, table.key_columns, strict=True)
        )
        for row in rows
    )
    return f"UNNEST([{', '.join(f'STRUCT({struct})' for struct in structs)}])"


def first_keys(dialect: GoogleSqlDialect, table: Table, keys: pa.Table) -> str:
    """The first key column's values as constants, by which a table that is clustered by it is read in blocks.

    Empty of a column that cannot cluster a table, and of texts with NUL in them, which are no plain constants.
    """
    column = table.key_columns[0]
    values = pc.unique(keys[column.name]).to_pylist()
    if column.type.kind not in CLUSTERED_BY or any("\0" in value for value in values if isinstance(value, str)):
        return ""
    listed = ", ".join(dialect.literal(value, column.type) for value in values)
    return f"etl_t.{dialect.quote(column.name)} IN ({listed})"
