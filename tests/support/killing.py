"""A command in a process of its own that is killed at its n-th instant: before and after all it does to the warehouse.

Instants are the steps that a command says it is in, and every change of the warehouse, before and after it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from multiprocessing.connection import Connection
from typing import Any

from etl.config import Config
from etl.session import Session, open_session
from etl.sync.backfill import Wanted
from support.processes import PROCESSES

_CHANGES = ("create", "append", "flush", "commit", "alter", "replace", "drop")


@dataclass(frozen=True, slots=True)
class Command:
    """What is run: a sync, or a backfill of what is wanted, or a repair, under a configuration."""

    sections: dict[str, Any]
    name: str = "sync"
    wanted: Wanted = field(default_factory=Wanted)
    slice_rows: int = 100
    full: bool = False

    def run(self, progress: Callable[[str, str, int], None] = lambda _table, _step, _rows: None) -> None:
        """In this process."""
        with open_session(Config.model_validate(self.sections), ()) as session:
            self.on(session, progress)

    def on(self, session: Session, progress: Callable[[str, str, int], None]) -> None:
        """With an open session; raises ``AssertionError`` if anything but equality comes of it."""
        if self.name == "backfill":
            done = session.backfill("items", self.wanted, slice_rows=self.slice_rows, progress=progress)
            results: list[Any] = [done and done.synced]
        elif self.name == "verify":
            results = list(session.verify(repair=True))
        else:
            results = list(session.sync(full=self.full, progress=progress))
        assert all(result.check.equal for result in results), results


def instants(command: Command) -> list[str]:
    """Run it undisturbed, and name its instants."""
    ours, theirs = PROCESSES.Pipe()
    process = PROCESSES.Process(target=_run, args=(command, 0, theirs))
    process.start()
    named: list[str] = ours.recv()
    process.join(timeout=60)
    assert process.exitcode == 0
    return named


def kill(command: Command, instant: int) -> None:
    """Start it, and let it send itself SIGKILL at its n-th instant, counted from 1."""
    process = PROCESSES.Process(target=_run, args=(command, instant, None))
    process.start()
    process.join(timeout=60)
    assert process.exitcode == -signal.SIGKILL, "the instant was not reached"


def _run(command: Command, fatal: int, told: Connection | None) -> None:
    numbers, named = count(1), list[str]()

    def instant(name: str) -> None:
        named.append(name)
        if next(numbers) == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    def watched(name: str, change: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any, **options: Any) -> Any:
            instant(f"before {name}")
            result = change(*arguments, **options)
            instant(f"after {name}")
            return result

        return called

    with open_session(Config.model_validate(command.sections), ()) as session:
        for name in _CHANGES:
            setattr(session.warehouse, name, watched(name, getattr(session.warehouse, name)))
        command.on(session, lambda table, step, rows: None if rows else instant(f"{table}: {step}"))
    if told:
        told.send(named)
