"""What every engine's rows can do."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

import pyarrow as pa
from sqlalchemy import Table


class Rows(Protocol):
    """The rows of a database at one instant where the engine allows, for as long as the context lasts."""

    def __enter__(self) -> Self:
        """Connect; raises ``GeneratorError`` where that fails."""

    def read(self, table: Table) -> pa.RecordBatchReader:
        """All rows of ``table``, streamed; columns by name, of types that DuckDB casts to the logical ones exactly.

        Raises ``GeneratorError`` for a table that is not there.
        """

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
