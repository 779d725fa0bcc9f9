"""Promo codes: what they take off, when they are valid, and which one an order used."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from generators.hopify.campaigns import Campaigns
from generators.hopify.columns import NULL, Ints, batch
from generators.hopify.days import DAY, END, HOUR, START
from generators.streams import faker_stream, stream
from schemas.hopify import discounts as table

_PERCENTS = np.array([500, 1_000, 1_250, 1_500, 2_000, 2_500, 3_000])
_LOOSE = 30
_LAST = END // DAY - 1


@dataclass(frozen=True, slots=True)
class Discounts:
    """Codes as arrays; ``percent`` in hundredths of a percent, ``first`` and ``last`` both valid days.

    ``uses`` is the most that one shard may use a code (NULL without limit), so that shards keep a
    code's limit without knowing of each other.
    """

    ids: Ints
    percent: Ints
    first: Ints
    last: Ints
    uses: Ints

    def used(self, rng: np.random.Generator, days: Ints) -> Ints:
        """For an order on each of ``days`` the position of a code then valid, or NULL."""
        chosen = np.full(len(days), NULL)
        if not len(self.ids) or not len(days):
            return chosen
        calendar, order = np.unique(days, return_inverse=True)
        valid = (self.first <= calendar[:, None]) & (calendar[:, None] <= self.last)
        counts = valid.sum(axis=1)[order]
        nth = (rng.random(len(days)) * counts).astype(np.int64)
        by_day = np.argsort(~valid, axis=1, kind="stable")
        found = counts > 0
        chosen[found] = by_day[order[found], nth[found]]
        return self._within_limits(chosen)

    def _within_limits(self, chosen: Ints) -> Ints:
        """NULL for the uses of a code beyond its limit, counted in the order of the rows."""
        order = np.argsort(chosen, kind="stable")
        ranked = chosen[order]
        rank = np.empty(len(chosen), np.int64)
        rank[order] = np.arange(len(chosen)) - np.searchsorted(ranked, ranked)
        limits = np.where(self.uses == NULL, len(chosen), self.uses)[np.where(chosen == NULL, 0, chosen)]
        return np.where(rank < limits, chosen, NULL)


def made(seed: int, campaigns: Campaigns) -> tuple[Discounts, list[str]]:
    """The codes of ``seed``: one that always holds, one for each campaign, and loose ones; with their texts."""
    rng = stream(seed, "discounts")
    loose = START + rng.integers(0, _LAST - START - 20, _LOOSE)
    first = np.concatenate([[START - 200], campaigns.first, loose])
    last = np.concatenate([[_LAST + 3_650], campaigns.last, loose + rng.integers(14, 75, _LOOSE)])
    count = len(first)
    limited = rng.random(count) < 0.25
    limited[0] = False
    per_shard = rng.integers(8, 60, count)
    percent = _PERCENTS[rng.integers(0, len(_PERCENTS), count)]
    percent[0] = 500
    codes = ["WELCOME", *(_code(rng, int(day)) for day in first[1:])]
    uses = np.where(limited, per_shard, NULL)
    return Discounts(np.arange(1, count + 1), percent, first, last, uses), _unique(codes, percent)


def discount_rows(seed: int, discounts: Discounts, codes: list[str], shards: int) -> pa.RecordBatch:
    """The discounts table; a code's limit is its shards' limits together."""
    fake = faker_stream(seed, "discounts")
    created = discounts.first - 7
    return batch(
        table,
        {
            "discount_id": discounts.ids,
            "code": pa.array(codes),
            "description": pa.array([fake.sentence(nb_words=8) for _ in codes]),
            "percent_off": discounts.percent,
            "valid_from": discounts.first,
            "valid_to": discounts.last,
            "max_uses": np.where(discounts.uses == NULL, NULL, discounts.uses * max(shards, 1)),
            "updated_at": np.minimum(created, _LAST) * DAY + 10 * HOUR,
        },
    )


def _code(rng: np.random.Generator, first: int) -> str:
    year = np.int64(first).astype("datetime64[D]").astype("datetime64[Y]")
    letters = "".join("ABCDEFGHJKLMNPQRSTUVWXYZ"[i] for i in rng.integers(0, 24, 4))
    return f"{letters}{str(year)[2:]}"


def _unique(codes: list[str], percent: Ints) -> list[str]:
    """Codes with their percents and, as letters may coincide, their number."""
    return [
        f"{code}-{int(off) // 100}-{number:02d}" for number, (code, off) in enumerate(zip(codes, percent, strict=True))
    ]
