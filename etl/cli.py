"""The `etl` command: each subcommand is a few lines that open a session and show what came of it.

A command imports what it needs when it runs, so that `etl --help` is there at once.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from etl import __version__, config
from etl.errors import ConfigError, EtlError, ExitCode, RunError
from etl.urls import with_password, without_password

if TYPE_CHECKING:
    from etl.session import Session

log = logging.getLogger(__name__)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Copy an operational database into a warehouse, keep it current, and prove that both are equal.",
    epilog="Exit codes: 0 done and equal, 1 differences remain, 2 the call or config is wrong, 3 a run failed.",
)

ConfigOption = Annotated[Path | None, typer.Option("--config", help="Configuration file; etl.toml if there is one.")]
Tables = Annotated[list[str] | None, typer.Argument(help="Tables; all of them if none is named.", metavar="[TABLE]…")]
CustomersOption = Annotated[
    int | None, typer.Option(help="How large a world; the number its specification is for if not given.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON and nothing else on standard output.")]


class World(StrEnum):
    """The worlds that can be generated."""

    HOPIFY = "hopify"
    CHURN = "churn"
    HEALTH = "health"


class ModeChoice(StrEnum):
    """How the warehouse is summed."""

    AUTO = "auto"
    PUSHDOWN = "pushdown"
    STREAM = "stream"


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


@app.command()
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

    hopify is copied, changed, copied again, proven equal and drawn as a dashboard; churn becomes
    Parquet files, raw, staged and analytic; health is summarised, copied and proven equal.
    """
    from etl.demos import demo as run_demo
    from generators.worlds import world as named

    size = named(world).customers if customers is None else customers
    settings = config.load(config_file)
    run_demo(world, settings, directory, size, seed, source=source, warehouse=warehouse)


@app.command()
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

    _warn_of_passwords(source, warehouse)
    if output.exists() and not force:
        raise ConfigError(f"{output} is already there", "name another with -o, or overwrite it with --force")
    settings = config.from_environment()
    settings = settings.model_copy(update={"source": settings.source.model_copy(update={"url": source})})
    with open_source(settings).snapshot() as snapshot:
        tables = snapshot.tables()
    try:
        output.write_text(scaffold(source, warehouse, tables), "utf-8")
    except OSError as error:
        raise ConfigError(f"{output} cannot be written: {error.strerror}", "name another with -o") from error
    out.print(f"{output}: {len(tables)} tables. Next: etl doctor, then etl sync")


@app.command()
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

    _warn_of_passwords(to)
    settings = config.load(config_file)
    url = _completed(to, settings)
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


@app.command()
def simulate(
    days: Annotated[int, typer.Option(min=1, help="How many days to advance.")],
    source: Annotated[str | None, typer.Option(help="The world's URL; the configured source if not given.")] = None,
    seed: Annotated[int | None, typer.Option(help="Another course of events than the world's own.")] = None,
    config_file: ConfigOption = None,
) -> None:
    """Advance a generated world by days: new, changed, late and erased rows."""
    from etl.console import grid, out, row_progress
    from generators import hopify

    _warn_of_passwords(source or "")
    settings = config.load(config_file)
    url = _completed(source or settings.source.url, settings)
    with row_progress("simulating") as progress:
        changes = hopify.simulate(url, days=days, seed=seed, progress=progress.rows)
    columns = ("table", "inserted", "updated", "deleted", "silent")
    rows = [(table, *(f"{counts[name]:,}" for name in columns[1:])) for table, counts in changes.items()]
    out.print(grid("", columns, rows, columns[1:]))


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
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
        rows = [
            (r.name, f"{r.rows:,}", str(r.tests), f"{r.seconds:.2f}" if r.is_built else "unchanged") for r in results
        ]
        out.print(grid("", ("mart", "rows", "tests passed", "s"), rows, ("rows", "tests passed", "s")))
        if export:
            adhoc.export(session.warehouse, [r.name for r in results], export)


@app.command()
def query(
    what: Annotated[str, typer.Argument(help="A mart's name, a .sql file, or GoogleSQL over raw.… and marts.…")],
    format_: Annotated[Format, typer.Option("--format", help="How to write the result.")] = Format.TABLE,
    limit: Annotated[int, typer.Option(min=0, help="Rows to show as a table; 0 for all.")] = 50,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="A file instead of standard output.")] = None,
    config_file: ConfigOption = None,
) -> None:
    """Run a query on the warehouse."""
    from etl.publish import adhoc
    from etl.session import open_session

    with open_session(config.load(config_file)) as session:
        question = adhoc.read(what, session.config.publish.world)
        adhoc.warn_unproven(session.ledger, question)
        adhoc.write(adhoc.run(session.warehouse, question), format_.value, limit, output)


@app.command()
def dashboard(
    output: Annotated[Path, typer.Option("-o", "--output", help="The page to write.")] = Path("data/dashboard.html"),
    config_file: ConfigOption = None,
) -> None:
    """Write a self-contained HTML page over the published marts."""
    from etl.console import out
    from etl.session import open_session

    with open_session(config.load(config_file)) as session:
        out.print(str(session.dashboard(output)))


@app.command("looker")
def looker_(
    create: Annotated[bool, typer.Option("--create", help="Make the views in the marts' dataset first.")] = False,
    project: Annotated[str | None, typer.Option(help="Another Google Cloud project than the warehouse's.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Another dataset than the warehouse's marts.")] = None,
    template: Annotated[str, typer.Option(help="Id of a report to copy; a blank one if not given.")] = "",
    config_file: ConfigOption = None,
) -> None:
    """Print a link to Looker Studio for each report, its data source set."""
    from etl.publish import looker
    from etl.session import open_session

    settings = config.load(config_file)
    views = looker.views(settings.publish.world)
    if create:
        with open_session(settings) as session:
            looker.create(session.warehouse, views)
            print(f"{len(views)} views in the marts of {session.warehouse.identity}")
        if not looker.is_bigquery(settings.warehouse.url) and not (project and dataset):
            return
    where = looker.place(settings.warehouse.url, project, dataset)
    for view in views:
        print(f"{looker.title(view)}\n  {looker.link(view, where, template)}")


@app.command()
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


@app.command("status")
def status_(json_: JsonOption = False, config_file: ConfigOption = None) -> None:
    """Show every table's newest load and check, and whether the gate lets it pass."""
    from etl.console import grid, out
    from etl.session import open_session
    from etl.status import status

    with open_session(config.load(config_file)) as session:
        wishes = session.config.sync
        tables = status(
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


@app.command("doctor")
def doctor_(json_: JsonOption = False, config_file: ConfigOption = None) -> None:
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


def _warn_of_passwords(*urls: str) -> None:
    """Say so where one of the ``urls`` typed has a password in it."""
    if any(without_password(url) != url for url in urls):
        log.warning("a password on the command line can be read by others; set ETL_SOURCE_PASSWORD instead")


def _completed(url: str, settings: config.Config) -> str:
    """The URL of a world with the source's configured password."""
    password = settings.source.password
    return with_password(url, password.get_secret_value() if password else None)


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
