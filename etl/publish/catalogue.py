"""The marts of every world, and the fields of its reports, as Markdown, from the headers of their queries.

``python -m etl.publish.catalogue docs/metrics.md docs/looker-studio.md`` brings the generated parts of these
pages up to date. A part stands between ``<!-- marts of WORLD -->``, or ``<!-- fields of WORLD/VIEW -->``, and
``<!-- end -->``.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from etl.publish import looker
from etl.publish.errors import QueryError
from etl.publish.queries import Query, load

_PART = re.compile(r"(<!-- marts of (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_FIELDS = re.compile(r"(<!-- fields of (\w+)/(\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_DIMENSIONS = re.compile(r"\w+_id|months_since")
"""Numbers that say which row it is; all others are amounts."""


def refreshed(page: str) -> str:
    """The page with its generated parts as the queries are now.

    Raises :class:`QueryError` for an unknown world or view.
    """
    page = _PART.sub(lambda part: f"{part[1]}{marts(part[2])}\n{part[3]}", page)
    return _FIELDS.sub(lambda part: f"{part[1]}{fields(part[2], part[3])}\n{part[4]}", page)


def fields(world: str, name: str) -> str:
    """The fields of a view for Looker Studio: the type and aggregation to set, and what each is."""
    view = next((view for view in looker.views(world) if view.name == name), None)
    if view is None:
        raise QueryError(f"the world {world!r} has no view {name!r}", "correct the page")
    grain = view.header.grain
    parts = [f"{grain[:1].upper()}{grain[1:]}. {view.header.notes}".strip() + "\n"]
    parts += ["| field | type, aggregation | what it is |", "|---|---|---|"]
    parts += [
        f"| `{column}` | {_field_type(column, view.header.types[column])} | {_escaped(meaning)} |"
        for column, meaning in view.columns.items()
    ]
    return "\n".join(parts)


def _field_type(column: str, type_: str) -> str:
    """How Looker Studio is to take a column: https://support.google.com/looker-studio/answer/9514333."""
    if type_ == "DATE":
        return "Date (Year Month)" if "month" in column else "Date"
    if type_ in ("STRING", "BOOL"):
        return {"STRING": "Text", "BOOL": "Boolean"}[type_]
    if _DIMENSIONS.fullmatch(column):
        return "Number, none"
    return "Currency, Sum" if type_.startswith("NUMERIC") else "Number, Sum"


def marts(world: str) -> str:
    """Every mart of the world: what it answers, at which grain, with which columns, under which tests."""
    queries = load(world)
    return "\n".join(_section(queries[name]) for name in sorted(queries))


def _section(query: Query) -> str:
    header = query.header
    anchor = f'<a id="{query.world}-{query.name}"></a>\n'
    parts = [
        anchor,
        f"### {query.name}\n",
        f"{header.question} ([SQL](../{query.where}))\n",
        f"**Grain:** {header.grain}.\n",
    ]
    if header.notes:
        parts.append(f"{_escaped(header.notes)}\n")
    if query.needs:
        parts.append(f"**Reads:** {', '.join(f'[{name}](#{query.world}-{name})' for name in sorted(query.needs))}\n")
    if header.incremental:
        parts.append(f"**Built by months** of {header.partition}: only those whose input rows have changed.\n")
    parts.append("| column | type | meaning |\n| --- | --- | --- |")
    parts += [f"| {name} | {header.types[name]} | {_escaped(meaning)} |" for name, meaning in header.columns.items()]
    tests = ", ".join(name.replace("_", " ") for name in header.tests)
    return "\n".join([*parts, f"\nEvery build fails unless: {tests}.\n"])


def _escaped(text: str) -> str:
    """Asterisks and bars as themselves."""
    return re.sub(r"([*|<])", r"\\\1", text)


def main() -> None:
    """Refresh the pages named on the command line."""
    for name in sys.argv[1:]:
        page = Path(name)
        page.write_text(refreshed(page.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
