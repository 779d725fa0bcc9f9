"""The spool: Parquet files in a private directory, on their way into a load job."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from etl.errors import WarehouseError
from etl.private import PrivateDirectory

FILE_BYTES = 256 << 20
"""A file is closed when it has grown so large: with one being written and one being loaded, that bounds the spool."""


class Spool:
    """The files of one staging table, one open at a time."""

    def __init__(self, schema: pa.Schema) -> None:
        self._directory = PrivateDirectory("spool")
        self._schema = schema
        self._writer: pq.ParquetWriter | None = None
        self._number = 0

    def add(self, batch: pa.RecordBatch) -> Iterator[Path]:
        """Write a batch; yields the file that is full by it. Raises ``WarehouseError`` for a full disk."""
        try:
            if self._writer is None:
                self._number += 1
                self._writer = pq.ParquetWriter(self._path, self._schema, compression="zstd")
            self._writer.write_batch(batch)
            full = self._path.stat().st_size >= FILE_BYTES
        except OSError as error:
            raise self._full(error) from error
        if full:
            yield from self.finish()

    def finish(self) -> Iterator[Path]:
        """Close the open file and yield it, if there is one."""
        if self._writer is None:
            return
        try:
            self._writer.close()
        except OSError as error:
            raise self._full(error) from error
        finally:
            self._writer = None
        yield self._path

    def close(self) -> None:
        """Remove everything."""
        self._directory.close()

    @property
    def _path(self) -> Path:
        return self._directory.path / f"{self._number}.parquet"

    def _full(self, error: OSError) -> WarehouseError:
        return WarehouseError(
            f"the spool at {self._directory.path} cannot be written: {error.strerror or error}",
            "make room, or name a larger place by TMPDIR, then run the same command again",
        )
