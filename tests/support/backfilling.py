"""A backfill in a process of its own, which ends itself at the slice it is told."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from typing import Any

from etl.config import Config
from etl.session import open_session
from etl.sync.backfill import Wanted
from support.processes import PROCESSES


def killed_at(
    source: str,
    warehouse: str,
    table: str,
    wanted: Wanted,
    slice_rows: int,
    step: str,
    tables: Mapping[str, Any] | None = None,
) -> None:
    """Start a backfill that sends itself SIGKILL as soon as it is in ``step``, and wait for its end."""
    sections = {"source": {"url": source}, "warehouse": {"url": warehouse}, "tables": tables or {}}
    process = PROCESSES.Process(target=_backfill, args=(sections, table, wanted, slice_rows, step))
    process.start()
    process.join(timeout=240)
    assert process.exitcode == -signal.SIGKILL, "the step was not reached"


def _backfill(sections: dict[str, Any], table: str, wanted: Wanted, slice_rows: int, fatal: str) -> None:
    def progress(_table: str, step: str, _rows: int) -> None:
        if step == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    config = Config.model_validate(sections)
    with open_session(config, [table]) as session:
        session.backfill(table, wanted, slice_rows=slice_rows, progress=progress)
