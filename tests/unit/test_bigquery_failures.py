"""Every reason that BigQuery gives for an error, and what becomes of it: another try, or a sentence and a remedy."""

from __future__ import annotations

import re

import pytest
import requests
from google.api_core import exceptions as google
from google.auth.exceptions import RefreshError

from etl.errors import LostRaceError, WarehouseError
from etl.warehouses.base import LOST_RACE
from etl.warehouses.bigquery.failures import transient, translated
from etl.warehouses.bigquery.jobs import ATTEMPTS, Jobs

AGAIN, NEVER = True, False

# https://cloud.google.com/bigquery/docs/error-messages#errortable, and what queries refused by their limit say.
REASONS = [
    ("accessDenied", google.Forbidden, NEVER, "a right is missing", "roles"),
    ("attributeError", google.BadRequest, NEVER, "no", "mend what it names"),
    ("backendError", google.InternalServerError, AGAIN, "not available", "later"),
    ("backendError", google.ServiceUnavailable, AGAIN, "not available", "later"),
    ("billingNotEnabled", google.Forbidden, NEVER, "billing is not enabled", "enable billing"),
    ("billingTierLimitExceeded", google.BadRequest, NEVER, "computes more", "partitions"),
    ("blocked", google.Forbidden, NEVER, "kept from such jobs", "wait"),
    ("bytesBilledLimitExceeded", google.BadRequest, NEVER, "maximum_bytes_billed", "raise it"),
    ("duplicate", google.Conflict, NEVER, "there already", "run the same command again"),
    ("internalError", google.InternalServerError, AGAIN, "within BigQuery", "later"),
    ("invalid", google.BadRequest, NEVER, "no", "mend what it names"),
    ("invalidQuery", google.BadRequest, NEVER, "no", "mend what it names"),
    ("invalidUser", google.BadRequest, NEVER, "no", "mend what it names"),
    ("jobBackendError", google.BadRequest, AGAIN, "within BigQuery", "later"),
    ("jobInternalError", google.BadRequest, AGAIN, "within BigQuery", "later"),
    ("jobRateLimitExceeded", google.BadRequest, AGAIN, "in a short time", "later"),
    ("notFound", google.NotFound, NEVER, "not there", "location"),
    ("notImplemented", google.MethodNotImplemented, NEVER, "cannot do that", "emulator"),
    ("quotaExceeded", google.Forbidden, NEVER, "quota", "quotas"),
    ("rateLimitExceeded", google.Forbidden, AGAIN, "in a short time", "later"),
    ("resourceInUse", google.BadRequest, NEVER, "still holds", "drop its tables"),
    ("resourcesExceeded", google.BadRequest, NEVER, "more memory", "partition"),
    ("responseTooLarge", google.Forbidden, NEVER, "larger than", "LIMIT"),
    ("stopped", google.ClientError, NEVER, "cancelled", "run the same command again"),
    ("tableUnavailable", google.BadRequest, AGAIN, "for the moment", "later"),
    ("timeout", google.BadRequest, NEVER, "took longer", "partition"),
]


def _refused(kind: type[google.GoogleAPICallError], reason: str, text: str = "no") -> google.GoogleAPICallError:
    return kind(text, errors=[{"reason": reason, "message": text}])


@pytest.mark.parametrize(("reason", "kind", "again", "says", "remedy"), REASONS)
def test_each_reason_is_tried_again_or_explained(
    reason: str, kind: type[google.GoogleAPICallError], again: bool, says: str, remedy: str
) -> None:
    error = _refused(kind, reason)
    assert transient(error) is again
    found = translated(error)
    assert says in found.message
    assert remedy in found.remedy


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (_refused(google.BadRequest, "invalidQuery", "Transaction is aborted due to concurrent update on t"), AGAIN),
        (_refused(google.BadRequest, "invalidQuery", "Could not serialize access to table t"), AGAIN),
        (google.TooManyRequests("slower"), AGAIN),
        (google.BadGateway("a proxy"), AGAIN),
        (google.Unauthorized("who is it"), NEVER),
        (ConnectionResetError(), AGAIN),
        (requests.exceptions.ReadTimeout(), AGAIN),
        (RefreshError("the key was withdrawn"), NEVER),
    ],
)
def test_errors_without_a_reason_of_their_own(error: Exception, again: bool) -> None:
    assert transient(error) is again
    assert translated(error).remedy


@pytest.mark.parametrize("reason", ["backendError", "quotaExceeded"])
def test_a_job_is_sent_again_for_as_long_as_that_may_help(reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under another name each time, and with longer pauses; what cannot help is not tried twice."""
    pauses: list[float] = []
    names: list[str] = []
    monkeypatch.setattr("etl.warehouses.bigquery.jobs.time.sleep", pauses.append)

    def submit(name: str) -> None:
        names.append(name)
        raise _refused(google.Forbidden, reason)

    with pytest.raises(WarehouseError):
        Jobs(None, "EU", None).run(submit)  # type: ignore[arg-type]  # no connection is needed to fail
    expected = ATTEMPTS if reason == "backendError" else 1
    assert len(set(names)) == len(names) == expected
    assert len(pauses) == expected - 1
    assert all(0 < pause <= 20 for pause in pauses)
    assert len({re.sub(r"_\d+$", "", name) for name in names}) == 1


def test_a_failed_assertion_is_a_lost_race() -> None:
    assert isinstance(translated(_refused(google.BadRequest, "invalidQuery", LOST_RACE)), LostRaceError)
