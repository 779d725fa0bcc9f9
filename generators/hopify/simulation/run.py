"""Advancing a world by some days."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from generators.errors import FailedRunError, GeneratorError
from generators.hopify.simulation.day import simulate_day
from generators.hopify.simulation.journal import by_table
from generators.hopify.world import NAME
from generators.mssql import told
from generators.targets import without_password
from schemas import mssql
from schemas.hopify import world_state

Progress = Callable[[str, int], None]


def simulate(
    url: str, *, days: int, seed: int | None = None, progress: Progress | None = None
) -> dict[str, dict[str, int]]:
    """Advance the hopify world at ``url`` (a SQLAlchemy URL) by ``days``, one transaction a day.

    Returns by table the rows inserted, updated, deleted and silent; silent are updates that did
    not move ``updated_at`` and are not counted among the updated. ``progress(day, rows)`` is
    called after every day with its ISO date and the rows it touched. Draws follow from the
    world's own seed unless ``seed`` is given. Raises ``GeneratorError`` for negative days and for
    a database that cannot be reached or holds no hopify world.
    """
    if days < 0:
        raise GeneratorError(f"A world cannot be advanced by {days} days. Ask for 0 or more.")
    engine, total = _engine(url), Counter[tuple[str, str]]()
    try:
        for _ in range(days):
            with engine.begin() as connection:
                state = _state(connection)
                counts = simulate_day(connection, state, state.seed if seed is None else seed)
            total.update(counts)
            if progress is not None:
                progress(str(state.last_day + timedelta(days=1)), sum(counts.values()))
    except (SQLAlchemyError, mssql.MssqlError) as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0].rstrip(".")
        raise FailedRunError(f"The world could not be advanced: {reason}. Days before this one are kept.") from error
    finally:
        engine.dispose()
    return by_table(total)


def _state(connection: Connection) -> Any:
    """The row that says how the world came about and how far it is."""
    known = inspect(connection).has_table(world_state.name)
    state = connection.execute(select(world_state).where(world_state.c.world == NAME)).one_or_none() if known else None
    if state is None:
        raise _no_world()
    return state


def _no_world() -> GeneratorError:
    return GeneratorError("The database holds no hopify world. Generate one there first.")


def _engine(url: str) -> Engine:
    if url.startswith("mssql"):
        with told(without_password(url)):
            return mssql.engine(url)
    try:
        engine = create_engine(url)
    except (SQLAlchemyError, ImportError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise GeneratorError(f"No such database: {reason}. Give a SQLAlchemy URL whose driver is installed.") from error
    if engine.dialect.name == "sqlite":
        # SQLite would create the file.
        if engine.url.database and not Path(engine.url.database).exists():
            raise _no_world()
        event.listen(engine, "connect", _guard)
    return engine


def _guard(connection: Any, _: Any) -> None:
    """SQLite checks foreign keys only when told to."""
    connection.execute("PRAGMA foreign_keys = ON")
