"""Names, addresses and sentences: pools drawn from Faker once, picked from and combined by numpy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
from faker import Faker

from generators.hopify.columns import Ints, picked
from generators.streams import faker_stream
from schemas.hopify import TICKET_CATEGORIES


@dataclass(frozen=True, slots=True)
class Country:
    """A country of customers; ``family_first`` where the family name leads, without a blank before names."""

    code: str
    locale: str
    share: float
    region: str
    family_first: bool = False


COUNTRIES = (
    Country("US", "en_US", 0.36, "AMER"),
    Country("GB", "en_GB", 0.12, "EMEA"),
    Country("DE", "de_DE", 0.13, "EMEA"),
    Country("FR", "fr_FR", 0.09, "EMEA"),
    Country("ES", "es_ES", 0.06, "EMEA"),
    Country("PL", "pl_PL", 0.05, "EMEA"),
    Country("SE", "sv_SE", 0.03, "EMEA"),
    Country("BR", "pt_BR", 0.06, "AMER"),
    Country("IN", "en_IN", 0.05, "APAC"),
    Country("JP", "ja_JP", 0.05, "APAC", family_first=True),
)

_SUBJECTS = {
    "billing": ("Invoice for {} looks wrong", "Charged twice: {}", "VAT number missing on {}", "Refund for {}?"),
    "technical": ("{} fails with error 500", "Sync stuck: {}", "{} is slow since the update", "Timeout in {}"),
    "onboarding": ("How do we set up {}?", "Import of {} stops half-way", "Training for {}", "First steps: {}"),
    "feature_request": ("Please add {}", "Export of {} as CSV", "{} in dark mode", "API for {}"),
    "account": ("Cannot log in to {}", "Change owner of {}", "SSO for {}", "Close the account of {}"),
}
_NOTES = ("PO {}", "Deliver after {}", "Approved by {}", "⚠ check with {}", "Renewal … {}", "cf. {}")


@dataclass(frozen=True, slots=True)
class LocalPool:
    """Texts of every country end to end; those of country ``c`` start at ``starts[c]``."""

    texts: pa.Array
    starts: Ints
    sizes: Ints

    def pick(self, rng: np.random.Generator, countries: Ints) -> pa.Array:
        """One text of its own country for every row."""
        return picked(self.texts, self.starts[countries] + rng.integers(0, self.sizes[countries]))


@dataclass(frozen=True, slots=True)
class Texts:
    """All pools of one seed."""

    companies: LocalPool
    first_names: LocalPool
    last_names: LocalPool
    streets: LocalPool
    cities: LocalPool
    postal_codes: LocalPool
    phones: LocalPool
    users: pa.Array
    domains: pa.Array
    notes: pa.Array
    comments: pa.Array
    subjects: pa.Array
    subjects_a_category: int


def pick(rng: np.random.Generator, pool: pa.Array, count: int) -> pa.Array:
    """``count`` texts of ``pool``."""
    return picked(pool, rng.integers(0, len(pool), count))


@lru_cache(maxsize=8)
def texts(seed: int) -> Texts:
    """The pools of ``seed``; the same in every process."""
    locals_ = [faker_stream(seed, "people", 0, country.locale) for country in COUNTRIES]
    fake = faker_stream(seed, "texts")
    subjects = _subjects(fake)
    return Texts(
        companies=_local(locals_, lambda local: str(local.company()), 350),
        first_names=_local(locals_, lambda local: str(local.first_name()), 150),
        last_names=_local(locals_, lambda local: str(local.last_name()), 300),
        streets=_local(locals_, lambda local: str(local.street_address()).replace("\n", ", "), 350),
        cities=_local(locals_, lambda local: str(local.city()), 150),
        postal_codes=_local(locals_, lambda local: str(local.postcode()), 250),
        phones=_local(locals_, lambda local: str(local.phone_number()), 250),
        users=_pool(lambda: str(fake.user_name()), 2_000),
        domains=_pool(lambda: str(fake.domain_name()), 2_000),
        notes=_pool(lambda: _note(fake), 2_000),
        comments=_pool(lambda: str(fake.paragraph(nb_sentences=2)), 1_500),
        subjects=pa.array([text for of_category in subjects for text in of_category]),
        subjects_a_category=len(subjects[0]),
    )


def _local(locals_: list[Faker], draw: Callable[[Faker], str], size: int) -> LocalPool:
    drawn = [draw(local) for local in locals_ for _ in range(size)]
    count = len(locals_)
    return LocalPool(pa.array(drawn), np.arange(count, dtype=np.int64) * size, np.full(count, size, np.int64))


def _pool(draw: Callable[[], str], size: int) -> pa.Array:
    return pa.array([draw() for _ in range(size)])


def _subjects(fake: Faker) -> list[list[str]]:
    """600 ticket subjects for each category, in the schema's order of categories."""
    templates = [_SUBJECTS[category] for category in TICKET_CATEGORIES]
    return [[of[i % len(of)].format(fake.catch_phrase().lower()) for i in range(600)] for of in templates]


def _note(fake: Faker) -> str:
    template: str = fake.random_element(_NOTES)
    text = template.format(fake.name() if "by" in template or "with" in template else fake.bothify("??-####").upper())
    # People paste: some notes end in blanks.
    return text + " " * int(fake.random_element((0, 0, 0, 0, 0, 0, 0, 0, 1, 2)))
