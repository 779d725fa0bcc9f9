"""``mssql://user:password@host:1433/database?Option=value`` as the driver wants it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from schemas.mssql.errors import MssqlError, Trouble

PORT = 1433
LOGIN_SECONDS = 15
FORM = "write it as mssql://user@host:1433/database, with % codes for special characters of names and passwords"
_IN_THE_URL = {"server", "addr", "address", "database", "uid", "pwd", "user", "password", "port"}
_LOGIN_TIMEOUT = {"logintimeout", "timeout", "connect timeout", "connection timeout", "connecttimeout"}
# By the names that SQLAlchemy's URLs for pyodbc have; both mean the driver that the wheels bring.
_DRIVERS = {"odbc driver 18 for sql server": "msodbcsql18", "msodbcsql18": "msodbcsql18", "mssql-odbc": "mssql-odbc"}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a database is and how to get in.

    ``options`` are the driver's keywords with their values
    (https://learn.microsoft.com/en-us/sql/connect/odbc/dsn-connection-string-attribute);
    ``provider`` is the driver the URL asks for, empty for the best there is.
    """

    options: Mapping[str, str] = field(repr=False)
    shown: str
    login_seconds: int = LOGIN_SECONDS
    provider: str = ""

    @property
    def connection_string(self) -> str:
        """Holds the password. No character of a value can end it."""
        return ";".join(f"{name}={_braced(value)}" for name, value in self.options.items())

    def __str__(self) -> str:
        return self.shown


def address(url: str) -> Address:
    """Reads ``url``; raises ``MssqlError`` for one that is none, without repeating it: it may hold a password.

    The port stands behind the host, as the driver ignores PORT. Encryption is on and the server's
    certificate is checked unless options say otherwise. Without a user the operating system's
    account is used, unless ``Authentication`` names another way. Other options go to the driver.
    """
    parts = _split(url)
    given = _options(parts)
    host = unquote(parts.hostname or "")
    seconds = _seconds(given)
    provider = _provider(given)
    options = {"Server": _server(host, parts.port)}
    if database := unquote(parts.path).strip("/"):
        options["Database"] = database
    options |= _account(parts, given)
    options |= {"Encrypt": "yes", "TrustServerCertificate": "no"}
    known = {name.lower(): name for name in options}
    options |= {known.get(name.lower(), name): value for name, value in given.items()}
    return Address(options, _shown(parts, host), seconds, provider)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise MssqlError(Trouble.ADDRESS, "the URL of a SQL Server cannot be read", FORM) from error
    if not usable or parts.fragment:
        raise MssqlError(Trouble.ADDRESS, "the URL names no SQL Server", FORM)
    return parts


def _options(parts: SplitResult) -> dict[str, str]:
    given: dict[str, str] = {}
    for name, value in parse_qsl(parts.query):
        if not name.replace(" ", "").replace("_", "").isalnum():
            # A second URL, perhaps, whose password is not to be repeated.
            raise MssqlError(Trouble.ADDRESS, "the URL has an option whose name is none", FORM)
        if name.lower() in _IN_THE_URL:
            raise MssqlError(Trouble.ADDRESS, f"the URL names {name} as an option", FORM)
        if name.lower() in {there.lower() for there in given}:
            raise MssqlError(Trouble.ADDRESS, f"the URL names the option {name} twice", "name it once")
        given[name] = value
    return given


def _taken(given: dict[str, str], names: set[str]) -> str | None:
    """The value of the option called one of ``names``, which is then no longer among those ``given``."""
    found = next((name for name in given if name.lower() in names), None)
    return None if found is None else given.pop(found)


def _seconds(given: dict[str, str]) -> int:
    said = _taken(given, _LOGIN_TIMEOUT)
    if said is None:
        return LOGIN_SECONDS
    if not said.isdecimal():
        raise MssqlError(Trouble.ADDRESS, f"{said!r} is no number of seconds to log in", "give LoginTimeout=15")
    return int(said)


def _provider(given: dict[str, str]) -> str:
    named = _taken(given, {"driver"})
    if named is None:
        return ""
    provider = _DRIVERS.get(named.strip("{} ").lower())
    if provider is None:
        raise MssqlError(
            Trouble.ADDRESS,
            f"the URL asks for the driver {named!r}, and drivers come from packages here",
            "leave it out, or name msodbcsql18 or mssql-odbc",
        )
    return provider


def _server(host: str, port: int | None) -> str:
    """A named instance (``host\\NAME``) without a port is looked up by the driver."""
    return host if port is None and "\\" in host else f"{host},{port or PORT}"


def _account(parts: SplitResult, given: Mapping[str, str]) -> dict[str, str]:
    if parts.username:
        password = unquote(parts.password or "")
        return {"UID": unquote(parts.username)} | ({"PWD": password} if password else {})
    named = {name.lower() for name in given}
    return {} if named & {"authentication", "trusted_connection"} else {"Trusted_Connection": "yes"}


def _shown(parts: SplitResult, host: str) -> str:
    user = f"{unquote(parts.username)}@" if parts.username else ""
    port = "" if parts.port is None else f":{parts.port}"
    return f"mssql://{user}{host}{port}{unquote(parts.path)}"


def _braced(value: str) -> str:
    """In braces if it holds what would end it or be taken for something else
    (https://learn.microsoft.com/en-us/openspecs/sql_server_protocols/ms-odbcstr)."""
    special = not value or any(char in ";{}=" or char.isspace() for char in value)
    return "{" + value.replace("}", "}}") + "}" if special else value
