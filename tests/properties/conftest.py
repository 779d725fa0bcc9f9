"""The engines on which the dialects are judged, started once a session."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from support.engines import DuckDb, GoogleSql, Judged, Postgres, Tsql
from support.postgres import postgres_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A connection to a real server."""
    with postgres_server() as url:
        engine = Postgres(url)
        yield engine
        engine.connection.close()


@pytest.fixture(scope="session")
def tsql() -> Iterator[Tsql]:
    """A connection to the server that is named, if one is."""
    url = os.environ.get("ETL_TEST_MSSQL_URL")
    if not url:
        pytest.skip("ETL_TEST_MSSQL_URL names no SQL Server")
    engine = Tsql(url)
    yield engine
    engine.close()


@pytest.fixture(scope="session", params=["duckdb", "googlesql", "postgres", "tsql"])
def judged(request: pytest.FixtureRequest) -> Judged:
    """Every engine that can be had here, in turn."""
    if request.param in ("postgres", "tsql"):
        engine: Judged = request.getfixturevalue(request.param)
        return engine
    return DuckDb() if request.param == "duckdb" else GoogleSql()
