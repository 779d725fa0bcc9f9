"""Who might do something today, before anything is read of them.

Every customer is proposed at a rate no lower than its own, which its id alone gives; those read
are then kept with the ratio of the two rates. So a day reads what it touches, not the whole table.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sqlalchemy import func, select

from generators.hopify.columns import Floats, Ints
from generators.hopify.curves import order_weight, settling_in, ticket_weight
from generators.hopify.days import as_date
from generators.hopify.loyalty import HIGHEST_RISK
from generators.hopify.personas import PERSONAS
from generators.hopify.potential import value_pull
from generators.hopify.simulation.today import Today
from generators.hopify.traits import traits
from schemas.hopify import customers

DAYS_A_MONTH = 30.4375
NEWCOMER_DAYS = 150
_SETTLED = float(settling_in(NEWCOMER_DAYS / DAYS_A_MONTH))
_NEWCOMER = float(settling_in(0.0))

MOST_ORDERS = max(persona.orders for persona in PERSONAS)
MOST_TICKETS = max(persona.tickets for persona in PERSONAS)
INSTALLS_A_MONTH = 0.05
"""Installs a month of an active customer, as a share of its segment's usual number."""

MOST_INSTALLS = INSTALLS_A_MONTH * max(persona.installs for persona in PERSONAS)
MOST_CHANGES = 0.06
MOST_RETURNS = max(persona.reactivation for persona in PERSONAS)


@dataclass(frozen=True, slots=True)
class Candidates:
    """Customer ids by what they might do, with repetition; ``unsettled`` is the tickets' rate each was proposed at."""

    orders: Ints
    tickets: Ints
    unsettled: Floats
    installs: Ints
    leaving: Ints
    changing: Ints
    returning: Ints

    def everyone(self) -> Ints:
        """Every id proposed, once."""
        proposed = (self.orders, self.tickets, self.installs, self.leaving, self.changing, self.returning)
        return np.unique(np.concatenate(proposed))


def candidates(today: Today) -> Candidates:
    """Today's proposals among all customer ids handed out so far."""
    rng, ids = today.rng("candidates"), np.arange(1, today.taken["customers"] + 1)
    character = traits(today.world.seed, ids)
    settling = np.where(ids >= _first_newcomer(today), _NEWCOMER, _SETTLED)

    def proposed(monthly: Floats | float) -> Ints:
        return np.repeat(ids, rng.poisson(np.broadcast_to(np.asarray(monthly) / DAYS_A_MONTH, ids.shape)))

    asking = proposed(MOST_TICKETS * character.load * settling * float(ticket_weight(today.number)))
    return Candidates(
        orders=proposed(MOST_ORDERS * value_pull(character.value) * float(order_weight(today.number))),
        tickets=asking,
        unsettled=settling[asking - 1],
        installs=proposed(MOST_INSTALLS),
        leaving=np.unique(proposed(HIGHEST_RISK)),
        changing=np.unique(proposed(MOST_CHANGES)),
        returning=np.unique(proposed(MOST_RETURNS)),
    )


def _first_newcomer(today: Today) -> int:
    """The lowest id of a customer still settling in; ids follow the order of signing up."""
    since = as_date(today.number - NEWCOMER_DAYS)
    query = select(func.min(customers.c.customer_id)).where(customers.c.signed_up_on >= since)
    return int(today.connection.execute(query).scalar() or today.taken["customers"] + 1)
