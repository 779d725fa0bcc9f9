"""A world's plan: everything that must be known before the first shard, and is the same in every process."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa

from generators.hopify import benchmarks, campaigns, catalogue, discounts, offices, traffic
from generators.hopify.acquisition import planned, scale
from generators.hopify.baskets import Shop
from generators.hopify.campaigns import Campaigns
from generators.hopify.columns import Ints, batch
from generators.hopify.days import END, START
from generators.hopify.texts import Texts, texts
from schemas.hopify import world_state

SHARD = 5_000
"""Customers a shard."""

NAME = "hopify"


@dataclass(frozen=True, slots=True)
class World:
    """A seed, a size and what follows from them.

    ``plan`` is customers by month and channel, ``scale`` customers for a unit of the plan's weights.
    """

    seed: int
    customers: int
    plan: Ints
    campaigns: Campaigns
    shop: Shop
    scale: float
    texts: Texts

    @property
    def shards(self) -> int:
        return -(-self.customers // SHARD)


@lru_cache(maxsize=4)
def world(seed: int, customers: int) -> World:
    """The world of ``seed`` with ``customers`` customers."""
    ran, _, _ = campaigns.yearly(seed)
    products, _ = catalogue.made(seed)
    codes, _ = discounts.made(seed, ran)
    return World(
        seed=seed,
        customers=customers,
        plan=planned(seed, customers, ran),
        campaigns=ran,
        shop=Shop(products, codes),
        scale=scale(customers, ran),
        texts=texts(seed),
    )


def reference_rows(of: World) -> dict[str, pa.RecordBatch]:
    """The tables that no shard makes, parents first."""
    ran, campaign_names, kinds = campaigns.yearly(of.seed)
    products, product_texts = catalogue.made(of.seed)
    codes, code_texts = discounts.made(of.seed, ran)
    added = of.plan.sum() / len(of.plan) / of.plan.shape[1] * ran.lift
    return {
        "locations": offices.location_rows(),
        "plans": catalogue.plan_rows(),
        "campaigns": campaigns.campaign_rows(of.seed, ran, campaign_names, kinds, added),
        "products": catalogue.product_rows(products, product_texts),
        "discounts": discounts.discount_rows(of.seed, codes, code_texts, of.shards),
        "web_traffic": traffic.traffic_rows(of.seed, of.plan),
        "benchmarks": benchmarks.benchmark_rows(),
        "world_state": _state(of),
    }


def _state(of: World) -> pa.RecordBatch:
    return batch(
        world_state,
        {
            "world": pa.array([NAME]),
            "seed": np.array([of.seed]),
            "customers": np.array([of.customers]),
            "first_day": np.array([START]),
            "last_day": np.array([END // 86_400_000_000 - 1]),
            "updated_at": np.array([END - 1]),
        },
    )
