"""The models of a world: GoogleSQL in ``queries/<world>/ml``.

``customer_snapshots.sql`` is the mart of what was known of customers, the features; ``<model>_examples.sql`` is
one of what came of it, or of a series or choice of features that has no label. ``<model>_create.sql``,
``<model>_evaluate.sql`` and ``<model>_predictions.sql`` are BigQuery ML over it. The header of the
last is the contract of ``marts.<model>_predictions``, whichever engine makes them.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Literal

from etl.errors import ConfigError
from etl.publish.queries import Query, chosen, load, ordered, read, worlds

Step = Literal["create", "evaluate", "predictions"]
STEPS: tuple[Step, ...] = ("create", "evaluate", "predictions")
FEATURES = "customer_snapshots"
LABELLED = ("churn", "ltv")
"""The models whose examples are labels, to be put beside the features of the same customer and day."""


def models(world: str) -> list[str]:
    """The world's models, sorted."""
    return sorted(name.removesuffix("_create") for name in _texts(world) if name.endswith("_create"))


def require(world: str, model: str) -> None:
    """Raise ``ConfigError`` unless the world has the model."""
    known = models(world)
    if not known:
        listed = ", ".join(sorted(other for other in worlds() if models(other)))
        raise ConfigError(f"the world {world!r} has no models", f"those with models are: {listed}")
    if model not in known:
        raise ConfigError(f"the world {world!r} has no model {model!r}", f"its models are: {', '.join(known)}")


def examples(world: str, model: str) -> dict[str, Query]:
    """The query of a model's examples after all it needs, in building order; raises ``ConfigError``."""
    require(world, model)
    own = [read(f"{world}/ml", name, text) for name, text in _texts(world).items() if not name.endswith(STEPS)]
    return chosen(ordered([*load(world).values(), *own]), [f"{model}_examples"])


def tables(queries: Iterable[Query]) -> set[str]:
    """The raw tables that queries read."""
    return {name for query in queries for room, name in query.reads if room == "raw"}


def statement(world: str, model: str, step: Step) -> str:
    """The GoogleSQL of one of a model's steps; raises ``ConfigError``."""
    require(world, model)
    return _texts(world)[f"{model}_{step}"].read_text(encoding="utf-8")


def predictions(world: str, model: str) -> Query:
    """The mart of a model's predictions; its text runs on BigQuery only, its header holds for all."""
    require(world, model)
    name = f"{model}_predictions"
    return read(f"{world}/ml", name, _texts(world)[name])


def _texts(world: str) -> dict[str, Traversable]:
    folder = files("queries") / world / "ml"
    if not folder.is_dir():
        return {}
    found = sorted(folder.iterdir(), key=lambda entry: entry.name)
    return {entry.name.removesuffix(".sql"): entry for entry in found if entry.name.endswith(".sql")}
