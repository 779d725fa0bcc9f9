"""A source, a warehouse and what connects them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from etl.config import Config
from etl.records import Check, Load
from etl.session import Session, open_session
from etl.sync.move import Progress
from etl.sync.run import Failed
from etl.sync.table import Synced
from etl.verify.verify import Verified
from etl.warehouses.base import STAGING
from schemas.table import Table
from support.commands import Done, call_etl
from support.sources import SourceEngine
from support.warehouses import WarehouseEngine


@dataclass(frozen=True, slots=True)
class Project:
    """What a user of the toolkit has: a directory, a source, a warehouse."""

    directory: Path
    source: SourceEngine
    warehouse: WarehouseEngine

    def config(self, tables: Mapping[str, Any] | None = None, **sync: Any) -> Config:
        """A configuration of both; keywords go to ``[sync]``."""
        sections = {
            "source": {"url": self.source.url},
            "warehouse": {"url": self.warehouse.url, "wait_seconds": 20},
            "sync": sync,
            "tables": tables or {},
        }
        return Config.model_validate(sections)

    @contextmanager
    def session(self, tables: Mapping[str, Any] | None = None, **sync: Any) -> Iterator[Session]:
        """An open session."""
        with open_session(self.config(tables, **sync), ()) as session:
            yield session

    def sync(
        self,
        *names: str,
        full: bool = False,
        tables: Mapping[str, Any] | None = None,
        progress: Progress = lambda _table, _step, _rows: None,
        **sync: Any,
    ) -> dict[str, Synced | Failed]:
        """The results of a sync by table."""
        with self.session(tables, **sync) as session:
            return {result.table: result for result in session.sync(names, full=full, progress=progress)}

    def synced(self, name: str = "items", **options: Any) -> Synced:
        """Sync everything; the result of the table ``name``, which must not have failed."""
        result = self.sync(**options)[name]
        assert isinstance(result, Synced), result
        return result

    def failed(self, name: str = "items", **options: Any) -> Failed:
        """Sync everything; the failure of the table ``name``, which must have failed."""
        result = self.sync(**options)[name]
        assert isinstance(result, Failed), result
        return result

    def verified(self, name: str = "items", *, repair: bool = False, tables: Any = None) -> Verified:
        """Verify everything; the result for ``name``."""
        with self.session(tables) as session:
            found = {r.check.table_name: r for r in session.verify(repair=repair) if isinstance(r, Verified)}
        return found[name]

    def gate(self, name: str = "items") -> str:
        """Why the gate is shut for a table, empty if it is open."""
        gates = {table["table"]: table["gate"] for table in self.json("status")}
        return str(gates[name])

    def loads(self, name: str = "items") -> list[Load]:
        """All loads of a table, oldest first."""
        return sorted(self._ledger(Load, "loads", name), key=lambda load: load.load_no)

    def checks(self, name: str = "items") -> list[Check]:
        """All checks of a table, oldest first."""
        return sorted(self._ledger(Check, "checks", name), key=lambda check: check.check_id)

    def _ledger(self, record: Any, room_table: str, name: str) -> list[Any]:
        with self.session() as session:
            rows = session.warehouse.query(f"SELECT * FROM {session.warehouse.relation('etl', room_table)}").to_pylist()
        return [record(**row) for row in rows if row["table_name"] == name]

    def etl(self, *arguments: str, **environment: str) -> Done:
        """Run a command on this source and warehouse, in this process."""
        urls = {"ETL_SOURCE_URL": self.source.url, "ETL_WAREHOUSE_URL": self.warehouse.url}
        return call_etl(self.directory, *arguments, environment={**urls, **environment})

    def json(self, *arguments: str) -> Any:
        """What a command with ``--json`` printed."""
        return json.loads(self.etl(*arguments, "--json").out)

    def differing_rows(self, table: Table) -> Counter[str]:
        """The rows of which one side has more, compared value by value and without any rowsum."""
        columns = [column.name for column in table.columns]
        ours = Counter(map(repr, self.source.rows(self.source.quote(table.name), columns)))
        with self.warehouse.opened() as warehouse:
            names = warehouse.dialect.columns(columns)
            rows = warehouse.query(f"SELECT {names} FROM {warehouse.relation('raw', table.target)}").to_pylist()
        theirs = Counter(repr(tuple(_as_stored(value) for value in row.values())) for row in rows)
        return (ours - theirs) + (theirs - ours)

    def assert_equal(self, *tables: Table) -> None:
        """Both sides hold the same rows, and nothing that was only needed on the way is left."""
        for table in tables:
            assert not self.differing_rows(table)
        with self.warehouse.opened() as warehouse:
            assert [name for name in warehouse.tables("raw") if name.startswith(STAGING)] == []


def _as_stored(value: Any) -> Any:
    return value.isoformat(" ", "microseconds") if isinstance(value, datetime) else value
