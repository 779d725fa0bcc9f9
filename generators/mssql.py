"""SQL Server's failures as a generator's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from generators.errors import FailedRunError, GeneratorError
from schemas.mssql import MssqlError, Trouble, speaking

_WHILE_RUNNING = {Trouble.LOST, Trouble.CONFLICT, Trouble.FULL, Trouble.OTHER}


@contextmanager
def told(subject: str) -> Iterator[None]:
    """Whatever SQL Server or its driver raises within, as ``GeneratorError`` that begins with ``subject``.

    It is a ``FailedRunError`` where calling again may do, without another call or other rights.
    """
    try:
        with speaking(subject):
            yield
    except MssqlError as error:
        kind = FailedRunError if error.trouble in _WHILE_RUNNING else GeneratorError
        remedy = error.remedy[:1].upper() + error.remedy[1:]
        raise kind(f"{error.message}. {remedy}.") from error
