"""What is in an order: lines of distinct products, and the discount taken off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from generators.hopify.catalogue import Catalogue
from generators.hopify.columns import NULL, Bools, Ints
from generators.hopify.customers import People
from generators.hopify.days import DAY, START
from generators.hopify.discounts import Discounts
from generators.hopify.personas import habit
from generators.hopify.potential import Orders

MOST_SEATS = 2_000


@dataclass(frozen=True, slots=True)
class Shop:
    """What can be bought and what can be taken off."""

    catalogue: Catalogue
    discounts: Discounts


@dataclass(frozen=True, slots=True)
class Baskets:
    """Lines in order of their order, and per order what it comes to, in cents.

    ``order`` and ``product`` are positions; ``discount`` is a position or NULL, ``off`` is zero without one.
    """

    order: Ints
    product: Ints
    quantity: Ints
    price: Ints
    discount: Ints
    off: Ints
    total: Ints


def baskets(rng: np.random.Generator, who: People, orders: Orders, shop: Shop) -> Baskets:
    """Fill the baskets of ``orders``."""
    segment, day = who.segment[orders.who], orders.at // DAY
    wanted = rng.random(len(day)) < habit("discount_share", segment)
    used = shop.discounts.used(rng, np.where(wanted, day, -1))
    discount = np.where(wanted, used, NULL)
    order, product = _lines(rng, segment, day, discount != NULL, shop.catalogue)
    quantity = _quantities(rng, who, orders.who[order], discount[order] != NULL, shop.catalogue.cents[product])
    price = _prices(rng, segment[order], shop.catalogue.cents[product], day[order])
    gross = np.bincount(order, quantity * price, len(day)).astype(np.int64)
    percent = np.where(discount == NULL, 0, shop.discounts.percent[np.where(discount == NULL, 0, discount)])
    off = (gross * percent + 5_000) // 10_000
    return Baskets(order, product, quantity, price, discount, off, gross - off)


def _lines(
    rng: np.random.Generator, segment: Ints, day: Ints, discounted: Bools, catalogue: Catalogue
) -> tuple[Ints, Ints]:
    """Orders' and products' positions, each pair once; a discount makes people buy more."""
    mean = (habit("lines", segment) - 1) * np.where(discounted, 1.45, 1.0)
    order = np.repeat(np.arange(len(day)), 1 + np.minimum(rng.poisson(mean), 9))
    bounds = np.cumsum(catalogue.appeal(), axis=1)
    bounds /= bounds[:, -1:]
    draw = rng.random(len(order))
    product = np.zeros(len(order), np.int64)
    for position, of_segment in enumerate(bounds):
        rows = segment[order] == position
        product[rows] = np.searchsorted(of_segment[:-1], draw[rows], "right")
    sold = catalogue.sold_instead(product, day[order])
    once = np.unique(order * len(catalogue.ids) + sold)
    order, product = np.divmod(once, len(catalogue.ids))
    return order, product


def _quantities(rng: np.random.Generator, who: People, buyer: Ints, discounted: Bools, cents: Ints) -> Ints:
    """Seats or pieces: by segment, by the customer's value, fewer of what is dear."""
    typical = habit("seats", who.segment[buyer]) * who.traits.value[buyer] ** 0.6
    typical *= np.where(discounted, 1.25, 1.0) * (cents / 5_000.0) ** -0.35
    drawn = typical * np.exp(0.55 * rng.standard_normal(len(buyer)))
    return np.clip(np.round(drawn), 1, MOST_SEATS).astype(np.int64)


def _prices(rng: np.random.Generator, segment: Ints, cents: Ints, day: Ints) -> Ints:
    """Unit prices in cents: list prices rose 4 % a year to today's; the large negotiate up to 18 % off."""
    years = np.minimum((day - START) // 365, 2)
    per_mille = 1_000 - 40 * (2 - years) - np.where(segment > 0, rng.integers(0, 90, len(day)) * segment, 0)
    prices: Ints = np.maximum((cents * per_mille + 500) // 1_000, 1)
    return prices
