"""A real Airflow as `make airflow` starts it, for one test: its own directory, port and processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

SCRIPT = Path(__file__).parents[2] / "scripts/airflow_local.py"
PATIENCE = 240
"""Seconds to wait for what takes ten on an idle machine."""


@dataclass(frozen=True)
class LocalAirflow:
    """The script that runs it, and a client of its API with the admin's login."""

    directory: Path
    script: subprocess.Popen[bytes]
    api: httpx.Client

    def get(self, path: str) -> Any:
        """What the API answers."""
        return self.api.get(path).raise_for_status().json()

    def dags(self) -> set[str]:
        """The DAGs that have been read so far."""
        return {dag["dag_id"] for dag in self.get("dags")["dags"]}

    def ended_run(self, dag_id: str) -> dict[str, Any]:
        """The DAG's oldest run, once it has ended."""

        def ended() -> dict[str, Any] | None:
            runs = self.get(f"dags/{dag_id}/dagRuns?order_by=id")["dag_runs"]
            return next((run for run in runs[:1] if run["state"] in ("success", "failed")), None)

        return self.wait(ended, f"the end of a run of {dag_id}")

    def wait(self, ready: Callable[[], Any], what: str) -> Any:
        """What ``ready`` returns once it is true; fails when it never is, or when the script has ended."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if found := ready():
                return found
            assert self.script.poll() is None, f"make airflow has ended:\n{self.output()}"
            time.sleep(1)
        raise AssertionError(f"waited in vain for {what}")

    def stop(self) -> int:
        """Press Ctrl-C; the script's exit code."""
        self.script.send_signal(signal.SIGINT)
        return self.script.wait(PATIENCE)

    def output(self) -> str:
        """What the script has printed."""
        return (self.directory / "output.txt").read_text("utf-8")

    def processes(self) -> list[psutil.Process]:
        """Every process of this Airflow: below the script, or with its directory in its environment."""
        # The environment of those that have given themselves a title cannot be read any more.
        below = psutil.Process(self.script.pid).children(recursive=True) if self.script.poll() is None else []
        return [*below, *(process for process in psutil.process_iter() if _home(process) == str(self.directory))]


@contextmanager
def local_airflow(directory: Path, config: Path, environment: Mapping[str, str]) -> Iterator[LocalAirflow]:
    """Started, with its API answering; whatever happens, no process of it is left."""
    directory.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "ETL_"))}
    arguments = [sys.executable, SCRIPT, "--dir", directory, "--port", str(port), "--config", config]
    with (directory / "output.txt").open("wb") as output:
        script = subprocess.Popen(arguments, env=settings | environment, stdout=output, stderr=subprocess.STDOUT)  # noqa: S603
    with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v2", timeout=30) as api:
        airflow = LocalAirflow(directory, script, api)
        try:
            airflow.wait(lambda: "Ctrl-C" in airflow.output(), "the login")
            _log_in(airflow)
            yield airflow
        finally:
            for process in airflow.processes():
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            script.kill()
            script.wait()


def alive(process: psutil.Process) -> bool:
    """Whether it runs; one that has ended and that nobody has asked about does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _log_in(airflow: LocalAirflow) -> None:
    (name, password), *_ = json.loads((airflow.directory / "passwords.json").read_text("utf-8")).items()
    url = airflow.api.base_url.copy_with(path="/auth/token")
    token = airflow.api.post(url, json={"username": name, "password": password}).raise_for_status().json()
    airflow.api.headers["Authorization"] = f"Bearer {token['access_token']}"


def _home(process: psutil.Process) -> str | None:
    try:
        return process.environ().get("AIRFLOW_HOME")
    except psutil.Error:
        return None
