"""URLs to connections: the one place where engines are listed.

An engine's file is imported when a URL asks for it, so that only its own users need its drivers.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from etl.config import Config
from etl.errors import ConfigError
from etl.sources.base import Source
from etl.urls import split
from etl.warehouses.base import Warehouse

SOURCES = {
    "mssql": "etl.sources.mssql",
    "postgresql": "etl.sources.postgres",
    "sqlite": "etl.sources.sqlite",
}
WAREHOUSES = {"bigquery": "etl.warehouses.bigquery", "duckdb": "etl.warehouses.duckdb"}


def open_source(config: Config) -> Source:
    """The configured source; raises ``ConfigError`` for a URL that names no engine of ours."""
    if not config.source.url:
        raise ConfigError("no source is configured", "set source.url in etl.toml, or ETL_SOURCE_URL, or run: etl init")
    source: Source = _module(SOURCES, config.source.url, "source").connect(config)
    return source


def open_warehouse(config: Config, *, create: bool = True) -> Warehouse:
    """The configured warehouse, made if it is not there yet; with ``create`` false a ``ConfigError`` then."""
    if not config.warehouse.url:
        raise ConfigError("no warehouse is configured", "set warehouse.url in etl.toml, or ETL_WAREHOUSE_URL")
    warehouse: Warehouse = _module(WAREHOUSES, config.warehouse.url, "warehouse").connect(config, create=create)
    return warehouse


def _module(engines: dict[str, str], url: str, role: str) -> Any:
    scheme = split(url).scheme.partition("+")[0]
    if scheme not in engines:
        listed = ", ".join(f"{name}:///…" for name in engines)
        raise ConfigError(f"{role}.url has no known engine: {scheme or url!r}", f"the engines are {listed}")
    return import_module(engines[scheme])
