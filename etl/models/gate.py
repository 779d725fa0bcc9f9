"""A model's run: through the gate, and in the run log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from etl.config import SyncConfig
from etl.errors import ExitCode
from etl.ledger import Ledger
from etl.models import catalog
from etl.publish.gate import Gate
from etl.publish.queries import Query
from etl.records import Run


@contextmanager
def guarded(ledger: Ledger, queries: Iterable[Query], wishes: SyncConfig, model: str, run_id: str) -> Iterator[Gate]:
    """A gate over the raw tables that the queries read, passed once; the run is logged, and its end if it succeeds.

    Raises ``GateShutError``.
    """
    gate = Gate(ledger, catalog.tables(queries), wishes.max_unchecked_days, accept_moving=wishes.accept_moving)
    gate()
    ledger.write(Run(run_id, f"model {model}"))
    yield gate
    ledger.write(Run(run_id, f"model {model}", exit_code=ExitCode.EQUAL))
