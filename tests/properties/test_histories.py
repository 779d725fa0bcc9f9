"""Whatever happens to a source: after every sync that says so, the copy holds the snapshot's rows, one by one.

The model is the source itself, read by its own driver at the instant of the snapshot. `make soak` plays thousands.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
from support.histories import WISHES, Alone, Backfill, Begin, End, History, Step, Sync, Write, created, histories
from support.sources import PostgresEngine
from support.writers import PostgresWriters, Rows, SqliteWriters, Writers

from etl.config import Config
from etl.errors import ConfigError, EtlError, RunError, SourceError, StoppedTableError
from etl.publish.gate import shut
from etl.records import FULL_SCOPE, Check
from etl.session import Session, open_session
from etl.sources.base import Snapshot, Source
from etl.sync import ranged
from etl.sync.run import Failed
from etl.sync.table import Synced
from etl.verify import proof
from etl.warehouses.base import RANGE_STAGING

SOAK = int(os.environ.get("ETL_SOAK", "0"))
HISTORIES = {"sqlite": SOAK or 110, "postgresql": SOAK or 90}
CHAPTERS = 3 if SOAK else 2
"""Each is the history of one or two tables, with at most so many syncs, backfills and kills beside them."""
MEMORY = Path("/dev/shm")  # noqa: S108 (a directory of our own is made in it)

KEYS = {"items": "id", "plain": "a, b", "docs": "code"}
Contents = dict[str, tuple[list[str], Rows]]


class Killed(BaseException):
    """Nothing catches it, as nothing catches SIGKILL."""


class Player:
    """Plays histories on one database, each with a warehouse of its own."""

    def __init__(self, writers: Writers, engine: str) -> None:
        self.writers, self.engine = writers, engine
        self.taken: Counter[bool] = Counter()

    def play(self, history: History) -> None:
        """Play it from the beginning."""
        self.writers.reset(*created(self.engine, history.tables))
        with TemporaryDirectory(prefix="etl-history-", dir=MEMORY if MEMORY.is_dir() else None) as directory:
            played = _Played(self.writers, Path(directory) / "warehouse.duckdb", self.taken, history)
            try:
                for chapter in history.chapters:
                    for step in chapter.steps:
                        played.take(step)
                    if chapter.backfill:
                        played.backfill(chapter.backfill)
                    played.sync(chapter.sync)
                played.prove()
            finally:
                played.close()


class _Watched(Source):
    """A source that lets the model be read at the instant of each snapshot."""

    def __init__(self, source: Source, opened: Callable[[], None]) -> None:
        self._source, self._opened = source, opened

    @property
    def identity(self) -> str:
        return self._source.identity

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        with self._source.snapshot() as snapshot:
            # Those of ranges are opened elsewhere, and prove nothing.
            if threading.current_thread() is threading.main_thread():
                self._opened()
            yield snapshot


class _Played:
    def __init__(self, writers: Writers, path: Path, taken: Counter[bool], history: History) -> None:
        self._writers, self._path, self._taken, self._history = writers, path, taken, history
        self._expected: Contents = {}
        self._session, self._close = self._opened()

    def _opened(self) -> tuple[Session, Any]:
        context = open_session(self._config(self._history.mode), ())
        return context.__enter__(), context.__exit__

    def _config(self, mode: str, **wishes: Any) -> Config:
        sections = {
            "source": {"url": self._writers.url},
            "warehouse": {"url": f"duckdb:///{self._path}"},
            "sync": {"range_rows": 3, **wishes},
            "tables": {name: wish for name, wish in WISHES[mode].items() if name in self._history.tables},
        }
        return Config.model_validate(sections)

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
            results = self._sync(sync)
        except Killed:
            self._revive()
            results = self._sync(replace(sync, meanwhile=(), crash=None))
        self._require_equal(results, alone=sync.jobs == 1)
        moved = any(isinstance(step, Alone) for _, step in sync.meanwhile)
        for failed in results:
            if isinstance(failed, Failed):
                self._require_nothing_lost(failed, held)
                self._go_on(failed, moved=moved)

    def backfill(self, backfill: Backfill) -> None:
        """Backfill as wished; it may be refused, where a sync has to come first or the key is unknown."""
        held = self._keys()
        try:
            done = self._backfill(backfill)
        except Killed:
            self._revive()
            done = self._backfill(replace(backfill, meanwhile=(), crash=None))
        if isinstance(done, Synced):
            self._require_equal([done])
        elif isinstance(done, Failed):
            self._require_nothing_lost(done, held)
        else:
            assert isinstance(done, ConfigError | RunError), done

    def prove(self) -> None:
        """In the end a sync that looks at everything makes everything equal."""
        if self._history.mode not in ("touched", "rotated"):
            return
        config = self._config("plain", max_delete_share=1)
        results = list(self._on(config).sync())
        assert not [result for result in results if isinstance(result, Failed)], results
        self._require_equal(results)

    def _sync(self, sync: Sync, *names: str) -> list[Synced | Failed]:
        wishes = {"reload_share": sync.reload_share, "max_delete_share": sync.max_delete_share, "jobs": sync.jobs}
        session = self._on(self._config(self._history.mode, **wishes))
        return list(session.sync(names, full=sync.full, progress=self._progress(sync.meanwhile, sync.crash)))

    def _backfill(self, backfill: Backfill) -> Synced | Failed | EtlError:
        session = self._on(self._config(self._history.mode, max_delete_share=1))
        try:
            done = session.backfill(
                backfill.table,
                backfill.wanted,
                slice_rows=backfill.slice_rows,
                progress=self._progress(backfill.meanwhile, backfill.crash),
            )
        except EtlError as error:
            return error
        assert done
        return done.synced

    def _on(self, config: Config) -> Session:
        """A session with the same warehouse and this configuration."""
        played = self

        class Watching(Session):
            def source(self) -> Source:
                return _Watched(Session.source(self), played._read_model)

        return Watching(config, self._session.warehouse, self._session.ledger)

    def _read_model(self) -> None:
        self._expected = self._writers.committed(self._history.tables)

    def _progress(self, meanwhile: tuple[tuple[int, Step], ...], crash: int | None) -> Any:
        instants = count(1)

        def progress(_table: str, _step: str, _rows: int) -> None:
            instant = next(instants)
            for when, step in meanwhile:
                if when == instant:
                    self.take(step)
            if instant == crash:
                self._kill()

        return progress

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

    def _require_equal(self, results: list[Synced | Failed], *, alone: bool = False) -> None:
        """The sync says that tables are equal, and they are, as far as it has looked.

        ``alone`` if ranges of a load that was killed may wait for another load by ranges.
        """
        equal = [result for result in results if isinstance(result, Synced)]
        assert [result for result in equal if not result.check.equal] == []
        assert shut(self._session.ledger, [result.table for result in equal]) == {}
        for result in equal:
            columns, rows = self._expected[result.table]
            names = ", ".join(columns)
            live = " WHERE _deleted_at IS NULL" if self._keeps(result.table, "deletes") else ""
            copied = self._query(f"SELECT {names} FROM raw.{result.table}{live}")
            proven = self._proven(result.check, columns)
            assert len(rows) == len(copied)
            self._require_same(columns, *(list(filter(proven, side)) for side in (rows, copied)))
            if self._keeps(result.table, "history"):
                self._require_history(result.table, columns, rows)
        left = {name for name in self._tables() if name not in self._history.tables}
        assert not {name for name in left if not (alone and name.startswith(RANGE_STAGING))}

    def _proven(self, check: Check, columns: list[str]) -> Callable[[tuple[Any, ...]], bool]:
        """Which rows a check has looked at: those of the partitions that the ledger says it has proven."""
        if check.scope == FULL_SCOPE:
            return lambda _row: True
        wish = WISHES[self._history.mode][check.table_name]
        column, size = wish["partition"], wish["partition_size"]
        times = self._session.ledger.partition_checks(check.table_name, f"{column}/{size}")
        labels = {label for label, at in times.items() if at == check.at}
        position = columns.index(column)

        def proven(row: tuple[Any, ...]) -> bool:
            value = row[position]
            return ("null" if value is None else str(value // size)) in labels

        return proven

    def _require_history(self, table: str, columns: list[str], rows: Rows) -> None:
        """The current versions are the rows, and no versions of a key overlap."""
        relation, key = f"raw_history.{table}", KEYS[table]
        current = self._query(f"SELECT {', '.join(columns)} FROM {relation} WHERE valid_to IS NULL")
        self._require_same(columns, rows, current)
        following = f"LEAD(valid_from) OVER (PARTITION BY {key} ORDER BY valid_from)"
        overlaps = f"SELECT * FROM {relation} QUALIFY {following} < COALESCE(valid_to, 'infinity')"
        assert self._query(f"SELECT CAST(COUNT(*) AS INT) FROM ({overlaps})") == [(0,)]

    def _keeps(self, table: str, what: str) -> bool:
        return what in WISHES[self._history.mode].get(table, {})

    def _require_same(self, columns: list[str], rows: Rows, copied: Rows) -> None:
        ours, theirs = (Counter(_canonical(columns, row) for row in side) for side in (rows, copied))
        assert ours == theirs, {"source": ours - theirs, "warehouse": theirs - ours}

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
        again = Sync(
            max_delete_share=1 if "MAX_DELETE_SHARE" in failed.error.remedy else 0.3,
            full="--full" in failed.error.remedy,
        )
        results = self._sync(again, failed.table)
        self._require_equal(results, alone=True)
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
    """Every source engine in turn; readers and engines are proven once for all histories."""
    directory = tmp_path_factory.mktemp("histories")
    sqlite = request.param == "sqlite"
    writers = SqliteWriters(directory) if sqlite else PostgresWriters(PostgresEngine(directory).url)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranged, "PAUSE_SECONDS", 0.01)
        for class_ in (proof.EngineProof, proof.ReaderProof):
            patch.setattr(class_, "__init__", _proven_once(class_))
        yield Player(writers, request.param)
    writers.close()


def _proven_once(class_: Any) -> Callable[..., None]:
    """An initialiser that lets all proofs of one kind and dialect share what has been proven."""
    begin, proven = class_.__init__, dict[str, Any]()

    def initialise(self: Any, *arguments: Any) -> None:
        begin(self, *arguments)
        dialect = getattr(arguments[1], "name", "")
        self._proven = proven.setdefault(dialect, self._proven)

    return initialise


def test_after_every_sync_the_copy_is_the_snapshot(player: Player) -> None:
    engine = player.engine

    @settings(
        max_examples=HISTORIES[engine],
        deadline=None,
        derandomize=not SOAK,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(histories(engine, CHAPTERS))
    def play(history: History) -> None:
        player.play(history)

    play()
    # A history of statements that are all refused would prove nothing.
    assert player.taken[True] > 2 * player.taken[False], player.taken
