"""The generated hopify world: whole, possible, and the same for everyone who asks for it."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from generators.errors import GeneratorError
from generators.hopify import generate, generation
from generators.hopify.invariants import invariants
from generators.hopify.world import SHARD
from schemas.hopify import metadata


def url(path: Path) -> str:
    return f"sqlite:///{path}"


def fingerprint(path: Path) -> str:
    """A hash over all tables' rows."""
    digest = hashlib.sha256()
    with closing(sqlite3.connect(path)) as connection:
        for table in metadata.sorted_tables:
            key = ", ".join(column.name for column in table.primary_key.columns)
            for row in connection.execute(f"SELECT * FROM {table.name} ORDER BY {key}"):
                digest.update(repr(row).encode())
    return digest.hexdigest()


def offenders(path: Path) -> dict[str, int]:
    """Offending rows by invariant, none of which should be there."""
    with closing(sqlite3.connect(path)) as connection:
        found = {name: len(connection.execute(query).fetchall()) for name, query in invariants().items()}
        found["foreign_key_check"] = len(connection.execute("PRAGMA foreign_key_check").fetchall())
    return {name: count for name, count in found.items() if count}


@pytest.fixture(scope="module")
def two_shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hopify") / "world.db"
    generate(url(path), customers=SHARD + 400, seed=7)
    return path


@pytest.mark.parametrize("customers", [0, 1, 2, 17, 1_000])
def test_every_size_is_possible(tmp_path: Path, customers: int) -> None:
    path = tmp_path / "world.db"
    rows = generate(url(path), customers=customers)
    with closing(sqlite3.connect(path)) as connection:
        counted = {name: connection.execute(f"SELECT COUNT(*) FROM {name}").fetchone()[0] for name in metadata.tables}
    assert rows == counted
    assert rows["customers"] == customers
    assert offenders(path) == {}


def test_shards_fit_together(two_shards: Path) -> None:
    assert offenders(two_shards) == {}


def test_keys_count_from_one_without_gaps(two_shards: Path) -> None:
    with closing(sqlite3.connect(two_shards)) as connection:
        for table in ("customers", "subscriptions", "orders", "order_items", "payments", "support_tickets"):
            key = next(iter(metadata.tables[table].primary_key.columns)).name
            low, high, count = connection.execute(f"SELECT MIN({key}), MAX({key}), COUNT(*) FROM {table}").fetchone()
            assert (low, high) == (1, count), table


def test_two_workers_write_the_same_bytes(two_shards: Path, tmp_path: Path) -> None:
    generate(url(tmp_path / "again.db"), customers=SHARD + 400, seed=7, workers=2)
    assert (tmp_path / "again.db").read_bytes() == two_shards.read_bytes()


def test_another_seed_is_another_world(tmp_path: Path) -> None:
    for seed in (1, 2):
        generate(url(tmp_path / f"{seed}.db"), customers=17, seed=seed)
    assert fingerprint(tmp_path / "1.db") != fingerprint(tmp_path / "2.db")


def test_progress_adds_up(tmp_path: Path) -> None:
    seen: dict[str, int] = {}

    def progress(table: str, rows: int) -> None:
        seen[table] = seen.get(table, 0) + rows

    assert generate(url(tmp_path / "world.db"), customers=17, progress=progress) == seen


def test_a_database_with_tables_is_refused_unless_replaced(tmp_path: Path) -> None:
    path = tmp_path / "mine.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE mine (x)")
    before = path.read_bytes()
    with pytest.raises(GeneratorError, match="already has tables"):
        generate(url(path), customers=1)
    assert path.read_bytes() == before
    generate(url(path), customers=1, replace=True)
    assert offenders(path) == {}


@pytest.mark.parametrize(
    ("target", "arguments", "message"),
    [
        ("sqlite:///{}/w.db", {"customers": -1}, "cannot have -1 customers"),
        ("sqlite:///{}/w.db", {"workers": 0}, "0 workers"),
        ("sqlite:///{}/w.db", {"seed": 2**63}, "seed"),
        ("sqlite:///{}/text.txt", {}, "is not a SQLite database"),
        ("sqlite:///{}/text.txt/w.db", {}, "cannot be written"),
        ("oracle://somewhere", {}, "No writer"),
    ],
)
def test_a_wrong_call_says_what_and_what_to_do(
    tmp_path: Path, target: str, arguments: dict[str, int], message: str
) -> None:
    (tmp_path / "text.txt").write_text("not a database, but long enough to look like one " * 40)
    with pytest.raises(GeneratorError, match=message) as caught:
        generate(target.format(tmp_path), **{"customers": 1} | arguments)  # type: ignore[arg-type]
    assert str(caught.value).count(". ") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["text.txt"]


def test_a_failure_half_way_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "world.db"
    generate(url(path), customers=1)
    before = path.read_bytes()
    rows = generation.world_rows

    def breaking(*arguments: object) -> object:
        yield next(iter(rows(42, 17)))
        raise OSError("disk full")

    monkeypatch.setattr(generation, "world_rows", breaking)
    with pytest.raises(OSError, match="disk full"):
        generate(url(path), customers=17, replace=True)
    assert path.read_bytes() == before
    assert [child.name for child in tmp_path.iterdir()] == ["world.db"]
