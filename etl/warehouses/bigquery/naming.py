"""Names: what BigQuery can call a table or a column.

https://cloud.google.com/bigquery/docs/tables#table_naming and
https://cloud.google.com/bigquery/docs/schemas#column_names
"""

from __future__ import annotations

import re
import unicodedata
import uuid
from collections.abc import Iterable

from etl.errors import WarehouseError

_TABLE_KINDS = ("L", "M", "N", "Pc", "Pd", "Zs")
_FORBIDDEN = re.compile(r"""[!"$()*,./;?@\[\\\]^`{}~\x00-\x1f]""")
_RESERVED = ("_TABLE_", "_FILE_", "_PARTITION", "_ROW_TIMESTAMP", "__ROOT__", "_COLIDENTIFIER", "_CHANGE_")


def token() -> str:
    """A few letters that no other run has."""
    return uuid.uuid4().hex[:8]


def refuse(table: str, columns: Iterable[str]) -> None:
    """Raise ``WarehouseError`` for a name that BigQuery cannot have."""
    if not table or any(not unicodedata.category(letter).startswith(_TABLE_KINDS) for letter in table):
        raise WarehouseError(
            f"BigQuery has no tables called {table!r}: letters, digits, _, - and blanks only",
            "leave the table out (exclude = true), or sync a view of it with another name",
        )
    for name in columns:
        if not name or len(name) > 300 or _FORBIDDEN.search(name) or name.upper().startswith(_RESERVED):
            raise WarehouseError(
                f"BigQuery has no columns called {name!r}",
                "sync a view of the table that gives the column another name",
            )
