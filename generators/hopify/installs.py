"""App installs: products that customers deployed, served from an office, removed when they leave."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import product

import numpy as np
import pyarrow as pa

from generators.hopify.catalogue import Catalogue
from generators.hopify.columns import NULL, Batches, Ints, batch, fixed_width, picked
from generators.hopify.customers import People, blanked
from generators.hopify.days import DAY, END, MINUTE, SECOND, time_of_day
from generators.hopify.offices import serving
from generators.hopify.personas import habit
from generators.hopify.spans import OPEN, Spans
from schemas.hopify import app_installs as table

_INSTALLABLE = 4
"""The first categories of the schema are software; training and support are not installed."""

_SETTINGS = pa.array(
    [
        json.dumps(
            {"theme": theme, "locale": locale, "notifications": {"email": email, "push": push}, "limit": limit},
            ensure_ascii=False,
        )
        for theme, locale, email, push, limit in product(
            ("light", "dark", "système"),
            ("en-US", "de-DE", "fr-FR", "ja-JP"),
            (True, False),
            (True, False),
            (9, 2.5),
        )
    ]
)


@dataclass(frozen=True, slots=True)
class Installs:
    """Installs in order of their instant; ``removed`` is an instant or NULL."""

    who: Ints
    at: Ints
    removed: Ints


def installed(rng: np.random.Generator, who: People, spans: Spans) -> Installs:
    """Installs by customer within its spans: most soon after signup, others any day."""
    owner = np.repeat(np.arange(len(who)), rng.poisson(habit("installs", who.segment) * who.traits.value**0.3))
    count = len(owner)
    soon = who.signed_up[owner] + rng.exponential(25.0, count).astype(np.int64)
    whenever = who.signed_up[owner] + (rng.random(count) * (END // DAY - who.signed_up[owner])).astype(np.int64)
    day = np.where(rng.random(count) < 0.6, soon, whenever)
    kept = spans.cover(owner, day) & (day < END // DAY)
    owner, day = owner[kept], day[kept]
    at = np.maximum(day * DAY + time_of_day(rng, len(day)), who.created[owner] + 5 * MINUTE)
    order = np.lexsort((owner, at))
    owner, at = owner[order], at[order]
    return Installs(owner, at, _removed(rng, owner, at, spans))


def install_rows(rng: np.random.Generator, who: People, done: Installs, catalogue: Catalogue) -> Batches:
    """The app_installs table, ids from 1 in order of install."""
    count = len(done.who)
    apps = np.flatnonzero(catalogue.category < _INSTALLABLE)
    app = catalogue.sold_instead(apps[rng.integers(0, len(apps), count)], done.at // DAY)
    rows = batch(
        table,
        {
            "install_id": np.arange(1, count + 1),
            "customer_id": who.ids[done.who],
            "product_id": catalogue.ids[app],
            "location_id": serving(rng, who.country[done.who]),
            "installed_at": done.at,
            "removed_at": done.removed,
            "device_digest": digests(rng, count),
            "settings": blanked(rng, picked(_SETTINGS, rng.integers(0, len(_SETTINGS), count)), 0.22),
            "updated_at": np.where(done.removed == NULL, done.at, done.removed) + 2 * SECOND,
        },
    )
    return {"app_installs": rows}


def digests(rng: np.random.Generator, count: int) -> pa.Array:
    """20 random bytes a device."""
    return fixed_width(np.frombuffer(rng.bytes(20 * count), np.uint8).reshape(count, 20), pa.binary())


def _removed(rng: np.random.Generator, owner: Ints, at: Ints, spans: Spans) -> Ints:
    """Half are removed within weeks of the end of the customer's last span, some before; NULL for the rest."""
    last_end = np.zeros(int(spans.who.max(initial=-1)) + 1, np.int64)
    last_end[spans.who] = spans.end
    end = last_end[owner]
    count = len(owner)
    left = np.where(end == OPEN, 0, end) * DAY + rng.integers(0, 21 * DAY, count)
    tired = at + rng.integers(DAY, 400 * DAY, count)
    chosen = np.where((end != OPEN) & (rng.random(count) < 0.55), left, np.where(rng.random(count) < 0.08, tired, NULL))
    return np.where((chosen > at) & (chosen < END - 10 * SECOND), chosen, NULL)
