"""What the dashboard says about the copy it was made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from etl.publish.figures import count, moment


@dataclass(frozen=True, slots=True)
class Check:
    """One table's newest check, as text for people; hashes are shortened, ``*_full`` are whole."""

    table: str
    source_rows: str
    warehouse_rows: str
    source_hash: str
    warehouse_hash: str
    source_hash_full: str
    warehouse_hash_full: str
    equal: bool
    checked_at: str
    mode: str

    @classmethod
    def read(cls, check: Mapping[str, Any]) -> Check:
        """From the ledger's values."""
        source, warehouse = str(check["source_hash"] or ""), str(check["warehouse_hash"] or "")
        return cls(
            table=str(check["table"]),
            source_rows=count(check["source_rows"]),
            warehouse_rows=count(check["warehouse_rows"]),
            source_hash=_shortened(source),
            warehouse_hash=_shortened(warehouse),
            source_hash_full=source,
            warehouse_hash_full=warehouse,
            equal=bool(check["equal"]),
            checked_at=moment(check["checked_at"]),
            mode=str(check["mode"]),
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """All checks and the sentence that sums them up; ``good`` is None without any check."""

    sentence: str
    good: bool | None
    checks: Sequence[Check]


def verdict(checks: Sequence[Check]) -> Verdict:
    """The sum of the checks, tables that differ first."""
    if not checks:
        return Verdict("The copy has not been verified.", None, ())
    ordered = sorted(checks, key=lambda check: (check.equal, check.table))
    different = [check.table for check in ordered if not check.equal]
    if different:
        tables = "table differs" if len(different) == 1 else "tables differ"
        return Verdict(f"{len(different)} {tables} from the source: {', '.join(different)}", False, ordered)
    latest = max(check.checked_at for check in checks)
    tables = "The one table equals" if len(checks) == 1 else f"All {len(checks)} tables equal"
    return Verdict(f"{tables} the source, row for row; last checked {latest}", True, ordered)


def _shortened(value: str) -> str:
    return value if len(value) <= 16 else f"{value[:12]}…"
