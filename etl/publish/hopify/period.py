"""The months a dashboard speaks of."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date

from etl.publish.figures import Reader


@dataclass(frozen=True, slots=True)
class Period:
    """``first`` and ``last`` are the first days of the first and the last month shown.

    ``last`` is the last month the data covers to its end, or its only one. ``as_of`` is the last
    day of the data.
    """

    first: date
    last: date
    as_of: date

    @property
    def last_day(self) -> date:
        """The last day of the last month shown."""
        return self.last.replace(day=monthrange(self.last.year, self.last.month)[1])

    @property
    def year(self) -> str:
        """A GoogleSQL condition on ``month``: the last twelve months shown."""
        return f"month > DATE_SUB({_literal(self.last)}, INTERVAL 12 MONTH) AND {self.shown}"

    @property
    def shown(self) -> str:
        """A GoogleSQL condition on ``month``: no later than the last month shown."""
        return f"month <= {_literal(self.last)}"


def period(read: Reader) -> Period | None:
    """The period of the marts; None where they hold no month."""
    found = read(
        "SELECT MIN(month) AS first, MAX(as_of) AS as_of, "
        "COALESCE(MAX(IF(is_complete, month, NULL)), MAX(month)) AS last FROM marts.months"
    )[0]
    return Period(found["first"], found["last"], found["as_of"]) if found["last"] else None


def _literal(value: date) -> str:
    return f"DATE '{value.isoformat()}'"
