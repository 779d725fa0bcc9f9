"""A BigQuery emulator for hand work and tests: local-bigquery, in an environment of its own.

    python scripts/bigquery_emulator.py prepare
    python scripts/bigquery_emulator.py serve --port 9050 --grpc-port 9060 --data-dir data/emulator
    python scripts/bigquery_emulator.py run etl demo --warehouse bigquery://local/demo

It wants Python 3.13 or newer, found on PATH or among pyenv's versions. The environment lies in
``.emulator``, is made once, and holds the DuckDB extensions too, so that no start needs a network.
"""

# ruff: noqa: S310, S603, S606  (it starts what it has found itself)

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".emulator"
REQUIREMENTS = ROOT / "requirements/emulator.txt"
LAUNCHER = Path(__file__).with_name("bigquery_emulator_launcher.py")
OLDEST = (3, 13)
MISSING = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments say; 2 where this machine cannot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["prepare", "serve", "run"])
    parser.add_argument("--port", type=int, default=9050, help="REST; 0 for a free one")
    parser.add_argument("--grpc-port", type=int, default=9060, help="the Storage Read API; 0 for a free one")
    parser.add_argument("--data-dir", type=Path, default=ROOT / "data/emulator")
    parser.add_argument("--watch", type=int, default=0, help="end when the process of this id has ended")
    parser.add_argument("--remove", action="store_true", help="and remove the data then")
    given = list(sys.argv[1:] if arguments is None else arguments)
    last = given.index("run") + 1 if "run" in given else len(given)
    chosen = parser.parse_args(given[:last])
    try:
        python = prepare()
    except MissingError as error:
        print(f"the BigQuery emulator cannot be had: {error}", file=sys.stderr)
        return MISSING
    if chosen.command == "run":
        return run(chosen.data_dir, given[last:])
    if chosen.command == "serve":
        watch = {"ETL_EMULATOR_WATCH": str(chosen.watch), "ETL_EMULATOR_REMOVE": str(int(chosen.remove))}
        serve(python, chosen.port, chosen.grpc_port, chosen.data_dir.resolve(), watch)
    return 0


class MissingError(Exception):
    """What this machine lacks."""


def prepare() -> Path:
    """The interpreter of an environment that has the emulator in it, made if it is not there or is out of date."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        python, stamp = CACHE / "venv/bin/python", CACHE / "stamp"
        wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
        if not (stamp.is_file() and stamp.read_text() == wanted and _version(python)):
            stamp.unlink(missing_ok=True)
            _install(python)
            stamp.write_text(wanted)
    return python


def serve(python: Path, port: int, grpc_port: int, data: Path, watch: dict[str, str]) -> None:
    """Become the server; it listens on this machine only and says how it is found."""
    port, grpc_port = port or free_port(), grpc_port or free_port()
    data.mkdir(parents=True, exist_ok=True)
    host = f"BIGQUERY_EMULATOR_HOST=http://127.0.0.1:{port}"
    print(f"export {host} BIGQUERY_STORAGE_EMULATOR_HOST=127.0.0.1:{grpc_port}", flush=True)
    print(f"then: etl sync with ETL_WAREHOUSE_URL=bigquery://local/demo; tables are kept in {data}", flush=True)
    ports = ["--port", str(port), "--grpc-port", str(grpc_port)]
    command = [str(python), str(LAUNCHER), "--host", "127.0.0.1", *ports, "--data-dir", str(data)]
    sys.stdout.flush()
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whoever has read the line above reads no further
    environment = {**os.environ, "HOME": str(CACHE / "home"), **watch}
    os.execve(python, command, environment)


def run(data: Path, command: Sequence[str]) -> int:
    """Run a command beside a server of its own, and end the server with it; the command's exit code."""
    serving = [sys.executable, __file__, "--port=0", "--grpc-port=0", f"--data-dir={data}", f"--watch={os.getpid()}"]
    server = subprocess.Popen([*serving, "serve"], stdout=subprocess.PIPE, text=True)
    try:
        line = server.stdout.readline() if server.stdout else ""
        if not line:
            return server.wait()
        found = dict(pair.split("=", 1) for pair in line.removeprefix("export ").split())
        _wait_for(found["BIGQUERY_EMULATOR_HOST"])
        return subprocess.run(list(command), env={**os.environ, **found}, check=False).returncode
    finally:
        server.terminate()
        server.wait()


def _wait_for(url: str) -> None:
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"{url}/bigquery/v2/projects/local/datasets", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"{url} does not answer")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _install(python: Path) -> None:
    uv = next((path for path in (ROOT / ".venv/bin/uv", shutil.which("uv")) if path and Path(path).is_file()), None)
    if uv is None:
        raise MissingError("there is no uv; run: make env")
    interpreter = next(iter(_interpreters()), None)
    if interpreter is None:
        raise MissingError(
            f"there is no Python {'.'.join(map(str, OLDEST))} or newer on PATH or among pyenv's versions"
        )
    environment = {**os.environ, "VIRTUAL_ENV": str(CACHE / "venv")}
    install = ["pip", "install", "-q", "--no-deps", "--require-hashes", "-r", str(REQUIREMENTS)]
    for arguments in (["venv", "-q", "--clear", "--python", str(interpreter), str(CACHE / "venv")], install):
        done = subprocess.run([str(uv), *arguments], env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise MissingError(f"uv {arguments[0]} failed: {done.stderr.strip()}")
    _lay_out_extensions(python)


def _lay_out_extensions(python: Path) -> None:
    """Put DuckDB's extensions where it looks for them, under a home of the emulator's own."""
    asked = "import duckdb; print(duckdb.__version__, duckdb.sql('PRAGMA platform').fetchone()[0])"
    version, platform = subprocess.check_output([str(python), "-c", asked], text=True).split()
    folder = CACHE / f"home/.duckdb/extensions/v{version}/{platform}"
    folder.mkdir(parents=True, exist_ok=True)
    for file in (CACHE / "venv").glob("lib/*/site-packages/duckdb_extension_*/extensions/*/*.duckdb_extension"):
        shutil.copy(file, folder)


def _interpreters() -> Iterator[Path]:
    """Every interpreter that is new enough, those on PATH first."""
    names = (*(f"python3.{minor}" for minor in range(OLDEST[1], OLDEST[1] + 4)), "python3")
    found = [Path(path) for path in map(shutil.which, names) if path]
    found += sorted(Path.home().glob(".pyenv/versions/3.*/bin/python"))
    return (path for path in found if _version(path) >= OLDEST)


def _version(python: Path) -> tuple[int, ...]:
    """An interpreter's version; empty for one that does not start, as pyenv's shims may not."""
    try:
        done = subprocess.run(
            [str(python), "-c", "import sys; print(*sys.version_info[:2])"], capture_output=True, text=True, check=False
        )
    except OSError:
        return ()
    return tuple(map(int, done.stdout.split())) if done.returncode == 0 else ()


if __name__ == "__main__":
    sys.exit(main())
