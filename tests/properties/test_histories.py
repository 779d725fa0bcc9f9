"""Whatever happens to a source: after every sync that says so, the copy holds the snapshot's rows, one by one.

The model is the source itself, read by its own driver at the instant the sync begins. `make soak` plays thousands.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.histories import TABLES, WISHES, Alone, Begin, Chapter, End, Step, Sync, Write, chapters, created
from support.sources import PostgresEngine
from support.writers import PostgresWriters, Rows, SqliteWriters, Writers

from etl.config import Config
from etl.errors import SourceError, StoppedTableError
from etl.publish.gate import shut
from etl.session import Session, open_session
from etl.sync.run import Failed
from etl.sync.table import Synced

SOAK = int(os.environ.get("ETL_SOAK", "0"))
HISTORIES = {"sqlite": SOAK or 28, "postgresql": SOAK or 22}
"""Each is the history of four tables."""

KEYS = {"items": "id", "plain": "a, b", "docs": "code"}
Contents = dict[str, tuple[list[str], Rows]]


class Killed(BaseException):
    """Nothing catches it, as nothing catches SIGKILL."""


class Player:
    """Plays histories on one database, each with a warehouse of its own."""

    def __init__(self, writers: Writers, engine: str) -> None:
        self.writers, self.engine = writers, engine
        self.taken: Counter[bool] = Counter()

    def play(self, history: list[Chapter], *, keeping: bool) -> None:
        """Play it from the beginning, ``keeping`` what tables can keep of the past."""
        self.writers.reset(*created(self.engine))
        with TemporaryDirectory(prefix="etl-history-") as directory:
            played = _Played(self.writers, Path(directory) / "warehouse.duckdb", self.taken, keeping=keeping)
            try:
                for chapter in history:
                    for step in chapter.steps:
                        played.take(step)
                    played.sync(chapter.sync)
            finally:
                played.close()


class _Played:
    def __init__(self, writers: Writers, path: Path, taken: Counter[bool], *, keeping: bool) -> None:
        self._writers, self._path, self._taken, self._keeping = writers, path, taken, keeping
        self._session, self._close = self._opened()

    def _opened(self) -> tuple[Session, Any]:
        settings_ = {
            "source": {"url": self._writers.url},
            "warehouse": {"url": f"duckdb:///{self._path}"},
            "tables": WISHES[self._keeping],
        }
        context = open_session(Config.model_validate(settings_), ())
        return context.__enter__(), context.__exit__

    def close(self) -> None:
        self._close(None, None, None)

    def take(self, step: Step) -> None:
        match step:
            case Begin(writer):
                self._writers.begin(writer)
            case End(writer, commit):
                self._writers.end(writer, commit=commit)
            case Write(writer, statements):
                self._taken[self._writers.write(writer, statements)] += 1
            case Alone(statements):
                self._taken[self._writers.alone(statements)] += 1

    def sync(self, sync: Sync) -> None:
        """Sync as wished; killed, the same again; and what stopped goes on as its message says."""
        held = self._keys()
        try:
            results, expected = self._run(sync)
        except Killed:
            results, expected = self._run(replace(sync, meanwhile=(), crash=None))
        self._require_equal(results, expected)
        moved = any(isinstance(step, Alone) for _, step in sync.meanwhile)
        for failed in results:
            if isinstance(failed, Failed):
                self._require_nothing_lost(failed, held)
                self._go_on(failed, moved=moved)

    def _run(self, sync: Sync, *names: str, full: bool = False) -> tuple[list[Synced | Failed], Contents]:
        shares = {"reload_share": sync.reload_share, "max_delete_share": sync.max_delete_share}
        config = self._session.config
        session = replace(
            self._session, config=config.model_copy(update={"sync": config.sync.model_copy(update=shares)})
        )
        instants = count(1)

        def progress(_table: str, _step: str, _rows: int) -> None:
            instant = next(instants)
            for when, step in sync.meanwhile:
                if when == instant:
                    self.take(step)
            if instant == sync.crash:
                self._kill()

        expected = self._writers.committed(TABLES)
        try:
            return list(session.sync(names, full=full, progress=progress)), expected
        except Killed:
            self._revive()
            raise

    def _kill(self) -> None:
        """What is on the disk at this instant is what a killed process leaves."""
        for file in self._files():
            shutil.copy(file, file.with_suffix(file.suffix + ".kept"))
        raise Killed

    def _revive(self) -> None:
        self.close()
        for file in self._files():
            file.unlink()
        for file in self._path.parent.glob("*.kept"):
            file.rename(file.with_suffix(""))
        self._session, self._close = self._opened()

    def _files(self) -> list[Path]:
        return [file for file in self._path.parent.glob(f"{self._path.name}*") if file.suffix != ".kept"]

    def _require_equal(self, results: list[Synced | Failed], expected: Contents) -> None:
        """The sync says that tables are equal, and they are."""
        equal = [result for result in results if isinstance(result, Synced)]
        assert [result for result in equal if not result.check.equal] == []
        assert shut(self._session.ledger, [result.table for result in equal]) == {}
        for result in equal:
            columns, rows = expected[result.table]
            names = ", ".join(columns)
            live = " WHERE _deleted_at IS NULL" if self._keeps(result.table, "deletes") else ""
            self._require_same(columns, rows, f"SELECT {names} FROM raw.{result.table}{live}")
            if self._keeps(result.table, "history"):
                relation = f"raw_history.{result.table}"
                self._require_same(columns, rows, f"SELECT {names} FROM {relation} WHERE valid_to IS NULL")
                following = "LEAD(valid_from) OVER (PARTITION BY id ORDER BY valid_from)"
                overlaps = f"SELECT * FROM {relation} QUALIFY {following} < COALESCE(valid_to, 'infinity')"
                assert self._query(f"SELECT CAST(COUNT(*) AS INT) FROM ({overlaps})") == [(0,)]
        assert not [name for name in self._tables() if name not in TABLES]

    def _keeps(self, table: str, what: str) -> bool:
        return what in WISHES[self._keeping].get(table, {})

    def _require_same(self, columns: list[str], rows: Rows, query: str) -> None:
        ours, theirs = (Counter(_canonical(columns, row) for row in side) for side in (rows, self._query(query)))
        assert ours == theirs, (query, {"source": ours - theirs, "warehouse": theirs - ours})

    def _query(self, sql: str) -> Rows:
        """What DuckDB itself says is in the warehouse."""
        with duckdb.connect(str(self._path)) as connection:
            rows: Rows = connection.execute(sql).fetchall()
            return rows

    def _tables(self) -> set[str]:
        return {name for (name,) in self._query("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'raw'")}

    def _keys(self) -> dict[str, Counter[Any]]:
        keys = {name: key for name, key in KEYS.items() if name in self._tables()}
        return {name: Counter(self._query(f"SELECT {key} FROM raw.{name}")) for name, key in keys.items()}

    def _require_nothing_lost(self, failed: Failed, held: dict[str, Counter[Any]]) -> None:
        """A table that stopped has every key it had."""
        if isinstance(failed.error, StoppedTableError) and failed.table in held:
            assert held[failed.table] <= self._keys()[failed.table], failed

    def _go_on(self, failed: Failed, *, moved: bool) -> None:
        """Only what is dangerous stops, or what was changed under a running sync; then do as the message says."""
        stopped = isinstance(failed.error, StoppedTableError)
        assert stopped or (moved and isinstance(failed.error, SourceError)), failed
        again = Sync(max_delete_share=1 if "MAX_DELETE_SHARE" in failed.error.remedy else 0.3)
        results, expected = self._run(again, failed.table, full="--full" in failed.error.remedy)
        self._require_equal(results, expected)
        for result in results:
            # What was hidden by a TRUNCATE and read anew may turn out to be gone.
            assert isinstance(result, Synced) or not stopped, result
            if isinstance(result, Failed):
                self._go_on(result, moved=False)


def _canonical(columns: list[str], row: tuple[Any, ...]) -> tuple[Any, ...]:
    """A row as both drivers give it: SQLite's keeps decimals and instants as text."""
    return tuple(_value(name, value) for name, value in zip(columns, row, strict=True))


def _value(column: str, value: Any) -> Any:
    if column == "amount" and value is not None:
        return f"{Decimal(value):.4f}"
    return value.isoformat(" ", "microseconds") if isinstance(value, datetime) else value


@pytest.fixture(scope="module", params=sorted(HISTORIES))
def player(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Player]:
    """Every source engine in turn."""
    directory = tmp_path_factory.mktemp("histories")
    sqlite = request.param == "sqlite"
    writers = SqliteWriters(directory) if sqlite else PostgresWriters(PostgresEngine(directory).url)
    yield Player(writers, request.param)
    writers.close()


def test_after_every_sync_the_copy_is_the_snapshot(player: Player) -> None:
    engine = player.engine

    @settings(
        max_examples=HISTORIES[engine],
        deadline=None,
        derandomize=not SOAK,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(chapters(engine), min_size=1, max_size=3), st.booleans())
    def play(history: list[Chapter], keeping: bool) -> None:
        player.play(history, keeping=keeping)

    play()
    # A history of statements that are all refused would prove nothing.
    assert player.taken[True] > 2 * player.taken[False], player.taken
