"""The contract of a dialect, down to the exact text it must produce.

A row becomes one injective text, whatever the engine::

    cell = '~,'                     for NULL
         | text ','                 for types whose text never holds a comma, a tilde or a colon
         | bytes ':' text ','       for strings, with their length in UTF-8 bytes
    row  = 'rowsum1|' cell1 … celln in the table's column order

Its SHA-256, read as big-endian unsigned 32-bit words, gives s1 to s4 (the first 16 bytes).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from schemas.mappings import ddl_type
from schemas.table import Column
from schemas.types import Kind, LogicalType

SALT = "rowsum1|"
BUCKETS = 65_536
WORDS = ("etl_s1", "etl_s2", "etl_s3", "etl_s4")
"""The columns of the hash words; they stand beside a table's own columns, hence the prefix."""


class Statement(NamedTuple):
    """A piece of SQL with the values bound to its placeholders, in order."""

    sql: str
    values: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Layout:
    """How an engine that charges by what it reads should store a table.

    ``partition`` divides it, by its ``unit`` (hour, day, month or year), or by runs of ``size`` if it is an
    integer; within a part, rows with similar values in ``cluster`` are kept together. ``description`` is the
    table's, ``columns`` are those that are described.
    """

    partition: Column | None = None
    size: int = 1_000_000
    unit: str = "month"
    cluster: tuple[str, ...] = ()
    require_filter: bool = False
    description: str = ""
    columns: tuple[Column, ...] = ()


class Dialect(ABC):
    """One engine's text."""

    name: ClassVar[str]
    sqlglot: ClassVar[str]

    @abstractmethod
    def quote(self, identifier: str) -> str:
        """The identifier, quoted so that any name is taken literally."""

    def qualify(self, *parts: str) -> str:
        """Quoted parts joined by dots; empty parts are left out."""
        return ".".join(self.quote(part) for part in parts if part)

    def columns(self, names: Sequence[str]) -> str:
        """Quoted names joined by commas."""
        return ", ".join(self.quote(name) for name in names)

    def ddl(self, type_: LogicalType) -> str:
        """The engine's type for ``type_``."""
        return ddl_type(self.name, type_)

    @abstractmethod
    def string(self, value: str) -> str:
        """``value`` as a string literal."""

    @abstractmethod
    def literal(self, value: Any, type_: LogicalType) -> str:
        """``value`` (str for decimals, dates, times and UUIDs) as a constant of the engine's own type."""

    def ordered(self, x: str, type_: LogicalType) -> str:
        """``x`` as it compares with a ``literal`` by value, where the engine compares it otherwise."""
        del type_
        return x

    def has(self, value: Any) -> bool:
        """Whether the engine can hold such a value; the proof of an engine leaves the others out."""
        del value
        return True


class RowsumDialect(Dialect):
    """A dialect whose engine can compute rowsums itself, once it has proven the texts below.

    ``x`` is always an expression of the engine's own type for the logical type at hand, and a text is
    NULL where ``x`` is. No text but a string's holds a comma, a tilde or a colon.
    """

    scripts: ClassVar[bool] = False
    """Whether a query may have statements before it and is asked with them in one round trip."""

    row_count: ClassVar[str] = "COUNT(*)"
    """The number of rows as a 64-bit integer."""

    fence: ClassVar[str] = ""
    """Ends a subquery whose columns are to be computed once, not once for each use of them."""

    @abstractmethod
    def bool_text(self, x: str) -> str:
        """``1`` or ``0``."""

    @abstractmethod
    def int_text(self, x: str) -> str:
        """Decimal digits, with ``-`` before a negative number."""

    @abstractmethod
    def decimal_text(self, x: str, scale: int) -> str:
        """Exactly ``scale`` digits after the point; more only where the value has more, without trailing zeros.

        A leading zero is kept and zero has no sign: ``-0.50``, ``0.00``; with a scale of 0, ``17``.
        """

    @abstractmethod
    def float_text(self, x: str) -> str:
        """The IEEE-754 double's 16 hex digits, upper case, big-endian; any NaN is 7FF8000000000000.

        Zeros of either sign differ, and single precision is widened first.
        """

    @abstractmethod
    def date_text(self, x: str) -> str:
        """Days since 1970-01-01, proleptic Gregorian."""

    @abstractmethod
    def datetime_text(self, x: str) -> str:
        """Microseconds since 1970-01-01 00:00:00, floored: the last one before it is ``-1``."""

    @abstractmethod
    def timestamp_text(self, x: str) -> str:
        """Microseconds since 1970-01-01 00:00:00 UTC, floored."""

    @abstractmethod
    def time_text(self, x: str) -> str:
        """Microseconds since midnight, floored."""

    @abstractmethod
    def uuid_text(self, x: str) -> str:
        """Upper case with hyphens."""

    @abstractmethod
    def bytes_text(self, x: str) -> str:
        """Upper-case hex."""

    @abstractmethod
    def string_text(self, x: str) -> str:
        """The value itself, in UTF-8."""

    @abstractmethod
    def trimmed(self, x: str) -> str:
        """The string without trailing blanks (U+0020 only), for ``char(n)``."""

    @abstractmethod
    def byte_length(self, x: str) -> str:
        """The number of bytes of ``x``, which ``string_text`` gave, as text."""

    @abstractmethod
    def large_text(self, x: str, kind: Kind) -> str:
        """``length#SHA-256`` of max-length text (UTF-8) or bytes; length in bytes, hash in upper-case hex."""

    @abstractmethod
    def concat(self, *parts: str) -> str:
        """The parts, texts all, joined; NULL if any part is."""

    def present(self, text: str, otherwise: str) -> str:
        """``text``, or ``otherwise`` where it is NULL."""
        return f"COALESCE({text}, {otherwise})"

    @abstractmethod
    def hashed(self, text: str) -> str:
        """SHA-256 of the text's UTF-8 bytes, in the form ``words`` reads."""

    @abstractmethod
    def words(self, h: str) -> tuple[str, str, str, str]:
        """s1 to s4 of a hash column ``h``, each as a 64-bit integer in [0, 2**32)."""

    def word_sum(self, word: str) -> str:
        """An exact SUM of words, of which up to 2**31 fit into 64 bits."""
        return f"SUM({word})"

    @abstractmethod
    def wide_sum(self, x: str) -> str:
        """An exact SUM of 64-bit integers that does not overflow, as an exact number."""

    @abstractmethod
    def bucket(self, s1: str) -> str:
        """The lowest 16 bits of ``s1``."""

    def temporary(self, name: str) -> str:
        """How a session-local table called ``name``, a plain identifier, is spelled wherever it is used."""
        return name

    @abstractmethod
    def create_temporary(self, name: str, query: str) -> str:
        """One statement that makes a session-local table from a query; ``name`` as ``temporary`` spells it.

        The name is new to the session, except on DuckDB, where a table of that name is replaced.
        """

    def loss(self, x: str, type_: LogicalType) -> str:
        """A predicate that is true of the values whose text leaves something out; empty if none can.

        What it counts is a declared loss: digits past the microsecond, an offset from UTC.
        """
        del x, type_
        return ""

    def own_proofs(self, type_: LogicalType) -> Sequence[tuple[str, str]]:
        """Cells over constants of types that only this engine has, of which some arrive as ``type_``, and their texts.

        An engine renders them beside the vectors that all engines share.
        """
        del type_
        return ()

    def text(self, x: str, type_: LogicalType) -> str:
        """The canonical text of ``x``; NULL for NULL."""
        if type_.large and type_.kind in (Kind.STRING, Kind.JSON, Kind.BYTES):
            return self.large_text(x, type_.kind)
        if type_.kind is Kind.DECIMAL:
            return self.decimal_text(x, type_.scale or 0)
        if type_.kind in (Kind.STRING, Kind.JSON):
            return self.string_text(self.trimmed(x) if type_.fixed else x)
        render = {
            Kind.BOOL: self.bool_text,
            Kind.INT: self.int_text,
            Kind.FLOAT: self.float_text,
            Kind.DATE: self.date_text,
            Kind.DATETIME: self.datetime_text,
            Kind.TIMESTAMP: self.timestamp_text,
            Kind.TIME: self.time_text,
            Kind.UUID: self.uuid_text,
            Kind.BYTES: self.bytes_text,
        }
        return render[type_.kind](x)

    def framed(self, x: str, type_: LogicalType) -> str:
        """The canonical text of ``x``, a string's with its length before it; NULL for NULL."""
        text = self.text(x, type_)
        if type_.kind in (Kind.STRING, Kind.JSON) and not type_.large:
            text = self.concat(self.byte_length(text), self.string(":"), text)
        return text

    def cell(self, x: str, type_: LogicalType) -> str:
        """The text of ``x`` as it stands in a row's: framed and closed; never NULL."""
        return self.present(self.concat(self.framed(x, type_), self.string(",")), self.string("~,"))

    def row_text(self, columns: Sequence[Column]) -> str:
        """The whole row's text over quoted column names."""
        cells = [self.cell(self.quote(column.name), column.type) for column in columns]
        return self.concat(self.salt(), *cells)

    def salt(self) -> str:
        """``SALT``, the row's first part, of whatever type the whole row's text must have."""
        return self.string(SALT)

    def hashes(self, columns: Sequence[Column], key: Sequence[str], relation: str) -> str:
        """A query of each row's key columns and its words, named ``WORDS``.

        ``relation`` is a table's name or a query in parentheses. It gets an alias no column has: in
        GoogleSQL a table's name hides the column of the same name
        (https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#range_variables).
        """
        keys = "".join(f"{self.quote(name)}, " for name in key)
        words = ", ".join(f"{word} AS {name}" for word, name in zip(self.words("etl_h"), WORDS, strict=True))
        return f"SELECT {keys}{words} FROM ({self._hashed_rows(columns, key, relation)}) AS etl_hashed"

    def _hashed_rows(self, columns: Sequence[Column], key: Sequence[str], relation: str) -> str:
        keys = "".join(f"{self.quote(name)}, " for name in key)
        return f"SELECT {keys}{self.hashed(self.row_text(columns))} AS etl_h FROM {relation} AS etl_rows{self.fence}"

    def bucket_sums(self, columns: Sequence[Column], key: Sequence[Column], relation: str) -> str:
        """A query of one row a bucket: ``bucket, n``, ``WORDS`` summed, and ``k1 …``, a sum per integer key column.

        ``key`` holds the key columns if all of them are integers, and is empty otherwise.
        """
        names = [column.name for column in key]
        bucket = self.bucket(WORDS[0])
        sums = [f"{self.word_sum(word)} AS {word}" for word in WORDS]
        sums += [f"{self.wide_sum(self.quote(name))} AS k{i}" for i, name in enumerate(names, 1)]
        return (
            f"SELECT {bucket} AS bucket, {self.row_count} AS n, {', '.join(sums)} "
            f"FROM ({self.hashes(columns, names, relation)}{self.fence}) AS etl_summed GROUP BY {bucket}"
        )


class WarehouseDialect(RowsumDialect):
    """A dialect whose engine is loaded: it merges, repairs and asserts."""

    @abstractmethod
    def assertion(self, condition: str, message: str) -> str:
        """A statement that aborts the transaction with ``message`` unless ``condition`` (a scalar) is true."""

    @abstractmethod
    def rename(self, relation: str, name: str) -> str:
        """Give the table another unquoted name in the same namespace."""

    @abstractmethod
    def partition_start(self, x: str, kind: Kind, size: int) -> str:
        """The lowest value of the partition that ``x`` lies in: a month's first day, or a multiple of ``size``."""

    @abstractmethod
    def catalog_type(self, type_: LogicalType) -> str:
        """How the engine's catalog names the physical type of ``type_``, where that differs from its DDL."""

    def create_as(self, relation: str, query: str, layout: Layout | None = None) -> str:
        """A new table from a query; ``layout`` is for engines that store tables in parts."""
        del layout
        return f"CREATE TABLE {relation} AS\n{query}"

    def add_column(self, relation: str, name: str, type_: str) -> str:
        """Add a nullable column of a physical type."""
        return f"ALTER TABLE {relation} ADD COLUMN IF NOT EXISTS {self.quote(name)} {type_}"

    def rename_column(self, relation: str, name: str, new: str) -> str:
        """Give a column another name."""
        return f"ALTER TABLE {relation} RENAME COLUMN {self.quote(name)} TO {self.quote(new)}"

    def alter_type(self, relation: str, name: str, type_: str) -> str:
        """Widen a column to another physical type."""
        return f"ALTER TABLE {relation} ALTER COLUMN {self.quote(name)} SET DATA TYPE {type_}"

    def merge(self, target: str, staging: str, columns: Sequence[str], key: Sequence[str], within: str = "") -> str:
        """Staged rows into the target: those with a known key replace that key's rows, others are added.

        ``within``, a predicate over ``etl_t``, says where in the target rows with the staged keys can be.
        """
        matched = " AND ".join(f"etl_t.{self.quote(name)} = etl_s.{self.quote(name)}" for name in key)
        changes = ", ".join(f"{self.quote(name)} = etl_s.{self.quote(name)}" for name in columns if name not in key)
        names = self.columns(columns)
        values = ", ".join(f"etl_s.{self.quote(name)}" for name in columns)
        update = f" WHEN MATCHED THEN UPDATE SET {changes}" if changes else ""
        matched += f" AND ({within})" if within else ""
        return (
            f"MERGE INTO {target} AS etl_t USING {staging} AS etl_s ON {matched}{update} "
            f"WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({values})"
        )

    def delete_matching(self, target: str, keys: str, key: Sequence[str], within: str = "") -> str:
        """Delete every row of the target whose key is in table ``keys``; ``within``, over ``etl_t``, as for a merge."""
        matched = " AND ".join(f"etl_t.{self.quote(name)} = etl_k.{self.quote(name)}" for name in key)
        where = f"({within}) AND " if within else ""
        return f"DELETE FROM {target} AS etl_t WHERE {where}EXISTS (SELECT 1 FROM {keys} AS etl_k WHERE {matched})"

    def delete_hashed(self, target: str, hashes: str, columns: Sequence[Column]) -> str:
        """Delete every row of the target whose words are in table ``hashes``; for tables without a key."""
        words = self.words(self.hashed(self.row_text(columns)))
        matched = " AND ".join(f"{word} = etl_k.{name}" for word, name in zip(words, WORDS, strict=True))
        return f"DELETE FROM {target} AS etl_t WHERE EXISTS (SELECT 1 FROM {hashes} AS etl_k WHERE {matched})"

    def insert_from(self, target: str, staging: str, columns: Sequence[str]) -> str:
        """Insert all staged rows."""
        names = self.columns(columns)
        return f"INSERT INTO {target} ({names}) SELECT {names} FROM {staging} AS etl_s"
