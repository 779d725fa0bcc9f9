"""What a scheduler calls: one function a task, taking the configuration and returning what JSON can hold.

It stands beside ``cli`` as the other place where the engine's pieces are composed, and knows no
scheduler. Each function imports what it needs when it runs, so that a scheduler can read its
definitions, which it does all day, without loading the engine.
"""
# The imports inside of functions are what that takes:
# ruff: noqa: PLC0415

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, cast

from etl.errors import ConfigError, DifferenceError, GateShutError, RunError
from etl.urls import with_password

if TYPE_CHECKING:
    from etl.config import Config
    from etl.records import Check

log = logging.getLogger(__name__)


class Moved(TypedDict):
    """What a sync of one table moved, in rows."""

    table: str
    kind: str | None
    extracted: int
    repaired: int
    seconds: float


class Asked(TypedDict):
    """Which rows of a table are to be brought again, as ``backfill`` takes it."""

    table: str
    low: str | None
    high: str | None
    column: str
    keys: list[str]


class Range(TypedDict):
    """A range of a table that one task stages; see ``etl.sync.ranged.Part``."""

    table: str
    number: int
    of: int
    column: str
    low: int | None
    high: int | None
    staging: str
    fence: str | None
    seen: str | None


class Backfilled(TypedDict):
    """What a backfill of one table did: rows ``compared``, and rows that were brought or deleted."""

    table: str
    what: str
    slices: int
    compared: int
    changed: int
    seconds: float


class Proof(TypedDict):
    """What a table was proven to be: ``rows`` and ``hash`` are those of source and warehouse alike."""

    rows: int
    hash: str
    load_id: str
    checked_at: str


class Built(TypedDict):
    """A published mart; ``tests`` counts those it passed."""

    mart: str
    rows: int
    tests: int
    seconds: float


def plan(config: Config) -> list[str]:
    """The tables to sync, children before the parents they refer to.

    Raises ``ConfigError`` if there is none, ``SourceError`` if the source cannot be read.
    """
    from etl.engines import open_source
    from etl.sync.plan import configured

    with open_source(config).snapshot() as snapshot:
        tables = [table.target for table in configured(snapshot.tables(), config.tables)]
    if not tables:
        raise ConfigError("the source has no table to sync", "check source.url, and what [tables] excludes")
    log.info("%d tables, children before parents: %s", len(tables), ", ".join(tables))
    return tables


def plan_ranges(config: Config, *tables: str) -> list[Range]:
    """The ranges by which tables are best loaded whole, to be given to ``load_range`` one by one.

    None for a table that has been loaded already, or is not larger than ``[sync] range_rows``: then
    ``take_ranges``, called with nothing, syncs it as it is.
    """
    from etl.session import open_session
    from etl.sync.plan import chosen, configured
    from etl.sync.ranged import drop_stale, parts_of

    ranges: list[Range] = []
    with open_session(config, tables) as session, session.source().snapshot() as snapshot:
        held = session.ledger.newest_loads().keys() & set(session.warehouse.tables("raw"))
        for table in chosen(configured(snapshot.tables(), config.tables), tables):
            if table.target in held:
                continue
            drop_stale(session.warehouse, table.target)
            parts = parts_of(snapshot, table, config.sync.range_rows)
            log.info("%s: %d ranges", table.target, len(parts))
            ranges += [cast("Range", asdict(part)) for part in parts]
    return ranges


def load_range(config: Config, part: Range) -> Range:
    """Stage one range; repeated, it is staged anew. Returns what it was given."""
    from etl.session import open_session
    from etl.sync.ranged import Part, stage_part

    with open_session(config, [part["table"]]) as session:
        source = session.source()
        with source.snapshot() as snapshot:
            known = session.table(snapshot, part["table"])
        rows = stage_part(source, session.warehouse, known, Part(**part))
    log.info("%s: range %d of %d, %d rows", part["table"], part["number"], part["of"], rows)
    return part


def take_ranges(config: Config, table: str, parts: Iterable[Range]) -> Moved:
    """Put the staged ranges in the table's place, and sync it: what changed since is brought, and all of it proven."""
    from etl.session import open_session
    from etl.sync.ranged import Part

    staged = [Part(**part) for part in parts]
    if staged:
        with open_session(config, [table]) as session:
            session.take_parts(table, staged)
    return sync_table(config, table)


def sync_table(config: Config, table: str) -> Moved:
    """Bring one table to the source's state; whether it is proven is asked by ``check_table``.

    Raises the ``RunError`` that stopped the table, ``ConfigError`` for an unknown one.
    """
    from etl.session import open_session
    from etl.sync.run import Failed

    with open_session(config, [table]) as session:
        (result,) = session.sync([table])
    if isinstance(result, Failed):
        raise result.error
    return Moved(
        table=table,
        kind=result.kind.value if result.kind else None,
        extracted=result.extracted,
        repaired=result.repaired,
        seconds=round(result.seconds, 3),
    )


def asked(
    table: str,
    *,
    low: str | None = None,
    high: str | None = None,
    column: str = "",
    keys: Iterable[str] = (),
    everything: bool = False,
) -> Asked:
    """What a person asked ``backfill`` for; ``ConfigError`` unless that is one of a range, keys and everything."""
    from etl.sync.backfill import Wanted

    wanted = Wanted(column, low, high, tuple(keys))
    wanted.require_one(everything=everything)
    log.info("%s: %s", table, "every row" if everything else f"keys {wanted.keys}" if keys else f"{low} to {high}")
    return Asked(table=table, low=low, high=high, column=column, keys=list(wanted.keys))


def backfill(
    config: Config,
    table: str,
    *,
    low: str | None = None,
    high: str | None = None,
    column: str = "",
    keys: Iterable[str] = (),
) -> Backfilled:
    """Bring the rows of a range again, or those with some keys, or with neither all of them; then prove the table.

    ``low`` and ``high`` are both included, values of ``column`` or of the table's cursor; days of a date.
    Called again after it was stopped, it continues. Raises ``ConfigError`` for what is not there,
    ``DifferenceError`` if the table is not proven in the end, and the ``RunError`` that stopped it.
    """
    from etl.session import open_session
    from etl.sync.backfill import Wanted
    from etl.sync.run import Failed

    wanted = Wanted(column, low, high, tuple(keys))
    with open_session(config, [table]) as session:
        done = session.backfill(table, wanted, announce=lambda estimate: log.info("%s", estimate))
    assert done is not None
    if isinstance(done.synced, Failed):
        raise done.synced.error
    if not done.synced.check.equal:
        raise DifferenceError(f"{table} is not equal after its backfill", f"see what differs with: etl verify {table}")
    return Backfilled(
        table=table,
        what=done.what,
        slices=done.slices,
        compared=done.rows,
        changed=done.changed,
        seconds=round(done.seconds, 3),
    )


def check_table(config: Config, table: str) -> Proof:
    """What a table's newest check found, taken by its sync in the snapshot it was synced from.

    A fresh comparison would find whatever the source has done since. Raises ``DifferenceError`` if
    the table is not proven.
    """
    from etl.publish.gate import shut
    from etl.session import open_session

    with open_session(config) as session:
        reasons = shut(session.ledger, [table], config.sync.max_unchecked_days, accept_moving=config.sync.accept_moving)
        check = session.ledger.newest_checks().get(table)
    if check is None or reasons:
        raise DifferenceError(f"{table} {reasons[table]}", f"see what differs with: etl verify {table}")
    log.info("%s: %d rows, %s, equal", table, check.source_rows, check.source_hash)
    return _proof(check)


def count_orphans(config: Config) -> dict[str, int]:
    """By foreign key, the rows of the copies whose parent is not among the copies; only keys that have some.

    For tables synced each in a snapshot of its own, of which none has to be wrong for this to happen.
    """
    from etl.engines import open_source
    from etl.session import open_session
    from etl.sync.plan import configured
    from etl.verify.orphans import count_orphans as counted

    with open_source(config).snapshot() as snapshot:
        tables = configured(snapshot.tables(), config.tables)
    with open_session(config) as session:
        found = counted(session.warehouse, tables)
    orphans = {str(one): one.rows for one in found if one.rows}
    log.info("%d foreign keys, %d of them with orphans", len(found), len(orphans))
    for key, rows in orphans.items():
        log.warning("%s: %d rows without their parent; if the source has none, the next sync brings it", key, rows)
    return orphans


def pass_gate(config: Config, tables: Iterable[str]) -> dict[str, Proof]:
    """What each of the tables was proven to be; the first line logged names them all with their rows.

    Raises ``GateShutError`` unless every table's newest check is equal and names its newest load.
    """
    from etl.publish.gate import shut
    from etl.session import open_session

    names = sorted(tables)
    with open_session(config) as session:
        reasons = shut(session.ledger, names, config.sync.max_unchecked_days, accept_moving=config.sync.accept_moving)
        checks = session.ledger.newest_checks()
    listed = "; ".join(_verdict(name, checks.get(name), reasons.get(name)) for name in names)
    log.info(
        "gate %s, %d of %d tables pass: %s",
        "shut" if reasons else "open",
        len(names) - len(reasons),
        len(names),
        listed,
    )
    if reasons:
        stopped = "; ".join(f"{table} {reason}" for table, reason in reasons.items())
        raise GateShutError(f"the gate is shut: {stopped}", "see what differs with: etl verify")
    return {name: _proof(checks[name]) for name in names}


def build_marts(config: Config) -> list[Built]:
    """Build, test and publish every mart of the configured world, all or none.

    Raises ``GateShutError`` before and after building if a table they read is not proven, and
    ``MartError`` for a mart that fails one of its tests.
    """
    from etl.session import open_session

    with open_session(config) as session:
        results = session.build_marts()
    for result in results:
        log.info("%s: %d rows, %d tests passed", result.name, result.rows, result.tests)
    return [Built(mart=r.name, rows=r.rows, tests=r.tests, seconds=round(r.seconds, 3)) for r in results]


def draw_dashboard(config: Config, path: Path) -> str | None:
    """Write the dashboard over the published marts, and return where it is; None for a world without one."""
    from etl.publish.dashboard import BOARDS
    from etl.session import open_session

    if config.publish.world not in BOARDS:
        log.info("the world %s has no dashboard; those with one are: %s", config.publish.world, ", ".join(BOARDS))
        return None
    with open_session(config) as session:
        return str(session.dashboard(path).resolve())


def advance(config: Config, days: int = 1) -> dict[str, dict[str, int]]:
    """Advance the generated world that is the source; by table the rows inserted, updated, deleted and silent.

    Raises ``ConfigError`` if the source holds no such world.
    """
    from generators import hopify
    from generators.errors import FailedRunError, GeneratorError

    password = config.source.password
    url = with_password(config.source.url, password.get_secret_value() if password else None)
    try:
        changes = hopify.simulate(url, days=days)
    except FailedRunError as error:
        raise RunError(str(error)) from error
    except GeneratorError as error:
        raise ConfigError(str(error), "simulate only what was generated") from error
    log.info("%d days: %d rows touched", days, sum(sum(counts.values()) for counts in changes.values()))
    return changes


def _proof(check: Check) -> Proof:
    return Proof(rows=check.source_rows, hash=check.source_hash, load_id=check.load_id, checked_at=check.at.isoformat())


def _verdict(name: str, check: Check | None, reason: str | None) -> str:
    """A table's rows in source and warehouse, and why it does not pass; rows can be as many and still differ."""
    if check is None:
        return f"{name} ({reason})"
    rows = f"{check.source_rows:,} {'=' if check.source_rows == check.warehouse_rows else '≠'} {check.warehouse_rows:,}"
    return f"{name} {rows} ({reason})" if reason else f"{name} {rows}"
