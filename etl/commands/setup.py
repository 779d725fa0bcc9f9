"""Commands before the first sync: a configuration, and a look at both ends."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from etl import config
from etl.commands.options import ConfigOption, JsonOption, warn_of_passwords
from etl.errors import ConfigError, ExitCode, SourceError
from etl.urls import without_password


def init(
    source: Annotated[str, typer.Option(help="The source's URL, e.g. sqlite:///shop.db")],
    warehouse: Annotated[str, typer.Option(help="The warehouse's URL.")] = "duckdb:///data/warehouse.duckdb",
    output: Annotated[Path, typer.Option("-o", "--output", help="The file to write.")] = Path("etl.toml"),
    force: Annotated[bool, typer.Option("--force", help="Overwrite it if it is there.")] = False,
) -> None:
    """Look at a source and write a commented etl.toml for it."""
    from etl.console import out
    from etl.engines import open_source
    from etl.scaffold import scaffold

    warn_of_passwords(source, warehouse)
    if output.exists() and not force:
        raise ConfigError(f"{output} is already there", "name another with -o, or overwrite it with --force")
    settings = config.from_environment()
    settings = settings.model_copy(update={"source": settings.source.model_copy(update={"url": source})})
    with open_source(settings).snapshot() as snapshot:
        tables = snapshot.tables()
    if not tables:
        what = f"{without_password(source)} shows this user no table"
        raise SourceError(what, "check the database in the URL, and that the user may read its tables")
    try:
        output.write_text(scaffold(source, warehouse, tables), "utf-8")
    except OSError as error:
        raise ConfigError(f"{output} cannot be written: {error.strerror}", "name another with -o") from error
    out.print(f"{output}: {len(tables)} tables. Next: etl doctor, then etl sync")


def doctor(json_: JsonOption = False, config_file: ConfigOption = None) -> None:
    """Check the connections and prove both engines on the vectors; say what is missing."""
    from etl.console import grid, out
    from etl.doctor import examine

    findings = list(examine(config.load(config_file)))
    if json_:
        print(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False, indent=2))
    else:
        rows = [("ok" if f.ok else "PROBLEM", f.subject, f.text, f.remedy) for f in findings]
        out.print(grid("", ("", "what", "found", "what to do"), rows))
    if not all(finding.ok for finding in findings):
        raise typer.Exit(ExitCode.FAILED)
