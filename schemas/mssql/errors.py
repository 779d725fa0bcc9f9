"""What SQL Server and its driver say, sorted by what the caller does next.

mssql-python gives neither the server's error number nor the SQLSTATE, only a phrase that stands for
the SQLSTATE (``driver_error``) and the server's own words (``ddbc_error``). The words are in the
server's language for most messages; the phrase always is English, so it is looked at as well.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto

from sqlalchemy.exc import SQLAlchemyError


class Trouble(Enum):
    """Kinds of failure."""

    DRIVER = auto()  # not installed, or it cannot be loaded
    ADDRESS = auto()  # the URL cannot be read
    UNREACHABLE = auto()  # nobody answers, or not in time
    CERTIFICATE = auto()  # the server cannot prove who it is
    LOGIN = auto()  # user, password or their right to connect
    DATABASE = auto()  # no such database, or not open to this login
    DENIED = auto()  # a right is missing
    ABSENT = auto()  # a table or column is not there
    LOST = auto()  # the connection broke
    CONFLICT = auto()  # another transaction was in the way: trying again may do
    FULL = auto()  # no room on the server's disk
    PROTOCOL = auto()  # driver and server do not understand each other
    OTHER = auto()


class MssqlError(Exception):
    """``message`` is one sentence of what, ``remedy`` one of what to do; neither ends with a full stop."""

    def __init__(self, trouble: Trouble, message: str, remedy: str) -> None:
        super().__init__(f"{message}; {remedy}")
        self.trouble, self.message, self.remedy = trouble, message, remedy


_REMEDIES = {
    Trouble.UNREACHABLE: "check host and port in the URL, and that the server is up and lets this machine in",
    Trouble.CERTIFICATE: "install the authority that signed the server's certificate, name the host that stands in it "
    "(HostNameInCertificate=…), or add TrustServerCertificate=yes to the URL to connect unchecked",
    Trouble.LOGIN: "check user and password, and that the login may connect",
    Trouble.DATABASE: "check the database in the URL, and that the login has a user in it",
    Trouble.DENIED: "have the right granted to this user, or leave the object out",
    Trouble.ABSENT: "check that it is there and that this user may see it",
    Trouble.LOST: "see the server's log, then run the same command again",
    Trouble.CONFLICT: "run the same command again",
    Trouble.FULL: "make room on the server's disk or raise the file's limit, then run the same command again",
    Trouble.PROTOCOL: "have Microsoft's own driver used: it needs libltdl and the Kerberos libraries of the system, "
    "on Debian apt-get install libltdl7 libgssapi-krb5-2",
    Trouble.OTHER: "mend what the server names, then run the same command again",
}

# The first sign that is found decides, so the telling ones stand before the general.
# https://learn.microsoft.com/en-us/sql/relational-databases/errors-events/database-engine-events-and-errors
_SIGNS: tuple[tuple[Trouble, str], ...] = (
    (Trouble.CERTIFICATE, r"certificate|ssl provider|ssl routines|tls handshake|self-signed"),
    (Trouble.DATABASE, r"cannot open database|database .* does not exist|invalid catalog name"),
    (
        Trouble.LOGIN,
        r"login failed|password authentication failed|invalid authorization|authentication (failed|request)",
    ),
    (Trouble.LOGIN, r"no kerberos credentials|sspi provider|gssapi error"),
    (Trouble.UNREACHABLE, r"login timeout|name or service not known|failed to lookup|connection refused"),
    (Trouble.UNREACHABLE, r"client unable to establish|server rejected|connection timeout"),
    (Trouble.CONFLICT, r"deadlock|snapshot isolation transaction aborted|serialization failure|could not serialize"),
    (Trouble.DENIED, r"permission (was )?denied|does not have permission|must be owner"),
    (
        Trouble.LOST,
        r"communication link failure|connection not open|connection failure during|broken pipe|reset by peer",
    ),
    (
        Trouble.LOST,
        r"terminating connection|connection is closed|connection (has been )?closed|unexpected eof|shutdown",
    ),
    (Trouble.PROTOCOL, r"protocol error"),
    (Trouble.FULL, r"could not allocate space|is full due to|no space left"),
    (
        Trouble.ABSENT,
        r"invalid object name|invalid column name|not found|relation .* does not exist|cannot find the object",
    ),
)
# Windows' numbers, which Microsoft's driver gives on every system
# (https://learn.microsoft.com/en-us/windows/win32/winsock/windows-sockets-error-codes-2).
_NUMBERS = {
    "0x2749": "connection refused",
    "0x2746": "connection reset by peer",
    "0x274C": "no answer in time",
    "0x2AF9": "no such host",
}
_PREFIX = re.compile(r"^(\s*\[[^\]]*\])+")


def translated(error: BaseException, subject: str) -> MssqlError:
    """``error`` of mssql-python or SQLAlchemy in words about ``subject``, which holds no password."""
    if isinstance(error, MssqlError):
        return error
    origin = getattr(error, "orig", None) or error
    phrase, said = str(getattr(origin, "driver_error", "")), str(getattr(origin, "ddbc_error", "") or "")
    words = _plain(said) or _plain(phrase) or _plain(str(origin)) or type(origin).__name__
    trouble = _sorted(f"{said} {phrase or origin}".lower())
    return MssqlError(trouble, f"{subject}: {words}", _REMEDIES[trouble])


@contextmanager
def speaking(subject: str) -> Iterator[None]:
    """What the driver or SQLAlchemy raises within, as ``MssqlError`` about ``subject``."""
    try:
        yield
    except driver_errors() as error:
        raise translated(error, subject) from error


def driver_errors() -> tuple[type[Exception], ...]:
    """The roots of what statements raise, without importing a driver that nobody has used."""
    driver = sys.modules.get("mssql_python")
    return (SQLAlchemyError,) if driver is None else (SQLAlchemyError, driver.Error)


def _sorted(text: str) -> Trouble:
    return next((trouble for trouble, sign in _SIGNS if re.search(sign, text)), Trouble.OTHER)


def _plain(text: str) -> str:
    """Without the brackets of drivers in front, on one line, without a full stop at the end."""
    for number, meaning in _NUMBERS.items():
        text = text.replace(f"Error code {number}", meaning)
    return " ".join(_PREFIX.sub("", text).split()).rstrip(". ")
