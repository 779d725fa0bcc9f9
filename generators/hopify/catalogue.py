"""Products and plans: a labelled core that was always there, and a drawn tail launched over the years."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from faker import Faker

from generators.hopify.columns import Floats, Ints, batch, digits, joined, labels
from generators.hopify.days import DAY, END, HOUR, START
from generators.hopify.personas import PERSONAS, PLANS
from generators.streams import faker_stream, stream
from schemas.hopify import PRODUCT_CATEGORIES, REVENUE_TYPES, SEGMENTS
from schemas.hopify import plans as plans_table
from schemas.hopify import products as products_table

NEVER = np.int64(2**40)
"""A day number beyond every calendar."""

# name, category, revenue type, list price in cents
CORE = (
    ("Insight Dashboard", "analytics", "subscription", 4_900),
    ("Cohort Explorer", "analytics", "subscription", 7_900),
    ("Data Warehouse Connector", "analytics", "subscription", 12_900),
    ("Report Pack", "analytics", "one_time", 14_900),
    ("Flow Builder", "automation", "subscription", 5_900),
    ("Email Sequences", "automation", "subscription", 3_900),
    ("Approval Chains", "automation", "subscription", 6_900),
    ("Workflow Template Pack", "automation", "one_time", 9_900),
    ("Shop Connector", "integration", "subscription", 2_900),
    ("CRM Bridge", "integration", "subscription", 4_500),
    ("ERP Gateway", "integration", "subscription", 18_900),
    ("Migration Service", "integration", "one_time", 89_000),
    ("Single Sign-On", "security", "subscription", 8_900),
    ("Audit Trail", "security", "subscription", 6_500),
    ("Penetration Test Report", "security", "one_time", 240_000),
    ("Backup Vault", "security", "subscription", 5_500),
    ("Admin Certification", "training", "one_time", 39_900),
    ("Team Workshop", "training", "one_time", 129_000),
    ("Learning Library", "training", "subscription", 1_900),
    ("Analyst Bootcamp", "training", "one_time", 79_000),
    ("Priority Support", "support", "subscription", 9_900),
    ("Onboarding Package", "support", "one_time", 49_900),
    ("Technical Account Manager", "support", "subscription", 89_000),
    ("Health Check", "support", "one_time", 29_900),
)
_TAIL = 36
_NOUNS = {
    "analytics": ("Lens", "Metrics", "Forecast", "Scorecard"),
    "automation": ("Robot", "Trigger", "Scheduler", "Playbook"),
    "integration": ("Link", "Sync", "Adapter", "Hub"),
    "security": ("Shield", "Keyring", "Guard", "Vault"),
    "training": ("Course", "Academy", "Webinar", "Guide"),
    "support": ("Desk", "Care", "Hotline", "Concierge"),
}
_FLAGSHIPS = np.array([[row[1] for row in CORE].index(category) for category in PRODUCT_CATEGORIES])


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Products as arrays in order of their id; days are day numbers, ``retired`` NEVER while on sale."""

    ids: Ints
    category: Ints
    cents: Ints
    launched: Ints
    retired: Ints

    def appeal(self) -> Floats:
        """Relative demand by segment (rows) and product (columns): a few products sell most."""
        tastes = np.array([persona.categories for persona in PERSONAS])
        rank = np.argsort(np.argsort(self.category * 10_000 + self.ids)) - np.searchsorted(
            np.sort(self.category), self.category
        )
        # A dear product sells less often to a small customer.
        dear = np.array([0.55, 0.25, 0.05])[:, None] * np.log(self.cents / 5_000.0)
        appeal: Floats = tastes[:, self.category] / (1.0 + rank) ** 0.7 * np.exp(-dear)
        return appeal

    def sold_instead(self, products: Ints, days: Ints) -> Ints:
        """``products`` (positions) as sold on ``days``: the category's flagship where one was not on sale."""
        on_sale = (self.launched[products] <= days) & (days < self.retired[products])
        return np.where(on_sale, products, _FLAGSHIPS[self.category[products]])


@dataclass(frozen=True, slots=True)
class ProductTexts:
    """What only the table needs of the products."""

    names: list[str]
    descriptions: list[str]
    revenue: Ints


def made(seed: int) -> tuple[Catalogue, ProductTexts]:
    """The products of ``seed``."""
    rng, fake = stream(seed, "products"), faker_stream(seed, "products")
    tail = [_drawn(rng, fake) for _ in range(_TAIL)]
    rows = [*CORE, *tail]
    count, core = len(rows), len(CORE)
    launched = np.concatenate([START - rng.integers(60, 900, core), START + rng.integers(0, 900, _TAIL)])
    retired = np.full(count, NEVER)
    gone = core + rng.choice(_TAIL, 5, replace=False)
    retired[gone] = np.minimum(launched[gone] + rng.integers(120, 500, 5), END // DAY - 1)
    catalogue = Catalogue(
        ids=np.arange(1, count + 1),
        category=np.array([PRODUCT_CATEGORIES.index(row[1]) for row in rows]),
        cents=np.array([row[3] for row in rows]),
        launched=launched,
        retired=retired,
    )
    descriptions = [f"{fake.catch_phrase()}. {fake.sentence(nb_words=10)}" for _ in rows]
    revenue = np.array([REVENUE_TYPES.index(row[2]) for row in rows])
    return catalogue, ProductTexts([row[0] for row in rows], descriptions, revenue)


def product_rows(catalogue: Catalogue, words: ProductTexts) -> pa.RecordBatch:
    """The products table."""
    retired = catalogue.retired < NEVER
    return batch(
        products_table,
        {
            "product_id": catalogue.ids,
            "sku": joined("HOP-", digits(catalogue.ids, 4)),
            "name": pa.array(words.names),
            "description": pa.array(words.descriptions),
            "category": labels(PRODUCT_CATEGORIES, catalogue.category),
            "revenue_type": labels(REVENUE_TYPES, words.revenue),
            "list_price": catalogue.cents,
            "is_active": ~retired,
            "launched_on": catalogue.launched,
            "updated_at": np.where(retired, catalogue.retired, catalogue.launched) * DAY + 9 * HOUR,
        },
    )


def plan_rows() -> pa.RecordBatch:
    """The plans table: three tiers a segment, as old as the company."""
    return batch(
        plans_table,
        {
            "plan_id": np.arange(1, len(PLANS) + 1),
            "name": pa.array([plan.name for plan in PLANS]),
            "segment": labels(SEGMENTS, np.array([plan.segment for plan in PLANS])),
            "tier": np.array([plan.tier for plan in PLANS]),
            "monthly_price": np.array([plan.cents for plan in PLANS]),
            "updated_at": np.full(len(PLANS), (START - 30) * DAY + 8 * HOUR),
        },
    )


def _drawn(rng: np.random.Generator, fake: Faker) -> tuple[str, str, str, int]:
    """One product of the tail: name, category, revenue type, list price in cents."""
    category = PRODUCT_CATEGORIES[int(rng.choice(6, p=(0.26, 0.24, 0.22, 0.12, 0.09, 0.07)))]
    name = f"{fake.catch_phrase().split()[0].capitalize()} {fake.random_element(_NOUNS[category])}"
    subscription = rng.random() < 0.7
    price = int(np.exp(rng.normal(8.6 if subscription else 9.9, 0.6)) / 100) * 100 + 90
    return name, category, "subscription" if subscription else "one_time", price
