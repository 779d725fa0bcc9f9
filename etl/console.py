"""What people see: progress on standard error, results on standard output."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.logging import RichHandler
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table as Grid
from rich.text import Text

from etl.errors import EtlError
from etl.records import Check
from etl.sync.backfill import Backfilled, Estimate
from etl.sync.run import Failed
from etl.sync.table import Synced
from etl.verify.differences import Difference
from etl.verify.samples import Sample
from etl.verify.verify import Verified

SHOWN_DIFFERENCES = 20
_PLAIN_WIDTH = 150

out = Console(width=None if sys.stdout.isatty() else _PLAIN_WIDTH, highlight=False, soft_wrap=False)
err = Console(stderr=True, width=None if sys.stderr.isatty() else _PLAIN_WIDTH, highlight=False)


def set_up_logging(*, debug: bool) -> None:
    """Our own messages to standard error: beside the progress bar on a terminal, dated lines in a log."""
    handler: logging.Handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    if err.is_terminal:
        handler = RichHandler(console=err, show_path=False, show_time=False, markup=False)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for room in ("etl", "generators", "schemas"):
        # A terminal has the progress bar and the closing table instead of a line for each table.
        quiet = logging.WARNING if err.is_terminal else logging.INFO
        logging.getLogger(room).setLevel(logging.DEBUG if debug else quiet)


def show_error(error: EtlError) -> None:
    """One sentence of what, one of what to do."""
    err.print(Text.assemble(("error: ", "bold red"), error.message))
    if error.remedy:
        err.print(Text.assemble(("       ", ""), error.remedy))


class RowProgress:
    """Rows moved by table: a live bar on a terminal, nothing in a log but the line when a table is done."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task

    def __call__(self, table: str, step: str, rows: int) -> None:
        """Count ``rows`` of ``table`` in ``step``."""
        self._progress.update(self._task, description=f"{table}: {step}", advance=rows)

    def rows(self, table: str, rows: int) -> None:
        """Count rows that were written."""
        self._progress.update(self._task, description=table, advance=rows)

    def day(self, day: str, changed: int) -> None:
        """Count the rows a simulated day changed."""
        self.rows(day, changed)


@contextmanager
def row_progress(title: str) -> Iterator[RowProgress]:
    """Progress of something that moves rows, for as long as the context lasts."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TextColumn("{task.completed:,.0f} rows"))
    with Progress(
        *columns, RateColumn(), TimeElapsedColumn(), console=err, transient=True, disable=not err.is_terminal
    ) as bar:
        yield RowProgress(bar, bar.add_task(title, total=None))


class RateColumn(TextColumn):
    """Rows a second."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: object) -> Text:
        speed = getattr(task, "speed", None)
        return Text(f"{speed:,.0f} rows/s" if speed else "")


def grid(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], right: Iterable[str] = ()) -> Grid:
    """A table for people; columns in ``right`` are aligned to the right."""
    table = Grid(title=title, title_justify="left", title_style="bold", header_style="bold", box=None, pad_edge=False)
    right = set(right)
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(value if isinstance(value, Text) else Text(str(value)) for value in row))
    return table


def counted(count: int, noun: str) -> str:
    """``1 difference``, ``2 differences``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def verdict(check: Check) -> Text:
    """Whether a table is equal, in a word or two."""
    if not check.equal:
        return Text(counted(check.differences, "difference"), style="bold red")
    return Text(f"equal, {check.pending:,} pending" if check.pending else "equal", style="green")


def _repaired(check: Check) -> Text:
    return Text(f"equal, {counted(check.found, 'row')} repaired", style="green")


def synced_row(result: Synced | Failed) -> tuple[object, ...]:
    """One line of the table that closes a sync."""
    if isinstance(result, Failed):
        return (result.table, Text("failed", style="bold red"), "", "", "", "", "", "")
    check = result.check
    rate = f"{result.extracted / result.seconds:,.0f}" if result.extracted and result.seconds else ""
    return (
        result.table,
        result.kind or "unchanged",
        f"{result.extracted:,}",
        rate,
        f"{result.repaired:,}" if result.repaired else "",
        f"{check.source_rows:,}",
        f"{check.warehouse_rows:,}",
        check.source_hash[:12],
        check.warehouse_hash[:12],
        verdict(check),
        f"{result.seconds:.2f}",
    )


SYNCED_COLUMNS = (
    "table",
    "load",
    "moved",
    "rows/s",
    "repaired",
    "source rows",
    "warehouse rows",
    "source hash",
    "warehouse hash",
    "proof",
    "s",
)
SYNCED_RIGHT = ("moved", "rows/s", "repaired", "source rows", "warehouse rows", "s")


def show_synced(results: Iterable[Synced | Failed], title: str = "") -> None:
    """The table that closes a sync, then what needs to be said."""
    results = list(results)
    out.print(grid(title, SYNCED_COLUMNS, map(synced_row, results), SYNCED_RIGHT))
    for result in results:
        if isinstance(result, Failed):
            show_error(result.error)
            continue
        show_losses(result.check)
        if result.drift:
            err.print(f"{result.table}: {result.drift}")
        if result.differences:
            show_differences(result.table, result.differences, result.check.differences)


def show_estimate(estimate: Estimate) -> None:
    """What a backfill is going to do."""
    err.print(str(estimate))


def show_backfilled(done: Backfilled) -> None:
    """What a backfill has done, and the sync that proved the table."""
    slices = counted(done.slices, "slice")
    out.print(
        f"{done.table}, {done.what}: {done.rows:,} rows compared in {slices}, {done.changed:,} brought", soft_wrap=True
    )
    show_synced([done.synced])


def show_verified(results: Iterable[Verified | Failed]) -> None:
    """The table that closes a verification, then the differences by name."""
    results = list(results)
    verified = [result for result in results if not isinstance(result, Failed)]
    columns = (
        "table",
        "source rows",
        "warehouse rows",
        "source",
        "warehouse",
        "source hash",
        "warehouse hash",
        "proof",
        "s",
    )
    rows = [
        (
            v.check.table_name,
            f"{v.check.source_rows:,}",
            f"{v.check.warehouse_rows:,}",
            v.check.source_mode,
            v.check.warehouse_mode,
            v.check.source_hash[:12],
            v.check.warehouse_hash[:12],
            _repaired(v.check) if v.check.found and v.check.equal and not v.check.pending else verdict(v.check),
            f"{v.check.seconds:.2f}",
        )
        for v in verified
    ]
    out.print(grid("", columns, rows, ("source rows", "warehouse rows", "s")))
    for v in verified:
        show_losses(v.check)
        show_differences(v.check.table_name, v.differences, v.check.differences)
    for result in results:
        if isinstance(result, Failed):
            show_error(result.error)


def show_samples(samples: Sequence[Sample]) -> None:
    """Every figure of every table on both sides, then how many differ."""
    rows = [
        (s.table, s.column, s.measure, s.source, s.warehouse, "equal" if s.equal else Text("DIFFERENT", style="red"))
        for s in samples
    ]
    columns = ("table", "column", "figure", "source", "warehouse", "")
    out.print(grid("", columns, rows, columns[3:5]))
    different = sum(not s.equal for s in samples)
    told = f"{counted(different, 'figure')} of {len(samples):,} differ; etl verify names the rows"
    out.print(told if different else f"all {len(samples):,} figures are equal")


def show_losses(check: Check) -> None:
    """What was let go by rule, and is therefore no difference."""
    for loss in json.loads(check.losses or "[]"):
        out.print(f"{check.table_name}.{loss['column']}: {loss['what']}, in {loss['rows']:,} rows", style="yellow")


def show_differences(table: str, differences: Sequence[Difference], total: int) -> None:
    """The first differences of a table, cell by cell, and how many there are."""
    if not differences:
        return
    rows = [
        (named_key(d), d.kind, cell.name, _value(cell.source, d.source_rows), _value(cell.warehouse, d.warehouse_rows))
        for d in differences[:SHOWN_DIFFERENCES]
        for cell in d.columns
    ]
    shown = min(len(differences), SHOWN_DIFFERENCES)
    title = f"{table}: {counted(total, 'difference')}" + (f", the first {shown}" if shown < total else "")
    out.print()
    out.print(grid(title, ("key", "kind", "column", "source", "warehouse"), rows))


def named_key(difference: Difference) -> str:
    """A key as ``column=value``; how often it occurs where that is the difference."""
    key = ", ".join(f"{name}={value}" for name, value in difference.key.items()) or "(no key)"
    counts = difference.source_rows, difference.warehouse_rows
    return key if max(counts) <= 1 else f"{key} ({counts[0]} in the source, {counts[1]} in the warehouse)"


def _value(value: str | None, rows: int) -> Text:
    if value is not None:
        return Text(repr(value) if value != value.strip() or not value else value)
    return Text("NULL", style="dim italic") if rows else Text("-", style="dim")
