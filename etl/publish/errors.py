"""The errors of publishing."""

from __future__ import annotations

from etl.errors import ConfigError, RunError


class QueryError(ConfigError):
    """A query cannot be read, understood or ordered: mend its text."""


class MartError(RunError):
    """A mart could not be built or failed one of its tests: nothing was published."""
