"""`etl status`: where every table stands, from the ledger alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from etl.ledger import Ledger
from etl.publish.gate import reason_shut


@dataclass(frozen=True, slots=True)
class TableStatus:
    """One table's newest load and check; ``gate`` is empty where it passes, else the reason why not."""

    table: str
    load: str
    loaded_at: datetime
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

    def as_json(self) -> dict[str, Any]:
        """The status as JSON's own types."""
        return {k: v.isoformat() if isinstance(v, datetime) else v for k, v in asdict(self).items()}


def status(ledger: Ledger, max_unchecked_days: float, *, accept_moving: bool = False) -> list[TableStatus]:
    """The status of every table that was ever loaded, by name."""
    checks = ledger.newest_checks()
    found = []
    for table, load in ledger.newest_loads().items():
        check = checks.get(table)
        found.append(
            TableStatus(
                table=table,
                load=load.kind,
                loaded_at=load.at,
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
            )
        )
    return found
