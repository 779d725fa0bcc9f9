"""How tables are stored: what is wished in etl.toml, and what the catalog says of one that is there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from google.cloud import bigquery

from etl.config import TableConfig
from etl.dialects.base import Layout
from etl.dialects.googlesql import CLUSTERED_BY, MOST_PARTITIONS, PARTITIONED_BY
from etl.errors import WarehouseError
from schemas.table import Table
from schemas.types import Kind

MOST_CLUSTERED = 4
_STANDARD = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL"}


@dataclass(frozen=True, slots=True)
class Layouts:
    """What is wished for each table."""

    wishes: Mapping[str, TableConfig]

    def requires_filter(self, target: str) -> bool:
        """Whether queries of the table are to name partitions; not while it is loaded and proven."""
        wish = self.wishes.get(target, TableConfig())
        return bool(wish.partition and wish.require_partition_filter)

    def of(self, table: Table) -> Layout:
        """The table's layout; raises ``WarehouseError`` for a column that cannot divide or order it."""
        wish = self.wishes.get(table.target, TableConfig())
        partition = table.column(wish.partition) if wish.partition else None
        if partition and partition.type.kind not in PARTITIONED_BY:
            raise WarehouseError(
                f"table {table.target} cannot be partitioned by {partition.name}, which is {partition.type}",
                f"name a date, datetime, timestamp or int: [tables.{table.target}] partition",
            )
        if partition and partition.type.kind is Kind.DATE and wish.partition_unit == "hour":
            raise WarehouseError(
                f"table {table.name} cannot be partitioned by hours of {partition.name}, which is a date",
                f"name day, month or year: [tables.{table.target}] partition_unit",
            )
        return Layout(
            partition=partition,
            size=wish.partition_size,
            unit=wish.partition_unit,
            cluster=self._cluster(table, wish),
            description=f"Copy of {table.schema + '.' if table.schema else ''}{table.name}, kept by etl sync.",
            columns=tuple(column for column in table.columns if column.comment),
        )

    def _cluster(self, table: Table, wish: TableConfig) -> tuple[str, ...]:
        names = natural_cluster(table) if wish.cluster is None else wish.cluster
        for name in names:
            column = next((column for column in table.columns if column.name == name), None)
            if column is None or column.type.kind not in CLUSTERED_BY:
                what = f"is {column.type}" if column else "is not one of its columns"
                raise WarehouseError(
                    f"table {table.target} cannot be clustered by {name}, which {what}",
                    f"name up to {MOST_CLUSTERED} columns that can be ordered: [tables.{table.target}] cluster",
                )
        return names


def natural_cluster(table: Table) -> tuple[str, ...]:
    """The key, as far as it can be ordered and a table be clustered by it: merges then read less."""
    return tuple(c.name for c in table.key_columns if c.type.kind in CLUSTERED_BY)[:MOST_CLUSTERED]


@dataclass(frozen=True, slots=True)
class Stored:
    """What a stored table is, as far as rows can be exchanged only between tables of which it is the same."""

    columns: tuple[tuple[str, str], ...]
    partition: str
    unit: str
    cluster: tuple[str, ...]

    @classmethod
    def of(cls, table: bigquery.Table) -> Stored:
        """The catalog's entry."""
        time, range_ = table.time_partitioning, table.range_partitioning
        field, unit = "", ""
        if time:
            field, unit = time.field or "", time.type_ or ""
        elif range_:
            field, unit = range_.field, str(range_.range_.interval)
        return cls(
            tuple((one.name, physical_type(one)) for one in table.schema),
            field,
            unit,
            tuple(table.clustering_fields or ()),
        )


def stored_table(
    reference: bigquery.TableReference, columns: Mapping[str, str], layout: Layout, *, expires: bool
) -> bigquery.Table:
    """An empty table of columns of these physical types, as the catalog is asked to make it; it may expire in a day."""
    described = {column.name: column.comment for column in layout.columns}
    made = bigquery.Table(reference, [_field(name, type_, described.get(name)) for name, type_ in columns.items()])
    made.description = layout.description[:16_384] or None
    made.clustering_fields = list(layout.cluster) or None
    if expires:
        made.expires = datetime.now(UTC) + timedelta(days=1)
    by = layout.partition
    if by and by.type.kind is Kind.INT:
        numbers = bigquery.PartitionRange(0, layout.size * (MOST_PARTITIONS - 1), layout.size)
        made.range_partitioning = bigquery.RangePartitioning(numbers, by.name)
    elif by:
        made.time_partitioning = bigquery.TimePartitioning(layout.unit.upper(), by.name)
    if by and layout.require_filter:
        made.require_partition_filter = True
    return made


def with_comments(schema: Sequence[bigquery.SchemaField], table: Table) -> list[bigquery.SchemaField]:
    """The columns, each with the description that the source has of it, or with its own where there is none."""
    comments = {column.name: column.comment[:1024] for column in table.columns if column.comment}
    return [
        bigquery.SchemaField.from_api_repr(field.to_api_repr() | {"description": comments[field.name]})
        if comments.get(field.name, field.description) != field.description
        else field
        for field in schema
    ]


def _field(name: str, type_: str, description: str | None) -> bigquery.SchemaField:
    """A column of a physical type, such as ``NUMERIC(10, 2)``."""
    kind, *numbers = re.findall(r"\w+", type_)
    properties = {"name": name, "type": kind, "mode": "NULLABLE"}
    properties |= dict(zip(("precision", "scale"), numbers, strict=False))
    properties |= {"description": description[:1024]} if description else {}
    return bigquery.SchemaField.from_api_repr(properties)


def physical_type(field: bigquery.SchemaField) -> str:
    """A column's type, with its parameters, as INFORMATION_SCHEMA spells it."""
    name = _STANDARD.get(field.field_type, field.field_type)
    if name not in ("NUMERIC", "BIGNUMERIC") or field.precision is None:
        return str(name)
    scale = field.scale or 0
    # local-bigquery calls a BIGNUMERIC of few digits after the point a NUMERIC, which cannot have so many before it.
    wide = scale > 9 or field.precision - scale > 29
    return f"{'BIGNUMERIC' if wide else name}({field.precision}, {scale})"
