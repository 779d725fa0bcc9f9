"""What Google documents about links that make a Looker Studio report, as rules that a URL keeps or breaks.

https://developers.google.com/looker-studio/integrate/linking-api: control parameters ``c.``, report parameters
``r.``, and for each data source ``ds.<alias>.`` what all connectors share and what its connector takes. Naming a
connector replaces the template's data source, so everything that the connector requires must be there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

ADDRESSES = (
    "https://lookerstudio.google.com/reporting/create",
    "https://lookerstudio.google.com/embed/reporting/create",
)
CONTROL = {"reportId": r"[\w-]+", "pageId": r"[\w-]+", "mode": "view|edit", "explain": "true|false"}
REPORT = {"reportName": r".+", "measurementId": r".+", "keepMeasurementId": "true|false"}
EVERY_SOURCE = {
    "connector": r"\w+",
    "datasourceName": r".+",
    "keepDatasourceName": "true|false",
    "refreshFields": "true|false",
}
ALIAS = r"\w+|\*"
"""An alias is given in the report's *Manage added data sources*; ``*`` means all of them."""
LONGEST = 2_000
"""No limit is documented; browsers, mail programs and chats pass on links of this length."""
_PROJECT = r"[a-z][a-z0-9-]{4,28}[a-z0-9]"
"""https://cloud.google.com/resource-manager/docs/creating-managing-projects"""


@dataclass(frozen=True, slots=True)
class Connector:
    """The parameters of a connector, each with the form of its value, and those among them that it requires."""

    parameters: dict[str, str]
    required: frozenset[str]


CONNECTORS = {
    # Of its two types, which take different parameters, the one that reads a table or a view.
    "bigQuery": Connector(
        {
            "type": "TABLE",
            "projectId": _PROJECT,
            "billingProjectId": _PROJECT,
            # https://cloud.google.com/bigquery/docs/datasets#dataset-naming
            "datasetId": r"\w{1,1024}",
            # https://cloud.google.com/bigquery/docs/tables#table_naming
            "tableId": r"[\w -]{1,1024}",
            "isPartitioned": "true|false",
        },
        frozenset({"type", "projectId", "datasetId", "tableId"}),
    )
}


def broken(url: str) -> list[str]:
    """The rules that a link breaks, in words; none if it is as documented."""
    parts = urlsplit(url)
    found = (
        [] if f"{parts.scheme}://{parts.netloc}{parts.path}" in ADDRESSES else [f"address {parts.netloc}{parts.path}"]
    )
    if len(url) > LONGEST:
        found.append(f"{len(url)} characters")
    if "+" in parts.query or not re.fullmatch(r"[\w.~%*&=-]*", parts.query, re.ASCII):
        found.append("not percent-encoded")
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    twice = {name for name, _ in pairs if [other for other, _ in pairs].count(name) > 1}
    return found + [f"{name} twice" for name in sorted(twice)] + list(_parameters(dict(pairs)))


def _parameters(given: dict[str, str]) -> Iterator[str]:
    sources: dict[str, dict[str, str]] = {}
    for name, value in given.items():
        room, _, rest = name.partition(".")
        if room == "ds":
            alias, _, parameter = rest.partition(".")
            sources.setdefault(alias, {})[parameter] = value
        else:
            yield from _value(name, rest, value, {"c": CONTROL, "r": REPORT}.get(room, {}))
    for alias, parameters in sources.items():
        if not re.fullmatch(ALIAS, alias, re.ASCII):
            yield f"alias {alias!r}"
        yield from _source(alias, parameters)


def _source(alias: str, given: dict[str, str]) -> Iterator[str]:
    connector = CONNECTORS.get(given.get("connector", ""))
    if connector is None:
        yield f"connector {given.get('connector')!r} of {alias}"
        return
    for name, value in given.items():
        yield from _value(f"ds.{alias}.{name}", name, value, EVERY_SOURCE | connector.parameters)
    yield from (f"no ds.{alias}.{name}" for name in sorted(connector.required - given.keys()))


def _value(name: str, key: str, value: str, known: dict[str, str]) -> Iterator[str]:
    if key not in known:
        yield f"unknown {name}"
    elif not re.fullmatch(known[key], value, re.ASCII | re.DOTALL):
        yield f"{name}={value}"
