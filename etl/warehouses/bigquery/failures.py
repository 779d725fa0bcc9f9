"""What BigQuery's errors mean to whoever reads them, and which of them are worth another try.

https://cloud.google.com/bigquery/docs/error-messages
"""

from __future__ import annotations

import re
from typing import Any

import requests
from google.api_core import exceptions as google
from google.auth.exceptions import GoogleAuthError, TransportError

from etl.errors import LostRaceError, WarehouseError
from etl.warehouses.base import LOST_RACE

ANY = (google.GoogleAPIError, GoogleAuthError, requests.exceptions.RequestException, ConnectionError)
"""Whatever the clients raise."""

DISCONNECTED = (
    requests.exceptions.ConnectionError,
    requests.exceptions.Timeout,
    TransportError,
    ConnectionError,
    google.RetryError,
)
"""The answer got lost: whether the job was accepted is not known."""

_TRANSIENT = {
    "backendError": "BigQuery is not available",
    "internalError": "something failed within BigQuery",
    "jobBackendError": "something failed within BigQuery",
    "jobInternalError": "something failed within BigQuery",
    "jobRateLimitExceeded": "more is asked in a short time than the project may",
    "rateLimitExceeded": "more is asked in a short time than the project may",
    "tableUnavailable": "a table cannot be reached for the moment",
}
_LATER = "it was tried again for a while; run the same command again later, with fewer runs beside it"
# Two transactions, or two statements, that changed the same rows; the last is what local-bigquery says.
_CONFLICT = re.compile(
    r"due to concurrent update|Could not serialize access|Failed to commit|Transaction conflict", re.I
)
_REMEDIES = {
    "bytesBilledLimitExceeded": (
        "the query would read more than warehouse.maximum_bytes_billed allows",
        "raise it, or read less: partition the table and name the partitions",
    ),
    "quotaExceeded": (
        "a quota of the project is used up",
        "see which at https://cloud.google.com/bigquery/quotas; most refill within a day, others can be raised",
    ),
    "billingNotEnabled": (
        "billing is not enabled for the project, and its free sandbox has no DML",
        "enable billing: https://cloud.google.com/billing/docs/how-to/modify-project",
    ),
    "billingTierLimitExceeded": (
        "the query computes more than on-demand pricing allows for the bytes it reads",
        "read less at once: sync fewer tables, or verify by partitions",
    ),
    "accessDenied": ("a right is missing", "see which roles are needed in docs/bigquery.md"),
    "blocked": (
        "the project is kept from such jobs for now",
        "wait some minutes; if it stays so, Google's support knows why",
    ),
    "notFound": ("something is not there", "check the project, the datasets and their location"),
    "notImplemented": ("it cannot do that", "an emulator may lack it; BigQuery itself is asked without the emulator"),
    "duplicate": ("something of that name is there already", "run the same command again, which looks at it first"),
    "resourceInUse": ("a dataset that is to be dropped still holds something", "drop its tables first"),
    "responseTooLarge": ("the result is larger than a query may return", "ask for less of it, or add a LIMIT"),
    "resourcesExceeded": (
        "the query needs more memory than BigQuery gives one",
        "load or verify less at once: partition the table, and set verify for it",
    ),
    "stopped": ("somebody cancelled the job", "run the same command again, which goes on where this one ended"),
    "timeout": ("the query took longer than it may", "load or verify less at once: partition the table"),
}
"""What helps nobody to try again: https://cloud.google.com/bigquery/docs/error-messages#errortable."""

_FINAL = frozenset(_REMEDIES) | {"dontRetry", "invalid", "invalidQuery", "attributeError", "invalidUser"}


def reasons(error: BaseException) -> set[str]:
    """The short names BigQuery gives to what went wrong."""
    listed: list[Any] = list(getattr(error, "errors", None) or [])
    return {str(one.get("reason", "")) for one in listed if isinstance(one, dict)}


def conflicts(error: BaseException) -> bool:
    """Whether a transaction was given up because another changed the same rows meanwhile."""
    return bool(_CONFLICT.search(str(error)))


def transient(error: BaseException) -> bool:
    """Whether the same job may succeed a moment later."""
    found = reasons(error)
    if found & _TRANSIENT.keys() or conflicts(error):
        return True
    if found & _FINAL:
        return False
    return isinstance(error, (*DISCONNECTED, google.ServerError, google.TooManyRequests))


def translated(error: BaseException) -> WarehouseError:
    """The error as one of ours, with what to do."""
    text = " ".join(str(getattr(error, "message", "") or error).split())
    if LOST_RACE in text:
        return LostRaceError(
            "another run loaded this table in the meantime; nothing was written", "run the same command again"
        )
    if "must match at most one source row" in text:
        return WarehouseError(
            "two rows of the source have the same key", "name a unique key for the table in etl.toml, or none: key = []"
        )
    if isinstance(error, DISCONNECTED):
        return WarehouseError(f"BigQuery does not answer: {text}", "check the network, then run the same command again")
    if isinstance(error, GoogleAuthError):
        return WarehouseError(
            f"Google refuses the credentials: {text}", "run: gcloud auth application-default login, or name another key"
        )
    found = reasons(error)
    for reason, (what, remedy) in _REMEDIES.items():
        if reason in found:
            return WarehouseError(f"BigQuery: {what}: {text}", remedy)
    for reason, what in _TRANSIENT.items():
        if reason in found:
            return WarehouseError(f"BigQuery: {what}: {text}", _LATER)
    if conflicts(error):
        return WarehouseError(f"BigQuery: other transactions change the same table all the time: {text}", _LATER)
    return WarehouseError(f"BigQuery: {text}", "mend what it names, then run the same command again")
