"""Which driver speaks to SQL Server, and what is missing where none can.

mssql-python comes with two: Microsoft's ODBC Driver 18 (``msodbcsql18``), whose files want libraries
that only the system can bring, and a younger one in Rust (``mssql-odbc``) that wants none but
OpenSSL's. The first is taken where it loads, the second otherwise, unless the URL or the variable
MSSQL_PYTHON_NATIVE_PROVIDER names one. A process keeps the one it loaded first.
"""

from __future__ import annotations

import ctypes
import logging
import os
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from schemas.mssql.errors import MssqlError, Trouble

log = logging.getLogger(__name__)

OFFICIAL, RUST = "msodbcsql18", "mssql-odbc"
_VARIABLE = "MSSQL_PYTHON_NATIVE_PROVIDER"
_EXTRA = "pip install 'multi-warehouse-etl[mssql]'"
_OS_RELEASE = Path("/etc/os-release")
_FAMILIES = {
    "alpine": "alpine",
    "rhel": "rhel",
    "fedora": "rhel",
    "centos": "rhel",
    "suse": "suse",
    "sles": "suse",
}
# What the files in the wheels ask the dynamic loader for.
_PACKAGES = {
    (OFFICIAL, "debian"): "apt-get install libltdl7 libgssapi-krb5-2",
    (OFFICIAL, "rhel"): "dnf install libtool-ltdl krb5-libs",
    (OFFICIAL, "suse"): "zypper install libltdl7 krb5",
    (OFFICIAL, "alpine"): "apk add libltdl krb5-libs",
    (RUST, "debian"): "apt-get install libssl3",
    (RUST, "rhel"): "dnf install openssl-libs",
    (RUST, "suse"): "zypper install libopenssl3",
    (RUST, "alpine"): "apk add libssl3 libcrypto3",
}


@dataclass(frozen=True, slots=True)
class Driver:
    """mssql-python and what it speaks through; ``missed`` is why that is not Microsoft's own driver, empty if it is."""

    module: Any
    name: str
    missed: str = ""


def loaded_driver(wanted: str = "") -> Any:
    """The module ``mssql_python`` with its driver chosen, see ``chosen_driver``."""
    return chosen_driver(wanted).module


@cache
def chosen_driver(wanted: str = "") -> Driver:
    """The driver that is used; raises ``MssqlError`` that names what to install where none can be.

    ``wanted`` is ``msodbcsql18``, ``mssql-odbc``, or empty for the best that loads. Which one it is
    is told by `etl doctor`, and elsewhere logged for whoever debugs.
    """
    module = _imported("mssql_python")
    # A pooled connection would come back with the last user's isolation level.
    module.pooling(enabled=False)
    wanted = os.environ.get(_VARIABLE, "").strip().lower() or wanted
    problem = _problem(module, wanted or OFFICIAL)
    if problem and wanted:
        raise MssqlError(Trouble.DRIVER, f"the driver {wanted} cannot be loaded: {problem}", remedy(wanted))
    if not problem:
        return Driver(module, wanted or OFFICIAL)
    log.debug("%s is used, as %s cannot be loaded (%s); to have that: %s", RUST, OFFICIAL, problem, remedy(OFFICIAL))
    if worse := _problem(module, RUST):
        raise MssqlError(Trouble.DRIVER, f"no driver can be loaded: {problem}; {worse}", remedy(OFFICIAL))
    return Driver(module, RUST, problem)


def remedy(provider: str, release: Path = _OS_RELEASE) -> str:
    """The command that brings what the driver's file needs on this Linux."""
    return _PACKAGES.get((provider, family(release)), _EXTRA)


def family(release: Path = _OS_RELEASE) -> str:
    """The family of this Linux by ``ID`` and ``ID_LIKE`` of os-release; Debian where it says nothing."""
    try:
        lines = [line.partition("=") for line in release.read_text("utf-8").splitlines()]
    except OSError:
        lines = []
    said = " ".join(value.strip("\"'").lower() for name, _, value in lines if name in {"ID", "ID_LIKE"})
    return next((found for word, found in _FAMILIES.items() if word in said), "debian")


def _imported(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise MssqlError(Trouble.DRIVER, f"SQL Server needs {name}: {error}", f"install it with: {_EXTRA}") from error


def _problem(module: Any, provider: str) -> str:
    """Choose ``provider``; why its file cannot be loaded, as the loader says it, or nothing if it can."""
    try:
        module.native_provider = provider
    except ValueError as error:
        return str(error)
    info = module.get_native_provider_info()
    path = info.get("driver_path")
    if not path or not Path(path).is_file():
        return f"{info.get('package')} has no file for this machine"
    try:
        ctypes.CDLL(path)
    except OSError as error:
        return str(error)
    return ""
