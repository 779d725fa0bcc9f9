"""A sync on a warehouse with leases, in a process of its own, which ends itself at the step it is told."""

from __future__ import annotations

import os
import signal
from multiprocessing.process import BaseProcess
from typing import Any

from etl.config import Config
from etl.session import open_session
from support.processes import PROCESSES

SETTINGS = {"lease_seconds": 6.0, "wait_seconds": 240.0}


def started(source: str, warehouse: str, fatal: str = "") -> BaseProcess:
    """A process that syncs everything in this one's environment; it sends itself SIGKILL at the step ``fatal``."""
    sections = {"source": {"url": source}, "warehouse": {"url": warehouse, **SETTINGS}}
    process = PROCESSES.Process(target=_sync, args=(sections, fatal, dict(os.environ)))
    process.start()
    return process


def _sync(sections: dict[str, Any], fatal: str, environment: dict[str, str]) -> None:
    os.environ.update(environment)

    def progress(_table: str, step: str, _rows: int) -> None:
        if step == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    with open_session(Config.model_validate(sections), ()) as session:
        list(session.sync(progress=progress))
