"""What the ledger keeps: one frozen record for each of its tables, and how one load follows another."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from schemas.table import DELETED_AT, Table

FULL_SCOPE = "full"
"""The scope of a check that compared the whole table."""

DIFFERENCES_KEPT = 1_000
"""How many differences of one check are written down; the check itself counts them all."""


class LoadKind(StrEnum):
    """Why a table's rows were changed."""

    FULL = "full"
    INCREMENTAL = "incremental"
    REPAIR = "repair"
    RELOAD = "reload"
    DRIFT = "drift"
    BACKFILL = "backfill"
    HISTORY = "history"


def _now() -> datetime:
    return datetime.now(UTC)


def new_id() -> str:
    """An identifier for a run, a load or a check; later ones sort after earlier ones."""
    return f"{_now():%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex[:8]}"


@dataclass(frozen=True, slots=True)
class Run:
    """A command's beginning (``exit_code`` None) or its end."""

    run_id: str
    command: str
    exit_code: int | None = None
    message: str = ""
    at: datetime = field(default_factory=_now)


@dataclass(frozen=True, slots=True)
class Load:
    """A committed change of one table's rows, with the watermark up to which it has been taken.

    ``extracted`` counts the rows read from the source for it, ``changed`` those written or deleted.
    ``cursor`` says what the watermark is a position in, ``seen`` is the highest cursor value in the
    snapshot, ``source`` the source's identity, ``columns`` its columns with their types, as JSON.
    ``touched`` names the partitions in which it changed rows, as ``verify.partitions`` writes them; None
    if they are not known, which is to say all of them.
    """

    table_name: str
    load_no: int
    load_id: str
    run_id: str
    kind: str
    extracted: int
    changed: int
    source: str
    columns: str
    cursor: str
    watermark: str | None
    seen: str | None
    snapshot_at: datetime
    at: datetime = field(default_factory=_now)
    touched: str | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """A comparison of one table with a snapshot of the source; ``load_id`` is the newest load it saw.

    ``equal`` holds when no difference was left; ``pending`` rows are those the next sync brings.
    ``found`` is what differed before a repair, ``missing``, ``extra`` and ``changed`` what remained.
    ``scope`` is ``full`` or the part compared, to which the rows and hashes then belong; ``oldest_at``
    is when the partition that has waited longest was proven, None if one never was or there are none.
    ``losses`` lists the declared losses as JSON: column, what was let go by rule, in how many rows.
    ``versions`` is how many there are in the table's history, which was proven too; None if it has none.
    """

    table_name: str
    check_id: str
    run_id: str
    load_id: str
    equal: bool
    source_rows: int
    warehouse_rows: int
    source_hash: str
    warehouse_hash: str
    source_mode: str
    warehouse_mode: str
    found: int
    missing: int
    extra: int
    changed: int
    pending: int
    rows_fetched: int
    seconds: float
    moving: bool
    scope: str
    oldest_at: datetime | None
    losses: str
    snapshot_at: datetime
    at: datetime = field(default_factory=_now)
    versions: int | None = None

    @property
    def differences(self) -> int:
        """How many keys differ for another reason than being pending."""
        return self.missing + self.extra + self.changed


@dataclass(frozen=True, slots=True)
class DifferenceRow:
    """One cell of one difference that a check found."""

    check_id: str
    table_name: str
    key: str
    kind: str
    column_name: str
    source_value: str | None
    warehouse_value: str | None


@dataclass(frozen=True, slots=True)
class PartitionCheck:
    """A partition that an equal check has covered; ``division`` says how the table was divided."""

    table_name: str
    partition: str
    check_id: str
    at: datetime = field(default_factory=_now)
    division: str | None = None


@dataclass(frozen=True, slots=True)
class Presence:
    """A loaded table that vanished from the source (``present`` false), or came back."""

    table_name: str
    present: bool
    at: datetime = field(default_factory=_now)


@dataclass(frozen=True, slots=True)
class Stop:
    """A table at which a sync stopped or failed, and why."""

    table_name: str
    run_id: str
    message: str
    at: datetime = field(default_factory=_now)


@dataclass(frozen=True, slots=True)
class Slice:
    """A slice of a backfill that has been brought and compared, or the backfill's end (``last``).

    ``job`` says what was asked for and ``part`` which of it, both as JSON; ``rows`` were compared.
    """

    table_name: str
    job: str
    part: str
    rows: int
    changed: int
    last: bool
    at: datetime = field(default_factory=_now)


@dataclass(frozen=True, slots=True)
class StagedRange:
    """One range of a table that is loaded by ranges: planned, and once ``rows`` is there, in table ``staging``.

    ``part`` is the range as JSON; ``source``, ``columns`` and ``cursor`` are those of a load.
    """

    table_name: str
    staging: str
    part: str
    source: str
    columns: str
    cursor: str
    rows: int | None = None
    at: datetime = field(default_factory=_now)


@dataclass(frozen=True, slots=True)
class MartBuild:
    """A published mart, here named ``table_name``; ``inputs`` is the hash of what it was made of.

    ``months`` says so month by month, where it can be built by months, as ``etl.publish.months`` writes it.
    """

    table_name: str
    build_id: str
    run_id: str
    inputs: str
    rows: int
    tests: int
    at: datetime = field(default_factory=_now)
    months: str | None = None


Record = Run | Load | Check | DifferenceRow | PartitionCheck | Presence | Stop | Slice | StagedRange | MartBuild

_MARK = "when it was deleted"


def columns_json(table: Table) -> str:
    """A table's columns with their types, as a load remembers them, and whether deleted rows are kept."""
    columns = {column.name: str(column.type) for column in table.columns}
    return json.dumps(columns | ({DELETED_AT.name: _MARK} if table.soft else {}), ensure_ascii=False)


def keeps_deleted(load: Load) -> bool:
    """Whether the copy holds rows that are marked as deleted."""
    return bool(json.loads(load.columns).get(DELETED_AT.name) == _MARK)


def next_load(table: Table, newest: Load | None, **values: Any) -> Load:
    """The load that follows ``newest``; what is not given is taken over from it."""
    number = newest.load_no + 1 if newest else 1
    values = {"load_id": new_id(), "load_no": number, "at": _now(), "touched": None, **values}
    if newest:
        return replace(newest, **values)
    return Load(table_name=table.target, **values)
