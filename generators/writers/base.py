"""What every writer does."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

import pyarrow as pa


class Writer(Protocol):
    """Creates a world's tables on entry and takes batches; publishes on a clean exit.

    After an exit by an exception the target is as it was before.
    """

    def __enter__(self) -> Self:
        """Create the tables; raises ``GeneratorError`` where the target cannot be written."""

    def write(self, table: str, batch: pa.RecordBatch) -> None:
        """Append ``batch``, whose columns are those of ``table`` in order and in logical Arrow types."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Publish what was written, or undo it when there is an ``error``."""
