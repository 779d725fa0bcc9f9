"""What active customers do on a day: order, ask, install; and who joins them."""

from __future__ import annotations

import numpy as np

from generators.hopify import potential
from generators.hopify.acquisition import Signups, expected_signups
from generators.hopify.columns import NULL, Bools, Floats, Ints
from generators.hopify.curves import order_weight, settling_in
from generators.hopify.customers import People, customer_rows, people
from generators.hopify.days import DAY, MINUTE, months_between
from generators.hopify.installs import Installs, install_rows
from generators.hopify.orders import entered_rows
from generators.hopify.personas import habit
from generators.hopify.potential import failures, order_rate, priorities, resolution_hours, ticket_rate
from generators.hopify.simulation.candidates import (
    DAYS_A_MONTH,
    INSTALLS_A_MONTH,
    MOST_INSTALLS,
    MOST_ORDERS,
    MOST_TICKETS,
    Candidates,
)
from generators.hopify.simulation.members import Members
from generators.hopify.simulation.plans import first_subscriptions
from generators.hopify.simulation.today import Today
from generators.hopify.tickets import ticket_rows
from generators.hopify.traits import normal
from schemas.hopify import CHANNELS

ENTERED_LATE = 0.03


def welcome(today: Today) -> None:
    """New customers with their first subscription, and what they do on their first day."""
    rng = today.rng("signups")
    arriving = _signups(today, rng)
    ids = today.reserve("customers", len(arriving.day))
    who = people(rng, today.world.seed, ids, arriving)
    today.journal.insert(customer_rows(rng, who, today.world.texts, today.end))
    today.add(first_subscriptions(today, rng, who))
    everyone = np.arange(len(who))
    bought = np.repeat(everyone, rng.poisson(order_rate(who) * float(order_weight(today.number)) / DAYS_A_MONTH))
    asked = np.repeat(everyone, rng.poisson(ticket_rate(who) * float(settling_in(0.0)) / DAYS_A_MONTH))
    started = np.repeat(everyone, rng.poisson(0.3 * habit("installs", who.segment)))
    at = _soon(rng, who, bought)
    _order(today, rng, who, bought, at, at)
    _ask(today, rng, who, asked, _soon(rng, who, asked))
    _install(today, rng, who, started, _soon(rng, who, started))


def trade(today: Today, known: Members, drawn: Candidates) -> None:
    """Orders, tickets and installs of the ``known`` customers, of whom all are active."""
    rng = today.rng("activity")
    who = known.who
    buyers = _kept(rng, who, drawn.orders, habit("orders", who.segment) / MOST_ORDERS)
    askers = _askers(today, rng, who, drawn)
    owners = _kept(rng, who, drawn.installs, INSTALLS_A_MONTH * habit("installs", who.segment) / MOST_INSTALLS)
    entered = today.instants(rng, len(buyers))
    _order(today, rng, who, buyers, _backdated(rng, known, buyers, entered), entered)
    _ask(today, rng, who, askers, today.instants(rng, len(askers)))
    _install(today, rng, who, owners, today.instants(rng, len(owners)))


def _signups(today: Today, rng: np.random.Generator) -> Signups:
    """Today's signups, of running campaigns too."""
    counts = rng.poisson(np.concatenate(expected_signups(today.world.scale, today.campaigns, today.number)))
    channel = np.concatenate([np.arange(len(CHANNELS)), today.campaigns.channel])
    campaign = np.concatenate([np.full(len(CHANNELS), NULL), today.campaigns.ids])
    order = rng.permutation(int(counts.sum()))
    return Signups(
        np.full(len(order), today.number), np.repeat(channel, counts)[order], np.repeat(campaign, counts)[order]
    )


def _kept(rng: np.random.Generator, who: People, proposed: Ints, share: Floats) -> Ints:
    """Positions in ``who`` of those ``proposed`` that are in it, each kept with its ``share``."""
    rows, _ = _found(who, proposed)
    return rows[rng.random(len(rows)) < share[rows]]


def _askers(today: Today, rng: np.random.Generator, who: People, drawn: Candidates) -> Ints:
    """Positions of those who open a ticket: newcomers more often."""
    rows, found = _found(who, drawn.tickets)
    settling = settling_in(months_between(who.signed_up[rows], today.number)) / drawn.unsettled[found]
    share = habit("tickets", who.segment[rows]) / MOST_TICKETS * settling
    return rows[rng.random(len(rows)) < share]


def _found(who: People, proposed: Ints) -> tuple[Ints, Bools]:
    """Positions in ``who`` of the ids ``proposed`` that are in it, and which those are."""
    if not len(who):
        return np.zeros(0, np.int64), np.zeros(len(proposed), np.bool_)
    rows = np.minimum(np.searchsorted(who.ids, proposed), len(who) - 1)
    found = who.ids[rows] == proposed
    return rows[found], found


def _soon(rng: np.random.Generator, who: People, rows: Ints) -> Ints:
    """Instants some minutes after signup, which is never in a day's last twenty."""
    soon: Ints = who.created[rows] + MINUTE + (rng.random(len(rows)) * 18 * MINUTE).astype(np.int64)
    return soon


def _backdated(rng: np.random.Generator, known: Members, buyers: Ints, entered: Ints) -> Ints:
    """When orders entered today were placed: some up to two weeks ago, within the subscription that runs."""
    earlier = entered - (rng.uniform(1.0, 14.0, len(buyers)) * DAY).astype(np.int64)
    late = (rng.random(len(buyers)) < ENTERED_LATE) & (earlier >= (known.started[buyers] + 1) * DAY)
    return np.where(late, earlier, entered)


def _order(today: Today, rng: np.random.Generator, who: People, buyers: Ints, placed: Ints, entered: Ints) -> None:
    order = np.argsort(entered, kind="stable")
    buyers = buyers[order]
    fate = failures(rng, who.traits.risk[buyers])
    orders = potential.Orders(buyers, placed[order], fate)
    today.add(entered_rows(rng, who, orders, entered[order], today.shop, today.world.texts, today.end))


def _ask(today: Today, rng: np.random.Generator, who: People, askers: Ints, at: Ints) -> None:
    order = np.argsort(at, kind="stable")
    askers, priority = askers[order], priorities(rng.random(len(at)))
    ids = today.taken["support_tickets"] + 1 + np.arange(len(at))
    hours = resolution_hours(who, askers, priority, resolution_noise(today, ids))
    tickets = potential.Tickets(askers, at[order], priority, hours)
    today.add(ticket_rows(rng, who, tickets, today.world.texts, today.end))


def _install(today: Today, rng: np.random.Generator, who: People, owners: Ints, at: Ints) -> None:
    order = np.argsort(at, kind="stable")
    done = Installs(owners[order], at[order], np.full(len(at), NULL))
    today.add(install_rows(rng, who, done, today.shop.catalogue))


def resolution_noise(today: Today, ticket_ids: Ints) -> Floats:
    """How a ticket's time to resolution departs from the usual: by its id, so that every day agrees on it."""
    return normal(today.world.seed, "resolution", ticket_ids)
