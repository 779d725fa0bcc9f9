"""URLs that name files."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

from etl.errors import ConfigError

_PASSWORD = re.compile(r"^([A-Za-z][\w+.-]*://[^:@/?#]*):.*@")


def split(url: str) -> SplitResult:
    """The URL's parts; raises ``ConfigError`` for what is none, without repeating it: it may hold a password."""
    try:
        return urlsplit(url)
    except ValueError as error:
        raise ConfigError(f"a URL cannot be read: {error}", "write it as engine://user@host/database") from error


def path_of(url: str) -> Path:
    """The file a ``scheme:///path`` URL names: three slashes for a relative path, four for an absolute one."""
    parts = split(url)
    path = unquote(parts.path).removeprefix("/")
    if not path or parts.netloc:
        raise ConfigError(f"{without_password(url)} names no file", f"write it as {parts.scheme}:///path/to/file")
    return Path(path)


def with_password(url: str, password: str | None) -> str:
    """The URL with the password in it, unless it has one already or names a file."""
    parts = split(url)
    if not password or parts.password is not None or not parts.netloc:
        return url
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}"))


def without_password(url: str) -> str:
    """The URL as it may be shown and written down.

    A password with an unencoded ``#``, ``/`` or ``?`` cuts the host short; it is left out all the same.
    """
    parts = split(url)
    if parts.password is None:
        misread = ":" in parts.netloc and "@" not in parts.netloc
        return _PASSWORD.sub(r"\1@", url) if misread else url
    user_and_host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user_and_host[0].partition(':')[0]}@{user_and_host[2]}"))


def file_url(scheme: str, path: Path) -> str:
    """The URL of a file, relative or absolute as the path is."""
    return f"{scheme}:///{quote(str(path))}"
