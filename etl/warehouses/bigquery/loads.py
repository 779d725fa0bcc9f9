"""Load jobs: free, atomic, and of types that are named, never guessed.

Parquet of a time without a zone would become a TIMESTAMP otherwise
(https://cloud.google.com/bigquery/docs/loading-data-cloud-storage-parquet#type_conversions).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
from google.cloud import bigquery

from etl.errors import WarehouseError
from etl.warehouses.bigquery.jobs import Jobs
from etl.warehouses.bigquery.objects import Objects
from etl.warehouses.bigquery.spool import Spool
from schemas.table import Table
from schemas.types import Kind, LogicalType

log = logging.getLogger(__name__)


class Loader:
    """Loads one staging table: a file a job from here, or all files by one job from ``gs://``."""

    def __init__(
        self, client: bigquery.Client, jobs: Jobs, destination: str, table: Table, *, staging: str, emulated: bool
    ) -> None:
        """``destination`` is ``project.dataset.table``, ``staging`` a place in Cloud Storage, or empty."""
        self._client, self._jobs, self._destination = client, jobs, destination
        table_id = destination.rpartition(".")[2]
        self._objects = Objects(client, staging, table_id, emulated=emulated) if staging else None
        self._config = load_config(table, jobs.labels, emulated=emulated)
        self._schema = table.arrow
        self._spool = Spool(self._schema)

    def add(self, batches: Iterable[pa.RecordBatch]) -> int:
        """Spool batches, and load what is full; returns the rows."""
        rows = 0
        for batch in batches:
            rows += batch.num_rows
            if batch.num_rows:
                for path in self._spool.add(batch):
                    self._send(path)
        return rows

    def finish(self) -> None:
        """Load what is left."""
        for path in self._spool.finish():
            self._send(path)
        if self._objects and self._objects.uris:
            self._jobs.run(self._from_storage(self._objects.uris))
            self._objects.remove()

    def close(self) -> None:
        """Remove the spool, and what was uploaded and could not be loaded."""
        self._spool.close()
        if self._objects:
            with suppress(WarehouseError):
                self._objects.remove()

    def _send(self, path: Path) -> None:
        if self._objects:
            self._objects.upload(path)
        else:
            self._jobs.run(self._from_file(path))
        path.unlink()

    def _from_file(self, path: Path) -> Callable[[str], bigquery.LoadJob]:
        def submit(name: str) -> bigquery.LoadJob:
            with path.open("rb") as file:
                return self._client.load_table_from_file(
                    file, self._destination, job_id=name, job_config=self._config, rewind=True
                )

        return submit

    def _from_storage(self, uris: list[str]) -> Callable[[str], bigquery.LoadJob]:
        def submit(name: str) -> bigquery.LoadJob:
            return self._client.load_table_from_uri(uris, self._destination, job_id=name, job_config=self._config)

        return submit


def load_config(table: Table, labels: dict[str, str], *, emulated: bool) -> bigquery.LoadJobConfig:
    """How the table's Parquet is to be loaded into a table that is there already."""
    config = bigquery.LoadJobConfig(
        source_format=bigquery.SourceFormat.PARQUET,
        create_disposition=bigquery.CreateDisposition.CREATE_NEVER,
        write_disposition=bigquery.WriteDisposition.WRITE_APPEND,
        labels=labels,
    )
    # Names of any letters are taken as they are: https://cloud.google.com/bigquery/docs/schemas#flexible-column-names
    config.column_name_character_map = "V2"
    # local-bigquery takes Parquet's bytes for base64, and has decimals of one size only, if it is told the types.
    if not emulated:
        config.schema = [field_of(column.name, column.type) for column in table.columns]
    return config


def field_of(name: str, type_: LogicalType) -> bigquery.SchemaField:
    """A column as load jobs are told it."""
    if type_.kind is not Kind.DECIMAL:
        return bigquery.SchemaField(name, _FIELDS[type_.kind])
    assert type_.precision is not None and type_.scale is not None
    numeric = "NUMERIC" if type_.scale <= 9 and type_.precision - type_.scale <= 29 else "BIGNUMERIC"
    return bigquery.SchemaField(name, numeric, precision=type_.precision, scale=type_.scale)


_FIELDS = {
    Kind.INT: "INT64",
    Kind.STRING: "STRING",
    Kind.BOOL: "BOOL",
    Kind.DATE: "DATE",
    Kind.DATETIME: "DATETIME",
    Kind.TIMESTAMP: "TIMESTAMP",
    Kind.TIME: "TIME",
    Kind.FLOAT: "FLOAT64",
    Kind.BYTES: "BYTES",
    Kind.UUID: "STRING",
    Kind.JSON: "STRING",
}
