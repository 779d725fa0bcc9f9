"""The gate: whether marts may be built on tables, decided from the ledger alone.

A table passes only while its newest check is equal and names its newest load. Every change of a
table writes a load, so whatever was changed after the check shuts the gate again.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from math import inf

from etl.errors import GateShutError
from etl.ledger import Ledger
from etl.records import FULL_SCOPE, Check, Load

MAX_UNCHECKED_DAYS = 7.0
"""How long a partition of a table may go unproven, unless it is configured otherwise."""


def reason_shut(
    load: Load | None,
    check: Check | None,
    max_unchecked_days: float = MAX_UNCHECKED_DAYS,
    *,
    accept_moving: bool = False,
) -> str:
    """Why a table does not pass, in a few words; empty if it does."""
    if load is None:
        return "has not been synced"
    if check is None:
        return "has not been checked"
    if check.load_id != load.load_id:
        return "was loaded after its newest check"
    if not check.equal:
        return "has 1 difference" if check.differences == 1 else f"has {check.differences:,} differences"
    if check.moving and not accept_moving:
        return "moved while it was compared, which accept_moving would let pass"
    if check.scope != FULL_SCOPE and _age_in_days(check.oldest_at) > max_unchecked_days:
        return f"has partitions that were not proven for more than {max_unchecked_days:g} days"
    return ""


def _age_in_days(oldest: datetime | None) -> float:
    return inf if oldest is None else (datetime.now(UTC) - oldest) / timedelta(days=1)


def shut(
    ledger: Ledger,
    tables: Iterable[str],
    max_unchecked_days: float = MAX_UNCHECKED_DAYS,
    *,
    accept_moving: bool = False,
) -> dict[str, str]:
    """The tables among ``tables`` that do not pass, each with the reason."""
    loads, checks = ledger.newest_loads(), ledger.newest_checks()
    reasons = {
        table: reason_shut(loads.get(table), checks.get(table), max_unchecked_days, accept_moving=accept_moving)
        for table in sorted(tables)
    }
    return {table: reason for table, reason in reasons.items() if reason}


class Gate:
    """Passes tables, and passes them again only if none was loaded in between.

    Called once before marts are built and once before they are published.
    """

    def __init__(
        self,
        ledger: Ledger,
        tables: Iterable[str],
        max_unchecked_days: float = MAX_UNCHECKED_DAYS,
        *,
        accept_moving: bool = False,
    ) -> None:
        self._ledger, self._tables, self._max_days = ledger, frozenset(tables), max_unchecked_days
        self._accept_moving = accept_moving
        self._passed: dict[str, str] | None = None

    @property
    def passed(self) -> dict[str, str]:
        """The id of each table's load that passed; empty before the first call."""
        return dict(self._passed or {})

    def __call__(self) -> None:
        """Raise ``GateShutError`` naming the tables that do not pass, or were loaded since the first call."""
        reasons = shut(self._ledger, self._tables, self._max_days, accept_moving=self._accept_moving)
        if reasons:
            listed = "; ".join(f"{table} {reason}" for table, reason in reasons.items())
            raise GateShutError(f"the gate is shut: {listed}", "run: etl sync, then etl status")
        loads = {table: load.load_id for table, load in self._ledger.newest_loads().items() if table in self._tables}
        if self._passed is not None and loads != self._passed:
            moved = ", ".join(sorted(table for table in loads if loads[table] != self._passed.get(table)))
            raise GateShutError(f"loaded while the marts were being built: {moved}", "run the same command again")
        self._passed = loads
