"""The warehouse engines under test. Adding one to every contract suite is one class and one entry in ``WAREHOUSES``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from etl.config import Config
from etl.engines import open_warehouse
from etl.warehouses.base import Room, Warehouse


class WarehouseEngine(ABC):
    """An empty warehouse of one engine."""

    name: ClassVar[str]

    @property
    @abstractmethod
    def url(self) -> str:
        """How the toolkit is pointed at it."""

    @contextmanager
    def opened(self, wait_seconds: float = 5) -> Iterator[Warehouse]:
        """The warehouse as the toolkit opens it, closed at the end."""
        settings = {"url": self.url, "wait_seconds": wait_seconds}
        warehouse = open_warehouse(Config.model_validate({"warehouse": settings}))
        try:
            yield warehouse
        finally:
            warehouse.close()

    def execute(self, *statements: str) -> None:
        """Change the warehouse by hand, behind the toolkit's back."""
        with self.opened() as warehouse:
            warehouse.commit(statements)

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


WAREHOUSES: dict[str, Callable[[Path], WarehouseEngine]] = {"duckdb": DuckDbEngine}
