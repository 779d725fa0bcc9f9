"""What can go wrong while a world is made: the call's fault, said in two sentences."""

from __future__ import annotations


class GeneratorError(ValueError):
    """A world cannot be made or advanced as asked.

    The message is one sentence of what is wrong and one of what to do about it.
    """


class FailedRunError(GeneratorError):
    """The call was right and the run failed: mend what the message names, then call again."""
