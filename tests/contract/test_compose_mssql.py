"""What the compose file runs in its SQL Server: read by two grammars, and run on the server that is named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
import sqlfluff
import sqlglot
from support.project import Project
from support.sources import MssqlEngine
from support.warehouses import DuckDbEngine

INIT = (Path(__file__).parents[2] / "docker/sqlserver-init.sql").read_text("utf-8")
PASSWORD = "Aa1-" + "0f" * 16
"""Made up as the head of docker-compose.yml says."""


def batches(database: str, login: str) -> list[tuple[str, str]]:
    """Each batch with the database it is run in, as sqlcmd sends them."""
    text = INIT.replace("$(ETL_DATABASE)", database).replace("$(ETL_SOURCE_PASSWORD)", PASSWORD)
    text = re.sub(r"^:.*\n", "", text.replace("etl_reader", login), flags=re.MULTILINE)
    found, where = [], "master"
    for batch in re.split(r"^GO$\n?", text, flags=re.MULTILINE):
        if used := re.search(r"^USE \[(\w+)\];$", batch, re.MULTILINE):
            where = used[1]
        elif batch.strip():
            found.append((where, batch))
    return found


def test_both_grammars_read_every_batch() -> None:
    assert "$(" not in "".join(batch for _, batch in batches("shop", "reader"))
    assert [where for where, _ in batches("shop", "reader")] == ["master"] * 3 + ["shop"]
    for _, batch in batches("shop", "reader"):
        if "CREATE LOGIN" not in batch:  # whose options sqlfluff does not know
            sqlfluff.parse(batch, dialect="tsql")
        assert sqlglot.parse(batch, read="tsql")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MssqlEngine]:
    engine = MssqlEngine(tmp_path)
    yield engine
    engine.remove()


def test_it_makes_a_database_and_a_login_that_may_only_read(server: MssqlEngine, tmp_path: Path) -> None:
    login = f"{server.database}_reader"
    server.remove()
    try:
        for _ in range(2):  # it may be run again
            _run(server, login)
        server.execute("CREATE TABLE t (id int PRIMARY KEY)", "INSERT INTO t VALUES (1)")
        parts = urlsplit(server.url)
        own = f"{login}:{PASSWORD}@{parts.netloc.rpartition('@')[2]}"
        reader = urlunsplit(parts._replace(netloc=own))
        project = Project(tmp_path, server, DuckDbEngine(tmp_path))
        done = project.etl("sync", ETL_SOURCE_URL=reader)
        assert (done.code, "equal" in done.out) == (0, True), done.err
        with pytest.raises(server.error, match=r"permission (was )?denied"):
            _as(server, login, "INSERT INTO t VALUES (2)")
        if "settings of databases" not in server.gaps:
            with server.open().snapshot() as snapshot:
                assert snapshot.consistent
    finally:
        server.remove()
        with suppress(server.error), server.connected("master") as cursor:
            cursor.execute(f"DROP LOGIN [{login}]")


def _run(server: MssqlEngine, login: str) -> None:
    for where, batch in batches(server.database, login):
        text = _for_babelfish(batch, login) if server.is_babelfish else batch
        if text.strip():
            with server.connected(where) as cursor:
                cursor.execute(text)


def _for_babelfish(batch: str, login: str) -> str:
    """Without collations of databases, ALTER DATABASE, and rights it does not know; a grant in the role's place."""
    batch = re.sub(r"ALTER ROLE db_datareader [^;]*", f"GRANT SELECT ON SCHEMA::dbo TO {login}", batch)
    batch = re.sub(r" COLLATE \w+", "", batch)
    batch = re.sub(r"(IF EXISTS \([^\n]*\n\s*)?ALTER DATABASE [^\n]*", "", batch)
    return re.sub(r"GRANT VIEW (DEFINITION|CHANGE TRACKING)[^\n]*", "", batch)


def _as(server: MssqlEngine, login: str, statement: str) -> None:
    with server.connected(user=login, password=PASSWORD) as cursor:
        cursor.execute(statement)
