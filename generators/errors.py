"""What can go wrong while a world is made: the call's fault, said in two sentences."""

from __future__ import annotations


class GeneratorError(ValueError):
    """A world cannot be made or advanced as asked.

    The message is one sentence of what is wrong and one of what to do about it.
    """


class FailedRunError(GeneratorError):
    """The call was right and the run failed: mend what the message names, then call again."""


_FULL = ("is full", "no space left", "file too large", "could not extend", "disk quota", "disk i/o error")


def unwritable(what: str, reason: str, remedy: str) -> GeneratorError:
    """That ``what`` cannot be written for ``reason``: a failed run if the disk is full, else a wrong call."""
    kind = FailedRunError if any(sign in reason.lower() for sign in _FULL) else GeneratorError
    return kind(f"{what} cannot be written: {reason}. {remedy}.")
