"""Customers: who signed up, and their rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from generators.hopify.acquisition import Signups
from generators.hopify.columns import NULL, Batches, Bools, Ints, batch, digits, joined, labels, picked, uuids
from generators.hopify.days import DAY, MINUTE, time_of_day
from generators.hopify.personas import CHANNEL_PERSONAS, choice
from generators.hopify.texts import COUNTRIES, Texts, pick
from generators.hopify.traits import Traits, traits, uniform
from schemas.hopify import CHANNELS, SEGMENTS
from schemas.hopify import customers as table

NO_PHONE = 0.13
NO_POSTAL_CODE = 0.08
WELCOMES_MAIL = 0.42
WELCOMES_MAIL_BY_CAMPAIGN = 0.71


@dataclass(frozen=True, slots=True)
class People:
    """Customers as arrays in order of their id; ``segment``, ``channel`` and ``country`` are positions.

    ``campaign`` is an id or NULL, ``signed_up`` a day number, ``created`` an instant of that day.
    """

    ids: Ints
    segment: Ints
    channel: Ints
    campaign: Ints
    country: Ints
    signed_up: Ints
    created: Ints
    traits: Traits

    def __len__(self) -> int:
        return len(self.ids)


def people(rng: np.random.Generator, seed: int, ids: Ints, signups: Signups) -> People:
    """Gives each signup its id, segment, country, character and instant of the day."""
    mixes = np.array([persona.segments for persona in CHANNEL_PERSONAS])
    shares = np.array([[country.share for country in COUNTRIES]])
    return People(
        ids=ids,
        segment=choice(mixes, signups.channel, uniform(seed, "segment", ids)),
        channel=signups.channel,
        campaign=signups.campaign,
        country=choice(shares, np.zeros(len(ids), np.int64), rng.random(len(ids))),
        signed_up=signups.day,
        created=_in_order(signups.day, time_of_day(rng, len(ids))),
        traits=traits(seed, ids),
    )


def customer_rows(rng: np.random.Generator, who: People, words: Texts, until: int) -> Batches:
    """The customers table for ``who``; a third of them changed something about themselves before ``until``."""
    count = len(who)
    changed = rng.random(count) < 0.35
    later = who.created + ((until - 1 - who.created) * rng.random(count)).astype(np.int64)
    rows = batch(
        table,
        {
            "customer_id": who.ids,
            "public_id": uuids(rng, count),
            "company_name": _untidy(rng, words.companies.pick(rng, who.country)),
            "contact_name": _contacts(rng, who, words),
            "email": _emails(rng, who.ids, words),
            "phone": _phones(rng, who.country, words),
            "street_address": words.streets.pick(rng, who.country),
            "city": _untidy(rng, words.cities.pick(rng, who.country)),
            "postal_code": blanked(rng, words.postal_codes.pick(rng, who.country), NO_POSTAL_CODE),
            "country_code": labels([country.code for country in COUNTRIES], who.country),
            "segment": labels(SEGMENTS, who.segment),
            "acquisition_source": labels(CHANNELS, who.channel),
            "campaign_id": who.campaign,
            "signed_up_on": who.signed_up,
            "accepts_marketing": rng.random(count)
            < np.where(who.campaign == NULL, WELCOMES_MAIL, WELCOMES_MAIL_BY_CAMPAIGN),
            "created_at": who.created,
            "updated_at": np.where(changed, later, who.created),
        },
    )
    return {"customers": rows}


def blanked(rng: np.random.Generator, values: pa.Array, share: float) -> pa.Array:
    """``values`` with about ``share`` of them null."""
    return mended(values, rng.random(len(values)) < share, pa.scalar(None, values.type))


def mended(values: pa.Array, rows: Bools, replacement: pa.Array | pa.Scalar) -> pa.Array:
    """``values`` with those at ``rows`` taken from ``replacement``."""
    return pc.if_else(pa.array(rows), replacement, values)


def _in_order(days: Ints, times: Ints) -> Ints:
    """Instants on ``days`` (ascending), ascending, so that ids follow the order of signing up."""
    return np.sort(days * DAY + np.minimum(times, DAY - 20 * MINUTE))


def _contacts(rng: np.random.Generator, who: People, words: Texts) -> pa.Array:
    first, last = words.first_names.pick(rng, who.country), words.last_names.pick(rng, who.country)
    family_first = np.array([country.family_first for country in COUNTRIES])[who.country]
    return mended(joined(first, last, separator=" "), family_first, joined(last, first, separator=" "))


def _emails(rng: np.random.Generator, ids: Ints, words: Texts) -> pa.Array:
    """Unique because the id ends the part before the at sign; a few people type capitals."""
    count = len(ids)
    local = joined(pick(rng, words.users, count), pa.array(ids).cast(pa.string()), separator=".")
    address = joined(local, pick(rng, words.domains, count), separator="@")
    return mended(address, rng.random(count) < 0.02, pc.utf8_capitalize(address))


def _phones(rng: np.random.Generator, countries: Ints, words: Texts) -> pa.Array:
    """Numbers as people wrote them: every format of the country, some with words in them, some absent."""
    count = len(countries)
    formatted = words.phones.pick(rng, countries)
    own = joined(pc.utf8_slice_codeunits(formatted, 0, -4), digits(rng.integers(0, 10_000, count), 4))
    remark = picked(pa.array([" (office)", " ask for me", " ", " ext. 12"]), rng.integers(0, 4, count))
    return blanked(rng, mended(own, rng.random(count) < 0.04, joined(own, remark)), NO_PHONE)


def _untidy(rng: np.random.Generator, values: pa.Array) -> pa.Array:
    """One in eighty in capitals, one in eighty with a trailing blank."""
    draw = rng.random(len(values))
    shouted = mended(values, draw < 0.0125, pc.utf8_upper(values))
    return mended(shouted, draw > 0.9875, joined(values, " "))
