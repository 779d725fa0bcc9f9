"""The BigQuery emulator: the one that ``BIGQUERY_EMULATOR_HOST`` names, or one for the whole test session.

Where it cannot be had, tests are skipped with the reason; ``ETL_REQUIRE_EMULATOR`` makes that a failure.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts/bigquery_emulator.py"
HOST, STORAGE = "BIGQUERY_EMULATOR_HOST", "BIGQUERY_STORAGE_EMULATOR_HOST"
DATA = "ETL_EMULATOR_DATA"
"""Where a server keeps its files; of one that was started elsewhere whoever started it may say so."""
_START_SECONDS = 60


@cache
def emulator() -> None:
    """Have the emulator run and the environment name it; skips the test, or fails it, where there is none."""
    if os.environ.get(HOST):
        return
    try:
        found = _shared()
    except _UnavailableError as error:
        if os.environ.get("ETL_REQUIRE_EMULATOR"):
            pytest.fail(f"the BigQuery emulator is required here: {error}")
        pytest.skip(str(error))
    os.environ.update(found)


class _UnavailableError(Exception):
    """Why there is no emulator."""


def _shared() -> dict[str, str]:
    """The variables of the one server that all processes of this test session share; whoever is first starts it."""
    session = os.getppid() if os.environ.get("PYTEST_XDIST_WORKER") else os.getpid()
    file = Path(tempfile.gettempdir(), f"etl-emulator-{session}.json")
    with file.open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.seek(0)
        text = lock.read()
        found: dict[str, str] = json.loads(text) if text else {}
        # A file may be left from a session whose process had the same number.
        if "unavailable" not in found and not _answers(found.get(HOST, "")):
            found = _started(session)
        lock.truncate(0)
        lock.write(json.dumps(found))
    if "unavailable" in found:
        raise _UnavailableError(found["unavailable"])
    return found


def _started(session: int) -> dict[str, str]:
    """Start a server that ends when the process ``session`` has ended."""
    directory = Path(tempfile.mkdtemp(prefix="etl-emulator-"))
    ending = [f"--watch={session}", "--remove"]
    with (directory / "log").open("w") as log:
        server = subprocess.Popen(  # noqa: S603
            [sys.executable, SCRIPT, "serve", "--port=0", "--grpc-port=0", f"--data-dir={directory}/data", *ending],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
    assert server.stdout
    line = server.stdout.readline()
    if not line.startswith("export "):
        return {"unavailable": (directory / "log").read_text().strip() or "it does not start"}
    found = dict(pair.split("=", 1) for pair in line.removeprefix("export ").split())
    _wait_for(found[HOST])
    return found | {DATA: f"{directory}/data"}


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if _answers(url):
            return
        time.sleep(0.1)
    raise _UnavailableError(f"{url} does not answer")


def _answers(url: str) -> bool:
    if not url:
        return False
    try:
        with urllib.request.urlopen(f"{url}/bigquery/v2/projects/local/datasets", timeout=30):  # noqa: S310
            return True
    except OSError:
        return False
