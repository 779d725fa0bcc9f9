"""Reading rows: by the Storage Read API, as Arrow from the start, or by REST where there is none.

https://cloud.google.com/bigquery/docs/reference/storage
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
from google.cloud import bigquery, bigquery_storage_v1
from google.cloud.bigquery_storage_v1 import types as storage_types

from etl.warehouses.bigquery.client import Clients
from etl.warehouses.bigquery.failures import ANY, translated


def read_table(
    clients: Clients, table: bigquery.TableReference, columns: Sequence[str], where: str
) -> Iterator[pa.RecordBatch]:
    """Batches of a table's columns, all as of one instant; ``where`` may be empty. Raises ``WarehouseError``."""
    try:
        if clients.storage:
            yield from _streamed(clients.storage, table, columns, where)
        else:
            yield from _paged(clients.rest, table, columns, where)
    except ANY as error:
        raise translated(error) from error


def _streamed(
    storage: bigquery_storage_v1.BigQueryReadClient, table: bigquery.TableReference, columns: Sequence[str], where: str
) -> Iterator[pa.RecordBatch]:
    options = storage_types.ReadSession.TableReadOptions(selected_fields=columns, row_restriction=where)
    asked = storage_types.ReadSession(
        table=f"projects/{table.project}/datasets/{table.dataset_id}/tables/{table.table_id}",
        data_format=storage_types.DataFormat.ARROW,
        read_options=options,
    )
    session = storage.create_read_session(parent=f"projects/{table.project}", read_session=asked, max_stream_count=1)
    if not session.streams:
        return
    schema = pa.ipc.read_schema(pa.py_buffer(session.arrow_schema.serialized_schema))
    for stream in session.streams:
        for answer in storage.read_rows(stream.name):
            batch = pa.ipc.read_record_batch(pa.py_buffer(answer.arrow_record_batch.serialized_record_batch), schema)
            # Delivered in the table's order, whatever was asked for.
            yield pa.RecordBatch.from_arrays([batch.column(name) for name in columns], list(columns))


def _paged(
    rest: bigquery.Client, table: bigquery.TableReference, columns: Sequence[str], where: str
) -> Iterator[pa.RecordBatch]:
    names = ", ".join(f"`{name}`" for name in columns)
    condition = f" WHERE {where}" if where else ""
    sql = f"SELECT {names} FROM `{table.project}`.`{table.dataset_id}`.`{table.table_id}`{condition}"
    found: Any = rest.query(sql).result()
    yield from found.to_arrow(create_bqstorage_client=False).to_batches()
