"""How SQL Server is reached from wheels alone: the driver's file and its connection string.

The package ``mssql-python-odbc`` carries Microsoft's ODBC driver, one build a family of Linux and
one a processor; pyodbc takes the file's path as ``DRIVER``, so no system package is needed.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from urllib.parse import parse_qsl, unquote, urlsplit

from generators.errors import GeneratorError

INSTALL = "Install it with: pip install 'multi-warehouse-etl[mssql]'"
_SYSTEM_DRIVER = "ODBC Driver 18 for SQL Server"
_FAMILIES = (("rhel", "rhel"), ("fedora", "rhel"), ("centos", "rhel"), ("suse", "suse"), ("sles", "suse"))
_MACHINES = {"amd64": "x86_64", "aarch64": "arm64"}
_PORT = 1433


def required(module: str) -> ModuleType:
    """The driver's module; raises ``GeneratorError`` that says how to get it."""
    try:
        return import_module(module)
    except ModuleNotFoundError as missing:
        raise GeneratorError(f"SQL Server needs {module}, which is not installed. {INSTALL}.") from missing
    except ImportError as broken:
        raise GeneratorError(
            f"SQL Server needs {module}, which cannot be loaded: {broken}. "
            "Install what it names; libodbc comes with unixODBC (apt-get install unixodbc)."
        ) from broken


def driver() -> str:
    """What to give ODBC as ``DRIVER``: the wheel's file, or the name of the one installed in the system.

    Raises ``GeneratorError`` where the wheel has no build for this machine.
    """
    spec = find_spec("mssql_python_odbc")
    if spec is None or not spec.submodule_search_locations or platform.system() == "Windows":
        return _SYSTEM_DRIVER
    libs = Path(next(iter(spec.submodule_search_locations))) / "libs"
    machine = _MACHINES.get(platform.machine().lower(), platform.machine().lower())
    folder = libs / "macos" / machine if platform.system() == "Darwin" else libs / "linux" / family() / machine
    found = sorted(path for path in folder.glob("lib/libmsodbcsql*") if path.is_file())
    if not found:
        raise GeneratorError(f"There is no SQL Server driver for this machine under {folder}. {INSTALL}.")
    return str(found[-1])


def family(release: Path = Path("/etc/os-release")) -> str:
    """The wheel's folder for this Linux, by ``ID`` and ``ID_LIKE`` of os-release; Debian's where it says nothing."""
    try:
        lines = [line.partition("=") for line in release.read_text("utf-8").splitlines()]
    except OSError:
        lines = []
    said = " ".join(value.strip('"').lower() for name, _, value in lines if name in {"ID", "ID_LIKE"})
    return next((folder for word, folder in _FAMILIES if word in said), "debian_ubuntu")


def connection_string(url: str, *, driver: str | None = None) -> str:
    """ODBC's connection string for ``mssql://user:password@host:port/db?Option=value``.

    The port goes behind the host, as the driver ignores PORT. Options of the URL are handed on as
    they are; without a user, the operating system's account is used. No character of a value can end it.
    """
    parts = urlsplit(url)
    options: dict[str, str] = {"DRIVER": driver} if driver else {}
    options["SERVER"] = f"{parts.hostname or 'localhost'},{parts.port or _PORT}"
    if database := unquote(parts.path).strip("/"):
        options["DATABASE"] = database
    if parts.username:
        options |= {"UID": unquote(parts.username), "PWD": unquote(parts.password or "")}
    else:
        options["Trusted_Connection"] = "yes"
    return _joined(options | dict(parse_qsl(parts.query)))


def _joined(options: Mapping[str, str]) -> str:
    return ";".join(f"{name}={_braced(value)}" for name, value in options.items())


def _braced(value: str) -> str:
    """``value`` in braces where it holds what would end it or be taken for something else."""
    special = any(char in value for char in ";{}=") or value != value.strip()
    return "{" + value.replace("}", "}}") + "}" if special else value
