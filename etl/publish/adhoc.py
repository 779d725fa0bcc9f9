"""Questions asked by hand: marts by name, SQL files and GoogleSQL, whole or page by page."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
from sqlglot import exp

from etl.config import SyncConfig
from etl.errors import ConfigError, RunError
from etl.ledger import Ledger
from etl.publish import translate
from etl.publish.errors import QueryError
from etl.publish.gate import shut
from etl.publish.marts import creation
from etl.publish.queries import chosen, load
from etl.publish.translate import BUILDING
from etl.warehouses.base import Warehouse

log = logging.getLogger(__name__)

_WHERE = "the query"


@dataclass(frozen=True, slots=True)
class Page:
    """Which rows of an answer are wanted: the ``number``-th page, from 1 on, of ``rows`` each."""

    rows: int
    number: int = 1

    @property
    def before(self) -> int:
        """How many rows come before it."""
        return self.rows * (self.number - 1)


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows, and whether there are more after them; only a page has any."""

    rows: pa.Table
    page: Page | None = None
    is_last: bool = True


def read(what: str, world: str, warehouse: Warehouse) -> str:
    """The GoogleSQL that ``what`` stands for: a mart, a ``.sql`` file, or itself.

    A mart's rows come in the order of its columns. Raises :class:`QueryError` for a mart that is not there,
    and ``ConfigError`` for a file that cannot be read.
    """
    if re.fullmatch(r"\w+", what):
        return _mart(what, world, warehouse)
    if not what.endswith(".sql"):
        return what
    try:
        return Path(what).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{what} cannot be read: {error}", "check the path and that it is UTF-8 text") from error


def _mart(name: str, world: str, warehouse: Warehouse) -> str:
    columns = warehouse.columns("marts", name)
    if columns:
        return f"SELECT * FROM marts.{name} ORDER BY {', '.join(str(i) for i in range(1, len(columns) + 1))}"
    if name in load(world):
        raise QueryError(f"the mart {name} has not been built", f"build it: etl marts {name}")
    known = ", ".join(table for table in warehouse.tables("marts") if not table.endswith(BUILDING)) or "none yet"
    raise QueryError(f"there is no mart {name!r}", f"those that are built: {known}")


def spelled(warehouse: Warehouse, question: str, page: Page | None = None) -> str:
    """The question, or a page of its answer and one row more, in the warehouse's SQL; raises :class:`QueryError`."""
    tree = translate.parsed(question, _WHERE)
    if page and not _is_limited(tree):
        if not tree.args.get("order") and page.number > 1:
            log.warning("the query has no ORDER BY: its pages may overlap")
        question = tree.limit(page.rows + 1).offset(page.before).sql(dialect="bigquery")
    return translate.translate(question, warehouse, _WHERE)


def run(warehouse: Warehouse, question: str, page: Page | None = None) -> Answer:
    """The answer; raises :class:`QueryError` for a question that cannot be translated, or answers by one name twice."""
    sql = spelled(warehouse, question, page)
    cost = warehouse.estimate(sql)
    if cost is not None:
        log.warning("the query reads %s", amount(cost))
    rows = warehouse.query(sql)
    twice = [name for name, times in Counter(rows.schema.names).items() if times > 1]
    if twice:
        raise QueryError(f"the query has several columns called {twice[0]!r}", "give each a name of its own: … AS name")
    if page is None:
        return Answer(rows)
    if _is_limited(translate.parsed(question, _WHERE)):
        rows = rows.slice(page.before)
    return Answer(rows.slice(0, page.rows), page, rows.num_rows <= page.rows)


def price(warehouse: Warehouse, question: str) -> str:
    """What asking would read, in words; raises what is wrong with the question as ``run`` does."""
    sql = spelled(warehouse, question)
    cost = warehouse.estimate(sql)
    if cost is not None:
        return f"the query would read {amount(cost)}"
    warehouse.query(f"SELECT * FROM (\n{sql}\n) AS etl_answer LIMIT 0")
    return f"the query can be run; nothing is charged for what it reads from {warehouse.identity}"


def _is_limited(tree: exp.Query) -> bool:
    """Whether the query says itself how many rows it wants: pages are cut off its answer then."""
    return bool(tree.args.get("limit") or tree.args.get("offset"))


def amount(size: int) -> str:
    """Bytes in the unit that suits them, as they are charged for: by binary units."""
    units = ("bytes", "KiB", "MiB", "GiB", "TiB")
    power = min((max(size, 1).bit_length() - 1) // 10, len(units) - 1)
    return f"{size / 1024**power:.1f} {units[power]}" if power else f"{size} bytes"


def warn_unproven(ledger: Ledger, question: str, wishes: SyncConfig) -> None:
    """Say so if the question reads tables that are not proven, by what the gate asks of them."""
    tables = [name for room, name in translate.references(question) if room == "raw"]
    reasons = shut(ledger, tables, wishes.max_unchecked_days, accept_moving=wishes.accept_moving)
    for table, reason in reasons.items():
        log.warning("raw.%s is not proven: it %s", table, reason)


def marts_sql(warehouse: Warehouse, world: str, names: Sequence[str]) -> str:
    """The statements that would build the marts, in order."""
    queries = chosen(load(world), names)
    return ";\n\n".join(creation(warehouse, query, frozenset(queries)) for query in queries.values()) + ";"


def export(warehouse: Warehouse, names: Sequence[str], directory: Path) -> None:
    """Write marts as Parquet files, each under its name once it is whole.

    Raises ``RunError`` if the directory cannot be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name in names:
            rows = warehouse.query(f"SELECT * FROM {warehouse.relation('marts', name)}")
            partial = directory / f".{name}.parquet.partial"
            pyarrow.parquet.write_table(rows, partial)
            partial.replace(directory / f"{name}.parquet")
    except OSError as error:
        raise RunError(f"{directory} cannot be written: {error.strerror}", "name another directory") from error
