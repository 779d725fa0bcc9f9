"""Every command's bad input: one clear message, the right exit code, nothing half-written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.commands import call_etl, run_etl
from support.items import ITEMS, items
from support.messages import assert_one_clear_error
from support.project import Project
from support.sources import SqliteEngine
from support.warehouses import DuckDbEngine

SECRET = "hunter2-pässword"  # noqa: S105


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A synced project of one table."""
    project = Project(tmp_path, SqliteEngine(tmp_path), DuckDbEngine(tmp_path))
    project.source.create(ITEMS)
    project.source.insert(ITEMS, items(range(10)))
    project.sync()
    return project


# --- configuration --------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["sync", "verify", "status", "doctor", "marts", "dashboard"])
def test_a_configuration_that_is_not_there(tmp_path: Path, command: str) -> None:
    done = call_etl(tmp_path, command, "--config", "missing.toml")
    assert_one_clear_error(done, 2, "missing.toml", "etl init")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[source\nurl = 1", ("not valid TOML", "line 1")),
        ("[source]\nurl = 'a'\nurl = 'b'", ("not valid TOML",)),
        ("[sync]\nrepiar = true", ("sync.repiar", "not something that can be configured")),
        ("[snyc]\nrepair = true", ("snyc", "not something that can be configured")),
        ("[sync]\nrepair = 'perhaps'", ("sync.repair", "boolean")),
        ("[sync]\nmax_delete_share = 30", ("sync.max_delete_share", "less than or equal to 1")),
        ("[sync]\nmax_delete_share = -0.1", ("sync.max_delete_share", "greater than or equal to 0")),
        ("[warehouse]\nwait_seconds = 'long'", ("warehouse.wait_seconds", "number")),
        ("source = 'sqlite:///x.db'", ("source",)),
        ("[tables.items]\nkey = 'id'", ("tables.items.key",)),
        ("[tables.items]\nprimary = 'id'", ("tables.items.primary", "not something that can be configured")),
        ("[tables.items.columns]\nid = 'integer'", ("tables.items.columns", "unknown type 'integer'")),
        ("[tables.items.columns]\nid = 'decimal(2,4)'", ("tables.items.columns", "scale")),
        ("\xff", ("not valid TOML",)),
    ],
)
@pytest.mark.parametrize("environment", [{}, {"ETL_SOURCE_URL": "sqlite:///source.db"}], ids=["file", "and variable"])
def test_a_broken_configuration(
    tmp_path: Path, content: str, words: tuple[str, ...], environment: dict[str, str]
) -> None:
    (tmp_path / "etl.toml").write_text(content, "utf-8")
    assert_one_clear_error(call_etl(tmp_path, "sync", environment=environment), 2, "etl.toml", *words)
    assert [path.name for path in tmp_path.iterdir()] == ["etl.toml"]


def test_a_configuration_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "etl.toml").write_bytes(b"[source]\nurl = '\xff\xfe'")
    assert_one_clear_error(call_etl(tmp_path, "sync"), 2, "etl.toml", "UTF-8")


def test_an_env_file_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"ETL_SOURCE_URL='\xff\xfe'")
    assert_one_clear_error(call_etl(tmp_path, "sync"), 2, ".env", "UTF-8")


@pytest.mark.parametrize(
    ("name", "value"),
    [("ETL_SYNC_REPAIR", "perhaps"), ("ETL_SYNC_MAX_DELETE_SHARE", "30"), ("ETL_WAREHOUSE_WAIT_SECONDS", "")],
)
def test_a_wrong_variable_is_named(project: Project, name: str, value: str) -> None:
    assert_one_clear_error(project.etl("sync", **{name: value}), 2, name)


def test_a_memory_limit_that_is_none(project: Project) -> None:
    assert_one_clear_error(
        project.etl("sync", ETL_WAREHOUSE_MEMORY_LIMIT="lots"), 2, "ETL_WAREHOUSE_MEMORY_LIMIT: 'lots'"
    )


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ("[tables.itmes]\nexclude = true", ("no table itmes", "did you mean items?")),
        ("[tables.items]\ncursor = 'changed'", ("no column changed", "updated_at")),
        ("[tables.items]\ncursor = 'name'", ("cursor", "string cannot tell")),
        ("[tables.items]\nkey = ['id', 'nr']", ("no column nr",)),
        ("[tables.items.columns]\nnr = 'int'", ("no column nr",)),
    ],
)
def test_a_wish_that_the_source_cannot_fulfil(project: Project, tables: str, words: tuple[str, ...]) -> None:
    (project.directory / "etl.toml").write_text(tables, "utf-8")
    assert_one_clear_error(project.etl("sync"), 2, "[tables.", *words)


# --- sources and warehouses -----------------------------------------------------------------------


@pytest.mark.parametrize("command", [("sync",), ("verify",), ("sync", "items", "--full")])
def test_no_source_configured(tmp_path: Path, command: tuple[str, ...]) -> None:
    done = call_etl(tmp_path, *command, environment={"ETL_WAREHOUSE_URL": "duckdb:///w.duckdb"})
    assert_one_clear_error(done, 2, "ETL_" if command[0] == "sync" else "w.duckdb")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["verify", "status", "marts", "dashboard"])
def test_no_warehouse_there(tmp_path: Path, command: str) -> None:
    SqliteEngine(tmp_path)
    environment = {"ETL_SOURCE_URL": "sqlite:///source.db", "ETL_WAREHOUSE_URL": "duckdb:///w.duckdb"}
    assert_one_clear_error(call_etl(tmp_path, command, environment=environment), 2, "no warehouse at w.duckdb")
    assert not (tmp_path / "w.duckdb").exists()


def test_a_source_that_is_not_there(tmp_path: Path) -> None:
    environment = {"ETL_SOURCE_URL": "sqlite:///missing.db", "ETL_WAREHOUSE_URL": "duckdb:///deep/w.duckdb"}
    assert_one_clear_error(call_etl(tmp_path, "sync", environment=environment), 3, "missing.db", "source.url")
    assert list(tmp_path.iterdir()) == []


def test_a_source_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "source.db").write_text("not a database, but long enough to look like one\n" * 100)
    environment = {"ETL_SOURCE_URL": "sqlite:///source.db", "ETL_WAREHOUSE_URL": "duckdb:///w.duckdb"}
    assert_one_clear_error(call_etl(tmp_path, "sync", environment=environment), 3, "is not a SQLite database")
    assert not (tmp_path / "w.duckdb").exists()


def test_a_warehouse_that_is_no_database(project: Project) -> None:
    (project.directory / "notes.txt").write_text("notes\n" * 1000)
    done = project.etl("sync", ETL_WAREHOUSE_URL="duckdb:///notes.txt")
    assert_one_clear_error(done, 3, "is not a DuckDB database", "warehouse.url")
    assert (project.directory / "notes.txt").read_text() == "notes\n" * 1000


@pytest.mark.parametrize(
    "url", ["oracle://host/db", "source.db", "sqlite", "sqlite://", "sqlite:///", "sqlite://[", "://"]
)
def test_a_url_of_no_known_engine_or_file(tmp_path: Path, url: str) -> None:
    assert_one_clear_error(call_etl(tmp_path, "init", "--source", url), 2)
    assert_one_clear_error(call_etl(tmp_path, "generate", "hopify", "--to", url), 2)
    environment = {"ETL_SOURCE_URL": url, "ETL_WAREHOUSE_URL": "duckdb:///w.duckdb"}
    assert_one_clear_error(call_etl(tmp_path, "sync", environment=environment), 2)
    assert list(tmp_path.iterdir()) == []


# --- arguments ------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["sync", "verify"])
def test_an_unknown_table_with_a_suggestion(project: Project, command: str) -> None:
    assert_one_clear_error(project.etl(command, "itmes"), 2, "no table itmes", "did you mean items?")
    assert_one_clear_error(project.etl(command, "items", "zzz"), 2, "no table zzz", "it has: items")


@pytest.mark.parametrize("world", ["atlantis", "", "HOPIFY!"])
def test_an_unknown_world(tmp_path: Path, world: str) -> None:
    assert_one_clear_error(call_etl(tmp_path, "generate", world, "--to", "sqlite:///w.db"), 2, "hopify")
    assert_one_clear_error(call_etl(tmp_path, "demo", "--world", world), 2, "hopify")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("customers", ["-1", "many", "1.5"])
@pytest.mark.parametrize("command", [("generate", "hopify", "--to", "sqlite:///w.db"), ("demo", "--dir", "d")])
def test_a_wrong_number_of_customers(tmp_path: Path, command: tuple[str, ...], customers: str) -> None:
    assert_one_clear_error(call_etl(tmp_path, *command, "--customers", customers), 2, "customers")
    assert not (tmp_path / "w.db").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("simulate", "--days", "0"),
        ("simulate",),
        ("sync", "--nonsense"),
        ("nonsense",),
        ("query",),
        ("query", "SELECT 1", "--format", "xml"),
        ("verify", "--mode", "guess"),
        ("generate", "hopify"),
    ],
)
def test_a_wrong_call(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = call_etl(tmp_path, *arguments)
    assert_one_clear_error(done, 2)
    assert done.out == ""


def test_simulating_what_is_no_world(project: Project) -> None:
    before = project.source.rows('"items"', ["id", "name"])
    done = project.etl("simulate", "--days", "1")
    assert_one_clear_error(done, 2)
    assert project.source.rows('"items"', ["id", "name"]) == before


@pytest.mark.parametrize(
    ("question", "code", "words"),
    [
        ("SELEC 1", 2, ("query",)),
        ("SELECT FROM WHERE", 2, ("query",)),
        ("SELECT 'unclosed", 2, ("query",)),
        ("", 2, ("query",)),
        ("missing.sql", 2, ("missing.sql cannot be read",)),
        ("SELECT * FROM raw.nowhere", None, ("nowhere",)),
        ("SELECT nothing FROM raw.items", None, ("nothing",)),
    ],
)
def test_a_query_that_is_wrong(project: Project, question: str, code: int | None, words: tuple[str, ...]) -> None:
    done = project.etl("query", question)
    assert_one_clear_error(done, done.code if code is None and done.code in (2, 3) else code or 3, *words)
    assert done.out == ""


@pytest.mark.parametrize(
    "question",
    ["DELETE FROM raw.items WHERE TRUE", "DROP TABLE raw.items", "UPDATE raw.items SET name = 'x' WHERE TRUE"],
)
def test_a_query_cannot_change_the_copy(project: Project, question: str) -> None:
    held = project.warehouse.rows("items")
    assert_one_clear_error(project.etl("query", question), 2)
    assert project.warehouse.rows("items") == held


@pytest.mark.parametrize("place", ["/proc/out", "file/out"])
def test_output_in_an_unwritable_place(project: Project, place: str) -> None:
    (project.directory / "file").touch()
    source = ("--source", project.source.url)
    assert_one_clear_error(project.etl("query", "SELECT 1 AS one", "--format", "csv", "-o", place), 3, place)
    assert_one_clear_error(project.etl("init", *source, "-o", place), 2, place)
    assert_one_clear_error(
        project.etl("generate", "hopify", "--customers", "1", "--to", f"sqlite:///{place}"), 2, place
    )


def test_init_does_not_overwrite(project: Project) -> None:
    (project.directory / "etl.toml").write_text("# mine")
    assert_one_clear_error(project.etl("init", "--source", project.source.url), 2, "already there", "--force")
    assert (project.directory / "etl.toml").read_text() == "# mine"


def test_marts_of_tables_that_were_never_synced(project: Project) -> None:
    assert_one_clear_error(project.etl("marts"), 1, "the gate is shut", "has not been synced")
    assert_one_clear_error(project.etl("marts", "nonsense"), 2, "no mart 'nonsense'")
    assert_one_clear_error(project.etl("marts", ETL_PUBLISH_WORLD="atlantis"), 2, "atlantis")
    assert project.warehouse.rows("items")


# --- what is said, and where ----------------------------------------------------------------------


@pytest.mark.parametrize(("command", "code"), [("verify", 3), ("status", 0), ("doctor", 0)])
def test_json_and_nothing_else_on_standard_output(project: Project, command: str, code: int) -> None:
    project.source.execute("CREATE TABLE unsynced (id INTEGER PRIMARY KEY)", "UPDATE items SET name = 'x' WHERE id = 1")
    done = project.etl(command, "--json")
    assert (done.code, "Traceback" in done.err) == (code, False), done.err
    assert isinstance(json.loads(done.out), list)


def test_json_of_a_call_that_fails_is_empty(project: Project) -> None:
    for command in ("verify", "status"):
        done = project.etl(command, "--json", ETL_WAREHOUSE_URL="duckdb:///missing.duckdb")
        assert (done.code, done.out) == (2, "")


@pytest.mark.parametrize(
    "arguments",
    [
        ("init", "--source", f"sqlite://user:{SECRET}@host/x.db"),
        ("init", "--source", f"oracle://user:{SECRET}@host/x"),
        ("init", "--source", "sqlite:///source.db", "--warehouse", f"duckdb://user:{SECRET}@host/x"),
        ("generate", "hopify", "--customers", "1", "--to", f"sqlite://user:{SECRET}@host/x.db"),
        ("generate", "hopify", "--customers", "1", "--to", f"oracle://user:{SECRET}@host/x"),
        ("simulate", "--days", "1", "--source", f"sqlite://user:{SECRET}@host/x.db"),
        ("sync",),
        ("--debug", "sync"),
        ("doctor",),
        ("doctor", "--json"),
        ("status",),
    ],
)
def test_passwords_are_never_printed(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    SqliteEngine(tmp_path)
    environment = {
        "ETL_SOURCE_URL": f"sqlite://user:{SECRET}@host/x.db",
        "ETL_WAREHOUSE_URL": f"duckdb://user:{SECRET}@host/x",
        "ETL_SOURCE_PASSWORD": SECRET,
        "ETL_WAREHOUSE_PASSWORD": SECRET,
    }
    call = run_etl if "--debug" in arguments else call_etl
    done = call(tmp_path, *arguments, environment=environment)
    assert done.code != 0 or arguments[0] == "init"
    for part in (SECRET, SECRET.encode("unicode_escape").decode(), "hunter2"):
        assert part not in done.out + done.err
    for path in tmp_path.glob("*.toml"):
        assert "hunter2" not in path.read_text()


def test_the_command_itself_with_a_wrong_call(tmp_path: Path) -> None:
    """Through the installed script, as a shell sees it."""
    assert_one_clear_error(run_etl(tmp_path, "sync"), 2, "no source is configured")
    done = run_etl(tmp_path, "sync", environment={"ETL_SOURCE_URL": "sqlite:///missing.db"})
    assert_one_clear_error(done, 3, "missing.db")
    assert "Traceback" in run_etl(tmp_path, "--debug", "sync").err
