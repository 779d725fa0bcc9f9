"""The hopify world: a SaaS company's customers, subscriptions, orders, tickets and marketing, over 36 months."""

from __future__ import annotations

from generators.hopify.generation import generate
from generators.hopify.simulation import simulate

__all__ = ["generate", "simulate"]
