"""A password reaches the server and nothing else: no output, no file, no ledger, no command line."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import duckdb
import psycopg
import pytest
from psycopg import sql
from support.commands import ETL, Done, call_etl
from support.items import ITEMS, items
from support.sources import PostgresEngine

PASSWORD = "s3cr#t/w@rd %41é"  # noqa: S105
WRONG = "wr0ng#t/w@rd %41é"
WAREHOUSE = "duckdb:///warehouse.duckdb"
_roles = count()


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """A database whose only reader has to give a password; the URL has none."""
    engine = PostgresEngine(tmp_path)
    engine.create(ITEMS)
    engine.insert(ITEMS, items(range(20)))
    role = f"keeper_{os.getpid()}_{next(_roles)}"
    with psycopg.connect(engine.url, autocommit=True) as connection:
        rules = Path(str(connection.execute("SHOW hba_file").fetchall()[0][0]))
        if not os.access(rules, os.W_OK):
            pytest.skip("the server's rules of access are not ours to change")
        held = rules.read_text("utf-8")
        rules.write_text(f"local all {role} scram-sha-256\nhost all {role} all scram-sha-256\n{held}", "utf-8")
        connection.execute("SELECT pg_reload_conf()")
        name, password = sql.Identifier(role), sql.Literal(PASSWORD)
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(name, password))
        connection.execute(sql.SQL("GRANT SELECT ON items TO {}").format(name))
        parts = urlsplit(engine.url)
        yield urlunsplit(parts._replace(netloc=f"{role}@{parts.netloc.rpartition('@')[2]}"))
        connection.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(name))
        rules.write_text(held, "utf-8")
        connection.execute("SELECT pg_reload_conf()")


def _forms(password: str) -> list[str]:
    """How a password may be written."""
    return [password, quote(password, safe=""), quote(password), password.partition("/")[0], repr(password)[1:-1]]


def _require_kept(directory: Path, done: Done, *passwords: str) -> None:
    """None of the passwords is in what the command said or wrote."""
    said = {"output": done.out.encode(), "errors": done.err.encode()}
    written = {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file() and path.name != ".env"}
    if (directory / "warehouse.duckdb").exists():
        # Its pages may be compressed, so its rows are looked at too.
        with duckdb.connect(str(directory / "warehouse.duckdb"), read_only=True) as connection:
            tables = connection.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall()
            rows = [
                connection.execute(f'SELECT COLUMNS(*)::VARCHAR FROM "{room}"."{name}"').fetchall()
                for room, name in tables
            ]
        assert rows
        written["the warehouse's rows"] = repr(rows).encode()
    for place, content in (said | written).items():
        for form in (form for password in passwords for form in _forms(password)):
            assert form.encode() not in content, (place, form)


def _given(way: str, url: str, password: str, directory: Path) -> dict[str, str]:
    """The environment by which a command gets the password in one of the ways there are."""
    environment = {"ETL_SOURCE_URL": url, "ETL_WAREHOUSE_URL": WAREHOUSE}
    if way == "url":
        user, _, _host = urlsplit(url).netloc.rpartition("@")
        return {**environment, "ETL_SOURCE_URL": url.replace(user, f"{user}:{quote(password, safe='')}", 1)}
    if way == ".env":
        (directory / ".env").write_text(f'ETL_SOURCE_PASSWORD="{password}"\n', "utf-8")
        return environment
    return {**environment, "ETL_SOURCE_PASSWORD": password}


@pytest.mark.parametrize("way", ["url", "environment", ".env"])
def test_a_password_is_used_and_kept(url: str, tmp_path: Path, way: str) -> None:
    environment = _given(way, url, PASSWORD, tmp_path)
    source = environment.pop("ETL_SOURCE_URL") if way == "url" else url
    commands = (
        ("init", "--source", source, "--warehouse", WAREHOUSE),
        ("--debug", "sync"),
        ("verify", "--json"),
        ("status",),
        ("doctor",),
    )
    for command in commands:
        told = environment if command[0] == "init" or way != "url" else {**environment, "ETL_SOURCE_URL": source}
        done = call_etl(tmp_path, *command, environment=told)
        assert done.code == 0, (command, done.err)
        _require_kept(tmp_path, done, PASSWORD)


@pytest.mark.parametrize(
    ("way", "debug"), [("url", ("--debug",)), ("environment", ()), ("environment", ("--debug",)), (".env", ())]
)
def test_a_wrong_password_is_refused_and_kept(url: str, tmp_path: Path, way: str, debug: tuple[str, ...]) -> None:
    done = _ran(tmp_path, (*debug, "sync"), _given(way, url, WRONG, tmp_path))
    assert done.code != 0
    assert "password authentication failed" in done.err
    _require_kept(tmp_path, done, WRONG, PASSWORD)


def test_no_command_line_of_any_process_has_it(url: str, tmp_path: Path) -> None:
    seen: set[str] = set()
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.01):
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(file.read_text("utf-8", "replace"))
                except OSError:
                    continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for way in ("environment", ".env", "url"):
            assert _ran(tmp_path, ("sync", "--full"), _given(way, url, PASSWORD, tmp_path)).code == 0
    finally:
        stop.set()
        watcher.join()
    assert any("sync\0--full" in line for line in seen), "the command was not seen at all"
    assert [line for line in seen for form in _forms(PASSWORD) if form in line] == []


def _ran(directory: Path, command: tuple[str, ...], environment: dict[str, str]) -> Done:
    """Run in a process of its own, whose standard error nobody redirects."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ETL_")}
    done = subprocess.run(  # noqa: S603
        [str(ETL), *command],
        cwd=directory,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return Done(done.returncode, done.stdout, done.stderr)
