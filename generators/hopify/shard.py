"""One shard of customers with all that is theirs, from its own random streams alone."""

from __future__ import annotations

import numpy as np

from generators.hopify import potential
from generators.hopify.acquisition import signups
from generators.hopify.columns import Batches
from generators.hopify.customers import customer_rows, people
from generators.hopify.days import DAY, END
from generators.hopify.installs import install_rows, installed
from generators.hopify.lifecycle import live
from generators.hopify.orders import order_rows
from generators.hopify.subscriptions import churn_rows, subscription_rows
from generators.hopify.tickets import ticket_rows
from generators.hopify.world import SHARD, World
from generators.streams import stream


def shard_rows(of: World, shard: int) -> Batches:
    """The tables of customers ``shard * SHARD + 1`` and following, parents first.

    Customers have their final ids; all other keys are numbered from 1 in the shard.
    """

    def rng(purpose: str) -> np.random.Generator:
        return stream(of.seed, purpose, shard)

    first, last = shard * SHARD, min((shard + 1) * SHARD, of.customers)
    who = people(
        rng("people"), of.seed, np.arange(first + 1, last + 1), signups(of.seed, of.plan, of.campaigns, first, last)
    )
    bought, asked = potential.orders(rng("orders"), who), potential.tickets(rng("tickets"), who)
    life = live(rng("life"), who, bought, asked)
    placed = bought.kept(life.spans.cover(bought.who, bought.at // DAY))
    opened = asked.kept(life.spans.cover(asked.who, asked.at // DAY))
    done = installed(rng("installs"), who, life.spans)
    return (
        customer_rows(rng("customer-rows"), who, of.texts, END)
        | subscription_rows(rng("subscription-rows"), who, life)
        | order_rows(rng("order-rows"), who, placed, of.shop, of.texts, END)
        | ticket_rows(rng("ticket-rows"), who, opened, of.texts, END)
        | churn_rows(rng("churn-rows"), life, of.texts)
        | install_rows(rng("install-rows"), who, done, of.shop.catalogue)
    )
