"""Commands that make a world, change it and judge it."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from etl import config
from etl.commands.options import ConfigOption, CustomersOption, JsonOption, completed, warn_of_passwords
from etl.errors import EtlError, ExitCode

log = logging.getLogger(__name__)


class World(StrEnum):
    """The worlds that can be generated."""

    HOPIFY = "hopify"
    CHURN = "churn"
    HEALTH = "health"


def demo(
    world: Annotated[World, typer.Option(help="Which world.")] = World.HOPIFY,
    customers: CustomersOption = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same world.")] = 42,
    directory: Annotated[Path, typer.Option("--dir", help="Where its files go.")] = Path("data"),
    source: Annotated[str, typer.Option(help="hopify: a database instead of a file; its tables are replaced.")] = "",
    warehouse: Annotated[str, typer.Option(help="hopify: a warehouse instead of a file.")] = "",
    config_file: ConfigOption = None,
) -> None:
    """Generate a world and take it through the whole course.

    hopify is copied, changed, copied again, proven equal and drawn as a dashboard.

    churn becomes Parquet files, raw, staged and analytic, and is drawn as a dashboard.

    health is copied, proven equal, summarised in marts and drawn as a dashboard.
    """
    from etl.demos import demo as run_demo
    from generators.worlds import world as named

    size = named(world).customers if customers is None else customers
    settings = config.load(config_file)
    run_demo(world, settings, directory, size, seed, source=source, warehouse=warehouse)


def generate(
    world: World,
    to: Annotated[
        str,
        typer.Option("--to", help="sqlite:///file.db, parquet:DIR, postgresql://user@host/db or mssql://user@host/db"),
    ],
    customers: CustomersOption = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same world.")] = 42,
    workers: Annotated[int, typer.Option(help="Made at once; the rows are the same for any number.")] = 1,
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite the world's tables if they are there.")] = False,
    check_only: Annotated[
        bool, typer.Option("--check-only", help="Generate nothing: judge what is there already.")
    ] = False,
    config_file: ConfigOption = None,
) -> None:
    """Generate a world into a database or files, read it back and print its calibration report.

    In a database, the world's quality queries are then asked inside it, as etl quality does.
    """
    from etl.console import grid, out, row_progress
    from generators import worlds

    warn_of_passwords(to)
    settings = config.load(config_file)
    url = completed(to, settings)
    if not check_only:
        with row_progress("generating") as progress:
            rows = worlds.generate(
                world, url, customers=customers, seed=seed, workers=workers, replace=replace, progress=progress.rows
            )
        out.print(grid("", ("table", "rows"), [(table, f"{count:,}") for table, count in rows.items()], ("rows",)))
        customers = worlds.world(world).customers if customers is None else customers
    report = worlds.check(world, url, customers=customers)
    out.print(f"\n{report.text()}", markup=False, soft_wrap=True)
    is_sound = url.startswith("parquet:") or _is_sound(settings, world, url)
    if not (report.passed and is_sound):
        raise typer.Exit(ExitCode.DIFFERENT)


def _is_sound(settings: config.Config, world: str, url: str) -> bool:
    """Whether no rule of the world is broken at ``url``, or it cannot be asked, which is said."""
    source = settings.source.model_copy(update={"url": url})
    publish = settings.publish.model_copy(update={"world": str(world)})
    try:
        return not _ask_quality(settings.model_copy(update={"source": source, "publish": publish}), ())
    except EtlError as error:
        log.warning("the quality queries could not be asked: %s", error.message)
        return True


def simulate(
    days: Annotated[int, typer.Option(min=1, help="How many days to advance.")],
    source: Annotated[str | None, typer.Option(help="The world's URL; the configured source if not given.")] = None,
    seed: Annotated[int | None, typer.Option(help="Another course of events than the world's own.")] = None,
    config_file: ConfigOption = None,
) -> None:
    """Advance a generated world by days: new, changed, late and erased rows."""
    from etl.console import grid, out, row_progress
    from generators import hopify

    warn_of_passwords(source or "")
    settings = config.load(config_file)
    url = completed(source or settings.source.url, settings)
    with row_progress("simulating") as progress:
        changes = hopify.simulate(url, days=days, seed=seed, progress=progress.rows)
    columns = ("table", "inserted", "updated", "deleted", "silent")
    rows = [(table, *(f"{counts[name]:,}" for name in columns[1:])) for table, counts in changes.items()]
    out.print(grid("", columns, rows, columns[1:]))


def quality(
    names: Annotated[
        list[str] | None, typer.Argument(help="Quality queries; all if none is named.", metavar="[NAME]…")
    ] = None,
    sql: Annotated[bool, typer.Option("--sql", help="Print the SQL instead of running it.")] = False,
    json_: JsonOption = False,
    config_file: ConfigOption = None,
) -> None:
    """Ask the source itself for rows that break a rule of its world."""
    from etl.engines import open_source
    from etl.publish import quality as rules

    settings = config.load(config_file)
    if not sql:
        if _ask_quality(settings, names or (), as_json=json_):
            raise typer.Exit(ExitCode.DIFFERENT)
        return
    queries = rules.chosen(rules.load(settings.publish.world), names or ())
    with open_source(settings).snapshot() as snapshot:
        print(";\n\n".join(rules.statements(snapshot, queries)) + ";")


def _ask_quality(settings: config.Config, names: Sequence[str], *, as_json: bool = False) -> int:
    """Ask the source the quality queries, print which rules are broken, and return how many."""
    from etl.console import counted, grid, out
    from etl.engines import open_source
    from etl.publish import quality as rules

    queries = rules.chosen(rules.load(settings.publish.world), names)
    with open_source(settings).snapshot() as snapshot:
        found = [broken for query in queries for broken in rules.broken(snapshot, query)]
    if as_json:
        print(json.dumps([asdict(broken) for broken in found], ensure_ascii=False, indent=2))
        return len(found)
    rows = [(b.query, b.rule, f"{b.rows:,}", ", ".join(b.keys)) for b in found]
    if rows:
        out.print(grid("", ("query", "rule", "rows", "keys of the first"), rows, ("rows",)))
    told = f"{counted(len(found), 'broken rule')}" if found else "no rule is broken"
    out.print(f"{len(queries)} quality queries asked inside the source: {told}")
    return len(found)
