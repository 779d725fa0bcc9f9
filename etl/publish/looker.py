"""Looker Studio: one wide view a report, and links that open a report over it.

A link is made by the Linking API (https://developers.google.com/looker-studio/integrate/linking-api):
``c.reportId`` names a report to copy, a blank one if it is left out, ``c.mode`` how it opens,
``r.reportName`` its name, and ``ds.<alias>.*`` the data source; ``ds0`` is the alias of the first
one. For BigQuery these are ``connector``, ``type``, ``projectId``, ``datasetId`` and ``tableId``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from urllib.parse import quote, unquote, urlencode

from etl.errors import ConfigError
from etl.ledger import Ledger
from etl.publish.errors import MartError
from etl.publish.queries import Query, read, render, worlds
from etl.records import MartBuild, new_id
from etl.urls import split
from etl.warehouses.base import Warehouse

CREATE = "https://lookerstudio.google.com/reporting/create"
_PREFIX = "looker_"
_FOLDER = "looker"


@dataclass(frozen=True, slots=True)
class Place:
    """Where BigQuery has the views."""

    project: str
    dataset: str


def views(world: str) -> list[Query]:
    """The world's views, by name; raises ``ConfigError`` for a world without any."""
    folder = _folder(world)
    if not folder.is_dir():
        with_some = sorted(other for other in worlds() if _folder(other).is_dir())
        raise ConfigError(
            f"the world {world!r} has no views for Looker Studio", f"those with some: {', '.join(with_some)}"
        )
    entries = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".sql")), key=lambda e: e.name)
    return [read(f"{world}/{_FOLDER}", entry.name.removesuffix(".sql"), entry) for entry in entries]


def _folder(world: str) -> Traversable:
    return files("queries") / world / _FOLDER


def is_bigquery(warehouse_url: str) -> bool:
    """Whether Looker Studio can read the warehouse."""
    return split(warehouse_url).scheme == "bigquery"


def place(warehouse_url: str, project: str | None = None, dataset: str | None = None) -> Place:
    """Where the views are: as given, otherwise the marts' dataset of a ``bigquery://project/prefix`` warehouse.

    Raises ``ConfigError`` for another warehouse unless both are given.
    """
    if is_bigquery(warehouse_url):
        parts = split(warehouse_url)
        return Place(project or unquote(parts.netloc), dataset or f"{unquote(parts.path).strip('/')}_marts")
    if not project or not dataset:
        raise ConfigError(
            "Looker Studio reads BigQuery, and the warehouse is none",
            "set warehouse.url to bigquery://project/prefix, or see what it would be: --project P --dataset D",
        )
    return Place(project, dataset)


def title(view: Query) -> str:
    """A report's name: ``Hopify growth``."""
    return f"{view.world.split('/')[0].capitalize()} {view.name.removeprefix(_PREFIX).replace('_', ' ')}"


def link(view: Query, where: Place, template: str = "") -> str:
    """The URL that opens a new report over the view, a copy of the report ``template`` if one is named."""
    parameters = {
        **({"c.reportId": template} if template else {}),
        "c.mode": "edit",
        "r.reportName": title(view),
        "ds.ds0.connector": "bigQuery",
        "ds.ds0.datasourceName": view.name,
        "ds.ds0.projectId": where.project,
        "ds.ds0.type": "TABLE",
        "ds.ds0.datasetId": where.dataset,
        "ds.ds0.tableId": view.name,
    }
    # A blank as %20: the API is documented with percent-encoded values only.
    return f"{CREATE}?{urlencode(parameters, quote_via=quote)}"


def creation(view: Query, warehouse: Warehouse) -> str:
    """The statement that makes the view, on BigQuery with each column's description, which reports show."""
    quote_, string = warehouse.dialect.quote, warehouse.dialect.string
    columns = [
        quote_(name)
        + (f" OPTIONS (description = {string(meaning)})" if warehouse.dialect.sqlglot == "bigquery" else "")
        for name, meaning in view.columns.items()
    ]
    relation = warehouse.relation("marts", view.name)
    return f"CREATE OR REPLACE VIEW {relation} ({', '.join(columns)}) AS\n{render(view, warehouse)}"


def bring_up_to_date(warehouse: Warehouse, ledger: Ledger, world: str, run_id: str) -> list[str]:
    """Make the world's views that are not there or would be others now, if it has any; the names of those made.

    Raises :class:`MartError` for a mart that has not been built.
    """
    if not _folder(world).is_dir():
        return []
    known = ledger.newest_builds()
    made_of = {view.name: sha256(creation(view, warehouse).encode()).hexdigest() for view in views(world)}
    stale = [
        view
        for view in views(world)
        if view.name not in known
        or known[view.name].inputs != made_of[view.name]
        or not warehouse.columns("marts", view.name)
    ]
    if stale:
        create(warehouse, stale)
        ledger.write(*(MartBuild(view.name, new_id(), run_id, made_of[view.name], 0, 0) for view in stale))
    return [view.name for view in stale]


def create(warehouse: Warehouse, chosen: Iterable[Query]) -> None:
    """Make the views in the marts' dataset; raises :class:`MartError` for a mart that has not been built."""
    chosen = list(chosen)
    missing = sorted({name for view in chosen for name in view.needs} - set(warehouse.tables("marts")))
    if missing:
        raise MartError(f"the mart {missing[0]} has not been built", "build the marts first: etl marts")
    warehouse.alter([creation(view, warehouse) for view in chosen])
