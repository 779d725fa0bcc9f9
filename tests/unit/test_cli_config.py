"""From `etl init` to a sync that works, and which of several values counts."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.commands import call_etl
from support.items import ITEMS, items
from support.project import Project
from support.sources import SqliteEngine
from support.warehouses import DuckDbEngine

from etl.config import load
from schemas import types
from schemas.table import Column, Table

ODD_NAMES = (
    'quo"te',
    "two words",
    "a.b",
    "[x]",
    "select",
    "naïve 表 🙂",
    "it's",
    "tab\there",
    "line\nbreak",
    "back\\slash",
    "#",
)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path, SqliteEngine(tmp_path), DuckDbEngine(tmp_path))
    project.source.create(ITEMS)
    project.source.insert(ITEMS, items(range(10)))
    return project


def test_init_then_sync_then_verify(project: Project) -> None:
    init = call_etl(
        project.directory, "init", "--source", "sqlite:///source.db", "--warehouse", "duckdb:///warehouse.duckdb"
    )
    assert init.code == 0, init.err
    text = (project.directory / "etl.toml").read_text()
    assert '[tables."items"]' in text
    assert '# key = ["id"]' in text
    assert '# cursor = "updated_at"' in text
    for command in (("doctor",), ("sync",), ("verify",), ("status",)):
        done = call_etl(project.directory, *command)
        assert done.code == 0, done.err
    project.assert_equal(ITEMS)


def test_what_init_proposes_may_be_uncommented(project: Project) -> None:
    call_etl(project.directory, "init", "--source", "sqlite:///source.db", "--warehouse", "duckdb:///warehouse.duckdb")
    file = project.directory / "etl.toml"
    lines = [
        line.removeprefix("# ") if line.startswith(("# key", "# cursor")) else line
        for line in file.read_text().splitlines()
    ]
    file.write_text("\n".join(lines))
    assert load(file).tables["items"].key == ("id",)
    assert load(file).tables["items"].cursor == "updated_at"
    assert call_etl(project.directory, "sync").code == 0


@pytest.mark.parametrize("name", ODD_NAMES)
def test_init_and_sync_of_any_table_name(project: Project, name: str) -> None:
    table = Table(name, (Column("id", types.INT, nullable=False), Column(f"{name}!", types.STRING)), ("id",))
    project.source.create(table)
    project.source.insert(table, [(1, "x")])
    for command in (
        ("init", "--source", "sqlite:///source.db", "--warehouse", "duckdb:///warehouse.duckdb"),
        ("sync",),
        ("verify",),
    ):
        done = call_etl(project.directory, *command)
        assert done.code == 0, done.err
    project.assert_equal(table)


def test_tables_that_are_excluded_are_left_out(project: Project) -> None:
    project.source.execute("CREATE TABLE secret (id INTEGER PRIMARY KEY)")
    (project.directory / "etl.toml").write_text("[tables.secret]\nexclude = true\n")
    assert project.etl("sync").code == 0
    with project.warehouse.opened() as warehouse:
        assert warehouse.tables("raw") == ["items"]


def test_a_key_and_a_cursor_that_are_named(project: Project) -> None:
    project.source.execute(
        "CREATE TABLE loose (nr INTEGER NOT NULL, v TEXT, version INTEGER)", "INSERT INTO loose VALUES (1, 'a', 5)"
    )
    (project.directory / "etl.toml").write_text('[tables.loose]\nkey = ["nr"]\ncursor = "version"\n')
    assert project.etl("sync").code == 0
    project.source.execute("UPDATE loose SET v = 'b', version = 6")
    assert project.etl("sync").code == 0
    status = {table["table"]: table for table in project.json("status")}
    assert (status["loose"]["watermark"], status["loose"]["load"]) == ("6", "incremental")
    assert project.warehouse.rows("loose") == [(1, "b", 6)]


def test_environment_above_env_file_above_file_above_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(None, {}).sync.max_delete_share == 0.3
    (tmp_path / "etl.toml").write_text("[sync]\nmax_delete_share = 0.4\n")
    assert load(None, {}).sync.max_delete_share == 0.4
    (tmp_path / ".env").write_text("ETL_SYNC_MAX_DELETE_SHARE=0.5\nETL_SOURCE_PASSWORD=from .env\n")
    assert load(None, {}).sync.max_delete_share == 0.5
    given = load(None, {"ETL_SYNC_MAX_DELETE_SHARE": "0.6"})
    assert given.sync.max_delete_share == 0.6
    assert given.source.password is not None
    assert given.source.password.get_secret_value() == "from .env"
    assert "from .env" not in repr(given)


def test_another_file_by_option(project: Project) -> None:
    (project.directory / "etl.toml").write_text("[nonsense]\n")
    other = project.directory / "other.toml"
    other.write_text(f'[source]\nurl = "{project.source.url}"\n[warehouse]\nurl = "{project.warehouse.url}"\n')
    assert call_etl(project.directory, "sync", "--config", "other.toml").code == 0
    project.assert_equal(ITEMS)
