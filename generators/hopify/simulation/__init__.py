"""The world goes on: days after the generated ones, written into the database as an application would."""

from __future__ import annotations

from generators.hopify.simulation.run import simulate

__all__ = ["simulate"]
