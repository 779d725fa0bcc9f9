"""The `etl` command: as people start it, and inside this process where that is enough."""

from __future__ import annotations

import io
import logging
import os
import resource
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from etl import cli

ETL = Path(sys.executable).with_name("etl")


@dataclass(frozen=True, slots=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str


def run_etl(
    directory: Path, *arguments: str, environment: Mapping[str, str] | None = None, largest_file: int | None = None
) -> Done:
    """Run the installed command in ``directory``; no file may grow past ``largest_file`` bytes, as on a full disk."""
    limit = (largest_file, largest_file) if largest_file else (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    done = subprocess.run(  # noqa: S603
        [str(ETL), *arguments],
        cwd=directory,
        env={**_clean_environment(), **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
    )
    return Done(done.returncode, done.stdout, done.stderr)


def call_etl(directory: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> Done:
    """Run the command's entry point in this process; a second less than ``run_etl``."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with (
        pytest.MonkeyPatch.context() as patch,
        _logging_restored(),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        patch.chdir(directory)
        for name in set(os.environ) - set(_clean_environment()):
            patch.delenv(name)
        for name, value in (environment or {}).items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["etl", *arguments])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
    return Done(int(stopped.value.code or 0), _text(out), _text(err))


def _clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("ETL_")}


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode()


@contextmanager
def _logging_restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.captureWarnings(capture=False)
