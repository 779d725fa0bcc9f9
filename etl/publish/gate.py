"""The gate: whether marts may be built on tables, decided from the ledger alone.

A table passes only while its newest check is equal and names its newest load. Every change of a
table writes a load, so whatever was changed after the check shuts the gate again.
"""

from __future__ import annotations

from collections.abc import Iterable

from etl.errors import GateShutError
from etl.ledger import Check, Ledger, Load


def reason_shut(load: Load | None, check: Check | None) -> str:
    """Why a table does not pass, in a few words; empty if it does."""
    if load is None:
        return "has not been synced"
    if check is None:
        return "has not been checked"
    if check.load_id != load.load_id:
        return "was loaded after its newest check"
    if not check.equal:
        return f"has {check.differences:,} differences"
    return "moved while it was compared" if check.moving else ""


def shut(ledger: Ledger, tables: Iterable[str]) -> dict[str, str]:
    """The tables among ``tables`` that do not pass, each with the reason."""
    loads, checks = ledger.newest_loads(), ledger.newest_checks()
    reasons = {table: reason_shut(loads.get(table), checks.get(table)) for table in sorted(tables)}
    return {table: reason for table, reason in reasons.items() if reason}


class Gate:
    """Passes tables, and passes them again only if none was loaded in between.

    Called once before marts are built and once before they are published.
    """

    def __init__(self, ledger: Ledger, tables: Iterable[str]) -> None:
        self._ledger, self._tables = ledger, frozenset(tables)
        self._passed: dict[str, str] | None = None

    def __call__(self) -> None:
        """Raise ``GateShutError`` naming the tables that do not pass, or were loaded since the first call."""
        reasons = shut(self._ledger, self._tables)
        if reasons:
            listed = "; ".join(f"{table} {reason}" for table, reason in reasons.items())
            raise GateShutError(f"the gate is shut: {listed}", "run: etl sync, then etl status")
        loads = {table: load.load_id for table, load in self._ledger.newest_loads().items() if table in self._tables}
        if self._passed is not None and loads != self._passed:
            moved = ", ".join(sorted(table for table in loads if loads[table] != self._passed.get(table)))
            raise GateShutError(f"loaded while the marts were being built: {moved}", "run the same command again")
        self._passed = loads
