"""A notebook's cells, run one after the other in one namespace as a kernel would, without one."""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Ran:
    """A code cell that was run: its source and the value it would show, None if it shows none."""

    source: str
    shown: Any


def read(path: Path) -> dict[str, Any]:
    """The notebook (https://nbformat.readthedocs.io/en/latest/format_description.html)."""
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def run(notebook: dict[str, Any]) -> list[Ran]:
    """Every code cell's last expression, evaluated; raises what a cell raises."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    sources = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return [Ran(source, _run(source, f"cell {i}", namespace)) for i, source in enumerate(sources, 1)]


def _run(source: str, name: str, namespace: dict[str, Any]) -> Any:
    tree = ast.parse(source, name)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, name, "exec"), namespace)  # noqa: S102  # our own notebook
    if not isinstance(last, ast.Expr):
        return None
    return eval(compile(ast.Expression(last.value), name, "eval"), namespace)  # noqa: S307
