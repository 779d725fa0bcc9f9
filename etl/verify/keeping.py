"""What is kept of rows that were deleted or changed, where a table is configured so.

*Soft deletes*: a row that is gone from the source stays in the copy, with the instant at which that was
seen in ``_deleted_at``. *History*: a table of the same name in ``raw_history`` holds every version that a
load has seen, from ``valid_from`` on and before ``valid_to``, which is NULL for the current one.

All of it is written by statements in the transaction of the load that changes the copy. Two versions are
the same if the texts that a rowsum makes of them are.
"""

from __future__ import annotations

from datetime import datetime

from etl.dialects.base import WORDS, WarehouseDialect
from etl.errors import StoppedTableError
from etl.ledger import Ledger
from etl.ranges import Ranges
from etl.records import Load, keeps_deleted
from etl.verify.drift import drift_of
from etl.warehouses.base import Warehouse, live_rows
from schemas.table import DELETED_AT, VALID_FROM, VALID_TO, Table


class Keeper:
    """The statements that keep what one table's loads would otherwise delete or overwrite."""

    def __init__(self, warehouse: Warehouse, ledger: Ledger, table: Table) -> None:
        self._warehouse, self._ledger, self._table = warehouse, ledger, table
        self._dialect = warehouse.dialect
        self._target = warehouse.relation("raw", table.target)
        self._history = warehouse.relation("raw_history", table.target)

    def delete(self, keys: str, load: Load, rows: str = "") -> list[str]:
        """Delete the rows whose key is in relation ``keys``, or mark them as deleted; ``rows`` are put in their place.

        A marked row whose key is in ``rows`` is deleted: it is in the source again.
        """
        within = self._warehouse.within(self._table, keys)
        if not self._table.soft:
            return [self._dialect.delete_matching(self._target, keys, self._table.key, within)]
        # Rows that come back have keys that were located, so they lie within the same parts.
        replaced = [self._dialect.delete_matching(self._target, rows, self._table.key, within)] if rows else []
        return [*replaced, mark(self._dialect, self._target, keys, self._table, load.snapshot_at, within)]

    def carry(self, staging: str, load: Load) -> list[str]:
        """Put the rows that are in the copy but not in relation ``staging`` into it, marked as deleted."""
        held = self._warehouse.columns("raw", self._table.target)
        if not self._table.soft or DELETED_AT.name not in held:
            return []
        wanted = {column.name: self._dialect.catalog_type(column.type) for column in self._table.columns}
        names = [name for name, type_ in held.items() if wanted.get(name, type_) == type_ and name != DELETED_AT.name]
        if not set(self._table.key) <= set(names):
            raise StoppedTableError(
                f"table {self._table.target}: its key has another type, so rows marked as deleted cannot be kept",
                'drop them: deletes = "hard", and load it anew with --full',
            )
        marked = self._dialect.quote(DELETED_AT.name)
        at = _literal(self._dialect, load.snapshot_at)
        return [
            f"INSERT INTO {staging} ({self._dialect.columns(names)}, {marked}) "
            f"SELECT {self._dialect.columns(names)}, COALESCE({marked}, {at}) FROM {self._target} AS etl_t "
            f"WHERE NOT EXISTS (SELECT 1 FROM {staging} AS etl_s WHERE {self._same('etl_t', 'etl_s')})"
        ]

    def versions(self, load: Load, affected: str = "", current: str = "") -> list[str]:
        """Bring the history to the copy: close versions that are no longer current, and open those that are now.

        Only rows whose key is in relation ``affected`` are looked at, all if it is empty. ``current`` is
        the table to look at, if not the copy itself. To be run after the copy was changed.
        """
        if not self._table.history:
            return []
        # Instants of one table never run backwards, whatever the source's clock does.
        at = _literal(self._dialect, max(load.snapshot_at, self._ledger.latest_instant(self._table.target)))
        current = live_rows(self._dialect, self._table, current or self._target)
        valid_to, names = self._dialect.quote(VALID_TO.name), [column.name for column in self._table.columns]
        own = ", ".join(f"etl_s.{self._dialect.quote(name)}" for name in names)
        columns = self._dialect.columns([*names, VALID_FROM.name, VALID_TO.name])
        none = f"CAST(NULL AS {self._dialect.ddl(VALID_TO.type)})"
        open_, live = self._of(self.current(), affected), self._of(current, affected)
        changed = f"({self._hashes(open_)} EXCEPT DISTINCT {self._hashes(live)})"
        partition = ", ".join(f"etl_s.{self._dialect.quote(name)}" for name in self._table.key)
        return [
            f"UPDATE {self._history} AS etl_v SET {valid_to} = {at} WHERE {valid_to} IS NULL "
            f"AND EXISTS (SELECT 1 FROM {changed} AS etl_c WHERE {self._same('etl_v', 'etl_c')})",
            f"INSERT INTO {self._history} ({columns}) SELECT {own}, {at}, {none} FROM {live} AS etl_s "
            f"WHERE NOT EXISTS (SELECT 1 FROM {self.current()} AS etl_v WHERE {self._same('etl_v', 'etl_s')}) "
            f"QUALIFY ROW_NUMBER() OVER (PARTITION BY {partition}) = 1",
        ]

    def current(self) -> str:
        """The current versions, as a relation."""
        return f"(SELECT * FROM {self._history} AS etl_all WHERE {self._dialect.quote(VALID_TO.name)} IS NULL)"

    def prepare(self) -> None:
        """Make the history's table, or bring it to the source's columns; raises ``StoppedTableError``."""
        if not self._table.history:
            return
        held = self._warehouse.columns("raw_history", self._table.target)
        columns = (*self._table.columns, VALID_FROM, VALID_TO)
        if not held:
            typed = ", ".join(f"{self._dialect.quote(c.name)} {self._dialect.ddl(c.type)}" for c in columns)
            self._warehouse.alter([f"CREATE TABLE IF NOT EXISTS {self._history} ({typed})"])
            return
        try:
            drift = drift_of(self._dialect, Table(self._table.name, columns, schema=self._table.schema), held)
        except StoppedTableError as error:
            raise StoppedTableError(
                f"the history in raw_history: {error.message}",
                "give that history another name, and a new one begins with the next sync",
            ) from error
        if drift:
            self._warehouse.alter(drift.statements(self._dialect, self._history))

    def flaw(self, part: Ranges | None = None) -> str:
        """What is wrong with the history of a part, or of all: in words, empty if nothing is.

        Versions of a key never overlap, and the current ones are the live rows, by count and by hash.
        """
        if overlapping := self._overlapping():
            return f"versions of {overlapping} overlap"
        ours, theirs = (
            self._totals(relation, part) for relation in (self.current(), self._warehouse.live(self._table))
        )
        return "" if ours == theirs else f"{ours[0]:,} current versions are not the {theirs[0]:,} rows there are"

    def count(self) -> int:
        """How many versions there are."""
        return int(self._warehouse.query(f"SELECT COUNT(*) AS n FROM {self._history}")["n"][0].as_py())

    def _overlapping(self) -> str:
        """The first key with versions that overlap, or of which several are current."""
        key = self._dialect.columns(self._table.key)
        from_, to = self._dialect.quote(VALID_FROM.name), self._dialect.quote(VALID_TO.name)
        following = f"LEAD({from_}) OVER (PARTITION BY {key} ORDER BY {from_}, {to} IS NULL, {to})"
        found = self._warehouse.query(
            f"SELECT {key} FROM (SELECT {key}, {from_}, {to}, {following} AS etl_next FROM {self._history}) AS etl_v "
            f"WHERE {to} < {from_} OR (etl_next IS NOT NULL AND ({to} IS NULL OR {to} > etl_next)) LIMIT 1"
        ).to_pylist()
        return ", ".join(f"{name}={value}" for name, value in found[0].items()) if found else ""

    def _totals(self, relation: str, part: Ranges | None) -> tuple[int, ...]:
        if part:
            relation = f"(SELECT * FROM {relation} AS etl_part WHERE {part.condition(self._dialect)})"
        sums = ", ".join(f"{self._dialect.word_sum(word)} AS {word}" for word in WORDS)
        hashes = self._dialect.hashes(self._table.columns, [], relation)
        row = self._warehouse.query(f"SELECT COUNT(*) AS n, {sums} FROM ({hashes}) AS etl_hashed").to_pylist()[0]
        return tuple(int(value or 0) for value in row.values())

    def _of(self, relation: str, affected: str) -> str:
        """Those rows of a relation whose key is in ``affected``."""
        if not affected:
            return relation
        matched = self._same("etl_r", "etl_k")
        return f"(SELECT * FROM {relation} AS etl_r WHERE EXISTS (SELECT 1 FROM {affected} AS etl_k WHERE {matched}))"

    def _hashes(self, relation: str) -> str:
        return self._dialect.hashes(self._table.columns, self._table.key, relation)

    def _same(self, left: str, right: str) -> str:
        return " AND ".join(f"{left}.{q} = {right}.{q}" for q in map(self._dialect.quote, self._table.key))


def refuse_hardening(table: Table, newest: Load) -> None:
    """Raise ``StoppedTableError`` if the copy holds marked rows and is to hold none: whoever goes on deletes them."""
    if keeps_deleted(newest) and not table.soft:
        raise StoppedTableError(
            f"table {table.target} holds rows that are marked as deleted, but is to hold none from now on",
            f'drop them with: etl sync {table.target} --full, or keep them with deletes = "soft"',
        )


def mark(dialect: WarehouseDialect, target: str, keys: str, table: Table, at: datetime, within: str = "") -> str:
    """Mark the live rows of the target whose key is in relation ``keys`` as deleted; ``within`` as for a merge."""
    marked = dialect.quote(DELETED_AT.name)
    matched = " AND ".join(f"etl_t.{q} = etl_k.{q}" for q in map(dialect.quote, table.key))
    where = f"({within}) AND " if within else ""
    return (
        f"UPDATE {target} AS etl_t SET {marked} = {_literal(dialect, at)} WHERE {where}{marked} IS NULL "
        f"AND EXISTS (SELECT 1 FROM {keys} AS etl_k WHERE {matched})"
    )


def _literal(dialect: WarehouseDialect, at: datetime) -> str:
    return dialect.literal(at.isoformat(" ", "microseconds"), DELETED_AT.type)
