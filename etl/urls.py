"""URLs that name files."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from etl.errors import ConfigError


def path_of(url: str) -> Path:
    """The file a ``scheme:///path`` URL names: three slashes for a relative path, four for an absolute one."""
    parts = urlsplit(url)
    path = unquote(parts.path).removeprefix("/")
    if not path or parts.netloc:
        raise ConfigError(f"{url} names no file", f"write it as {parts.scheme}:///path/to/file")
    return Path(path)
