"""Commands on what was loaded: marts, queries, pages, models."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from etl import config
from etl.commands.options import ConfigOption

if TYPE_CHECKING:
    from etl.session import Session


class MlEngine(StrEnum):
    """Who fits a model."""

    LOCAL = "local"
    BIGQUERY = "bigquery"


class Format(StrEnum):
    """How a query's result is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def marts(
    names: Annotated[
        list[str] | None, typer.Argument(help="Marts; all of them if none is named.", metavar="[NAME]…")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Build also what would be the same again.")] = False,
    export: Annotated[Path | None, typer.Option(help="Also write each as Parquet into this directory.")] = None,
    sql: Annotated[bool, typer.Option("--sql", help="Print the SQL instead of running it.")] = False,
    config_file: ConfigOption = None,
) -> None:
    """Build the marts, if the gate is open."""
    from etl.console import grid, out
    from etl.publish import adhoc
    from etl.session import open_session

    with open_session(config.load(config_file)) as session:
        if sql:
            print(adhoc.marts_sql(session.warehouse, session.config.publish.world, names or ()))
            return
        results = session.build_marts(names or (), full=full)
        rows = [(r.name, f"{r.rows:,}", r.extent, str(r.tests), f"{r.seconds:.2f}") for r in results]
        out.print(grid("", ("mart", "rows", "built", "tests passed", "s"), rows, ("rows", "tests passed", "s")))
        if export:
            adhoc.export(session.warehouse, [r.name for r in results], export)


def query(
    what: Annotated[str, typer.Argument(help="A mart's name, a .sql file, or GoogleSQL over raw.… and marts.…")],
    format_: Annotated[Format, typer.Option("--format", help="How to write the result.")] = Format.TABLE,
    limit: Annotated[int, typer.Option(min=0, help="Rows on a page; 0 for all.")] = 50,
    page: Annotated[
        int | None, typer.Option(min=1, help="Which page; the first as a table, all rows in another form.")
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="A file instead of standard output.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what it would read, which BigQuery charges.")
    ] = False,
    sql: Annotated[bool, typer.Option("--sql", help="Print the warehouse's own SQL instead of running it.")] = False,
    config_file: ConfigOption = None,
) -> None:
    """Run a query on the warehouse."""
    from etl.publish import adhoc, answers
    from etl.session import open_session

    with open_session(config.load(config_file)) as session:
        question = adhoc.read(what, session.config.publish.world, session.warehouse)
        is_paged = limit > 0 and (page is not None or (format_ is Format.TABLE and output is None))
        wanted = adhoc.Page(limit, page or 1) if is_paged else None
        if sql:
            print(adhoc.spelled(session.warehouse, question))
        elif dry_run:
            print(adhoc.price(session.warehouse, question))
        else:
            adhoc.warn_unproven(session.ledger, question, session.config.sync)
            answers.write(adhoc.run(session.warehouse, question, wanted), format_.value, output)


def dashboard(
    output: Annotated[Path, typer.Option("-o", "--output", help="The page to write.")] = Path("data/dashboard.html"),
    config_file: ConfigOption = None,
) -> None:
    """Write a self-contained HTML page over the published marts."""
    from etl.console import out
    from etl.session import open_session

    with open_session(config.load(config_file)) as session:
        out.print(str(session.dashboard(output)))


def looker(
    create: Annotated[bool, typer.Option("--create", help="Make the views in the marts' dataset first.")] = False,
    project: Annotated[str | None, typer.Option(help="Another Google Cloud project than the warehouse's.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Another dataset than the warehouse's marts.")] = None,
    template: Annotated[str, typer.Option(help="Id of a report to copy; a blank one if not given.")] = "",
    config_file: ConfigOption = None,
) -> None:
    """Print a link to Looker Studio for each report, its data source set."""
    from etl.publish import looker as studio
    from etl.session import open_session

    settings = config.load(config_file)
    views = studio.views(settings.publish.world)
    if create:
        with open_session(settings) as session:
            studio.create(session.warehouse, views)
            print(f"{len(views)} views in the marts of {session.warehouse.identity}")
        if not studio.is_bigquery(settings.warehouse.url) and not (project and dataset):
            return
    where = studio.place(settings.warehouse.url, project, dataset)
    for view in views:
        print(f"{studio.title(view)}\n  {studio.link(view, where, template)}")


def model(
    name: Annotated[str, typer.Argument(help="churn, ltv, forecast or segments.")],
    engine: Annotated[MlEngine, typer.Option(help="scikit-learn here, or BigQuery ML.")] = MlEngine.LOCAL,
    seed: Annotated[int, typer.Option(min=0, help="The same seed and data give the same model.")] = 42,
    sql: Annotated[bool, typer.Option("--sql", help="Print the model as BigQuery ML instead of fitting it.")] = False,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The report to write; data/models/NAME.html if not given.")
    ] = None,
    config_file: ConfigOption = None,
) -> None:
    """Fit a model on the past, judge it beside a baseline, and publish its predictions as a mart."""
    from etl.models import bigquery, catalog
    from etl.session import open_session

    with open_session(config.load(config_file)) as session:
        catalog.require(session.config.publish.world, name)
        if sql:
            print(bigquery.statements(session.warehouse, session.config.publish.world, name))
        elif engine is MlEngine.BIGQUERY:
            _show_judged(bigquery.train(session.warehouse, session.ledger, session.config, name))
        else:
            _fit(session, name, seed, output or Path("data/models") / f"{name}.html")


def _fit(session: Session, name: str, seed: int, output: Path) -> None:
    from etl.console import grid, out
    from etl.models import local, page

    outcome = local.train(session.warehouse, session.ledger, session.config, name, seed)
    for sentence in (outcome.verdict, *outcome.facts):
        out.print(sentence, soft_wrap=True, markup=False)
    columns = ("measure", "model (95 % interval)", "baseline", "difference")
    out.print(grid("", columns, outcome.rows(), columns[1:]))
    out.print(str(page.save(outcome, session.ledger, session.config.publish.world, output)))


def _show_judged(judged: dict[str, object]) -> None:
    from etl.console import grid, out

    out.print(grid("", ("measure", "value"), [(name, str(value)) for name, value in judged.items()], ("value",)))
