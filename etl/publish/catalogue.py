"""The marts of every world as Markdown, from the headers of their queries.

``python -m etl.publish.catalogue docs/metrics.md`` brings the generated parts of the page up to date.
A part stands between ``<!-- marts of WORLD -->`` and ``<!-- end -->``.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from etl.publish.queries import Query, load

_PART = re.compile(r"(<!-- marts of (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def refreshed(page: str) -> str:
    """The page with its generated parts as the queries are now; raises :class:`QueryError` for an unknown world."""
    return _PART.sub(lambda part: f"{part[1]}{marts(part[2])}\n{part[3]}", page)


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
