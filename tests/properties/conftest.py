"""The engines on which the dialects are judged, started once a session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.engines import DuckDb, GoogleSql, Judged, Postgres
from support.postgres import postgres_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A connection to a real server."""
    with postgres_server() as url:
        engine = Postgres(url)
        yield engine
        engine.connection.close()


@pytest.fixture(scope="session", params=["duckdb", "googlesql", "postgres"])
def judged(request: pytest.FixtureRequest) -> Judged:
    """Every engine that can be had here, in turn."""
    if request.param == "postgres":
        engine: Judged = request.getfixturevalue("postgres")
        return engine
    return DuckDb() if request.param == "duckdb" else GoogleSql()
