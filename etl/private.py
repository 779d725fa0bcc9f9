"""A directory of one process alone: closed to other users, gone with the process however that ends.

A killed process removes nothing. So each holds a lock on its directory, which the operating system
lets go when the process dies, and whoever comes next removes those that nobody holds.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path


class PrivateDirectory:
    """A new directory ``<temporary directory>/etl-<purpose>-…`` that only its user can enter."""

    def __init__(self, purpose: str) -> None:
        self._prefix = f"etl-{purpose}-"
        _sweep(self._prefix)
        self.path, lock = self._made()
        self._remove = weakref.finalize(self, _removed, self.path, lock)

    def close(self) -> None:
        """Remove it with everything in it; a process that ends in order does so by itself."""
        self._remove()

    def _made(self) -> tuple[Path, int]:
        while True:
            # mkdtemp makes it with the rights 0700 whatever the umask is.
            path = Path(tempfile.mkdtemp(prefix=self._prefix))
            with suppress(FileNotFoundError):
                lock = _opened(path)
                fcntl.flock(lock, fcntl.LOCK_EX)
                if _is(path, lock):
                    return path, lock
                # Somebody swept it in the moment before it was locked.
                os.close(lock)


def _removed(path: Path, lock: int) -> None:
    shutil.rmtree(path, ignore_errors=True)
    os.close(lock)


def _sweep(prefix: str) -> None:
    """Remove the directories of this user whose process has died."""
    for path in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        with suppress(OSError):
            lock = _opened(path)
            try:
                if os.fstat(lock).st_uid == os.getuid():
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(path)
            finally:
                os.close(lock)


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)


def _is(path: Path, lock: int) -> bool:
    """Whether what was locked is still there under its name."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(lock))
    except FileNotFoundError:
        return False
