"""A verification as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from etl.verify.differences import Difference
from etl.verify.verify import Verified


def as_json(verified: Verified) -> dict[str, Any]:
    """One table's verification, with every difference counted and the first ones named."""
    check = verified.check
    return {
        "table": check.table_name,
        "equal": check.equal,
        "source_rows": check.source_rows,
        "warehouse_rows": check.warehouse_rows,
        "source_hash": check.source_hash,
        "warehouse_hash": check.warehouse_hash,
        "mode": {"source": check.source_mode, "warehouse": check.warehouse_mode},
        "declared_losses": json.loads(check.losses or "[]"),
        "pending": check.pending,
        "missing": check.missing,
        "extra": check.extra,
        "changed": check.changed,
        "rows_fetched": check.rows_fetched,
        "seconds": check.seconds,
        "snapshot_at": check.snapshot_at.isoformat(),
        "differences": _listed(verified.differences),
    }


def _listed(differences: Sequence[Difference]) -> list[dict[str, Any]]:
    return [
        {
            "key": difference.key,
            "kind": difference.kind.value,
            "source_rows": difference.source_rows,
            "warehouse_rows": difference.warehouse_rows,
            "columns": [
                {"name": cell.name, "source": cell.source, "warehouse": cell.warehouse} for cell in difference.columns
            ],
        }
        for difference in differences
    ]
