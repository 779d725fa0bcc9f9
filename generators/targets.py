"""URLs of worlds: ``sqlite:///FILE``, ``parquet:DIR``, ``postgresql://…`` and ``mssql://…``, read in one place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from generators.errors import GeneratorError

FORMS = "sqlite:///file.db, parquet:DIR, postgresql://user@host/db or mssql://user@host:1433/db"
_ENGINES = {
    "sqlite": "sqlite",
    "parquet": "parquet",
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "mssql": "mssql",
}
_PASSWORD = re.compile(r"^([A-Za-z][\w+.-]*://[^:@/?#]*):.*@", re.DOTALL)
_FILES = {"sqlite", "parquet"}


@dataclass(frozen=True, slots=True)
class Target:
    """Where a world is or will be: the engine, and the URL without a driver's name in its scheme."""

    engine: str
    url: str

    @property
    def path(self) -> Path:
        """The file or directory of an engine that has one: three slashes for a relative path, four for an absolute."""
        _, _, rest = self.url.partition(":")
        return Path(unquote(rest[3:]) if rest.startswith("///") else rest)

    def __str__(self) -> str:
        return str(self.path) if self.engine in _FILES else without_password(self.url)


def target(url: str) -> Target:
    """Reads ``url``; raises ``GeneratorError`` where it names no engine that can hold a world, or no place in it."""
    scheme, _, rest = url.partition(":")
    engine = _ENGINES.get(scheme.partition("+")[0].lower())
    if engine is None:
        raise GeneratorError(f"No writer for {without_password(url)!r}. Give {FORMS}.")
    found = Target(engine, f"{engine}:{rest}")
    if engine not in _FILES:
        _check_server(found)
    elif str(found.path) in {"", "."} or (engine == "sqlite" and not rest.startswith("///")):
        raise GeneratorError(f"{without_password(url)!r} names no place for the rows. Give {FORMS}.")
    return found


def without_password(url: str) -> str:
    """The URL as it may be shown, also where an unencoded ``/``, ``?`` or ``#`` of a password cuts the host short."""
    parts = urlsplit(url)
    account, at, host = parts.netloc.rpartition("@")
    if not at:
        return _PASSWORD.sub(r"\1@", url)
    return urlunsplit(parts._replace(netloc=f"{account.partition(':')[0]}{at}{host}"))


def _check_server(found: Target) -> None:
    """Raises ``GeneratorError`` for a URL that no driver could read."""
    try:
        parts = urlsplit(found.url)
        names_one = found.url.partition(":")[2].startswith("//") and parts.port != 0
    except ValueError as error:
        raise GeneratorError(
            f"{without_password(found.url)!r} cannot be read: that is no host and port. "
            f"Give {FORMS}, with % codes for special characters of names and passwords."
        ) from error
    if not names_one:
        raise GeneratorError(f"{without_password(found.url)!r} names no server. Give {FORMS}.")
