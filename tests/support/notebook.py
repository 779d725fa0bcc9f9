"""A notebook, read, checked and run as Jupyter does: nbformat knows its form, nbclient runs its cells in a kernel."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode


@dataclass(frozen=True, slots=True)
class Shown:
    """What a cell shows: a chart's specification, a table's HTML, or text."""

    chart: dict[str, Any] | None
    table: str
    text: str


def read(path: Path) -> NotebookNode:
    """The notebook; raises ``nbformat.ValidationError`` if it is not as its format says."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def run(notebook: NotebookNode, directory: Path) -> list[Shown]:
    """Run every cell in a kernel started in ``directory``: what each code cell shows. Raises where one fails."""
    client = NotebookClient(
        notebook, timeout=120, startup_timeout=120, resources={"metadata": {"path": str(directory)}}
    )
    client.execute()
    return [_shown(cell.outputs) for cell in notebook.cells if cell.cell_type == "code"]


def _shown(outputs: list[NotebookNode]) -> Shown:
    data: dict[str, Any] = {}
    for output in outputs:
        data |= output.get("data", {})
    html = data.get("text/html", "")
    return Shown(_chart(html), html, data.get("text/plain", ""))


def _chart(html: str) -> dict[str, Any] | None:
    """The specification that Altair's HTML hands to its script, which is an expression called with it."""
    _, called, arguments = html.rpartition("})({")
    if not called:
        return None
    found: dict[str, Any] = json.JSONDecoder().raw_decode("{" + arguments)[0]
    return found
