"""The source's columns against the target's: what can be followed is, what would lose data stops the table."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from etl.dialects.base import WarehouseDialect
from etl.errors import StoppedTableError
from schemas.table import DELETED_AT, Table
from schemas.types import Kind, LogicalType

_DECIMAL = re.compile(r"\w*(?:DECIMAL|NUMERIC)\((\d+), ?(\d+)\)")


@dataclass(frozen=True, slots=True)
class Drift:
    """Column changes: name to physical type for ``added`` and ``widened``, old name to new for ``renamed``.

    Only a change of case is known to be a renaming: warehouses hold such names to be the same.
    ``gone`` columns stay, NULL in every row that is loaded from now on, and are only reported.
    """

    added: Mapping[str, str]
    renamed: Mapping[str, str]
    widened: Mapping[str, str]
    gone: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.renamed or self.widened)

    def statements(self, dialect: WarehouseDialect, relation: str) -> list[str]:
        """What brings the target to the source's columns; running it twice changes nothing more."""
        added = [dialect.add_column(relation, name, type_) for name, type_ in self.added.items()]
        renamed = [dialect.rename_column(relation, old, new) for old, new in self.renamed.items()]
        return added + renamed + [dialect.alter_type(relation, name, type_) for name, type_ in self.widened.items()]

    def since(self, columns: Collection[str]) -> Drift:
        """The same, of the gone columns only those among ``columns``, which the newest load still had."""
        return replace(self, gone=tuple(name for name in self.gone if name in columns))

    def describe(self) -> str:
        """The drift in words, empty if there is none."""
        parts = [f"new column {name}" for name in self.added]
        parts += [f"column {old} is now called {new}" for old, new in self.renamed.items()]
        parts += [f"column {name} widened to {type_}" for name, type_ in self.widened.items()]
        parts += [f"column {name} is gone from the source, NULL in rows loaded from now on" for name in self.gone]
        return "; ".join(parts)


def drift_of(dialect: WarehouseDialect, table: Table, target: Mapping[str, str]) -> Drift:
    """Compare the table with the physical columns of its target.

    Raises ``StoppedTableError`` for a type that the target cannot be widened to without losing data.
    """
    columns = (*table.columns, DELETED_AT) if table.soft else table.columns
    names = {column.name for column in columns}
    folded = {name.lower(): name for name in target if name not in names}
    added, renamed, widened = {}, {}, {}
    for column in columns:
        wanted = dialect.ddl(column.type)
        old = column.name if column.name in target else folded.get(column.name.lower(), column.name)
        held = target.get(old)
        if held is not None and old != column.name:
            renamed[old] = column.name
        if held is None:
            added[column.name] = wanted
        elif held != dialect.catalog_type(column.type):
            if not _widens(held, column.type):
                raise StoppedTableError(
                    f"table {table.target}: "
                    f"column {column.name} is {column.type} in the source, {held} in the warehouse",
                    f"load it anew in the new type: etl sync {table.target} --full",
                )
            widened[column.name] = wanted
    gone = tuple(name for name in target if name not in names and name not in renamed)
    return Drift(added, renamed, widened, gone)


def _widens(held: str, wanted: LogicalType) -> bool:
    """Whether every value of the held physical type is one of the wanted type too."""
    if wanted.kind is not Kind.DECIMAL or wanted.precision is None or wanted.scale is None:
        return False
    whole = wanted.precision - wanted.scale
    match = _DECIMAL.fullmatch(held)
    if match:
        precision, scale = int(match[1]), int(match[2])
        return wanted.scale >= scale and whole >= precision - scale
    return held in ("BIGINT", "INT64") and whole >= 19
