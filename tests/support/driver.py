"""A sync in a process of its own, which ends itself at the step it is told."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Sequence
from itertools import count
from multiprocessing.process import BaseProcess
from pathlib import Path

from etl.config import Config
from etl.dialects.base import Statement
from etl.session import open_session
from support.processes import PROCESSES


def started(
    source: str, warehouse: str, fatal: tuple[str, str, int] | None = None, temporary: Path | None = None
) -> BaseProcess:
    """A process that syncs everything; it sends itself SIGKILL at the n-th (table, step, n) if there is one."""
    process = PROCESSES.Process(target=_sync, args=(source, warehouse, fatal, temporary))
    process.start()
    return process


def repairing(source: str, warehouse: str, commit: int, *, after: bool) -> BaseProcess:
    """A process that verifies and repairs everything; it is killed before or ``after`` its n-th ``commit``."""
    process = PROCESSES.Process(target=_repair, args=(source, warehouse, commit, after))
    process.start()
    return process


def _repair(source: str, warehouse: str, fatal: int, after: bool) -> None:
    config = Config.model_validate({"source": {"url": source}, "warehouse": {"url": warehouse}})
    with open_session(config, ()) as session:
        commit, commits = session.warehouse.commit, count(1)

        def counted(statements: Sequence[Statement | str]) -> None:
            now = next(commits) == fatal
            if now and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            commit(statements)
            if now:
                os.kill(os.getpid(), signal.SIGKILL)

        session.warehouse.commit = counted  # type: ignore[method-assign]
        list(session.verify(repair=True))


def _sync(source: str, warehouse: str, fatal: tuple[str, str, int] | None, temporary: Path | None) -> None:
    tempfile.tempdir = str(temporary) if temporary else None
    reached = 0

    def progress(table: str, step: str, _rows: int) -> None:
        nonlocal reached
        if fatal and (table, step) == fatal[:2]:
            reached += 1
            if reached == fatal[2]:
                os.kill(os.getpid(), signal.SIGKILL)

    config = Config.model_validate({"source": {"url": source}, "warehouse": {"url": warehouse}})
    with open_session(config, ()) as session:
        list(session.sync(progress=progress))
