"""One simulated day: what its steps share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from sqlalchemy import Connection, func, select

from generators.hopify.baskets import Shop
from generators.hopify.campaigns import Campaigns
from generators.hopify.columns import Ints
from generators.hopify.days import DAY, as_date, time_of_day
from generators.hopify.numbering import NUMBERED, moved
from generators.hopify.simulation.journal import Journal
from generators.hopify.simulation.offers import advertised, shop
from generators.hopify.world import World
from generators.streams import stream
from schemas.hopify import metadata

_EPOCH = datetime(1970, 1, 1)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Today:
    """The day ``number`` (since 1970-01-01) of ``world``, drawn from ``seed``."""

    connection: Connection
    journal: Journal
    world: World
    seed: int
    number: int

    @property
    def date(self) -> date:
        return as_date(self.number)

    @property
    def begin(self) -> int:
        """The day's first instant."""
        return self.number * DAY

    @property
    def end(self) -> int:
        """The first instant after the day."""
        return self.begin + DAY

    def rng(self, purpose: str) -> np.random.Generator:
        """The day's stream for ``purpose``: the same whenever the day is simulated."""
        return stream(self.seed, f"day/{purpose}", self.number)

    @cached_property
    def shop(self) -> Shop:
        """What is on offer, once the day's new codes are there."""
        return shop(self.connection)

    @cached_property
    def campaigns(self) -> Campaigns:
        """All campaigns, once the day's new ones are there."""
        return advertised(self.connection)

    def instants(self, rng: np.random.Generator, count: int) -> Ints:
        """``count`` instants of the day."""
        return self.begin + time_of_day(rng, count)

    @cached_property
    def taken(self) -> dict[str, int]:
        """The highest key in use of every table whose keys are counted, and of customers."""
        keys = {name: next(iter(columns)) for name, columns in NUMBERED.items() if name in columns.values()}
        highest = {name: func.max(metadata.tables[name].c[key]) for name, key in keys.items()}
        highest["customers"] = func.max(metadata.tables["customers"].c.customer_id)
        return {name: self.connection.execute(select(value)).scalar() or 0 for name, value in highest.items()}

    def reserve(self, table: str, count: int) -> Ints:
        """The next ``count`` keys of ``table``."""
        first = self.taken[table] + 1
        self.taken[table] += count
        return np.arange(first, first + count)

    def add(self, batches: Mapping[str, pa.RecordBatch]) -> None:
        """Insert batches whose keys count from 1, behind the keys in use."""
        self.journal.insert(moved(dict(batches), self.taken))
        for table, rows in batches.items():
            self.taken[table] = self.taken.get(table, 0) + rows.num_rows


def as_timestamp(instant: Any) -> datetime:
    """As ``as_datetime``, with the zone, for columns of timestamps."""
    return as_datetime(instant).replace(tzinfo=UTC)


def as_datetime(instant: Any) -> datetime:
    """The datetime of an instant in microseconds since 1970-01-01."""
    return _EPOCH + timedelta(microseconds=int(instant))


def as_instant(value: datetime) -> int:
    """Microseconds since 1970-01-01 of a datetime without a zone."""
    return (value - _EPOCH) // _MICROSECOND
