"""Errors, sorted by what the caller does next.

Each is one sentence of what happened and one of what to do about it; the exit code says to a
script what a sentence says to a person.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of every command."""

    EQUAL = 0
    DIFFERENT = 1
    USAGE = 2
    FAILED = 3


class EtlError(Exception):
    """The root of this toolkit's errors: ``message`` says what, ``remedy`` what to do."""

    exit_code = ExitCode.FAILED

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        if remedy:
            self.add_note(remedy)  # for logs, which show an error with its notes


class ConfigError(EtlError):
    """The call or the configuration is wrong: mend it and call again."""

    exit_code = ExitCode.USAGE


class RunError(EtlError):
    """A run failed: mend what it names; the same command then continues."""


class SourceError(RunError):
    """The source cannot be reached, read or understood."""


class WarehouseError(RunError):
    """The warehouse cannot be reached, read or written."""


class LostRaceError(WarehouseError):
    """Another run loaded the table first: run again, nothing was written."""


class StoppedTableError(RunError):
    """A load would be dangerous: nothing was changed; decide, then say so."""


class DifferenceError(EtlError):
    """The copy is not equal to the source."""

    exit_code = ExitCode.DIFFERENT


class GateShutError(DifferenceError):
    """A table is not proven, so no mart may be built on it."""
