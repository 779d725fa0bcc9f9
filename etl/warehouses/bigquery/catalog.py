"""The catalog: what it says of tables, and how it is changed by calls that are no jobs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from google.api_core.exceptions import Conflict, NotFound
from google.cloud import bigquery

from etl.warehouses.base import Room
from etl.warehouses.bigquery.client import Place
from etl.warehouses.bigquery.failures import ANY, translated


class Catalog:
    """Finds, makes, changes and drops single tables; everything raises ``WarehouseError``."""

    def __init__(self, client: bigquery.Client, place: Place) -> None:
        self._client, self._place = client, place
        self._held: set[str] = set()
        self._known: dict[str, bigquery.Table | None] = {}

    def reference(self, room: Room, name: str) -> bigquery.TableReference:
        """The table's full name."""
        return bigquery.DatasetReference(self._place.project, self._place.dataset(room)).table(name)

    def find(self, room: Room, name: str) -> bigquery.Table | None:
        """What is known of a table; None if there is none."""
        if room == "raw" and name in self._known:
            return self._known[name]
        found = self._asked(room, name)
        if room == "raw" and name in self._held:
            self._known[name] = found
        return found

    def tables(self, room: Room) -> list[str]:
        """The names of a room's tables, sorted."""
        try:
            found = list(self._client.list_tables(self._place.dataset(room)))
        except ANY as error:
            raise translated(error) from error
        return sorted(table.table_id for table in found if table.table_type == "TABLE")

    def make(self, table: bigquery.Table) -> None:
        """Make a table in the place of one of that name."""
        self._known.pop(table.table_id, None)
        try:
            try:
                self._client.create_table(table)
            except Conflict:
                self._client.delete_table(table.reference, not_found_ok=True)
                self._client.create_table(table)
        except ANY as error:
            raise translated(error) from error

    def update(self, table: bigquery.Table, what: str) -> None:
        """Write down a property that was changed."""
        self._known.clear()
        try:
            self._client.update_table(table, [what])
        except ANY as error:
            raise translated(error) from error

    def drop(self, room: Room, name: str) -> None:
        """Drop a table if there is one."""
        self._known.pop(name, None)
        try:
            self._client.delete_table(self.reference(room, name), not_found_ok=True)
        except ANY as error:
            raise translated(error) from error

    def forget(self) -> None:
        """Ask anew: tables are changed by statements."""
        self._known.clear()

    @contextmanager
    def remembered(self, target: str) -> Iterator[None]:
        """Ask about a raw table once, as long as its lease keeps others from changing it."""
        self._held.add(target)
        try:
            yield
        finally:
            self._held.discard(target)
            self._known.pop(target, None)

    def _asked(self, room: Room, name: str) -> bigquery.Table | None:
        try:
            return self._client.get_table(self.reference(room, name))
        except NotFound:
            return None
        except ANY as error:
            raise translated(error) from error
