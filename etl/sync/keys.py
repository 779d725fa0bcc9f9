"""Rows that are named by their keys on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

import pyarrow as pa

from etl.errors import ConfigError
from etl.scratch import Scratch
from etl.sources.base import Snapshot
from etl.verify.compare import surplus
from etl.verify.repair import Repair
from etl.warehouses.base import Warehouse
from schemas.table import Column, Table
from schemas.types import Kind

_READ: dict[Kind, Callable[[str], Any]] = {
    Kind.INT: int,
    Kind.DECIMAL: Decimal,
    Kind.FLOAT: float,
    Kind.STRING: str,
    Kind.DATE: date.fromisoformat,
    Kind.DATETIME: datetime.fromisoformat,
    Kind.TIMESTAMP: datetime.fromisoformat,
    Kind.UUID: lambda text: str(UUID(text)),
}


def key_table(table: Table, texts: Sequence[str]) -> pa.Table:
    """Keys as people write them: a value, or for a key of several columns a JSON list or values with commas between.

    Raises ``ConfigError`` for one that cannot be a key of the table.
    """
    if not table.key:
        raise ConfigError(f"table {table.target} has no key to name rows by", "use --from and --to, or --all")
    rows = list(dict.fromkeys(_key(table, text) for text in texts))
    columns = zip(*rows, strict=True)
    arrays = [pa.array(values, c.type.arrow) for values, c in zip(columns, table.key_columns, strict=True)]
    return pa.table(arrays, names=list(table.key))


def differing(
    table: Table, keys: pa.Table, snapshot: Snapshot, warehouse: Warehouse, scratch: Scratch
) -> Repair | None:
    """What brings the rows with these keys to the source; None if they are equal.

    Raises ``ConfigError`` that names the keys which neither side has.
    """
    ours = pa.Table.from_batches(snapshot.read_keys(table, keys), table.arrow)
    theirs = warehouse.read_keys(table, keys)
    known = _keys_of(table, ours) | _keys_of(table, theirs)
    unknown = [key for key in _rows(keys) if key not in known]
    if unknown:
        named = "; ".join(", ".join(f"{n}={v}" for n, v in zip(table.key, key, strict=True)) for key in unknown)
        raise ConfigError(f"neither side of {table.target} has a row with {named}", "check the keys; nothing was done")
    sides = []
    for rows in (ours, theirs):
        with scratch.holding(fetched=rows):
            sides.append(scratch.query(scratch.dialect.hashes(table.columns, table.key, "fetched")))
    return Repair(keys, lambda: [ours]) if surplus(scratch, *sides).num_rows else None


def _key(table: Table, text: str) -> tuple[Any, ...]:
    parts = [text] if len(table.key) == 1 else _parts(text)
    if len(parts) != len(table.key):
        example = ",".join(f"<{name}>" for name in table.key)
        raise ConfigError(
            f"{text!r} is no key of {table.target}, which is {', '.join(table.key)}", f"write it as {example}"
        )
    return tuple(_value(part, column) for part, column in zip(parts, table.key_columns, strict=True))


def _parts(text: str) -> list[str]:
    if not text.lstrip().startswith("["):
        return text.split(",")
    try:
        return [str(part) for part in json.loads(text)]
    except ValueError as error:
        raise ConfigError(f"{text!r} is no JSON list: {error}", 'write it as [1,"x"]') from None


def _value(text: str, column: Column) -> Any:
    read = _READ.get(column.type.kind)
    if read is None:
        raise ConfigError(f"column {column.name} is {column.type}, of which no value can be written here", "use --all")
    try:
        return read(text)
    except (ValueError, InvalidOperation):
        raise ConfigError(f"{text!r} is no {column.type}, which column {column.name} is", "correct it") from None


def _keys_of(table: Table, rows: pa.Table) -> set[tuple[Any, ...]]:
    return set(_rows(rows.select(list(table.key))))


def _rows(keys: pa.Table) -> list[tuple[Any, ...]]:
    return list(zip(*(column.to_pylist() for column in keys.columns), strict=True))
