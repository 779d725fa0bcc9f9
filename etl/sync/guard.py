"""Loads that would do harm if the source is not what it seems: they stop, and say how to go on."""

from __future__ import annotations

from etl.errors import StoppedTableError
from etl.ledger import Load
from schemas.table import Table

_ALLOW = "if that is right, call once with ETL_SYNC_MAX_DELETE_SHARE=1"


def same_source(table: Table, newest: Load | None, identity: str) -> None:
    """Stop a table whose rows came from another database than the one that is connected now."""
    if newest and newest.source != identity:
        raise StoppedTableError(
            f"table {table.name} was loaded from {newest.source}, but the source is now {identity}",
            f"if that is right, load it anew: etl sync {table.target} --full",
        )


def few_deletes(table: Table, deletes: int, rows: int, max_share: float) -> None:
    """Stop a table of which more than ``max_share`` of its ``rows`` in the warehouse would vanish."""
    if deletes > max_share * rows:
        raise StoppedTableError(
            f"table {table.name}: {deletes:,} of the warehouse's {rows:,} rows are gone from the source", _ALLOW
        )
