"""Answers in the form that is wanted: a table for people, CSV, JSON or Parquet for programs."""

from __future__ import annotations

import io
import json
import math
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from rich.console import Console
from rich.table import Table as Grid

from etl.errors import ConfigError, RunError
from etl.publish.adhoc import Answer

_WIDEST = 100_000
"""Characters side by side, to measure a table without its being fitted into less."""


def write(answer: Answer, format_: str, output: Path | None) -> None:
    """Write an answer as ``table``, ``csv``, ``json`` or ``parquet`` to a file or standard output."""
    if format_ == "table" and output is None:
        _print(answer)
        return
    content = _encoded(answer.rows, format_)
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
        pyarrow.csv.write_csv(_flat(answer), sink)
    elif format_ == "parquet":
        pyarrow.parquet.write_table(answer, sink)
    elif format_ == "json":
        sink.write(_text(answer.to_pylist(), indent=2).encode() + b"\n")
    else:
        file = io.StringIO()
        _tell(Console(file=file, width=200), answer)
        sink.write(file.getvalue().encode())
    return sink.getvalue()


def _flat(answer: pa.Table) -> pa.Table:
    """Arrays and structs as JSON: CSV has no other way for them."""
    for i, field in enumerate(answer.schema):
        if pa.types.is_nested(field.type):
            texts = [None if value is None else _text(value) for value in answer.column(i).to_pylist()]
            answer = answer.set_column(i, field.name, pa.array(texts, pa.string()))
    return answer


def _text(value: Any, indent: int | None = None) -> str:
    return json.dumps(_plain(value), ensure_ascii=False, indent=indent, allow_nan=False)


def _plain(value: Any) -> Any:
    """A value as JSON has it; decimals, dates, bytes and what is no number as the text that loses nothing."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return value.hex() if isinstance(value, bytes) else str(value)


def _print(answer: Answer) -> None:
    console = Console(width=None if sys.stdout.isatty() else 200)
    _tell(console, answer.rows)
    page, shown = answer.page, answer.rows.num_rows
    if page and not answer.is_last:
        following = f"--page {page.number + 1} shows the next, --limit 0 all"
        console.print(f"rows {page.before + 1:,} to {page.before + shown:,}; {following}")
    elif page and page.number > 1:
        console.print(f"rows {page.before + 1:,} to {page.before + shown:,}, the last" if shown else "no more rows")


def _tell(console: Console, answer: pa.Table) -> None:
    """Rows under one another in columns; one column under the other where they do not fit side by side."""
    grid = _grid(answer)
    needed = console.measure(grid, options=console.options.update(max_width=_WIDEST)).maximum
    if not answer.num_rows or needed <= console.width:
        console.print(grid)
        return
    for row in answer.to_pylist():
        record = Grid(box=None, pad_edge=False, show_header=False)
        record.add_column(style="bold", no_wrap=True)
        record.add_column(overflow="fold")
        for name, value in row.items():
            record.add_row(name.replace("[", "\\["), _cell(value))
        console.print(record, end="\n\n")


def _grid(answer: pa.Table) -> Grid:
    grid = Grid(box=None, pad_edge=False, header_style="bold")
    numeric = [pa.types.is_integer(t) or pa.types.is_floating(t) or pa.types.is_decimal(t) for t in answer.schema.types]
    for name, right in zip(answer.schema.names, numeric, strict=True):
        grid.add_column(name.replace("[", "\\["), justify="right" if right else "left", overflow="fold")
    for row in answer.to_pylist():
        grid.add_row(*map(_cell, row.values()))
    return grid


def _cell(value: Any) -> str:
    if value is None:
        return "NULL"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text.replace("[", "\\[")
