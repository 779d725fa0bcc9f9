"""Engines and readers are not trusted: they render the vectors first.

An engine that fails the vectors of a type the table has is not asked for rowsums of it: the table's
rows are streamed instead. A reader that fails them cannot be helped, so the table is refused.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pyarrow as pa

from etl.dialects.base import RowsumDialect
from etl.errors import SourceError, WarehouseError
from etl.queryable import Queryable
from etl.scratch import Scratch
from etl.sources.base import Snapshot, refusal
from etl.verify.vectors import Vector, vectors_of
from schemas.table import Table
from schemas.types import Kind, LogicalType, decimal

log = logging.getLogger(__name__)

MAX_DIGITS = 38
"""DuckDB, by which streamed rows are summed, has no wider decimals."""


class EngineProof:
    """What one connected engine has proven, kept for the session."""

    def __init__(self, engine: Queryable, dialect: RowsumDialect) -> None:
        self._engine, self._dialect = engine, dialect
        self._proven: dict[LogicalType, bool] = {}

    def failures(self, table: Table) -> list[LogicalType]:
        """The table's types whose vectors the engine does not render to their very cells."""
        types = {replace(_family(column.type), fraction=column.type.fraction) for column in table.columns}
        failed = {str(type_): type_ for type_ in types if not self._holds(type_)}
        return [failed[name] for name in sorted(failed)]

    def _holds(self, type_: LogicalType) -> bool:
        if type_ not in self._proven:
            vectors = [vector for vector in _exact(vectors_of(type_)) if self._dialect.has(vector.value)]
            proofs = [(self._cell(vector), vector.cell) for vector in vectors]
            proofs += self._dialect.own_proofs(type_)
            cells = ", ".join(f"{cell} AS c{i}" for i, (cell, _) in enumerate(proofs))
            try:
                row = self._engine.query(f"SELECT {cells}")
            except (SourceError, WarehouseError) as error:  # some do not even understand them
                log.debug("%s: %s", type_, error.message)
                self._proven[type_] = False
            else:
                self._proven[type_] = [column[0].as_py() for column in row.columns] == [text for _, text in proofs]
        return self._proven[type_]

    def _cell(self, vector: Vector) -> str:
        constant = self._dialect.literal(vector.value, vector.type)
        return f"(SELECT {self._dialect.cell('v', vector.type)} FROM (SELECT {constant} AS v) AS constants)"


class ReaderProof:
    """What one snapshot's reader has proven."""

    def __init__(self, snapshot: Snapshot, scratch: Scratch) -> None:
        self._snapshot, self._scratch = snapshot, scratch
        self._proven: set[LogicalType] = set()

    def require(self, table: Table) -> None:
        """Read the vectors of the table's types through the reader that its rows come through.

        Raises ``SourceError`` naming the type and the value if one arrives changed, or the column if
        its type is one that no streamed row can have.
        """
        for column in table.columns:
            if column.refused:
                raise refusal(table, column)
            if column.type.kind is Kind.DECIMAL and (column.type.precision or 0) > MAX_DIGITS:
                raise SourceError(
                    f"table {table.target}, column {column.name}: {column.type} has more than {MAX_DIGITS} digits",
                    "exclude the table in etl.toml, or read the column as string",
                )
        for family in _families(table):
            if family not in self._proven:
                for type_, vectors in _by_type(_exact(vectors_of(family))).items():
                    self._compare(type_, vectors)
                self._proven.add(family)

    def _compare(self, type_: LogicalType, vectors: Sequence[Vector]) -> None:
        vectors = [vector for vector in vectors if self._snapshot.holds(vector.value)]
        read = self._snapshot.read_constants(type_, [vector.value for vector in vectors])
        # The rows' order is kept by their number; the scratch database promises none.
        constants = pa.table({"i": pa.array(range(len(vectors))), "v": read})
        with self._scratch.holding(constants=constants):
            cell = self._scratch.dialect.cell("v", type_)
            cells = self._scratch.query(f"SELECT {cell} AS cell FROM constants ORDER BY i")["cell"].to_pylist()
        for vector, got in zip(vectors, cells, strict=True):
            if got != vector.cell:
                raise SourceError(
                    f"the source's reader turns the {type_} {vector.value!r} into {got!r}",
                    "exclude the columns of that type, or read them as string",
                )


def _families(table: Table) -> list[LogicalType]:
    """One type for each family of vectors the table needs; decimals of any precision share theirs."""
    return sorted({_family(column.type) for column in table.columns}, key=str)


def _family(type_: LogicalType) -> LogicalType:
    if type_.kind is Kind.DECIMAL:
        return decimal(38, 2)
    if type_.kind is Kind.JSON and type_.large:
        # Rendered by the very text of a long string, of which there are vectors.
        return LogicalType(Kind.STRING, large=True)
    return LogicalType(type_.kind, fixed=type_.fixed, large=type_.large)


def _exact(vectors: Iterable[Vector]) -> list[Vector]:
    """Without decimals of more digits than their scale, which no column of that type can hold."""
    return [v for v in vectors if v.type.kind is not Kind.DECIMAL or _digits(v.value) <= (v.type.scale or 0)]


def _digits(value: str) -> int:
    return len(value.partition(".")[2])


def _by_type(vectors: Iterable[Vector]) -> dict[LogicalType, list[Vector]]:
    grouped: dict[LogicalType, list[Vector]] = defaultdict(list)
    for vector in vectors:
        grouped[vector.type].append(vector)
    return grouped
