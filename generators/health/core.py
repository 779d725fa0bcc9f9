"""The rows of the health world, from the standard library alone: this file runs by itself.

A SaaS company's customers, their subscription history and its monthly movements of recurring
revenue (MRR), 2023-01 to 2024-12:

* **new** MRR comes with a customer's first subscription, **expansion** with an upgrade to a higher
  tier, **contraction** with a downgrade, **churn** with a cancellation;
* retention falls steeply in the first months and flattens: the retention curve governs, and a
  monthly churn rate is what follows from it;
* a churned customer keeps its last tier and MRR; what the company earns is the sum over active
  subscriptions.

The specification's numbers are met by construction instead of by a lucky seed. Counts are
apportioned by quota; lifetimes are read off the retention curve at evenly spread quantiles (an
additive recurrence with the golden ratio, whose every prefix is spread evenly), so each run of
cohorts follows the curve; prices are drawn within their ranges and then tilted together until the
first and the last month's MRR are met. All randomness is one ``random.Random(seed)``.

Money is in whole cents. An end date is the last day covered; the next period of the customer starts
on the following day of the same month, so that MRR at a month's end is the same however one counts.
"""

from __future__ import annotations

import math
import random
import sqlite3
import string
from calendar import monthrange
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

DB_PATH = Path("data/day06_saas_metrics.db")
CUSTOMERS = 500
SEED = 42
MONTHS = 24
FIRST_DAY = date(2023, 1, 1)
LAST_DAY = date(2024, 12, 31)

TIERS = ("Starter", "Pro", "Enterprise")
TIER_SHARES = (0.50, 0.35, 0.15)
PRICES = {"Starter": (29_00, 99_00), "Pro": (199_00, 499_00), "Enterprise": (999_00, 2_999_00)}

FIRST_MONTH_SIGNUPS = 0.22
FIRST_MONTH_MRR = 50_000_00
LAST_MONTH_MRR = 200_000_00

# Share of customers still subscribed so many months after signup; straight lines in between. The
# bands are for months 1, 3, 6, 12 and 24, and the curve keeps to them half a month to either side,
# for those who count a cohort at the ends of calendar months.
RETENTION = (
    (0.0, 1.0),
    (0.25, 0.955),
    (1.0, 0.926),
    (1.5, 0.907),
    (2.0, 0.874),
    (3.0, 0.824),
    (4.0, 0.790),
    (5.0, 0.746),
    (6.0, 0.715),
    (7.0, 0.696),
    (9.0, 0.667),
    (12.0, 0.627),
    (24.5, 0.523),
)

# Share of customers by the tiers they go through; all others stay in one. Of 500 these are 90
# customers with an upgrade (96 upgrades) and 46 with a downgrade, and 368 who never change.
PATHS = (
    (("Starter", "Pro", "Enterprise"), 0.012),
    (("Starter", "Pro", "Starter"), 0.008),
    (("Starter", "Pro"), 0.110),
    (("Pro", "Enterprise"), 0.050),
    (("Pro", "Starter"), 0.060),
    (("Enterprise", "Pro"), 0.024),
)

MIN_PERIOD = 31
"""Days a period lasts at least before or after a change of tier, so none falls into the month of signup."""

_GOLDEN = (math.sqrt(5) - 1) / 2
_DAYS_A_MONTH = 365.25 / 12
_FIRST_NAMES = (
    "james mary robert patricia john jennifer michael linda david elizabeth william barbara richard susan joseph "
    "jessica thomas sarah carlos karen wei nancy daniel lisa priya betty mark sandra donald ashley steven emily "
    "andrew kimberly yuki donna paul michelle joshua amara kenneth carol kevin amanda brian melissa omar deborah"
)
_LAST_NAMES = (
    "smith johnson williams brown jones garcia miller davis rodriguez martinez hernandez lopez wilson anderson "
    "thomas taylor moore jackson martin lee perez thompson white harris sanchez clark ramirez lewis robinson "
    "walker young allen king wright scott torres nguyen hill flores green adams nelson baker hall rivera campbell"
)
_COMPANIES = (
    "techcorp brightsoft northwind bluepeak datafield cloudnest greenleaf ironbridge quickship redwood silverline "
    "starpoint summitlabs sunrise truenorth vertexio waterford westgate wisefin zenworks acornmedia clearview "
    "fastlane harborhq"
)


class Customer(NamedTuple):
    """A row of ``day06_customers``; ``mrr_current`` in cents."""

    customer_id: str
    email: str
    signup_date: date
    plan_tier: str
    mrr_current: int
    status: str


class Subscription(NamedTuple):
    """A row of ``day06_subscriptions``; ``mrr`` in cents, ``end_date`` the last day covered."""

    subscription_id: str
    customer_id: str
    start_date: date
    end_date: date | None
    mrr: int
    plan_tier: str


class Movement(NamedTuple):
    """A row of ``day06_mrr_movements``, in cents; ``month`` is its first day."""

    month: date
    new_mrr: int
    expansion_mrr: int
    contraction_mrr: int
    churn_mrr: int
    net_mrr: int


@dataclass(frozen=True, slots=True)
class World:
    """All rows: customers by signup month, subscriptions by customer and start, movements by month."""

    customers: list[Customer]
    subscriptions: list[Subscription]
    movements: list[Movement]


@dataclass(slots=True, eq=False)
class Life:
    """A customer while it is being made: signup month, dates, tiers gone through, and each period's price.

    ``end`` is the last day covered, or ``None`` for one active at the window's end; ``starts`` are
    the first days of the periods.
    """

    month: int
    signup: date
    end: date | None
    tiers: tuple[str, ...] = ()
    starts: list[date] = field(default_factory=list)
    ranks: list[float] = field(default_factory=list)
    prices: list[int] = field(default_factory=list)

    @property
    def span(self) -> int:
        """Days from signup to the last day covered."""
        return ((self.end or LAST_DAY) - self.signup).days


def world(customers: int = CUSTOMERS, seed: int = SEED) -> World:
    """All rows for ``customers`` customers; the same for the same ``seed``. Raises ``ValueError`` below 0."""
    if customers < 0:
        raise ValueError(f"A world cannot have {customers:,} customers. Ask for 0 or more.")
    rng = random.Random(seed)  # noqa: S311 (data, not secrets)
    lives = signups(rng, customers)
    assign_tiers(rng, lives)
    for life in lives:
        life.starts = period_starts(rng, life)
    set_prices(rng, lives)
    return _rows(rng, lives)


def apportion(total: int, weights: Sequence[float]) -> list[int]:
    """``total`` divided in proportion to ``weights``, in whole numbers, by largest remainders.

    Weights that do not rise give counts that do not rise.
    """
    if not total or not sum(weights):
        return [0] * len(weights)
    exact = [total * weight / sum(weights) for weight in weights]
    counts = [int(share) for share in exact]
    by_remainder = sorted(range(len(weights)), key=lambda i: counts[i] - exact[i])
    for i in by_remainder[: total - sum(counts)]:
        counts[i] += 1
    return counts


def signup_counts(customers: int) -> list[int]:
    """Signups by month: a launch that brings ``FIRST_MONTH_SIGNUPS`` of all, then fewer by a power of time."""
    power = _root(lambda p: 1 / sum((m + 1) ** -p for m in range(MONTHS)), FIRST_MONTH_SIGNUPS, 0.0, 4.0)
    return apportion(customers, [(m + 1) ** -power for m in range(MONTHS)])


def signups(rng: random.Random, customers: int) -> list[Life]:
    """Customers in order of signup month, each with its signup and, for a churned one, its last day."""
    lives: list[Life] = []
    offset = rng.random()
    for month, count in enumerate(signup_counts(customers)):
        quantiles = [(offset + (len(lives) + i) * _GOLDEN) % 1.0 for i in range(count)]
        rng.shuffle(quantiles)
        lives += [_life(rng, month, quantile) for quantile in quantiles]
    # Some of the first day's customers are still there 24 months later.
    stayed = [life for life in lives if life.month == 0 and life.end is None]
    for life in stayed[: math.ceil(len(stayed) / 8)]:
        life.signup = FIRST_DAY
    return lives


def _life(rng: random.Random, month: int, quantile: float) -> Life:
    first = month_start(month)
    signup = first + timedelta(rng.randrange(_days_in(first)))
    months = lifetime(quantile)
    if months is None:
        return Life(month, signup, None)
    end = signup + timedelta(max(1, round(months * _DAYS_A_MONTH)))
    if end.day == _days_in(end):
        end += timedelta(-1 if (end - signup).days > 1 else 1)
    return Life(month, signup, end if end < LAST_DAY else None)


def lifetime(quantile: float) -> float | None:
    """Months until a customer churns at whose tenure the curve has fallen to ``quantile``; ``None`` for beyond it."""
    for (m0, s0), (m1, s1) in pairwise(RETENTION):
        if s1 < quantile <= s0:
            return m0 + (m1 - m0) * (s0 - quantile) / (s0 - s1)
    return None


def assign_tiers(rng: random.Random, lives: list[Life]) -> None:
    """Give every customer the tiers it goes through, so that the current tiers meet their quotas exactly.

    First tiers are placed over the months so that revenue grows evenly although signups decline:
    30 % of the first Enterprise customers in the launch month and the others evenly after it, Pro
    by the square root of the signups. Within a month higher tiers go to those who stay.
    """
    paths = path_counts(len(lives))
    for tier, group in _place_first_tiers(rng, lives, paths).items():
        for path, count in paths.items():
            if path[0] == tier and len(path) > 1:
                _assign(rng, [life for life in group if not life.tiers], path, count)
        for life in group:
            life.tiers = life.tiers or (tier,)


def _assign(rng: random.Random, group: list[Life], path: tuple[str, ...], count: int) -> None:
    """Send ``count`` of ``group`` through ``path``, mostly such as stay, the more so for an upgrade."""
    able = [life for life in group if life.span >= (len(path) + 1) * MIN_PERIOD]
    rises = TIERS.index(path[-1]) > TIERS.index(path[0])
    chosen = _sample(rng, able, count, 0.15 if rises else 0.35)
    for life in chosen:
        life.tiers = path
    # Where too few stay long enough for a change, others have had its last tier from the start.
    for life in rng.sample([life for life in group if not life.tiers], count - len(chosen)):
        life.tiers = path[-1:]


def path_counts(customers: int) -> dict[tuple[str, ...], int]:
    """How many customers go through which tiers; the last tiers' counts are the quotas of the current tiers."""
    left = dict(zip(TIERS, apportion(customers, TIER_SHARES), strict=True))
    shares = [share for _, share in PATHS]
    changed = apportion(customers, [*shares, 1 - sum(shares)])
    counts: dict[tuple[str, ...], int] = {}
    for (path, _), count in zip(PATHS, changed, strict=False):
        counts[path] = min(count, left[path[-1]])
        left[path[-1]] -= counts[path]
    return counts | {(tier,): count for tier, count in left.items()}


def _place_first_tiers(
    rng: random.Random, lives: list[Life], paths: dict[tuple[str, ...], int]
) -> dict[str, list[Life]]:
    """Customers by first tier: as many of each as ``paths`` start with."""
    months: list[list[Life]] = [[life for life in lives if life.month == m] for m in range(MONTHS)]
    signed = [len(month) for month in months]
    weights = {
        "Enterprise": [0.30] + [0.70 / (MONTHS - 1)] * (MONTHS - 1),
        "Pro": [math.sqrt(count) for count in signed],
    }
    groups: dict[str, list[Life]] = {}
    for tier, churned_weight in (("Enterprise", 0.06), ("Pro", 0.40)):
        wanted = sum(count for path, count in paths.items() if path[0] == tier)
        places = _within(apportion(wanted, weights[tier]), [len(month) for month in months])
        groups[tier] = []
        for number, count in enumerate(places):
            chosen = _sample(rng, months[number], count, churned_weight)
            months[number] = [life for life in months[number] if life not in chosen]
            groups[tier] += chosen
    groups["Starter"] = [life for month in months for life in month]
    return groups


def _within(counts: list[int], capacity: list[int]) -> list[int]:
    """``counts`` with what exceeds a month's ``capacity`` moved to the months with the most room."""
    placed = [min(count, room) for count, room in zip(counts, capacity, strict=True)]
    for _ in range(sum(counts) - sum(placed)):
        roomiest = max(range(len(placed)), key=lambda i: capacity[i] - placed[i])
        placed[roomiest] += 1
    return placed


def _sample(rng: random.Random, lives: Sequence[Life], count: int, churned_weight: float) -> list[Life]:
    """At most ``count`` of ``lives``, a churned one being that much less likely than an active one.

    Weighted sampling without replacement by exponential keys (Efraimidis and Spirakis, 2006).
    """
    keyed = [(-math.log(1 - rng.random()) / (1.0 if life.end is None else churned_weight), life) for life in lives]
    keyed.sort(key=lambda pair: pair[0])
    return [life for _, life in keyed[:count]]


def period_starts(rng: random.Random, life: Life) -> list[date]:
    """First days of the customer's periods: the signup, then changes at random with ``MIN_PERIOD`` days between.

    A change never falls on a month's first day: the period before it ends in the same month.
    """
    changes = len(life.tiers) - 1
    room = life.span - (changes + 1) * MIN_PERIOD
    offsets = sorted(rng.randint(0, room) for _ in range(changes))
    starts = [life.signup]
    for number, offset in enumerate(offsets, 1):
        day = life.signup + timedelta(offset + number * MIN_PERIOD)
        starts.append(day + timedelta(1) if day.day == 1 else day)
    return starts


def set_prices(rng: random.Random, lives: list[Life]) -> None:
    """Price every period within its tier's range, meeting the first and the last month's MRR.

    A price is its range's lower end plus a power of an evenly spread rank times its width. One
    power is for the launch month's first periods and one for all others; each is the root of the
    MRR it decides. Where a small world cannot reach a target, the power stays at its limit.
    """
    offsets = {tier: rng.random() for tier in TIERS}
    seen = dict.fromkeys(TIERS, 0)
    for life in rng.sample(lives, len(lives)):
        for tier in life.tiers:
            life.ranks.append((offsets[tier] + seen[tier] * _GOLDEN) % 1.0)
            seen[tier] += 1
    scale = len(lives) / CUSTOMERS
    first_target, last_target = (scale * mrr * rng.uniform(0.97, 1.03) for mrr in (FIRST_MONTH_MRR, LAST_MONTH_MRR))
    launch = [life for life in lives if life.month == 0]
    early = _root(lambda power: _mrr(launch, month_end(0), power, 1.0), first_target, 4.0, 0.25)
    later = _root(lambda power: _mrr(lives, LAST_DAY, early, power), last_target, 4.0, 0.25)
    for life in lives:
        life.prices = [_price(life, period, early, later) for period in range(len(life.tiers))]


def _price(life: Life, period: int, early: float, later: float) -> int:
    low, high = PRICES[life.tiers[period]]
    power = early if life.month == 0 and period == 0 else later
    return low + round((high - low) * math.pow(life.ranks[period], power))


def _mrr(lives: Iterable[Life], day: date, early: float, later: float) -> float:
    """MRR in cents at the end of ``day`` if prices had these powers."""
    total = 0
    for life in lives:
        if life.signup <= day and (life.end is None or life.end > day):
            total += _price(life, sum(start <= day for start in life.starts) - 1, early, later)
    return total


def _root(function: Callable[[float], float], target: float, low: float, high: float) -> float:
    """Where ``function``, rising from ``low`` to ``high``, reaches ``target``; the nearer end where it never does."""
    for _ in range(60):
        middle = (low + high) / 2
        if function(middle) < target:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _rows(rng: random.Random, lives: list[Life]) -> World:
    customers: list[Customer] = []
    subscriptions: list[Subscription] = []
    emails: set[str] = set()
    for life in lives:
        customer_id = stripe_id(rng, "cus")
        ends = [*(start - timedelta(1) for start in life.starts[1:]), life.end]
        for start, end, price, tier in zip(life.starts, ends, life.prices, life.tiers, strict=True):
            subscriptions.append(Subscription(stripe_id(rng, "sub"), customer_id, start, end, price, tier))
        status = "active" if life.end is None else "churned"
        email = _email(rng, emails)
        customers.append(Customer(customer_id, email, life.signup, life.tiers[-1], life.prices[-1], status))
    return World(customers, subscriptions, mrr_movements(subscriptions))


def mrr_movements(subscriptions: Iterable[Subscription]) -> list[Movement]:
    """New, expansion, contraction and churned MRR of each month, from subscriptions by customer and start.

    An upgrade or downgrade counts in the month in which its period starts, a cancellation in the
    month of its last day.
    """
    sums = [[0, 0, 0, 0] for _ in range(MONTHS)]
    histories: dict[str, list[Subscription]] = {}
    for subscription in subscriptions:
        histories.setdefault(subscription.customer_id, []).append(subscription)
    for history in histories.values():
        sums[month_number(history[0].start_date)][0] += history[0].mrr
        for before, after in pairwise(history):
            gained = after.mrr - before.mrr
            sums[month_number(after.start_date)][1 if gained >= 0 else 2] += abs(gained)
        if history[-1].end_date is not None:
            sums[month_number(history[-1].end_date)][3] += history[-1].mrr
    return [
        Movement(month_start(m), new, expansion, contraction, churn, new + expansion - contraction - churn)
        for m, (new, expansion, contraction, churn) in enumerate(sums)
    ]


def stripe_id(rng: random.Random, prefix: str) -> str:
    """An id as Stripe writes them: the prefix, an underscore and 16 letters or digits."""
    return f"{prefix}_" + "".join(rng.choices(string.ascii_letters + string.digits, k=16))


def _email(rng: random.Random, taken: set[str]) -> str:
    """A business address nobody has yet."""
    name = f"{rng.choice(_FIRST_NAMES.split())}.{rng.choice(_LAST_NAMES.split())}"
    company = rng.choice(_COMPANIES.split())
    email, number = f"{name}@{company}.com", 2
    while email in taken:
        email, number = f"{name}{number}@{company}.com", number + 1
    taken.add(email)
    return email


def month_start(month: int) -> date:
    """The first day of the window's ``month``, counted from 0."""
    return date(FIRST_DAY.year + month // 12, month % 12 + 1, 1)


def month_end(month: int) -> date:
    """The last day of the window's ``month``."""
    first = month_start(month)
    return first.replace(day=_days_in(first))


def month_number(day: date) -> int:
    """The window's month a day lies in, counted from 0."""
    return (day.year - FIRST_DAY.year) * 12 + day.month - 1


def _days_in(day: date) -> int:
    return monthrange(day.year, day.month)[1]


_TABLES = """
CREATE TABLE day06_customers (
    customer_id TEXT PRIMARY KEY,
    email TEXT NOT NULL,
    signup_date DATE NOT NULL,
    plan_tier TEXT NOT NULL,
    mrr_current DECIMAL(10, 2) NOT NULL,
    status TEXT NOT NULL
);
CREATE TABLE day06_subscriptions (
    subscription_id TEXT PRIMARY KEY,
    customer_id TEXT NOT NULL REFERENCES day06_customers (customer_id),
    start_date DATE NOT NULL,
    end_date DATE,
    mrr DECIMAL(10, 2) NOT NULL,
    plan_tier TEXT NOT NULL
);
CREATE TABLE day06_mrr_movements (
    month DATE PRIMARY KEY,
    new_mrr DECIMAL(12, 2) NOT NULL,
    expansion_mrr DECIMAL(12, 2) NOT NULL,
    contraction_mrr DECIMAL(12, 2) NOT NULL,
    churn_mrr DECIMAL(12, 2) NOT NULL,
    net_mrr DECIMAL(12, 2) NOT NULL
);
CREATE INDEX idx_day06_subscriptions_customer_id ON day06_subscriptions (customer_id);
CREATE INDEX idx_day06_subscriptions_start_date ON day06_subscriptions (start_date);
CREATE INDEX idx_day06_customers_signup_date ON day06_customers (signup_date);
CREATE INDEX idx_day06_customers_status ON day06_customers (status);
"""


def write(path: Path, rows: World) -> None:
    """Write ``rows`` as a SQLite database at ``path``, which appears, or is replaced, when it is whole.

    Dates are ISO texts and amounts dollars, as SQLite's own functions take them. Raises ``OSError``
    and ``sqlite3.Error`` where it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        connection = sqlite3.connect(partial)
        try:
            connection.executescript("PRAGMA foreign_keys = ON;" + _TABLES)
            _insert(connection, "day06_customers", rows.customers, money=(4,))
            _insert(connection, "day06_subscriptions", rows.subscriptions, money=(4,))
            _insert(connection, "day06_mrr_movements", rows.movements, money=(1, 2, 3, 4, 5))
            connection.commit()
        finally:
            connection.close()
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _insert(
    connection: sqlite3.Connection, table: str, rows: Sequence[tuple[object, ...]], money: tuple[int, ...]
) -> None:
    if rows:
        marks = ", ".join("?" * len(rows[0]))
        stored = ([_stored(value, i in money) for i, value in enumerate(row)] for row in rows)
        connection.executemany(f"INSERT INTO {table} VALUES ({marks})", stored)


def _stored(value: object, is_money: bool) -> object:
    if is_money:
        assert isinstance(value, int)
        return value / 100
    return value.isoformat() if isinstance(value, date) else value


if __name__ == "__main__":
    write(DB_PATH, world())
    print(f"Database saved to: {DB_PATH}")
