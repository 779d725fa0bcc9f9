"""The warehouse engines under test. Adding one to every contract suite is one class and one entry in ``WAREHOUSES``."""

from __future__ import annotations

import re
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from etl.config import Config
from etl.engines import open_warehouse
from etl.warehouses.base import ROOMS, Room, Warehouse
from support.bigquery import emulator

_ROOM = re.compile(r"\b(raw|marts|etl)\.(\w+)")


class WarehouseEngine(ABC):
    """An empty warehouse of one engine."""

    name: ClassVar[str]
    gaps: ClassVar[dict[str, str]] = {}
    """What this engine cannot hold or do, each with its reason."""
    unproven: ClassVar[dict[str, str]] = {}
    """The types whose vectors it fails, so that they are streamed, each with the reason."""

    @property
    @abstractmethod
    def url(self) -> str:
        """How the toolkit is pointed at it."""

    def remove(self) -> None:  # noqa: B027 (most leave only files)
        """Leave nothing behind where that would be in another's way."""

    def refuses(self, name: str) -> bool:
        """Whether no table can have that name."""
        del name
        return False

    @contextmanager
    def opened(self, wait_seconds: float = 5, **settings: Any) -> Iterator[Warehouse]:
        """The warehouse as the toolkit opens it, closed at the end; keywords go to ``[warehouse]``."""
        settings = {"url": self.url, "wait_seconds": wait_seconds, **settings}
        warehouse = open_warehouse(Config.model_validate({"warehouse": settings}))
        try:
            yield warehouse
        finally:
            warehouse.close()

    def execute(self, *statements: str) -> None:
        """Change the warehouse by hand, behind the toolkit's back; tables are written as ``raw.name``."""
        with self.opened() as warehouse:
            for statement in statements:
                warehouse.alter([_ROOM.sub(lambda room: warehouse.relation(room[1], room[2]), statement)])

    def rows(self, name: str, room: Room = "raw") -> list[tuple[Any, ...]]:
        """All rows of a table, sorted."""
        with self.opened() as warehouse:
            return table_rows(warehouse, name, room)


def table_rows(warehouse: Warehouse, name: str, room: Room = "raw") -> list[tuple[Any, ...]]:
    """All rows of a table of an open warehouse, sorted."""
    result = warehouse.query(f"SELECT * FROM {warehouse.relation(room, name)}")
    return sorted((tuple(row.values()) for row in result.to_pylist()), key=repr)


class DuckDbEngine(WarehouseEngine):
    """A DuckDB file."""

    name = "duckdb"

    def __init__(self, directory: Path) -> None:
        self.path = directory / "warehouse.duckdb"

    @property
    def url(self) -> str:
        return f"duckdb:///{self.path}"


class BigQueryEngine(WarehouseEngine):
    """Datasets of a name of their own in an emulator."""

    name = "bigquery"
    gaps: ClassVar[dict[str, str]] = {
        str(number): "local-bigquery loads every decimal with nine or eighteen digits after the point"
        for number in (10**38 - 1, 1 - 10**38)
    }

    unproven: ClassVar[dict[str, str]] = {"float": "local-bigquery computes logarithms and powers in other steps"}

    def __init__(self, _directory: Path) -> None:
        emulator()
        self._prefix = f"t{uuid.uuid4().hex[:12]}"

    def remove(self) -> None:
        # The emulator looks through all there is at every query.
        with self.opened() as warehouse:
            for room in ROOMS:
                warehouse.alter([f"DROP SCHEMA IF EXISTS {warehouse.namespace(room)} CASCADE"])

    def refuses(self, name: str) -> bool:
        return any(letter in name for letter in "\"[];'.\N{SLIGHTLY SMILING FACE}")

    @property
    def url(self) -> str:
        return f"bigquery://local/{self._prefix}?location=EU"


WAREHOUSES: dict[str, Callable[[Path], WarehouseEngine]] = {"bigquery": BigQueryEngine, "duckdb": DuckDbEngine}
