"""Commands that move tables, compare them and say how they stand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

import typer

from etl import config
from etl.commands.options import ConfigOption, JsonOption, Tables
from etl.errors import ConfigError, ExitCode


class ModeChoice(StrEnum):
    """How the warehouse is summed."""

    AUTO = "auto"
    PUSHDOWN = "pushdown"
    STREAM = "stream"


def sync(
    tables: Tables = None,
    full: Annotated[bool, typer.Option("--full", help="Load everything anew.")] = False,
    no_repair: Annotated[bool, typer.Option("--no-repair", help="Report what differs, do not bring it.")] = False,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="How many ranges of a large table are loaded at once."),
    ] = None,
    config_file: ConfigOption = None,
) -> None:
    """Bring tables to the source's state, moving what changed, and prove them equal."""
    from etl.console import row_progress, show_synced
    from etl.session import open_session
    from etl.sync.run import Failed

    settings = config.load(config_file)
    given = ({"repair": False} if no_repair else {}) | ({"jobs": jobs} if jobs else {})
    settings = settings.model_copy(update={"sync": settings.sync.model_copy(update=given)})
    with open_session(settings, tables or ()) as session, row_progress("syncing") as progress:
        results = list(session.sync(tables or (), full=full, progress=progress))
    show_synced(results)
    if any(isinstance(result, Failed) for result in results):
        raise typer.Exit(ExitCode.FAILED)
    if not all(result.check.equal for result in results if not isinstance(result, Failed)):
        raise typer.Exit(ExitCode.DIFFERENT)


def verify(
    tables: Tables = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Bring the warehouse to the source where they differ.")
    ] = False,
    samples: Annotated[
        bool, typer.Option("--samples", help="Compare sums, extremes, counts and groups instead of rows.")
    ] = False,
    mode: Annotated[ModeChoice, typer.Option(help="Who sums the warehouse's rows.")] = ModeChoice.AUTO,
    json_: JsonOption = False,
    config_file: ConfigOption = None,
) -> None:
    """Compare tables with a fresh snapshot of the source, down to the cell."""
    from etl.console import show_error, show_verified
    from etl.session import open_session
    from etl.sync.run import Failed
    from etl.verify.report import as_json
    from etl.verify.rowsum import Mode

    if samples and repair:
        raise ConfigError("samples repair nothing", "leave out --samples or --repair")
    if samples:
        _compare_samples(config.load(config_file), tables or (), as_json=json_)
        return
    forced = None if mode is ModeChoice.AUTO else Mode(mode.value)
    with open_session(config.load(config_file)) as session:
        results = list(session.verify(tables or (), repair=repair, mode=forced))
    verified = [result for result in results if not isinstance(result, Failed)]
    if json_:
        print(json.dumps([as_json(v) for v in verified], ensure_ascii=False, indent=2))
        for failed in (result for result in results if isinstance(result, Failed)):
            show_error(failed.error)
    else:
        show_verified(results)
    if len(verified) < len(results):
        raise typer.Exit(ExitCode.FAILED)
    if not all(v.check.equal for v in verified):
        raise typer.Exit(ExitCode.DIFFERENT)


def _compare_samples(settings: config.Config, tables: Sequence[str], *, as_json: bool) -> None:
    """Print every table's samples; exit 1 where one differs, 3 where a table could not be asked."""
    from etl.console import show_error, show_samples
    from etl.session import open_session
    from etl.sync.run import Failed

    with open_session(settings) as session:
        results = list(session.samples(tables))
    failed = [result for result in results if isinstance(result, Failed)]
    found = [sample for result in results if not isinstance(result, Failed) for sample in result]
    if as_json:
        print(json.dumps([asdict(sample) | {"equal": sample.equal} for sample in found], ensure_ascii=False, indent=2))
    else:
        show_samples(found)
    for result in failed:
        show_error(result.error)
    if failed:
        raise typer.Exit(ExitCode.FAILED)
    if not all(sample.equal for sample in found):
        raise typer.Exit(ExitCode.DIFFERENT)


def backfill(
    table: Annotated[str, typer.Argument(help="The table.")],
    from_: Annotated[str | None, typer.Option("--from", help="The first value, or day, of the range.")] = None,
    to: Annotated[str | None, typer.Option("--to", help="The last value, or day, of the range.")] = None,
    column: Annotated[str, typer.Option(help="The range's column; the table's cursor if not given.")] = "",
    key: Annotated[
        list[str] | None, typer.Option(help='A row\'s key; of several columns as 7,x or [7,"x"]. May be repeated.')
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every row.")] = False,
    slice_rows: Annotated[int, typer.Option(min=1, help="About how many rows a slice has.")] = 500_000,
    restart: Annotated[bool, typer.Option("--restart", help="Repeat slices that a stopped run has done.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only estimate.")] = False,
    config_file: ConfigOption = None,
) -> None:
    """Bring rows behind the cursor again, in slices: those of a range, of some keys, or all; then prove the table.

    Stopped, the same command continues. The watermark stays where it is.
    """
    from etl.console import row_progress, show_backfilled, show_estimate
    from etl.session import open_session
    from etl.sync.backfill import Wanted
    from etl.sync.run import Failed

    wanted = Wanted(column, from_, to, tuple(key or ()))
    wanted.require_one(everything=all_)
    with open_session(config.load(config_file), [table]) as session, row_progress("backfilling") as progress:
        done = session.backfill(
            table,
            wanted,
            slice_rows=slice_rows,
            restart=restart,
            dry_run=dry_run,
            announce=show_estimate,
            progress=progress,
        )
    if done is None:
        return
    show_backfilled(done)
    if isinstance(done.synced, Failed):
        raise typer.Exit(ExitCode.FAILED)
    if not done.synced.check.equal:
        raise typer.Exit(ExitCode.DIFFERENT)


def status(json_: JsonOption = False, config_file: ConfigOption = None) -> None:
    """Show every table's newest load and check, and whether the gate lets it pass."""
    from etl.console import grid, out
    from etl.session import open_session
    from etl.status import status as status_of

    with open_session(config.load(config_file)) as session:
        wishes = session.config.sync
        tables = status_of(
            session.warehouse, session.ledger, wishes.max_unchecked_days, accept_moving=wishes.accept_moving
        )
    if json_:
        print(json.dumps([table.as_json() for table in tables], ensure_ascii=False, indent=2))
        return
    columns = ("table", "load", "loaded", "cursor", "watermark", "rows", "checked", "hash", "gate")
    rows = [
        (
            t.table,
            t.load,
            f"{t.loaded_at:%Y-%m-%d %H:%M:%S}",
            t.cursor.partition("(")[0],  # the column's name is in --json
            t.watermark or "",
            "" if t.rows is None else f"{t.rows:,}",
            f"{t.checked_at:%Y-%m-%d %H:%M:%S}" if t.checked_at else "never",
            (t.hash or "")[:12],
            t.gate or "open",
        )
        for t in tables
    ]
    out.print(grid("", columns, rows, ("rows",)))
    for t in tables:
        if t.drift:
            out.print(f"{t.table}: {t.drift}", style="yellow")
    if not tables:
        out.print("nothing has been synced yet; run: etl sync")
