"""libpq's complaints, sorted by what a person does next."""

from __future__ import annotations

import re

from etl.errors import ConfigError, SourceError

_AUTHORITY = "name the authority that signed the server's certificate in source.url: sslrootcert=…"
_LOST = "the connection was lost: run the same command again when the server is up"
_REMEDIES = {
    "() failed: server closed the connection": _LOST,  # a call of libpq's on a connection that there was
    "failed: server closed the connection": "check host and port in source.url: what answers there is no PostgreSQL",
    "server does not support SSL": "name another sslmode in source.url, or have the server taught TLS",
    "certificate verify failed": _AUTHORITY,
    "does not match host name": "name the host that stands in the certificate in source.url, or sslmode=verify-ca",
    "root certificate file": _AUTHORITY,
    "password authentication failed": "check the user in source.url and ETL_SOURCE_PASSWORD",
    "no password supplied": "set ETL_SOURCE_PASSWORD",
    "could not translate host name": "check the host in source.url",
    "Connection refused": "check host and port in source.url, and that the server is up",
    "permission denied": "GRANT SELECT on it to this user, or exclude the table in etl.toml",
    "row-level security": "ALTER ROLE … BYPASSRLS for this user, or exclude the table in etl.toml",
    "has not been populated": "REFRESH MATERIALIZED VIEW it, or exclude it in etl.toml",
    "lock timeout": "somebody is changing the table: wait for that to end, then run the same command again",
    "terminating connection": "the server ended the connection: run the same command again when it is up",
    "no connection to the server": _LOST,
    "server closed the connection": _LOST,
    "out of shared memory": "raise max_locks_per_transaction on the server, or sync fewer tables at once",
    "conflict with recovery": "raise max_standby_streaming_delay on the standby, or read from the primary",
}


_UNREADABLE = ("invalid URI", "invalid integer value", "invalid port", "invalid sslmode", "invalid connection option")
"""What libpq says of a URL that it cannot read."""


def translated(
    error: Exception, subject: str, missing: str = "check the name in source.url or etl.toml"
) -> SourceError | ConfigError:
    """What libpq said, as one sentence of what and one of what to do; ``missing`` is that for what is not there."""
    text = " ".join(str(error).partition("Query was:")[0].split())
    text = text.partition("SQLSTATE")[0].rpartition("[libpq] ")[2].partition(" This probably means")[0]
    text = text.partition(" Is the server running")[0]
    # Where in the statement it was is for who wrote that.
    text = re.split(r" LINE \d+: ", text)[0]
    text = (text.partition("FATAL: ")[2] or text.partition("ERROR: ")[2] or text).strip(". ")
    if any(sign in text for sign in _UNREADABLE):
        return ConfigError(
            f"{subject}: {text}", "write source.url as postgresql://user@host:5432/database?option=value"
        )
    remedies = {**_REMEDIES, "does not exist": missing}
    remedy = next((remedy for sign, remedy in remedies.items() if sign in text), "")
    return SourceError(f"{subject}: {text}", remedy or "mend what PostgreSQL names, then run the same command again")
