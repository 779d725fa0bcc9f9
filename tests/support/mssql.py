"""A database of its own on the SQL Server that ``ETL_TEST_MSSQL_URL`` names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from schemas.mssql import MssqlError, Trouble, connect, loaded_driver
from schemas.mssql.driver import OFFICIAL, RUST, remedy

_numbers = count(1)


@contextmanager
def mssql_database() -> Iterator[str]:
    """The URL of a new database, which is gone after the context; without the variable the test is skipped."""
    url = os.environ.get("ETL_TEST_MSSQL_URL")
    if not url:
        pytest.skip("ETL_TEST_MSSQL_URL names no SQL Server")
    try:
        connect(url).close()
    except MssqlError as error:
        if error.trouble is Trouble.DRIVER:
            pytest.skip(str(error))
        raise
    is_babelfish = server_is_babelfish(url)
    if is_babelfish and loaded_driver().get_native_provider_info()["id"] == RUST:
        pytest.skip(f"{RUST} cannot bind several rows on Babelfish; to have {OFFICIAL}: {remedy(OFFICIAL)}")
    name = f"etl_worlds_{os.getpid()}_{next(_numbers)}"
    with cursor(_named(url, "master")) as master:
        master.execute(f"CREATE DATABASE {name}")
        if is_babelfish:
            master.execute("EXEC sp_babelfish_configure 'escape_hatch_rowversion', 'ignore'")
        else:
            master.execute(f"ALTER DATABASE {name} SET ALLOW_SNAPSHOT_ISOLATION ON")
    try:
        yield _named(url, name)
    finally:
        with cursor(_named(url, "master")) as master:
            master.execute(f"DROP DATABASE {name}")


@contextmanager
def cursor(url: str) -> Iterator[Any]:
    """A cursor on a connection of its own that commits each statement."""
    with closing(connect(url)) as connection, closing(connection.cursor()) as made:
        yield made


def server_is_babelfish(url: str) -> bool:
    """Babelfish for PostgreSQL speaks SQL Server's protocol and has its own gaps."""
    with cursor(url) as made:
        found = made.execute("SELECT CAST(SERVERPROPERTY('BabelfishVersion') AS varchar(40))").fetchone()
        return found[0] is not None


def _named(url: str, database: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))
