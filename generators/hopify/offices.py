"""The company's offices, from which app installs are served."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa

from generators.hopify.columns import Ints, batch
from generators.hopify.days import DAY, HOUR, MINUTE, START, day_number
from generators.hopify.texts import COUNTRIES
from schemas.hopify import locations as table

# city, region, country, time zone, opens, closes (minutes after midnight), opened on
OFFICES = (
    ("New York", "AMER", "US", "America/New_York", 540, 1080, date(2015, 3, 2)),
    ("San Francisco", "AMER", "US", "America/Los_Angeles", 540, 1080, date(2016, 9, 12)),
    ("Toronto", "AMER", "CA", "America/Toronto", 540, 1050, date(2018, 5, 7)),
    ("São Paulo", "AMER", "BR", "America/Sao_Paulo", 540, 1080, date(2019, 8, 19)),
    ("London", "EMEA", "GB", "Europe/London", 540, 1050, date(2016, 1, 18)),
    ("Berlin", "EMEA", "DE", "Europe/Berlin", 510, 1050, date(2017, 4, 3)),
    ("Paris", "EMEA", "FR", "Europe/Paris", 540, 1080, date(2018, 10, 1)),
    ("Kraków", "EMEA", "PL", "Europe/Warsaw", 480, 990, date(2019, 2, 11)),
    ("Singapore", "APAC", "SG", "Asia/Singapore", 540, 1080, date(2019, 6, 17)),
    ("Tokyo", "APAC", "JP", "Asia/Tokyo", 570, 1110, date(2020, 11, 9)),
    ("Bengaluru", "APAC", "IN", "Asia/Kolkata", 570, 1110, date(2021, 7, 5)),
    ("Sydney", "APAC", "AU", "Australia/Sydney", 525, 1035, date(2022, 2, 14)),
)


def location_rows() -> pa.RecordBatch:
    """The locations table: fixed, older than the world's first day."""
    cities, regions, countries, zones, opens, closes, opened = zip(*OFFICES, strict=True)
    return batch(
        table,
        {
            "location_id": np.arange(1, len(OFFICES) + 1),
            "city": pa.array(cities),
            "region": pa.array(regions),
            "country_code": pa.array(countries),
            "time_zone": pa.array(zones),
            "opens_at": np.array(opens) * MINUTE,
            "closes_at": np.array(closes) * MINUTE,
            "opened_on": np.array([day_number(day) for day in opened]),
            "updated_at": np.full(len(OFFICES), (START - 30) * DAY + 8 * HOUR),
        },
    )


def serving(rng: np.random.Generator, countries: Ints) -> Ints:
    """A location id for each customer's country (a position in COUNTRIES): nearly always in its region."""
    regions = np.array([office[1] for office in OFFICES])
    home = np.array([[region == country.region for region in regions] for country in COUNTRIES], np.float64)
    own = np.array([[office[2] == country.code for office in OFFICES] for country in COUNTRIES], np.float64)
    bounds = np.cumsum(0.02 + home + 4 * own, axis=1)
    bounds /= bounds[:, -1:]
    hit: Ints = (rng.random(len(countries))[:, None] >= bounds[countries, :-1]).sum(axis=1)
    return hit + 1
