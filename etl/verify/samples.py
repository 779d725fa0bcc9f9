"""Sample queries: aggregates of every column, asked of the source and of the warehouse, side by side.

They prove less than a rowsum and are told more easily: sums, extremes, numbers of values and the groups
of columns with few of them are figures a person knows. Each engine answers in its own SQL over its own
storage, so what a reader or a rowsum might hide would show.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from etl.dialects.base import RowsumDialect
from etl.errors import RunError
from etl.sources.base import Snapshot
from etl.verify.proof import EngineProof
from etl.verify.spelling import Spelling, spelling
from etl.warehouses.base import Warehouse
from schemas.table import Column, Table
from schemas.types import Kind

log = logging.getLogger(__name__)

GROUPS = 12
"""A column with at most so many values is also compared group by group."""

_GROUPED = (Kind.STRING, Kind.BOOL, Kind.INT, Kind.DATE)
_AT_ONCE = 20
"""Columns of one query; more make statements longer than engines like."""

Query = Callable[[str], pa.Table]


@dataclass(frozen=True, slots=True)
class Sample:
    """One figure of a table, as text for people; ``column`` is empty for the number of rows."""

    table: str
    column: str
    measure: str
    source: str
    warehouse: str

    @property
    def equal(self) -> bool:
        """Whether both sides answered the same."""
        return self.source == self.warehouse


@dataclass(frozen=True, slots=True)
class _Side:
    """One side of a table: where it is, how to ask, how the answers are spelled."""

    query: Query
    spelling: Spelling
    relation: str

    def ask(self, columns: Sequence[Column], names: dict[str, list[str]]) -> dict[tuple[str, str], str]:
        """Rows, and by column and name the measures called for."""
        found: dict[tuple[str, str], str] = {}
        for start in range(0, max(len(columns), 1), _AT_ONCE):
            found |= self._asked(columns[start : start + _AT_ONCE], names)
        return found

    def _asked(self, columns: Sequence[Column], names: dict[str, list[str]]) -> dict[tuple[str, str], str]:
        wanted = [(column, name) for column in columns for name in names[column.name]]
        expressions = [self.spelling.number(self.spelling.rows)]
        expressions += [self.spelling.measures(column)[name] for column, name in wanted]
        listed = ", ".join(f"{expression} AS m{i}" for i, expression in enumerate(expressions))
        row = self.query(f"SELECT {listed} FROM {self.relation} AS etl_rows")
        texts = [None if column[0].as_py() is None else str(column[0].as_py()) for column in row.columns]
        read = {
            (column.name, name): self.spelling.read(name, column.type, text)
            for (column, name), text in zip(wanted, texts[1:], strict=True)
        }
        return {("", "rows"): str(texts[0]), **read}

    def groups(self, column: Column) -> dict[str, str]:
        """How often each value occurs, NULL left out."""
        x, spelled = self.spelling.dialect.quote(column.name), self.spelling
        value, count = f"MIN({spelled.text(x, column.type)})", spelled.number(spelled.rows)
        rows = self.query(
            f"SELECT {value} AS v, {count} AS n FROM {self.relation} AS etl_rows WHERE {x} IS NOT NULL "
            f"GROUP BY {spelled.group(x, column.type)}"
        )
        texts = zip(rows["v"].to_pylist(), rows["n"].to_pylist(), strict=True)
        return {spelled.read("value", column.type, str(text)): str(n) for text, n in texts}


@dataclass(frozen=True, slots=True)
class _Engine:
    """A snapshot as what is proven: it need not be able to sum its rows to be asked for a few figures."""

    snapshot: Snapshot

    def query(self, sql: str) -> pa.Table:
        return self.snapshot.query(sql)

    def run(self, sql: str) -> None:
        self.snapshot.query(sql)


class Sampler:
    """Asks one snapshot and one warehouse about tables."""

    def __init__(self, snapshot: Snapshot, warehouse: Warehouse) -> None:
        self._snapshot, self._warehouse = snapshot, warehouse
        self._proofs = {"warehouse": EngineProof(warehouse, warehouse.dialect)}
        if isinstance(snapshot.dialect, RowsumDialect):
            self._proofs["source"] = EngineProof(_Engine(snapshot), snapshot.dialect)

    def samples(self, table: Table) -> list[Sample]:
        """Every figure of one table, from the snapshot and from the warehouse as it is now.

        Columns of a type whose texts an engine does not get right are left out, with a warning.
        Raises ``RunError`` for a table, or a column, that has not been synced.
        """
        _require(self._warehouse, table)
        source = _Side(self._snapshot.query, spelling(self._snapshot.dialect), self._snapshot.relation(table))
        copy = _Side(self._warehouse.query, spelling(self._warehouse.dialect), self._warehouse.live(table))
        columns = [column for column in table.columns if self._is_proven(table, column)]
        names = {column.name: _shared(source, copy, column) for column in columns}
        ours, theirs = source.ask(columns, names), copy.ask(columns, names)
        found = [Sample(table.target, "", "rows", ours["", "rows"], theirs["", "rows"])]
        for column in columns:
            keys = [(column.name, name) for name in names[column.name]]
            found += [Sample(table.target, *key, ours[key], theirs[key]) for key in keys]
            if column.type.kind in _GROUPED and _is_few(ours, theirs, column):
                found += _grouped(table, column, source, copy)
        return found

    def _is_proven(self, table: Table, column: Column) -> bool:
        alone = Table(table.name, (column,))
        failed = [side for side, proof in self._proofs.items() if proof.failures(alone)]
        for side in failed:
            log.warning(
                "%s.%s: the %s fails the proof for %s; no samples", table.target, column.name, side, column.type
            )
        return not failed


def _require(warehouse: Warehouse, table: Table) -> None:
    held = warehouse.columns("raw", table.target)
    missing = [column.name for column in table.columns if column.name not in held]
    if missing:
        what = f"column {missing[0]} of table {table.target}" if held else f"table {table.target}"
        raise RunError(f"{what} has not been synced", f"run: etl sync {table.target}")


def _shared(source: _Side, copy: _Side, column: Column) -> list[str]:
    """The measures that both engines have of a column."""
    theirs = copy.spelling.measures(column)
    return [name for name in source.spelling.measures(column) if name in theirs]


def _is_few(ours: dict[tuple[str, str], str], theirs: dict[tuple[str, str], str], column: Column) -> bool:
    """Whether a column has few values, fewer than rows, on both sides."""
    counts = [(int(side[column.name, "distinct"]), int(side["", "rows"])) for side in (ours, theirs)]
    return not column.type.large and all(0 < values <= GROUPS and values < rows for values, rows in counts)


def _grouped(table: Table, column: Column, source: _Side, copy: _Side) -> Iterator[Sample]:
    """The groups of both sides, the largest first."""
    ours, theirs = source.groups(column), copy.groups(column)
    order = sorted(ours.keys() | theirs.keys(), key=lambda value: (-int(ours.get(value, 0)), value))
    for value in order:
        yield Sample(table.target, column.name, f"= {value}", ours.get(value, "0"), theirs.get(value, "0"))
