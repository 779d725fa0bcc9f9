"""The `etl` command: its subcommands in order, and what becomes of an error."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from etl import __version__
from etl.commands import analysis, setup, tables, worlds
from etl.errors import ConfigError, EtlError, RunError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Copy an operational database into a warehouse, keep it current, and prove that both are equal.",
    epilog="Exit codes: 0 done and equal, 1 differences remain, 2 the call or config is wrong, 3 a run failed.",
)

COMMANDS = (
    worlds.demo,
    setup.init,
    worlds.generate,
    worlds.simulate,
    tables.sync,
    tables.verify,
    tables.backfill,
    worlds.quality,
    analysis.marts,
    analysis.query,
    analysis.dashboard,
    analysis.looker,
    analysis.model,
    tables.status,
    setup.doctor,
)
for command in COMMANDS:
    app.command()(command)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Log every step, and show tracebacks.")] = False,
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    from etl.console import set_up_logging

    set_up_logging(debug=debug)


@contextmanager
def _translated_errors(*, debug: bool) -> Iterator[None]:
    """Errors as two sentences and an exit code; tracebacks only on request."""
    try:
        yield
    except KeyboardInterrupt:
        _fail(RunError("stopped", "run the same command again to continue"), 130)
    except Exception as error:
        # The outermost frame: whatever it is, a script gets an exit code and a person a sentence.
        if debug:
            raise
        _fail(_as_ours(error))


def _as_ours(error: Exception) -> EtlError:
    """The error as one of ours; what nobody foresaw is a failed run, and says so."""
    from generators.errors import FailedRunError, GeneratorError

    if isinstance(error, EtlError):
        return error
    if isinstance(error, FailedRunError):
        return RunError(str(error))
    if isinstance(error, GeneratorError):
        return ConfigError(str(error))
    return RunError(f"unexpected {type(error).__name__}: {error}", "call again with --debug and report what it prints")


def _fail(error: EtlError, exit_code: int | None = None) -> None:
    from etl.console import show_error

    show_error(error)
    sys.exit(error.exit_code if exit_code is None else exit_code)


def main() -> None:
    """Run the command line."""
    logging.captureWarnings(capture=True)
    with _translated_errors(debug="--debug" in sys.argv):
        app()
