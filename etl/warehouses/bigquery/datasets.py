"""The three datasets: made with labels and descriptions, or found where they are."""

from __future__ import annotations

from google.api_core.exceptions import Conflict, NotFound
from google.cloud import bigquery

from etl.errors import ConfigError
from etl.warehouses.base import ROOMS
from etl.warehouses.bigquery.client import Place
from etl.warehouses.bigquery.failures import ANY, translated
from etl.warehouses.bigquery.jobs import label_text

_DESCRIPTIONS = {
    "raw": "Copies of the operational database's tables, each proven equal to its source; written by etl sync alone.",
    "raw_history": "Former versions of rows in raw, for tables that keep them; written by etl sync alone.",
    "marts": "Tables built by etl marts from proven copies; each describes its grain and its columns.",
    "etl": "The ledger of etl: runs, loads with their watermarks, checks, differences and leases.",
}
_UNITS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def prepare(client: bigquery.Client, place: Place, *, create: bool) -> str:
    """Make the datasets that are not there; returns the location of all of them.

    Raises ``ConfigError`` where ``create`` is false and there is none, or where one lies elsewhere
    than the URL says, and ``WarehouseError`` where BigQuery refuses.
    """
    location = place.location
    for room in ROOMS:
        found = _found(client, place, room)
        if found is None and not create:
            raise ConfigError(
                f"there is no dataset {place.project}.{place.dataset(room)}", "check warehouse.url, or run: etl sync"
            )
        held = str((found or _created(client, place, room, location)).location or "")
        if location and held and held.lower() != location.lower():
            raise ConfigError(
                f"dataset {place.dataset(room)} lies in {held}, but {location} is asked for",
                f"write location={held} in warehouse.url, or choose another prefix",
            )
        location = location or held
    return location


def bytes_of(size: str) -> int | None:
    """``10GB`` or ``512MiB`` as a number; None for an empty text."""
    if not size:
        return None
    text = size.strip().lower().removesuffix("b")
    base = 1024 if text.endswith("i") else 1000
    text = text.removesuffix("i")
    unit = text[-1:] if text[-1:] in "kmgt" else ""
    return int(float(text.removesuffix(unit)) * base ** _UNITS[unit])


def _found(client: bigquery.Client, place: Place, room: str) -> bigquery.Dataset | None:
    try:
        return client.get_dataset(place.dataset(room))
    except NotFound:
        return None
    except ANY as error:
        raise translated(error) from error


def _created(client: bigquery.Client, place: Place, room: str, location: str) -> bigquery.Dataset:
    dataset = bigquery.Dataset(f"{place.project}.{place.dataset(room)}")
    dataset.location = location or None
    dataset.description = _DESCRIPTIONS[room]
    dataset.labels = {"tool": "etl", "room": room, "prefix": label_text(place.prefix)}
    try:
        return client.create_dataset(dataset)
    except Conflict:
        return client.get_dataset(place.dataset(room))
    except ANY as error:
        raise translated(error) from error
