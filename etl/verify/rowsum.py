"""The order-independent checksum of a set of rows, and the two ways to obtain it.

*Pushdown*: the engine that holds the rows sums them. *Stream*: the rows pass by as Arrow batches
and DuckDB sums them with DuckDB's text. Both leave one row a bucket in a session-local table, of
which the totals are read first and the buckets only if the totals differ.
"""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from itertools import count

import pyarrow as pa
import pyarrow.compute as pc

from etl.dialects.base import BUCKETS, WORDS, RowsumDialect
from etl.queryable import Queryable
from etl.ranges import Ranges
from etl.readahead import readahead
from etl.scratch import Scratch
from etl.sources.exact import decimals
from schemas.table import Column, Table
from schemas.types import Kind

CHUNK_ROWS = 262_144
CHUNK_BYTES = 128 << 20
"""What is summed at once: larger chunks cost less for each row."""

PIECE_ROWS = 65_536
"""What is loaded at once: smaller pieces leave a reader and a loader waiting for one another for less long."""

_MEMBERS_AT_ONCE = 2_000_000
_COMPACT_ROWS = 6 * BUCKETS
_names = count(1)


class Mode(StrEnum):
    """Who computed a rowsum."""

    PUSHDOWN = "pushdown"
    STREAM = "stream"


@dataclass(frozen=True, slots=True)
class Totals:
    """The number of rows and the sums of their four hash words."""

    rows: int
    sums: tuple[int, int, int, int]

    @property
    def digest(self) -> str:
        """32 hex digits that name this multiset of rows: equal digests and counts, equal rows."""
        text = ",".join(map(str, (self.rows, *self.sums)))
        return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Selection:
    """Rows to fetch with their words: those in ``buckets``, or whose first word is among ``first_words``."""

    buckets: tuple[int, ...] = ()
    first_words: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.buckets or self.first_words)

    def condition(self, dialect: RowsumDialect) -> str:
        """The selection as a predicate over the first word."""
        parts = []
        if self.buckets:
            parts.append(f"{dialect.bucket(WORDS[0])} IN ({', '.join(map(str, self.buckets))})")
        if self.first_words:
            parts.append(f"{WORDS[0]} IN ({', '.join(map(str, self.first_words))})")
        return " OR ".join(parts)


def summed_key(table: Table) -> tuple[Column, ...]:
    """The key columns that are summed in each bucket: all of them if they are integers, else none."""
    key = table.key_columns
    return key if all(column.type.kind is Kind.INT for column in key) else ()


class Side(ABC):
    """One side of a comparison: a table's rows, summed."""

    mode: Mode

    @abstractmethod
    def totals(self) -> Totals:
        """The sums over all rows."""

    @abstractmethod
    def buckets(self) -> pa.Table:
        """Columns ``bucket, n``, ``WORDS`` and ``k1 …``: one row for each bucket that holds rows."""

    @abstractmethod
    def members(self, columns: Sequence[str], selection: Selection | None) -> Iterator[pa.Table]:
        """``columns`` and ``WORDS`` of the selected rows, or of all, some at a time; at least one table."""

    @abstractmethod
    def scan(self) -> Iterator[pa.Table]:
        """Every row, as ``table.arrow``, some at a time."""

    @abstractmethod
    def rows(self, keys: pa.Table) -> pa.Table:
        """The rows with these keys, as ``table.arrow``."""

    @abstractmethod
    def close(self) -> None:
        """Drop the bucket sums."""


class PushdownSide(Side):
    """Rows summed by the engine that holds them, in one scan."""

    mode = Mode.PUSHDOWN

    def __init__(
        self,
        engine: Queryable,
        dialect: RowsumDialect,
        relation: str,
        table: Table,
        read: Callable[[], Iterable[pa.RecordBatch]],
        read_keys: Callable[[pa.Table], pa.Table],
        part: Ranges | None = None,
    ) -> None:
        """``part`` restricts what is summed; rows are still fetched by key wherever they lie.

        Summed at once, or where a script can do both when the totals are first asked for.
        """
        relation = f"(SELECT * FROM {relation} AS etl_part WHERE {part.condition(dialect)})" if part else relation
        self._engine, self._dialect, self._relation, self._table = engine, dialect, relation, table
        self._read, self._read_keys = read, read_keys
        self._rows: int | None = None
        self._sums = dialect.temporary(f"etl_rowsum_{next(_names)}")
        query = dialect.bucket_sums(table.columns, summed_key(table), relation)
        self._creation = dialect.create_temporary(self._sums, query)
        if not dialect.scripts:
            self._make()

    def totals(self) -> Totals:
        totals = totals_sql(self._dialect, self._sums)
        if self._creation:
            totals, self._creation = f"{self._creation};\n{totals}", ""
        found = _totals(self._engine.query(totals))
        self._rows = found.rows
        return found

    def buckets(self) -> pa.Table:
        self._make()
        return self._engine.query(f"SELECT * FROM {self._sums}")

    def members(self, columns: Sequence[str], selection: Selection | None) -> Iterator[pa.Table]:
        # All of a large table would not fit into memory, so that it is hashed again for each part of it.
        share = 1.0 if selection is None else len(selection.buckets) / BUCKETS
        rows = self.totals().rows if self._rows is None else self._rows
        turns = max(math.ceil(rows * share / _MEMBERS_AT_ONCE), 1)
        for turn in range(turns):
            within = (BUCKETS * turn // turns, BUCKETS * (turn + 1) // turns) if turns > 1 else None
            yield self._members(columns, selection, within)

    def _members(self, columns: Sequence[str], selection: Selection | None, within: tuple[int, int] | None) -> pa.Table:
        """The selected rows of the buckets ``within`` these bounds."""
        hashes = self._dialect.hashes(self._table.columns, columns, self._relation)
        wheres = [f"({selection.condition(self._dialect)})"] if selection else []
        if within:
            bucket = self._dialect.bucket(WORDS[0])
            wheres.append(f"{bucket} >= {within[0]} AND {bucket} < {within[1]}")
        where = f" WHERE {' AND '.join(wheres)}" if wheres else ""
        found = self._engine.query(f"SELECT * FROM ({hashes}) AS hashed{where}")
        for i, name in enumerate(columns):
            declared = self._table.column(name).type
            # PostgreSQL's numerics arrive as text, which is exactly the decimal.
            if declared.kind is Kind.DECIMAL and pa.types.is_string(found.column(i).type):
                found = found.set_column(i, name, decimals(found.column(i), declared.arrow))
            # SQL Server's UUIDs arrive in capitals, those of readers in small letters.
            if declared.kind is Kind.UUID and pa.types.is_string(found.column(i).type):
                found = found.set_column(i, name, pc.utf8_lower(found.column(i)))
        return found

    def scan(self) -> Iterator[pa.Table]:
        return chunks(self._read(), self._table)

    def rows(self, keys: pa.Table) -> pa.Table:
        return self._read_keys(keys)

    def close(self) -> None:
        if not self._creation:
            self._engine.run(f"DROP TABLE IF EXISTS {self._sums}")

    def _make(self) -> None:
        """Sum the rows, unless that was done."""
        if self._creation:
            self._engine.run(self._creation)
            self._creation = ""


class StreamSide(Side):
    """Rows summed as they pass; asked for single rows, they are read again."""

    mode = Mode.STREAM

    def __init__(
        self,
        scratch: Scratch,
        table: Table,
        read: Callable[[], Iterable[pa.RecordBatch]],
        read_keys: Callable[[pa.Table], Iterable[pa.RecordBatch]],
    ) -> None:
        self._scratch, self._table = scratch, table
        self._read, self._read_keys = read, read_keys
        self._sums = f"rowsum_{next(_names)}"
        self._summed = 0
        nothing = pa.Table.from_batches([], table.arrow)
        with scratch.holding(chunk=nothing):
            scratch.run(scratch.dialect.create_temporary(self._sums, self._chunk_sums()))

    def add(self, chunk: pa.Table) -> None:
        """Add a chunk of rows to the sums; chunks of about ``CHUNK_ROWS`` cost least."""
        with self._scratch.holding(chunk=chunk):
            self._scratch.run(f"INSERT INTO {self._sums} {self._chunk_sums()}")
        self._summed += min(chunk.num_rows, BUCKETS)
        if self._summed > _COMPACT_ROWS:
            self._compact()

    def add_all(self) -> StreamSide:
        """Read every row and add it, each chunk while the next one is being read."""
        for chunk in readahead(chunks(self._read(), self._table)):
            self.add(chunk)
        return self

    def totals(self) -> Totals:
        return _totals(self._scratch.query(totals_sql(self._scratch.dialect, self._sums)))

    def buckets(self) -> pa.Table:
        self._compact()
        return self._scratch.query(f"SELECT * FROM {self._sums}")

    def members(self, columns: Sequence[str], selection: Selection | None) -> Iterator[pa.Table]:
        dialect = self._scratch.dialect
        where = f" WHERE {selection.condition(dialect)}" if selection else ""
        query = f"SELECT * FROM ({dialect.hashes(self._table.columns, columns, 'chunk')}) AS hashed{where}"
        for chunk in self.scan():
            with self._scratch.holding(chunk=chunk):
                found = self._scratch.query(query)
            yield found

    def scan(self) -> Iterator[pa.Table]:
        return chunks(self._read(), self._table)

    def rows(self, keys: pa.Table) -> pa.Table:
        return pa.Table.from_batches(self._read_keys(keys), self._table.arrow)

    def close(self) -> None:
        self._scratch.run(f"DROP TABLE IF EXISTS {self._sums}")

    def _chunk_sums(self) -> str:
        return self._scratch.dialect.bucket_sums(self._table.columns, summed_key(self._table), "chunk")

    def _compact(self) -> None:
        columns = self._scratch.query(f"SELECT * FROM {self._sums} LIMIT 0").schema.names
        sums = ", ".join(
            f"CAST(SUM({name}) AS {'BIGINT' if name == 'n' else 'DECIMAL(38,0)'}) AS {name}" for name in columns[1:]
        )
        merged = f"SELECT bucket, {sums} FROM {self._sums} GROUP BY bucket"
        self._scratch.run(self._scratch.dialect.create_temporary(self._sums, merged))
        self._summed = BUCKETS


def totals_sql(dialect: RowsumDialect, sums: str) -> str:
    """The totals of a table of bucket sums, which past 2**31 rows no longer fit into 64 bits."""
    words = ", ".join(f"{dialect.wide_sum(word)} AS {word}" for word in WORDS)
    return f"SELECT SUM(n) AS n, {words} FROM {sums}"


def _totals(result: pa.Table) -> Totals:
    rows, s1, s2, s3, s4 = (int(value or 0) for value in result.to_pylist()[0].values())
    return Totals(rows, (s1, s2, s3, s4))


class Passing:
    """Adds rows to a side in a thread while they pass by, gathered into chunks, at most one chunk behind.

    All that has passed is added when the context ends, so the last chunk is summed beside what follows.
    """

    def __init__(self, side: StreamSide) -> None:
        self._side = side
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="rowsum")
        self._added: Future[None] | None = None

    def __enter__(self) -> Passing:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._pool.shutdown()
        if kind is None:
            self._wait()

    def through(self, pieces: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """The same pieces."""
        held: list[pa.Table] = []
        for piece in pieces:
            yield piece
            held.append(piece)
            if sum(each.num_rows for each in held) >= CHUNK_ROWS or sum(each.nbytes for each in held) >= CHUNK_BYTES:
                self._add(held)
                held = []
        if held:
            self._add(held)

    def _add(self, held: list[pa.Table]) -> None:
        self._wait()
        self._added = self._pool.submit(self._side.add, pa.concat_tables(held))

    def _wait(self) -> None:
        if self._added:
            self._added.result()


def chunks(batches: Iterable[pa.RecordBatch], table: Table, most: int = CHUNK_ROWS) -> Iterator[pa.Table]:
    """Batches gathered into tables of about ``most`` rows or ``CHUNK_BYTES`` bytes; at least one table."""
    held: list[pa.RecordBatch] = []
    rows = size = 0
    told = False
    for batch in batches:
        held.append(batch)
        rows += batch.num_rows
        size += batch.nbytes
        if rows >= most or size >= CHUNK_BYTES:
            yield pa.Table.from_batches(held, table.arrow)
            held, rows, size, told = [], 0, 0, True
    if held or not told:
        yield pa.Table.from_batches(held, table.arrow)
