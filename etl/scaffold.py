"""`etl init`: a commented etl.toml for a database that was just reflected."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from etl.dialects.googlesql import CLUSTERED_BY
from etl.urls import without_password
from schemas.table import Cursor, CursorKind, Table
from schemas.types import Kind

_HEAD = """\
# Written by `etl init`. Every value can also be given by environment: [sync] repair is ETL_SYNC_REPAIR.
# Passwords belong into ETL_SOURCE_PASSWORD and ETL_WAREHOUSE_PASSWORD or a .env file, not in here.

[source]
url = {source}

[warehouse]
url = {warehouse}
memory_limit = "2GB"       # DuckDB's own bound

[sync]
repair = true              # bring what the proof finds different, deletes included
max_delete_share = 0.3     # a table stops if more than this share of it would be deleted
reload_share = 0.1         # a table is loaded anew if more than this share of it differs
jobs = 1                   # ranges of a large table that are loaded at once when the whole of it is

[publish]
world = "hopify"           # marts are built from queries/<world>

# One section a table, with what was found. Uncomment a line to have it otherwise;
# `exclude = true` leaves a table out, `deletes = "soft"` keeps deleted rows with the time in `_deleted_at`,
# `history = true` keeps every version of every row.
"""


_DUCKDB = 'memory_limit = "2GB"       # DuckDB\'s own bound\n'
_BIGQUERY = """\
# credentials = "key.json"             # a service account's key; without one, the application's default
# maximum_bytes_billed = "100GB"       # a query that would cost more is refused
# staging = "gs://bucket/path"         # loads go through it: one job for all files of a table
"""

_DATES = (Kind.DATE, Kind.DATETIME, Kind.TIMESTAMP)

_REASONS = {
    CursorKind.ROWVERSION: "{column} is set by the server at every change",
    CursorKind.CHANGE_TRACKING: "the server keeps account of what changed, deletes included",
    CursorKind.UPDATED_AT: "by its name and type; what it misses, the rowsum finds",
    CursorKind.FULL: "no column says when a row changed: buckets are compared, differing rows moved",
}


def scaffold(source_url: str, warehouse_url: str, tables: Iterable[Table]) -> str:
    """The text of an etl.toml that syncs ``tables`` as reflection found them."""
    head = _HEAD.format(source=_toml(without_password(source_url)), warehouse=_toml(without_password(warehouse_url)))
    parts = warehouse_url.startswith("bigquery:")
    if parts:
        head = head.replace(_DUCKDB, _BIGQUERY)
    listed = ((*_section(table), *(_stored(table) if parts else ())) for table in tables)
    return head + "".join("\n" + "\n".join(lines) + "\n" for lines in listed)


def _section(table: Table) -> Iterator[str]:
    yield f"[tables.{_toml(table.target)}]"
    if table.key:
        yield f"# key = {_toml(list(table.key))}"
    else:
        yield "# no primary or unique key: compared as a multiset of rows"
        yield '# key = ["column"]'
    yield f"# {_cursor(table.cursor)}"
    for other in table.cursors:
        yield f"#   or {_cursor(other)}"
    for column in table.columns:
        if column.refused:
            yield f"# column {json.dumps(column.name, ensure_ascii=False)} {column.refused}; the table waits until"
            yield f'# exclude = true, or columns = {{ {_toml(column.name)} = "large string" }} to have it as text'


def _stored(table: Table) -> Iterator[str]:
    """How BigQuery is to store the table: by months of its natural date, rows of similar keys together.

    A date that every row has is taken; one that may be missing, or runs of a key, are only proposed.
    """
    dates = [column for column in table.columns if column.type.kind in _DATES and column.name != table.cursor.column]
    natural = next(iter(sorted(dates, key=lambda column: column.nullable)), None)
    number = table.key_columns[0] if len(table.key) == 1 and table.key_columns[0].type.kind is Kind.INT else None
    if natural and natural.nullable:
        yield f"# partition = {_toml(natural.name)}   # stored by its months; not every row has one"
    elif natural:
        yield f"partition = {_toml(natural.name)}   # stored by its months; queries that name some read only those"
        yield '# partition_unit = "day"   # or hour or year: parts of 1 GB and more are best'
        yield "# require_partition_filter = true   # refuse queries that name none"
    elif number:
        yield f"# partition = {_toml(number.name)}   # stored by runs of it, for a table of many GB"
        yield "# partition_size = 1000000"
    cluster = [column.name for column in table.key_columns if column.type.kind in CLUSTERED_BY][:4]
    if cluster:
        yield f"cluster = {_toml(cluster)}   # rows with similar values lie together"


def _cursor(cursor: Cursor) -> str:
    """The line that would choose the cursor, and why one would."""
    name = cursor.column if cursor.kind is CursorKind.UPDATED_AT else cursor.kind.value
    reason = _REASONS[cursor.kind].format(column=cursor.column)
    return f"cursor = {_toml(name)}   # {reason}"


def _toml(value: object) -> str:
    """A TOML string or list of strings; JSON's escapes are TOML's too."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
