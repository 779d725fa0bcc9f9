"""Which marts are as they would be if they were built again.

A mart follows from its query and from what that reads. Every change of a raw table writes a load, so
the query's text, the newest load of each table it reads and the same of the marts it reads say all
there is to say; their hash is written down with each build. While it is the same, nothing is done.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from importlib.metadata import version

import etl
from etl.publish.queries import Query
from etl.records import MartBuild


def inputs(queries: Mapping[str, Query], loads: Mapping[str, str]) -> dict[str, str]:
    """For each query, given in building order with all it needs, the hash of what its mart is made of.

    ``loads`` maps each raw table that is read to its newest load's id. The versions are part of it:
    another one may translate the same text differently.
    """
    found: dict[str, str] = {}
    for name, query in queries.items():
        parts = {
            "versions": [etl.__version__, version("sqlglot")],
            "text": query.text,
            "loads": {table: loads[table] for table in sorted(query.tables)},
            "marts": {mart: found[mart] for mart in sorted(query.needs)},
        }
        found[name] = sha256(json.dumps(parts).encode()).hexdigest()
    return found


def unchanged(
    made_of: Mapping[str, str], builds: Mapping[str, MartBuild], published: frozenset[str]
) -> dict[str, MartBuild]:
    """The builds that still hold: of the same inputs, and published."""
    return {
        name: builds[name]
        for name, hash_ in made_of.items()
        if name in published and name in builds and builds[name].inputs == hash_
    }
