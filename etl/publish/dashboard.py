"""The dashboard: one HTML file that needs nothing else, neither a network nor a server."""

from __future__ import annotations

import os
import tempfile
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from etl.errors import RunError
from etl.publish import churn, health, hopify
from etl.publish.errors import QueryError
from etl.publish.figures import Board, Reader, reader, side_by_side
from etl.publish.verification import Check, Verdict, verdict
from etl.warehouses.base import Warehouse

BOARDS: Mapping[str, Callable[[Reader], Board]] = {
    "hopify": hopify.board,
    "health": health.board,
    "churn": churn.board,
}


def render(warehouse: Warehouse, world: str, path: Path, checks: Sequence[Mapping[str, Any]]) -> Path:
    """Write the world's dashboard to ``path``, replacing a file that is there, and return the path.

    ``checks`` holds each table's newest check: ``table, source_rows, warehouse_rows, source_hash,
    warehouse_hash, equal, checked_at, mode``. Raises :class:`QueryError` for a world without a
    dashboard, :class:`MartError` for a mart that has not been built, and :class:`RunError` where
    the file cannot be written.
    """
    if world not in BOARDS:
        raise QueryError(f"the world {world!r} has no dashboard", f"those with one are: {', '.join(sorted(BOARDS))}")
    board = BOARDS[world](reader(warehouse))
    write(path, page(board, verdict([Check.read(check) for check in checks])))
    return path


def page(board: Board, verified: Verdict) -> str:
    """The whole file's text; every value in it is escaped by the template."""
    library, script = _library(), _asset("dashboard.js")
    environment = Environment(
        loader=PackageLoader("etl.publish"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("dashboard.html.j2").render(
        board=board,
        figures=side_by_side(board.figures),
        verified=verified,
        style=Markup(_asset("dashboard.css")),  # noqa: S704 our own file
        library=Markup(library),  # noqa: S704 checked by _library
        script=Markup(script),  # noqa: S704 our own file
        hashes=[_hash(library), _hash(script)],
    )


@cache
def _library() -> str:
    """Vega, Vega-Lite and Vega-Embed in one script, of the version that Altair's specifications are for."""
    version = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    text = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", version)
    assert "</script" not in text.lower()
    return text


def _asset(name: str) -> str:
    return (files("etl.publish") / "templates" / name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    """A script's hash as a content security policy writes it (https://www.w3.org/TR/CSP3/#grammardef-hash-source)."""
    return "sha256-" + b64encode(sha256(script.encode()).digest()).decode()


def write(path: Path, text: str) -> None:
    """Put the file in place in one step, so that a reader sees the old one or the new one; raises :class:`RunError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise _unwritable(path, error) from error
    aside = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        aside.chmod(0o666 & ~_umask())
        aside.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        aside.unlink(missing_ok=True)


def _unwritable(path: Path, error: OSError) -> RunError:
    return RunError(f"{path} cannot be written: {error.strerror}", "name a writable place, or make room")


def _umask() -> int:
    """The process's file mode mask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
