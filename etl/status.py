"""`etl status`: where every table stands, from the warehouse alone."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from etl.ledger import Ledger
from etl.publish.gate import reason_shut
from etl.records import Load
from etl.warehouses.base import Warehouse


@dataclass(frozen=True, slots=True)
class TableStatus:
    """One table's newest load and check; ``gate`` is empty where it passes, else the reason why not.

    ``vanished_at`` is when a sync no longer found the table in the source, ``gone_columns`` are those
    that only the warehouse still has, ``versions`` how many its history holds, ``stopped`` why the newest sync
    of it stopped, if that is newer than its newest check.
    """

    table: str
    load: str
    loaded_at: datetime
    cursor: str
    watermark: str | None
    rows: int | None
    equal: bool | None
    pending: int
    differences: int
    checked_at: datetime | None
    hash: str | None
    scope: str | None
    oldest_at: datetime | None
    gate: str
    versions: int | None
    vanished_at: datetime | None
    gone_columns: tuple[str, ...]
    stopped: str

    @property
    def drift(self) -> str:
        """What the source no longer has of it, or why it is not kept current, in a few words."""
        if self.vanished_at:
            return f"gone from the source since {self.vanished_at:%Y-%m-%d %H:%M}"
        if self.stopped:
            return f"the newest sync stopped: {self.stopped}"
        return f"columns gone from the source: {', '.join(self.gone_columns)}" if self.gone_columns else ""

    def as_json(self) -> dict[str, Any]:
        """The status as JSON's own types."""
        return {k: v.isoformat() if isinstance(v, datetime) else v for k, v in asdict(self).items()}


def status(
    warehouse: Warehouse, ledger: Ledger, max_unchecked_days: float, *, accept_moving: bool = False
) -> list[TableStatus]:
    """The status of every table that was ever loaded, by name."""
    checks, vanished, stops = ledger.newest_checks(), ledger.vanished(), ledger.newest_stops()
    found = []
    for table, load in ledger.newest_loads().items():
        check, stop = checks.get(table), stops.get(table)
        stopped = stop.message if stop and not (check and check.at > stop.at) else ""
        found.append(
            TableStatus(
                table=table,
                load=load.kind,
                loaded_at=load.at,
                cursor=load.cursor,
                watermark=load.watermark,
                rows=check.warehouse_rows if check else None,
                equal=check.equal if check else None,
                pending=check.pending if check else 0,
                differences=check.differences if check else 0,
                checked_at=check.at if check else None,
                hash=check.warehouse_hash if check else None,
                scope=check.scope if check else None,
                oldest_at=check.oldest_at if check else None,
                gate=reason_shut(load, check, max_unchecked_days, accept_moving=accept_moving),
                versions=check.versions if check else None,
                vanished_at=vanished.get(table),
                gone_columns=_gone(warehouse.columns("raw", table), load),
                stopped=stopped,
            )
        )
    return found


def _gone(held: Iterable[str], load: Load) -> tuple[str, ...]:
    """The columns that the newest load no longer found in the source."""
    known = json.loads(load.columns)
    return tuple(name for name in held if name not in known)
