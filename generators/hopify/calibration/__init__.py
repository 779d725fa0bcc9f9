"""The hopify world's numbers as found in stored rows, beside those of its specification.

The specification is ``personas``, ``curves`` and the constants beside the draws. Rates are judged
per month that a customer was active, so they hold at every size and after years of simulation.
"""

from __future__ import annotations

from duckdb import DuckDBPyConnection

from generators.calibration import Report
from generators.hopify.calibration import customers, marketing, orders, payments, relations, rules, support, tenure
from generators.hopify.calibration.exposure import measured

__all__ = ["report"]

_PARTS = (customers, tenure, orders, payments, support, marketing, relations)


def report(connection: DuckDBPyConnection, asked: int) -> Report:
    """Judge the rows visible in ``connection`` as a world of ``asked`` customers.

    Every table of ``schemas.hopify`` is a table or view by its name. Nothing is taken from the
    generator's memory: what is judged is what was written.
    """
    exposed = measured(connection)
    lines = [line for part in _PARTS for line in part.lines(connection, exposed)]
    return Report("hopify", asked, (*customers.size(connection, exposed, asked), *lines, *rules.lines(connection)))
