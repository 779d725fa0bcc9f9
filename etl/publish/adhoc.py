"""Questions asked by hand: marts by name, SQL files and GoogleSQL, in whatever form is wanted."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from rich.console import Console
from rich.table import Table as Grid

from etl.config import SyncConfig
from etl.errors import ConfigError, RunError
from etl.ledger import Ledger
from etl.publish import translate
from etl.publish.gate import shut
from etl.publish.marts import creation
from etl.publish.queries import chosen, load
from etl.warehouses.base import Warehouse

log = logging.getLogger(__name__)


def read(what: str, world: str) -> str:
    """The GoogleSQL that ``what`` stands for: a mart of the world, a ``.sql`` file, or itself."""
    if what in load(world):
        return f"SELECT * FROM marts.{what}"
    if not what.endswith(".sql"):
        return what
    try:
        return Path(what).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{what} cannot be read: {error}", "check the path and that it is UTF-8 text") from error


def run(warehouse: Warehouse, question: str) -> pa.Table:
    """The answer; raises ``QueryError`` for a question that cannot be translated."""
    sql = translate.translate(question, warehouse, "the query")
    cost = warehouse.estimate(sql)
    if cost is not None:
        log.warning("the query reads %s", amount(cost))
    return warehouse.query(sql)


def amount(size: int) -> str:
    """Bytes in the unit that suits them, as they are charged for: by binary units."""
    units = ("bytes", "KiB", "MiB", "GiB", "TiB")
    power = min((max(size, 1).bit_length() - 1) // 10, len(units) - 1)
    return f"{size / 1024**power:.1f} {units[power]}" if power else f"{size} bytes"


def warn_unproven(ledger: Ledger, question: str, wishes: SyncConfig) -> None:
    """Say so if the question reads tables that are not proven, by what the gate asks of them."""
    tables = [name for room, name in translate.references(question) if room == "raw"]
    reasons = shut(ledger, tables, wishes.max_unchecked_days, accept_moving=wishes.accept_moving)
    for table, reason in reasons.items():
        log.warning("raw.%s is not proven: it %s", table, reason)


def marts_sql(warehouse: Warehouse, world: str, names: Sequence[str]) -> str:
    """The statements that would build the marts, in order."""
    queries = chosen(load(world), names)
    return ";\n\n".join(creation(warehouse, query, frozenset(queries)) for query in queries.values()) + ";"


def export(warehouse: Warehouse, names: Sequence[str], directory: Path) -> None:
    """Write marts as Parquet files; raises ``RunError`` if the directory cannot be written."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name in names:
            rows = warehouse.query(f"SELECT * FROM {warehouse.relation('marts', name)}")
            pyarrow.parquet.write_table(rows, directory / f"{name}.parquet")
    except OSError as error:
        raise RunError(f"{directory} cannot be written: {error.strerror}", "name another directory") from error


def write(answer: pa.Table, format_: str, limit: int, output: Path | None) -> None:
    """Write an answer as ``table``, ``csv``, ``json`` or ``parquet`` to a file or standard output."""
    if format_ == "table" and output is None:
        _print(answer, limit)
        return
    content = _encoded(answer, format_)
    if output is None:
        if format_ == "parquet" and sys.stdout.isatty():
            raise ConfigError("Parquet is not for a terminal", "name a file with -o")
        sys.stdout.buffer.write(content)
        return
    try:
        output.write_bytes(content)
    except OSError as error:
        raise RunError(f"{output} cannot be written: {error.strerror}", "name another with -o") from error


def _encoded(answer: pa.Table, format_: str) -> bytes:
    sink = io.BytesIO()
    if format_ == "csv":
        pyarrow.csv.write_csv(answer, sink)
    elif format_ == "parquet":
        pyarrow.parquet.write_table(answer, sink)
    elif format_ == "json":
        sink.write(json.dumps(answer.to_pylist(), default=_json, ensure_ascii=False, indent=2).encode() + b"\n")
    else:
        file = io.StringIO()
        Console(file=file, width=200).print(_grid(answer, answer.num_rows))
        sink.write(file.getvalue().encode())
    return sink.getvalue()


def _json(value: Any) -> str:
    """Decimals, dates and bytes as the text that loses nothing."""
    return value.hex() if isinstance(value, bytes) else str(value)


def _print(answer: pa.Table, limit: int) -> None:
    shown = answer.num_rows if limit == 0 else min(limit, answer.num_rows)
    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(_grid(answer, shown))
    if shown < answer.num_rows:
        console.print(f"{shown:,} of {answer.num_rows:,} rows; --limit 0 shows all")


def _grid(answer: pa.Table, rows: int) -> Grid:
    grid = Grid(box=None, pad_edge=False, header_style="bold")
    numeric = [pa.types.is_integer(t) or pa.types.is_floating(t) or pa.types.is_decimal(t) for t in answer.schema.types]
    for name, right in zip(answer.schema.names, numeric, strict=True):
        grid.add_column(name, justify="right" if right else "left", overflow="fold")
    for row in answer.slice(0, rows).to_pylist():
        grid.add_row(*("NULL" if value is None else _cell(value) for value in row.values()))
    return grid


def _cell(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text.replace("[", "\\[")
