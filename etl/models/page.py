"""A model's report as one HTML file, laid out like the dashboard."""

from __future__ import annotations

from pathlib import Path

from etl.ledger import Ledger
from etl.models import catalog
from etl.models.report import Outcome
from etl.publish.dashboard import page, write
from etl.publish.figures import moment
from etl.publish.verification import Verdict


def save(outcome: Outcome, ledger: Ledger, world: str, path: Path) -> Path:
    """Write the report to ``path`` and return it; raises ``RunError`` where it cannot be written.

    Its tables have passed the gate, so that the checks are equal.
    """
    tables = catalog.tables(catalog.examples(world, outcome.model).values())
    checks = ledger.newest_checks()
    earliest = min((checks[table].at for table in tables if table in checks), default=None)
    when = f", as of {moment(earliest)}" if earliest else ""
    proven = Verdict(f"The tables it learned from equal the source, row for row{when}", True, ())
    write(path, page(outcome.board(), proven))
    return path
