"""Jobs: run under names that are known beforehand, so that one whose answer got lost is found again.

https://cloud.google.com/bigquery/docs/running-jobs#generate-jobid
"""

from __future__ import annotations

import logging
import random
import re
import time
import uuid
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from datetime import datetime
from itertools import count
from typing import Any, TypeVar

from google.api_core.exceptions import Conflict, NotFound
from google.cloud import bigquery

from etl.dialects.base import Statement
from etl.warehouses.bigquery.failures import ANY, DISCONNECTED, transient, translated

log = logging.getLogger(__name__)

ATTEMPTS = 8
_LABEL = re.compile(r"[^a-z0-9_-]+")
# What a `?` must not be looked for in: strings and quoted names, with their escapes.
_PLACEHOLDER = re.compile(r"'(?:\\.|[^'\\])*'|`(?:\\.|[^`\\])*`|\?")
_TYPES = {bool: "BOOL", int: "INT64", float: "FLOAT64", str: "STRING", bytes: "BYTES"}

Job = TypeVar("Job", bound=Any)
Outcome = TypeVar("Outcome")


class Jobs:
    """Runs the jobs of one open warehouse, each with the labels of whatever it is run for."""

    def __init__(self, client: bigquery.Client, location: str, maximum_bytes: int | None) -> None:
        """``maximum_bytes`` is what one query may be billed for at the most."""
        self._client, self._location, self._maximum_bytes = client, location, maximum_bytes
        self._token = uuid.uuid4().hex
        self._numbers = count(1)
        self._labels: ContextVar[dict[str, str]] = ContextVar("labels")

    @property
    def labels(self) -> dict[str, str]:
        """What the statements of this thread are run for."""
        return {"tool": "etl", **self._labels.get({})}

    def label(self, labels: dict[str, str]) -> None:
        """Add labels, in the letters that they may have."""
        self._labels.set(self._labels.get({}) | {name: label_text(value) for name, value in labels.items()})

    def read(self, sql: str, values: Sequence[Any] = ()) -> Any:
        """The rows of a query, ``?`` in it bound to values, in one round trip; raises ``WarehouseError``.

        It needs no name: run twice, it changes nothing more, be it a SELECT, an UPDATE that says what is to
        be, or a script of such.
        """
        text, parameters = bound([Statement(sql, tuple(values))])
        config = self._configuration(parameters)
        client, location = self._client, self._location
        return self._persistently(
            "a query", lambda _: client.query_and_wait(text, job_config=config, location=location)
        )

    def query(self, sql: str, values: Sequence[Any] = ()) -> Any:
        """What a statement left, ``?`` in it bound to values; raises ``WarehouseError``."""
        text, parameters = bound([Statement(sql, tuple(values))])
        return self.script(text, parameters)

    def script(self, text: str, parameters: Sequence[bigquery.ScalarQueryParameter] = ()) -> Any:
        """The rows of a query, or of a script's last statement, with named parameters; raises ``WarehouseError``."""
        config = self._configuration(parameters)

        def submit(name: str) -> bigquery.QueryJob:
            return self._client.query(text, job_config=config, job_id=name, location=self._location, job_retry=None)

        job, rows = self.run(submit)
        log.debug("%s: %s bytes read, %s billed", job.job_id, job.total_bytes_processed, job.total_bytes_billed)
        return rows

    def estimate(self, sql: str) -> int:
        """The bytes that a query would read; raises ``WarehouseError``."""
        config = bigquery.QueryJobConfig(dry_run=True, use_query_cache=False)
        try:
            job = self._client.query(sql, job_config=config, location=self._location, job_retry=None)
        except ANY as error:
            raise translated(error) from error
        return int(job.total_bytes_processed or 0)

    def run(self, submit: Callable[[str], Job]) -> tuple[Job, Any]:
        """Submit a job and wait for it: the job and its result.

        What may succeed a moment later is tried again, data that is wrong never. Raises ``WarehouseError``.
        """
        base = f"etl_{self._token}_{next(self._numbers)}"

        def attempt(number: int) -> tuple[Job, Any]:
            job = self._submitted(submit, f"{base}_{number}")
            return job, job.result()

        return self._persistently(base, attempt)

    def _persistently(self, what: str, act: Callable[[int], Outcome]) -> Outcome:
        """Act, and act again where that may help; the argument is the attempt's number."""
        for attempt in count(1):
            try:
                return act(attempt)
            except ANY as error:
                if attempt == ATTEMPTS or not transient(error):
                    raise translated(error) from error
                seconds = min(0.2 * 2**attempt, 20.0) * random.uniform(0.5, 1.0)  # noqa: S311  # jitter, no secret
                log.info("%s: %s; trying again in %.1f s", what, str(error).partition("\n")[0], seconds)
                time.sleep(seconds)
        raise AssertionError("the last attempt returns or raises")

    def _submitted(self, submit: Callable[[str], Job], name: str) -> Job:
        """The job of that name: submitted now, or found where an answer got lost."""
        try:
            return submit(name)
        except Conflict:
            job: Job = self._found(name)
            return job
        except DISCONNECTED:
            log.info("%s: no answer; looking whether it was accepted", name)
            time.sleep(1)
            try:
                job = self._found(name)
            except NotFound:
                job = submit(name)
            return job

    def _found(self, name: str) -> Any:
        """The job of that name; raises ``NotFound``."""
        return self._client.get_job(name, location=self._location)

    def _configuration(self, parameters: Sequence[bigquery.ScalarQueryParameter]) -> bigquery.QueryJobConfig:
        config = bigquery.QueryJobConfig(labels=self.labels)
        config.query_parameters = list(parameters)
        if self._maximum_bytes is not None:
            config.maximum_bytes_billed = self._maximum_bytes
        return config


def bound(statements: Sequence[Statement | str]) -> tuple[str, list[bigquery.ScalarQueryParameter]]:
    """The statements as one script with a named parameter for each ``?``; positions would run through all of it."""
    parameters: list[bigquery.ScalarQueryParameter] = []
    texts = []
    for statement in statements:
        sql, values = (statement, ()) if isinstance(statement, str) else statement
        texts.append(_named(sql, values, parameters) if values else sql)
    return ";\n".join(texts), parameters


def _named(sql: str, values: Sequence[Any], parameters: list[bigquery.ScalarQueryParameter]) -> str:
    left = iter(values)

    def name(match: re.Match[str]) -> str:
        if match[0] != "?":
            return match[0]
        value = next(left)
        parameters.append(bigquery.ScalarQueryParameter(f"p{len(parameters)}", _type_of(value), value))
        return f"@p{len(parameters) - 1}"

    return _PLACEHOLDER.sub(name, sql)


def _type_of(value: Any) -> str:
    if isinstance(value, datetime):
        return "TIMESTAMP" if value.tzinfo else "DATETIME"
    return next(name for type_, name in _TYPES.items() if isinstance(value, type_))


def label_text(value: str) -> str:
    """A label's value: lower case, and of the rest only what it may hold."""
    return _LABEL.sub("-", value.lower())[:63]
