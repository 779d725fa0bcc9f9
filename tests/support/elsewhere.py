"""Work done in another process.

Two SQLite libraries in one process break each other's POSIX locks, and DuckDB's lock on its file
holds between processes only, so whatever is to happen *meanwhile* happens elsewhere.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

_SQLITE = """
import json, sqlite3, sys
path, statements = json.load(sys.stdin)
connection = sqlite3.connect(path, timeout=0)
for statement in statements:
    connection.execute(statement)
connection.commit()
"""
_DUCKDB = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""


def sqlite_elsewhere(path: str, statements: Sequence[str]) -> str:
    """Run the statements in one transaction; returns what SQLite objected to, empty if nothing."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", _SQLITE],
        input=json.dumps([path, statements]),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.stderr


@contextmanager
def duckdb_held_elsewhere(path: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the file open; it lets go when its standard input is closed, or at the end."""
    holder = subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", _DUCKDB, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdin
    assert holder.stdout
    try:
        assert holder.stdout.readline() == "open\n"
        yield holder
    finally:
        if not holder.stdin.closed:
            holder.stdin.close()
        holder.stdout.close()
        holder.wait(timeout=30)
