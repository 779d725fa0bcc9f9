"""SQL Server's connections, for whoever reads or writes there: a URL becomes a connection, a failure becomes words.

The drivers are imported when the first connection is asked for, so this costs nothing without them.
"""

from __future__ import annotations

from schemas.mssql.address import FORM, Address, address
from schemas.mssql.connect import connect, engine, transaction
from schemas.mssql.driver import OFFICIAL, Driver, chosen_driver, loaded_driver, remedy
from schemas.mssql.errors import MssqlError, Trouble, speaking, translated
from schemas.mssql.parameters import execute_many

__all__ = [
    "FORM",
    "OFFICIAL",
    "Address",
    "Driver",
    "MssqlError",
    "Trouble",
    "address",
    "chosen_driver",
    "connect",
    "engine",
    "execute_many",
    "loaded_driver",
    "remedy",
    "speaking",
    "transaction",
    "translated",
]
