"""`make airflow`: Airflow on this machine alone, with a generated world as its source.

Starts the API server on 127.0.0.1, the scheduler, the DAG processor and the triggerer, none of which
listens on any other address, and ends them all, with whatever they started, on Ctrl-C. Everything
is kept in one directory, so the next start goes on where this one ended.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from etl.config import load
from etl.errors import ConfigError

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
STARTED_WITHIN = 120
STOPPED_WITHIN = 30
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, ``kill``, and a terminal that is closed."""
SERVICES = {
    "api-server": ("--host", "127.0.0.1", "--workers", "1", "--port"),
    "scheduler": ("--skip-serve-logs",),
    "dag-processor": (),
    "triggerer": ("--skip-serve-logs",),
}
# `airflow db migrate` and `airflow pools set` in one process, of which each takes seconds to start.
_PREPARE = """
import json, sys
from airflow.models.pool import Pool
from airflow.utils.db import upgradedb
upgradedb()
for name, (slots, description) in json.loads(sys.argv[1]).items():
    Pool.create_or_update_pool(name, slots, description, include_deferred=False)
"""


def main() -> int:
    """Run until Ctrl-C, or until one of the processes ends by itself (exit code 1)."""
    options = _options()
    directory = options.dir.resolve()
    (directory / "logs").mkdir(parents=True, exist_ok=True)
    _refuse_taken_port(options.port)
    for number in STOPPING:
        signal.signal(number, _interrupt)
    environment = {**os.environ, **_airflow(directory, options.port), **_etl(directory, options.config)}
    try:
        if options.config is None:
            _make_world(directory, options.customers)
        _prepare(environment)
        with _running(environment, directory / "logs", options.port) as processes:
            _wait_for_health(processes, options.port)
            _greet(directory, options.port)
            return _wait_for_an_end(processes)
    except ConfigError as error:
        sys.exit(f"error: {error}\n       {error.remedy}")
    except KeyboardInterrupt:
        return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", type=Path, default=ROOT / "data/airflow", help="where everything is kept")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--customers", type=int, default=2_000, help="how large a world")
    parser.add_argument("--config", type=Path, help="an etl.toml of your own instead of a generated world")
    return parser.parse_args()


def _refuse_taken_port(port: int) -> None:
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            sys.exit(f"error: port {port} is in use; name another with --port")


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _airflow(directory: Path, port: int) -> dict[str, str]:
    """Airflow's settings; the secrets are of this start alone."""
    return {
        "AIRFLOW_HOME": str(directory),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(64),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__API__SECRET_KEY": secrets.token_urlsafe(32),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(_password_file(directory)),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        # Many processes write to one file: they wait for one another for longer than the default five seconds.
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{directory}/airflow.db?timeout=60",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(directory / "logs"),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
    }


def _etl(directory: Path, config: Path | None) -> dict[str, str]:
    """Where the DAGs find their configuration; a generated world is a day older every ten minutes."""
    dashboard = os.environ.get("ETL_DAGS_DASHBOARD", str(directory / "dashboard.html"))
    if config:
        return {"ETL_CONFIG": str(config.resolve()), "ETL_DAGS_DASHBOARD": dashboard}
    return {
        "ETL_CONFIG": str(directory / "etl.toml"),
        "ETL_DAGS_DASHBOARD": dashboard,
        "ETL_DAGS_SIMULATION_SCHEDULE": "*/10 * * * *",
        "ETL_DAGS_SYNC_SCHEDULE": "5-59/10 * * * *",
    }


def _make_world(directory: Path, customers: int) -> None:
    source = directory / "hopify.db"
    (directory / "etl.toml").write_text(
        f"source = {{ url = {json.dumps(f'sqlite:///{source}')} }}\n"
        f"warehouse = {{ url = {json.dumps(f'duckdb:///{directory}/warehouse.duckdb')} }}\n",
        "utf-8",
    )
    if not source.exists():
        to = f"sqlite:///{source}"
        subprocess.run([BIN / "etl", "generate", "hopify", "--to", to, "--customers", str(customers)], check=True)  # noqa: S603


def _password_file(directory: Path) -> Path:
    return directory / "passwords.json"


def _password(directory: Path) -> str:
    """The admin's password, made up once and readable by its owner alone."""
    file = _password_file(directory)
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(json.dumps({"admin": secrets.token_urlsafe(12)}), "utf-8")
    password: str = json.loads(file.read_text("utf-8"))["admin"]
    return password


def _prepare(environment: Mapping[str, str]) -> None:
    """The metadata database, the admin's password, and the pools."""
    home, config = Path(environment["AIRFLOW_HOME"]), Path(environment["ETL_CONFIG"])
    _password(home)
    print("Preparing Airflow's own database …", flush=True)
    command = [sys.executable, "-c", _PREPARE, json.dumps(_pools(config))]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)  # noqa: S603


def _pools(config: Path) -> dict[str, tuple[int, str]]:
    """The pools that the DAGs use: slots and description; one slot for DuckDB, whose file one process opens."""
    several = load(config).warehouse.url.startswith("bigquery")
    return {
        "etl_source": (4, "Who reads the source"),
        "etl_warehouse": (8 if several else 1, "Who opens the warehouse"),
    }


@contextmanager
def _running(environment: Mapping[str, str], logs: Path, port: int) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """The services, each with a log file; ended with all they started when the context ends."""
    processes: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name, arguments in SERVICES.items():
            extra = (str(port),) if name == "api-server" else ()
            with (logs / f"{name}.log").open("ab") as log:
                # A session of their own, so that Ctrl-C reaches only us and we end them in order.
                processes[name] = subprocess.Popen(  # noqa: S603
                    [BIN / "airflow", name, *arguments, *extra],
                    env=environment,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        yield processes
    finally:
        for number in STOPPING:
            signal.signal(number, signal.SIG_IGN)
        with suppress(OSError):  # whoever read our output may be gone
            print("\nStopping …", flush=True)
        _stop(list(processes.values()))


def _stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """End the services, the API server last since running tasks report to it; kill what does not end in time."""
    family: list[psutil.Process] = []
    deadline = time.monotonic() + STOPPED_WITHIN
    for process in reversed(processes):
        family += _family(process.pid)
        process.terminate()
        try:
            process.wait(max(deadline - time.monotonic(), 1))
        except subprocess.TimeoutExpired:
            process.kill()
    for left in family:
        if left.is_running():
            left.kill()
    psutil.wait_procs(family, timeout=5)


def _family(pid: int) -> list[psutil.Process]:
    """A process and all below it."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _wait_for_health(processes: Mapping[str, subprocess.Popen[bytes]], port: int) -> None:
    print("Starting …", flush=True)
    deadline = time.monotonic() + STARTED_WITHIN
    while time.monotonic() < deadline:
        if _ended(processes) or _healthy(port):
            return
        time.sleep(1)
    print("warning: not healthy yet; see the logs", flush=True)


def _healthy(port: int) -> bool:
    """Whether the API server answers and the scheduler and the DAG processor have reported to it."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v2/monitor/health", timeout=5) as answer:
            health = json.load(answer)
    except (OSError, urllib.error.URLError, ValueError):
        return False
    return all((health.get(part) or {}).get("status") == "healthy" for part in ("scheduler", "dag_processor"))


def _greet(directory: Path, port: int) -> None:
    print(
        f"\n  Airflow    http://127.0.0.1:{port}\n  login      admin / {_password(directory)}\n"
        f"  files      {directory}\n  Ctrl-C     stops everything\n",
        flush=True,
    )


def _ended(processes: Mapping[str, subprocess.Popen[bytes]]) -> list[str]:
    return [name for name, process in processes.items() if process.poll() is not None]


def _wait_for_an_end(processes: Mapping[str, subprocess.Popen[bytes]]) -> int:
    while not _ended(processes):
        time.sleep(1)
    print(f"error: {', '.join(_ended(processes))} ended by itself; see its log", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
