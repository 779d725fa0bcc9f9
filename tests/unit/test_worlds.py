"""Every world into files and back: the same for any number of workers, sound at every size, and defects named."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from support.commands import Done, call_etl

from etl.commands.worlds import World
from generators import hopify, worlds
from generators.errors import GeneratorError
from generators.hopify.world import SHARD
from generators.worlds import WORLDS

SHARDS = {"hopify": 3 * SHARD + 1, "churn": 3 * SHARD + 1, "health": 200}
"""Sizes that give four workers something to do."""


def hashes(directory: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(directory.iterdir())}


def failures(name: str, url: str, customers: int | None = None) -> list[str]:
    return [line.measure for line in worlds.check(name, url, customers=customers).failures]


def test_the_command_knows_every_world() -> None:
    assert [world.value for world in World] == list(WORLDS)


@pytest.mark.parametrize("name", list(WORLDS))
def test_one_and_four_workers_write_the_same_files(name: str, tmp_path: Path) -> None:
    for workers in (1, 4):
        worlds.generate(name, f"parquet:{tmp_path}/{workers}", customers=SHARDS[name], workers=workers)
    assert hashes(tmp_path / "1") == hashes(tmp_path / "4")
    assert set(hashes(tmp_path / "1")) == {f"{table}.parquet" for table in WORLDS[name].metadata.tables}


@pytest.mark.parametrize("customers", [0, 1, 2, 17, 1_000])
@pytest.mark.parametrize("name", list(WORLDS))
def test_every_size_is_calibrated(name: str, customers: int, tmp_path: Path) -> None:
    told: dict[str, int] = {}

    def progress(table: str, rows: int) -> None:
        told[table] = told.get(table, 0) + rows

    url = f"parquet:{tmp_path}/world"
    rows = worlds.generate(name, url, customers=customers, seed=customers + 3, progress=progress)
    assert rows == dict.fromkeys(rows, 0) | told
    assert failures(name, url, customers) == []


def test_files_and_a_database_hold_the_same_world(tmp_path: Path) -> None:
    for url in (f"parquet:{tmp_path}/a", f"sqlite:///{tmp_path}/b%20c.db"):
        worlds.generate("health", url, customers=30)
    assert (tmp_path / "b c.db").exists()
    first = worlds.check("health", f"parquet:{tmp_path}/a")
    assert worlds.check("health", f"sqlite:///{tmp_path}/b%20c.db") == first


def test_a_simulated_world_stays_calibrated(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/world.db"
    worlds.generate("hopify", url, customers=300)
    hopify.simulate(url, days=20)
    assert failures("hopify", url) == []


def test_files_of_an_earlier_world_are_refused_unless_replaced(tmp_path: Path) -> None:
    url = f"parquet:{tmp_path}"
    worlds.generate("churn", url, customers=3)
    (tmp_path / "mine.txt").write_text("mine")
    before = hashes(tmp_path)
    with pytest.raises(GeneratorError, match="already has customers"):
        worlds.generate("churn", url, customers=4)
    assert hashes(tmp_path) == before
    worlds.generate("churn", url, customers=4, replace=True)
    assert hashes(tmp_path)["mine.txt"] == before["mine.txt"]
    assert hashes(tmp_path)["customers.parquet"] != before["customers.parquet"]


def spoilt(path: Path, world: str, *statements: str) -> Done:
    """Generate ``world`` by the command, spoil it, and judge it by the command."""
    url = f"sqlite:///{path}"
    made = call_etl(path.parent, "generate", world, "--to", url, "--customers", "200")
    assert (made.code, made.err.count("error")) == (0, 0), made.err
    assert "FAIL" not in made.out
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        for statement in statements:
            connection.execute(statement)
        connection.commit()
    return call_etl(path.parent, "generate", world, "--to", url, "--check-only")


@pytest.mark.parametrize(
    ("world", "statement", "named"),
    [
        (
            "hopify",
            "UPDATE orders SET customer_id = 999999 WHERE order_id = 5",
            "orders.customer_id refers to nothing",
        ),
        (
            "hopify",
            "UPDATE orders SET ordered_at = '2022-05-01 00:00:00.000000' WHERE order_id = 5",
            "order before signup",
        ),
        ("health", "UPDATE day06_subscriptions SET mrr = '-5.00' WHERE rowid = 3", "negative amounts"),
        ("churn", "UPDATE billing SET customer_id = 999999 WHERE rowid = 3", "billing: orphans"),
    ],
)
def test_a_defect_is_named(world: str, statement: str, named: str, tmp_path: Path) -> None:
    done = spoilt(tmp_path / "world.db", world, statement)
    failed = [line for line in done.out.splitlines() if line.endswith("FAIL")]
    assert done.code == 1
    assert any(line.startswith(named) for line in failed), failed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("hopify", "--to", "sqlite:///w.db", "--customers", "-1"), "cannot have -1 customers"),
        (("churn", "--to", "parquet:raw", "--customers", "-1"), "cannot have -1 customers"),
        (("health", "--to", "parquet:raw", "--customers", "-1"), "-1 customers"),
        (("health", "--to", "parquet:raw", "--workers", "0"), "0 workers"),
        (("churn", "--to", "parquet:file/raw", "--customers", "3"), "cannot be written"),
        (("hopify", "--to", "sqlite:///file/w.db", "--customers", "3"), "cannot be written"),
        (("churn", "--to", "oracle://me:secret@host/db"), "No writer"),
        (("churn", "--to", "parquet:"), "names no place"),
        (("churn", "--to", "postgresql://me:secret@localhost:1/db", "--customers", "3"), "cannot be written"),
        (("churn", "--to", "postgresql://me:secret@localhost:many/db"), "cannot be read"),
        (("churn", "--to", "parquet:nothing", "--check-only"), "cannot be read"),
        (("hopify", "--to", "sqlite:///nothing.db", "--check-only"), "no database"),
        (("hopify", "--to", "sqlite:///file", "--check-only"), "cannot be read"),
        (("weather", "--to", "parquet:raw"), "weather"),
    ],
)
def test_a_wrong_call_is_one_message_and_leaves_nothing(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    done = call_etl(tmp_path, "generate", *arguments)
    assert done.code == 2, done
    message = " ".join(done.err.split())
    assert said in message, message
    assert "Traceback" not in message
    assert "secret" not in message
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "mine"


def test_an_unknown_world_is_refused_by_name() -> None:
    with pytest.raises(GeneratorError, match="The worlds are hopify, churn, health"):
        worlds.generate("weather", "parquet:raw")
