"""Marts of which only those months are built again that can have changed.

A mart whose header says ``incremental: a, b`` is made of nothing but the rows of the WITH clauses ``a`` and
``b``, and the rows of one month of nothing but theirs of the same month, by the column the mart is
partitioned by. So each month has a digest, of the rows of ``a`` and ``b`` that belong to it; it is written
into the ledger with the build, and a month whose digest is the same again is left as it is. Nobody has to
tell which rows were inserted, changed, moved to another month or deleted: all of it changes a digest.

That nothing is read beside those clauses is checked here. That months do not depend on one another is the
author's word, and a test of each such mart builds it month by month and compares.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from hashlib import sha256
from importlib.metadata import version

from sqlglot import exp

import etl
from etl.dialects.base import Dialect, WarehouseDialect
from etl.publish import translate
from etl.publish.errors import QueryError
from etl.publish.queries import Query
from etl.ranges import Range, Ranges
from etl.warehouses.base import Warehouse
from schemas import types
from schemas.table import Column
from schemas.types import Kind

_NULL = "null"
_ROW_HASH = {"duckdb": "hash(hash({row}))", "bigquery": "FARM_FINGERPRINT(TO_JSON_STRING({row}))"}
"""64 bits of a row. Each engine's digests are compared with its own only, so its quickest hash will do; DuckDB's
combines columns by XOR, which sums could undo, hence the second one. Values that are equal have equal hashes."""


@dataclass(frozen=True, slots=True)
class Months:
    """What a mart was made of: the hash of ``code``, and by month (its first day, or ``null``) its inputs' digest."""

    code: str
    digests: Mapping[str, str]

    def changed(self, before: Months | None) -> frozenset[str] | None:
        """The months that differ from ``before``; None for all of them, as where the query is another one."""
        if before is None or before.code != self.code:
            return None
        return frozenset(
            month
            for month in self.digests.keys() | before.digests.keys()
            if self.digests.get(month) != before.digests.get(month)
        )

    def as_json(self) -> str:
        """The text that the ledger keeps."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def read(cls, text: str | None) -> Months | None:
        """What the ledger kept; None if it kept nothing."""
        return cls(**json.loads(text)) if text else None


def measured(query: Query, warehouse: Warehouse, building: frozenset[str], renewed: Mapping[str, str]) -> Months | None:
    """What the mart would be made of now; None for one that is always built whole.

    ``building`` and ``renewed`` are as for :func:`translate.translate`. Raises :class:`QueryError`, and
    ``WarehouseError`` where the inputs cannot be read.
    """
    if not query.header.incremental:
        return None
    refuse_more_inputs(query)
    sums: dict[str, list[str]] = {}
    for name in query.header.incremental:
        inputs = translate.translate(_alone(query, name), warehouse, query.where, building=building, renewed=renewed)
        for row in warehouse.query(_digests(inputs, query.header.partition, warehouse.dialect)).to_pylist():
            month, *numbers = row.values()
            sums.setdefault(month.isoformat() if month else _NULL, []).append(f"{name} {numbers}")
    code = json.dumps([etl.__version__, version("sqlglot"), version("duckdb"), query.text])
    return Months(_hash(code), {month: _hash("\n".join(found)) for month, found in sums.items()})


def narrowed(query: Query, condition: str) -> Query:
    """The same query over those inputs only of which ``condition``, in GoogleSQL, is true."""
    tree = translate.parsed(query.text, query.where)
    for cte in tree.ctes:
        if cte.alias in query.header.incremental:
            inner = cte.this.subquery(exp.to_identifier("etl_inputs"))
            cte.set("this", exp.select("*").from_(inner).where(condition, dialect="bigquery"))
    return Query(query.name, query.world, tree.sql(dialect="bigquery"), query.header)


def condition(query: Query, months: Iterable[str], dialect: Dialect) -> str:
    """Whether a row, of the mart or its inputs, belongs to one of the months."""
    column = Column(query.header.partition, types.DATE)
    return Ranges(column, tuple(_range(month) for month in sorted(months))).condition(dialect)


def refuse_more_inputs(query: Query) -> None:
    """Raise :class:`QueryError` unless all that is read is read by the clauses that ``incremental`` names."""
    tree, named = translate.parsed(query.text, query.where), set(query.header.incremental)
    clauses = {cte.alias: cte for cte in tree.ctes}
    if unknown := sorted(named - clauses.keys()):
        raise QueryError(f"{query.where} has no WITH clause {unknown[0]!r}", "correct its 'incremental:'")
    for name in named:
        inner = {table.name for table in clauses[name].this.find_all(exp.Table) if not table.db} & named
        if inner:
            raise QueryError(f"{query.where}: clause {name} reads {inner.pop()}", "name one of both in 'incremental:'")
    # What the others and the query itself read, directly or by clauses that are not named.
    seen: set[str] = set()
    pending: list[exp.Expr] = [_without_clauses(tree)]
    while pending:
        for table in pending.pop().find_all(exp.Table):
            clause = clauses.get(table.name) if not table.db else None
            if clause is None:
                raise QueryError(
                    f"{query.where} is built by months, but reads {table.sql()} beside {', '.join(sorted(named))}",
                    "read it in one of these, or leave out 'incremental:'",
                )
            if table.name not in named | seen:
                seen.add(table.name)
                pending.append(clause.this)


def _without_clauses(tree: exp.Query) -> exp.Query:
    body = tree.copy()
    body.set("with_", None)
    return body


def _alone(query: Query, name: str) -> str:
    """The rows of one WITH clause, as GoogleSQL."""
    tree = translate.parsed(query.text, query.where)
    rows = exp.select("*").from_(name)
    rows.set("with_", tree.args["with_"].copy())
    return rows.sql(dialect="bigquery")


def _digests(inputs: str, column: str, dialect: WarehouseDialect) -> str:
    """A query of one row a month: its first day, how many rows belong to it, and the sum of their hashes."""
    month = dialect.partition_start(f"etl_rows.{dialect.quote(column)}", Kind.DATE, 0)
    row = _ROW_HASH[dialect.sqlglot].format(row="etl_rows")
    hashed = f"SELECT {month} AS etl_month, {row} AS etl_hash FROM (\n{inputs}\n) AS etl_rows"
    return (
        f"SELECT etl_month, {dialect.row_count} AS n, {dialect.wide_sum('etl_hash')} AS hashes "
        f"FROM ({hashed}) AS etl_hashed GROUP BY etl_month"
    )


def _range(month: str) -> Range:
    if month == _NULL:
        return Range(_NULL, null=True)
    first = date.fromisoformat(month)
    following = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    return Range(month, month, following.isoformat())


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:32]
