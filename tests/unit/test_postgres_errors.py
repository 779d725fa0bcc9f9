"""What libpq has been seen to say, and what a person is told of it."""

from __future__ import annotations

import pytest

from etl.errors import ConfigError, SourceError
from etl.sources.postgres_errors import translated

CONNECTING = 'IO: [libpq] Failed to connect: connection to server at "127.0.0.1", port 5432 failed: '
SAID = {
    f"{CONNECTING}Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?": (
        "Connection refused",
        "check host and port",
    ),
    f"{CONNECTING}server closed the connection unexpectedly\n\tThis probably means the server terminated abnormally": (
        "server closed the connection unexpectedly",
        "no PostgreSQL",
    ),
    f'{CONNECTING}FATAL:  password authentication failed for user "me"': (
        'password authentication failed for user "me"',
        "ETL_SOURCE_PASSWORD",
    ),
    f'{CONNECTING}FATAL:  database "nowhere" does not exist': ('database "nowhere" does not exist', "check the name"),
    f"{CONNECTING}SSL error: certificate verify failed": ("certificate verify failed", "sslrootcert="),
    f'{CONNECTING}server certificate for "db" does not match host name "other"': (
        'does not match host name "other"',
        "name the host that stands in the certificate",
    ),
    'INVALID_ARGUMENT: [libpq] Failed to execute: ERROR:  relation "items" does not exist\nLINE 1: SELECT 1 FROM '
    '"items"\n  ^\nSQLSTATE: 42P01': ('relation "items" does not exist', "check the name"),
    "IO: [libpq] Query failed: ERROR:  canceling statement due to lock timeout. SQLSTATE: 55P03": (
        "canceling statement due to lock timeout",
        "somebody is changing the table",
    ),
}


@pytest.mark.parametrize("said", SAID, ids=lambda said: said[-40:])
def test_one_sentence_of_what_and_one_of_what_to_do(said: str) -> None:
    what, remedy = SAID[said]
    error = translated(RuntimeError(said), "the source")
    assert isinstance(error, SourceError)
    assert error.message.startswith("the source: ")
    assert error.message.endswith(what)
    assert remedy in error.remedy


@pytest.mark.parametrize(
    "said",
    [
        'IO: [libpq] Failed to connect: invalid integer value "abc" for connection option "port"',
        'IO: [libpq] Failed to connect: invalid URI query parameter: "nonsense"',
    ],
)
def test_a_url_that_cannot_be_read_is_a_wrong_call(said: str) -> None:
    error = translated(RuntimeError(said), "the source")
    assert isinstance(error, ConfigError)
    assert "postgresql://user@host:5432/database" in error.remedy
