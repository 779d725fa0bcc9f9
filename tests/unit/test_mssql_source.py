"""SQL Server as a source, as far as it can be judged without one: text, types, catalog rows, errors.

The queries are read by two grammars of T-SQL, sqlglot's and sqlfluff's.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
import sqlfluff
import sqlglot
from sqlglot import exp

from etl.config import Config, TableConfig
from etl.errors import ConfigError, SourceError
from etl.scaffold import scaffold
from etl.sources import mssql_catalog, mssql_doctor, mssql_server, mssql_sql
from etl.sources.base import refusal, refuse
from etl.sources.mssql import LOCK_PATIENCE, UNDO, connect
from etl.sources.mssql_catalog import Catalog, catalog
from etl.sources.mssql_cursors import expired_tracking, expired_version, withheld_tracking
from etl.sources.mssql_link import about, failure
from etl.sources.mssql_types import Physical, reading
from etl.sync.plan import configured
from schemas import types
from schemas.mssql import MssqlError, Trouble, translated
from schemas.table import FULL, Column, Cursor, CursorKind, ForeignKey, Table
from schemas.types import Kind, LogicalType

LARGE = LogicalType(Kind.STRING, large=True)


# --- types ----------------------------------------------------------------------------------------

TYPES = [
    (Physical("bigint", 8, 19), types.INT, "bigint"),
    (Physical("tinyint", 1, 3), types.INT, "tinyint"),
    (Physical("bit", 1), types.BOOL, "bit"),
    (Physical("decimal", 17, 38, 38), types.decimal(38, 38), "decimal(38,38)"),
    (Physical("numeric", 9, 10, 0), types.decimal(10, 0), "numeric(10,0)"),
    (Physical("money", 8, 19, 4), types.decimal(19, 4), "money"),
    (Physical("smallmoney", 4, 10, 4), types.decimal(10, 4), "smallmoney"),
    (Physical("real", 4, 24), types.FLOAT, "real"),
    (Physical("float", 8, 53), types.FLOAT, "float"),
    (Physical("date", 3), types.DATE, "date"),
    (Physical("time", 5, 16, 7), LogicalType(Kind.TIME, fraction=7), "time(7)"),
    (Physical("datetime", 8, 23, 3), LogicalType(Kind.DATETIME, fraction=3), "datetime"),
    (Physical("smalldatetime", 4, 16, 0), LogicalType(Kind.DATETIME, fraction=0), "smalldatetime"),
    (Physical("datetime2", 8, 27, 7), LogicalType(Kind.DATETIME, fraction=7), "datetime2(7)"),
    (Physical("datetime2", 8, 26, 6), types.DATETIME, "datetime2(6)"),
    (Physical("datetimeoffset", 10, 34, 7), LogicalType(Kind.TIMESTAMP, fraction=7), "datetimeoffset(7)"),
    (Physical("uniqueidentifier", 16), types.UUID, "uniqueidentifier"),
    (Physical("char", 5), types.CHAR, "char(5)"),
    (Physical("nchar", 10), types.CHAR, "nchar(5)"),
    (Physical("varchar", 8000), types.STRING, "varchar(8000)"),
    (Physical("nvarchar", 100), types.STRING, "nvarchar(50)"),
    (Physical("nvarchar", -1), LARGE, "nvarchar(max)"),
    (Physical("varchar", -1), LARGE, "varchar(max)"),
    (Physical("text", 16), LARGE, "text"),
    (Physical("ntext", 16), LARGE, "ntext"),
    (Physical("xml", -1), LARGE, "xml"),
    (Physical("json", -1), LogicalType(Kind.JSON, large=True), "json"),
    (Physical("binary", 4), types.BYTES, "binary(4)"),
    (Physical("varbinary", 900), types.BYTES, "varbinary(900)"),
    (Physical("varbinary", -1), LogicalType(Kind.BYTES, large=True), "varbinary(max)"),
    (Physical("image", 16), LogicalType(Kind.BYTES, large=True), "image"),
    (Physical("timestamp", 8), types.BYTES, "binary(8)"),
]


@pytest.mark.parametrize(("physical", "logical", "ddl"), TYPES, ids=str)
def test_every_type_has_its_logical_one(physical: Physical, logical: LogicalType, ddl: str) -> None:
    assert (physical.logical, physical.refused, physical.ddl) == (logical, "", ddl)


@pytest.mark.parametrize("name", ["sql_variant", "hierarchyid", "geography", "geometry", "vector", "money2030"])
def test_a_type_that_cannot_be_copied_says_so(name: str) -> None:
    physical = Physical(name, 892)
    assert physical.logical is None
    assert physical.refused == f"is a {name}, which no warehouse has"


def test_encrypted_columns_are_refused_whatever_their_type() -> None:
    physical = Physical("nvarchar", 100, encrypted=True)
    assert physical.logical is None
    assert "Always Encrypted" in physical.refused


@pytest.mark.parametrize(
    ("physical", "wanted", "asked"),
    [
        (Physical("int", 4), types.INT, "t.[c]"),
        (Physical("nvarchar", 100), types.STRING, "t.[c]"),
        (Physical("varchar", 20), types.STRING, "CAST(t.[c] AS nvarchar(20))"),
        (Physical("char", 5), types.CHAR, "CAST(t.[c] AS nvarchar(5))"),
        (Physical("varbinary", 8000), types.BYTES, "t.[c]"),
        (Physical("timestamp", 8), types.BYTES, "t.[c]"),
        (Physical("datetime", 8), LogicalType(Kind.DATETIME, fraction=3), "t.[c]"),
    ],
)
def test_what_fits_into_a_row_is_read_in_blocks(physical: Physical, wanted: LogicalType, asked: str) -> None:
    found = reading("t.[c]", physical, wanted, 2)
    assert (found.sql, found.whole) == (asked, "")


@pytest.mark.parametrize(
    ("physical", "wanted", "short", "whole", "limit"),
    [
        (Physical("nvarchar", -1), LARGE, "CAST(t.[c] AS nvarchar(4000))", "CAST(t.[c] AS nvarchar(max))", 8000),
        (
            Physical("varchar", 8000),
            types.STRING,
            "CAST(CAST(t.[c] AS nvarchar(max)) AS nvarchar(4000))",
            "CAST(t.[c] AS nvarchar(max))",
            8000,
        ),
        (
            Physical("xml", -1),
            LARGE,
            "CAST(CAST(t.[c] AS nvarchar(max)) AS nvarchar(4000))",
            "CAST(t.[c] AS nvarchar(max))",
            8000,
        ),
        (
            Physical("image", 16),
            LogicalType(Kind.BYTES, large=True),
            "CAST(t.[c] AS varbinary(8000))",
            "CAST(t.[c] AS varbinary(max))",
            8000,
        ),
    ],
)
def test_max_length_columns_are_cast_where_they_fit(
    physical: Physical, wanted: LogicalType, short: str, whole: str, limit: int
) -> None:
    found = reading("t.[c]", physical, wanted, 2)
    assert (found.sql, found.whole, found.limit) == (short, whole, limit)


def test_what_datalength_counts_for_a_character_bounds_the_cast() -> None:
    """On Babelfish it counts UTF-8: 4,000 of those bytes are at most 4,000 characters, 8,000 may be too many."""
    assert reading("x", Physical("nvarchar", -1), LARGE, 1).limit == 4000


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("hierarchyid", "t.[c].ToString()"),
        ("geography", "t.[c].AsTextZM()"),
        ("sql_variant", "CAST(t.[c] AS nvarchar"),
        ("money", "CAST(t.[c] AS decimal(19,4))"),
        ("datetime", "CAST(t.[c] AS datetime2(3))"),
        ("float", "CONVERT(varchar(40), t.[c], 3)"),
        ("varbinary", "CONVERT(varchar(max), CAST(t.[c] AS varbinary(max)), 1)"),
    ],
)
def test_any_type_can_be_had_as_text_by_choice(name: str, shown: str) -> None:
    found = reading("t.[c]", Physical(name, 16, 19, 4), LARGE, 2)
    assert shown in found.sql
    assert bool(found.whole) is (name in ("geography", "varbinary"))


def test_a_variant_is_never_cast_to_max_length() -> None:
    """Which SQL Server does not allow."""
    assert "max" not in reading("x", Physical("sql_variant", 8016), LARGE, 2).sql


def test_a_key_of_another_code_page_keeps_its_letters() -> None:
    physical = PHYSICAL | {"code": Physical("varchar", 4, collation="Cyrillic_General_CI_AS")}
    sql = mssql_sql.keyed(replace(TABLE, key=("code",)), physical, pa.table({"code": ["ab", "ж"]}))
    assert "CAST('ab' AS varchar(4))" in sql
    assert "CAST(N'ж' COLLATE Cyrillic_General_CI_AS AS varchar(4))" in sql


# --- text -----------------------------------------------------------------------------------------

PHYSICAL = {
    "id": Physical("bigint", 8, 19),
    "name": Physical("nvarchar", 100),
    "code": Physical("char", 4),
    "at": Physical("datetime2", 8, 27, 7),
    "old": Physical("datetime", 8, 23, 3),
    "memo": Physical("nvarchar", -1),
    "scan": Physical("varbinary", -1),
    "rv": Physical("timestamp", 8),
}
COLUMNS = tuple(Column(name, physical.logical or LARGE, nullable=name != "id") for name, physical in PHYSICAL.items())
TABLE = Table("a table", COLUMNS, ("id",), Cursor(CursorKind.ROWVERSION, "rv"), "sales]s")
READINGS = [reading(f"t.[{column.name}]", PHYSICAL[column.name], column.type, 2) for column in COLUMNS]


def _keyed(*names: str) -> str:
    values = {"id": [1, 2**40], "name": ["it's", "é"], "code": ["a", "b"], "at": [None, None], "old": [None, None]}
    table = replace(TABLE, key=names)
    keys = pa.table({name: values[name] for name in names})
    return f"SELECT t.[id] FROM {mssql_sql.keyed(table, PHYSICAL, keys)}"


QUERIES = {
    "relations": mssql_catalog.RELATIONS,
    "columns": mssql_catalog.COLUMNS,
    "keys": mssql_catalog.KEYS,
    "references": mssql_catalog.REFERENCES,
    "tracked": mssql_catalog.TRACKED,
    "comments": mssql_catalog.COMMENTS,
    "about": mssql_server.ABOUT,
    "fence": mssql_server.FENCE,
    "utf8": mssql_server.UTF8,
    "tracking of the database": mssql_doctor.TRACKING,
    "oldest transaction": mssql_doctor.OLDEST,
    "rows": mssql_sql.select([one.sql for one in READINGS], f"{mssql_sql.relation(TABLE)} AS t", "t.[id] > 1"),
    "short rows": mssql_sql.select(
        [one.sql for one in READINGS], "[t] AS t", mssql_sql.every("t.[id] > 1", mssql_sql.short(READINGS))
    ),
    "long rows": mssql_sql.select(
        [one.whole or one.sql for one in READINGS], "[t] AS t", mssql_sql.every("", mssql_sql.long(READINGS))
    ),
    "longest": mssql_sql.longest(READINGS, "[t] AS t", ""),
    "reach": mssql_sql.reach(TABLE, "at", PHYSICAL["at"]),
    "reach of an old type": mssql_sql.reach(TABLE, "old", PHYSICAL["old"]),
    "reach by now": mssql_sql.reach_by_now(TABLE, "at", PHYSICAL["at"]),
    "newest version": mssql_sql.newest_version(TABLE),
    "versions": mssql_sql.select(
        ["t.[id]"], "[t] AS t", mssql_sql.at_least(TABLE.column("rv"), mssql_sql.version("0x00000000000007d1"))
    ),
    "one key": _keyed("id"),
    "three keys": _keyed("id", "name", "code"),
    "tracking": mssql_sql.tracking(TABLE),
    "rights": mssql_doctor.asking_for([TABLE, replace(TABLE, schema="")], "VIEW CHANGE TRACKING"),
    "losses": mssql_sql.counts(
        [mssql_sql.DIALECT.loss("t.[at]", LogicalType(Kind.TIMESTAMP, fraction=7))],
        f"{mssql_sql.relation(replace(TABLE, schema=''))} AS t",
    ),
}


@pytest.mark.parametrize("name", QUERIES)
def test_both_grammars_read_every_query(name: str) -> None:
    sql = QUERIES[name]
    if "]]" not in sql:  # sqlfluff's grammar does not know the doubled bracket
        sqlfluff.parse(sql, dialect="tsql")
    (tree,) = sqlglot.parse(sql, read="tsql")
    assert isinstance(tree, exp.Query)
    assert not list(tree.find_all(exp.Command))


@pytest.mark.parametrize(
    "sql",
    [
        mssql_sql.select(["t.[id]"], mssql_sql.changed(replace(TABLE, schema=""), ("id", "code"), "7"), ""),
        mssql_sql.deleted(replace(TABLE, schema=""), ("id", "code"), "7", ["g.[id]", "g.[code]"]),
    ],
)
def test_one_grammar_reads_changetable(sql: str) -> None:
    """Of sqlglot's it is not a part."""
    sqlfluff.parse(sql, dialect="tsql")
    assert "CHANGETABLE(CHANGES [dbo].[a table], 7) AS g" in sql
    assert "ON t.[id] = g.[id] AND t.[code] = g.[code]" in sql


@pytest.mark.parametrize("sql", [LOCK_PATIENCE, "SET TRANSACTION ISOLATION LEVEL SNAPSHOT", "BEGIN TRANSACTION", UNDO])
def test_one_grammar_reads_what_frames_a_snapshot(sql: str) -> None:
    sqlfluff.parse(sql, dialect="tsql")


def test_nothing_is_read_uncommitted() -> None:
    assert not [name for name, sql in QUERIES.items() if re.search(r"NOLOCK|UNCOMMITTED", sql, re.IGNORECASE)]


def test_row_versions_are_compared_as_they_are_stored() -> None:
    """A cast of the column would keep its index from being used."""
    where = mssql_sql.at_least(TABLE.column("rv"), mssql_sql.version("0x00000000000007d1"))
    assert where == "t.[rv] >= CAST(0x00000000000007d1 AS binary(8)) OR t.[rv] IS NULL"
    never_null = replace(TABLE.column("rv"), nullable=False)
    assert " OR " not in mssql_sql.at_least(never_null, mssql_sql.version("0x00000000000007d1"))


@pytest.mark.parametrize(
    ("physical", "shown", "text", "back"),
    [
        (
            Physical("datetime2", 8, 27, 7),
            "2024-02-29 12:34:56.1234567",
            "2024-02-29T12:34:56.1234567",
            "CAST('2024-02-29T12:34:56.1234567' AS datetime2(7))",
        ),
        (
            Physical("datetime", 8),
            "2021-11-09 13:39:09.187",
            "2021-11-09T13:39:09.187",
            "CAST('2021-11-09T13:39:09.187' AS datetime)",
        ),
        (
            Physical("datetimeoffset", 10, 34, 7),
            "2024-03-31 01:30:00.1234567 +05:30",
            "2024-03-31T01:30:00.1234567+05:30",
            "CAST('2024-03-31T01:30:00.1234567+05:30' AS datetimeoffset(7))",
        ),
        (Physical("date", 3), "2024-03-31", "2024-03-31", "CAST('2024-03-31' AS date)"),
        (Physical("bigint", 8), "100", "100", "CAST('100' AS bigint)"),
    ],
)
def test_cursor_values_keep_every_digit(physical: Physical, shown: str, text: str, back: str) -> None:
    """As text, with the T without which a login's language would swap day and month of the old types."""
    assert mssql_sql.iso(shown, physical) == text
    assert mssql_sql.from_text(text, physical) == back


def test_keys_of_text_are_the_same_to_the_byte() -> None:
    """The collation's equality finds them by their index; it alone would take A for a."""
    sql = _keyed("name")
    assert "t.[name] = k.k0 AND CAST(t.[name] AS varbinary(max)) = CAST(k.k0 AS varbinary(max))" in sql
    assert "RTRIM(t.[code])" in _keyed("code")


def test_keys_of_bits_and_bytes() -> None:
    """A bit is written as a number; zeros at the end of binary values do not count where they are compared."""
    physical = PHYSICAL | {"flag": Physical("bit", 1), "code": Physical("varbinary", 4)}
    columns = (Column("flag", types.BOOL, nullable=False), Column("code", types.BYTES, nullable=False))
    table = Table("t", columns, ("flag", "code"))
    keys = pa.table({"flag": [True, False], "code": [b"\1", b""]})
    sql = mssql_sql.keyed(table, physical, keys)
    assert "(VALUES (1, CAST(0x01 AS varbinary(4))), (0, CAST(0x AS varbinary(4)))) AS k(k0, k1)" in sql
    assert "t.[code] = k.k1 AND DATALENGTH(t.[code]) = DATALENGTH(k.k1)" in sql
    sqlfluff.parse(f"SELECT t.[flag] FROM {sql}", dialect="tsql")


def test_keys_past_the_microsecond_are_found_by_their_floor() -> None:
    table = replace(TABLE, key=("at",))
    keys = pa.table({"at": pa.array(["2024-01-01T00:00:00.123456"])})
    sql = mssql_sql.keyed(table, PHYSICAL, keys)
    assert "t.[at] >= k.k0 AND t.[at] <= DATEADD(nanosecond, 900, k.k0)" in sql


# --- catalog --------------------------------------------------------------------------------------


def _relation(oid: int, name: str, schema: str = "dbo", *, is_view: bool = False) -> dict[str, Any]:
    return {"object_id": oid, "schema_name": schema, "name": name, "is_view": int(is_view)}


def _column(oid: int, name: str, type_name: str, length: int = 8, *, null: bool = False) -> dict[str, Any]:
    return {
        "object_id": oid,
        "name": name,
        "is_nullable": null,
        "type_name": type_name,
        "max_length": length,
        "digits": 19,
        "scale": 7 if type_name.startswith("datetime2") else 4,
        "encryption": None,
        "collation": "Latin1_General_CI_AS" if "char" in type_name else None,
    }


def _key(oid: int, index: int, *names: str, primary: bool = False) -> list[dict[str, Any]]:
    return [{"object_id": oid, "index_id": index, "is_primary": primary, "name": name} for name in names]


ANSWERS: dict[str, list[dict[str, Any]]] = {
    mssql_catalog.RELATIONS: [
        _relation(1, "orders"),
        _relation(2, "order lines", "sales"),
        _relation(3, "recent", is_view=True),
        _relation(4, "odd"),
        _relation(5, "instants"),
        _relation(6, "no columns"),
    ],
    mssql_catalog.COLUMNS: [
        _column(1, "id", "int"),
        _column(1, "code", "varchar", 10),
        _column(1, "ModifiedDate", "datetime2", null=True),
        _column(1, "rv", "timestamp"),
        _column(2, "order", "int"),
        _column(2, "line", "int"),
        _column(3, "id", "int"),
        _column(3, "updated_at", "datetime2"),
        _column(4, "id", "int", null=True),
        _column(4, "where", "geography", -1, null=True),
        _column(5, "at", "datetime2"),
        _column(5, "n", "int"),
        _column(99, "system", "int"),
    ],
    mssql_catalog.KEYS: [
        *_key(1, 1, "code"),
        *_key(1, 2, "id", "code", primary=True),
        *_key(2, 1, "order", "line", primary=True),
        *_key(4, 1, "id"),
        *_key(5, 1, "at", primary=True),
        *_key(5, 2, "n"),
    ],
    mssql_catalog.REFERENCES: [
        {"object_id": 2, "id": 50, "target": 1, "name": "order", "other": "id"},
        {"object_id": 2, "id": 51, "target": 98, "name": "order", "other": "id"},
    ],
    mssql_catalog.TRACKED: [{"object_id": 1}, {"object_id": 2}, {"object_id": 5}],
    mssql_catalog.COMMENTS: [{"object_id": 1, "name": "code", "text": "What the customer sees."}],
}


@pytest.fixture(scope="module")
def found() -> Catalog:
    return catalog(lambda sql: ANSWERS[sql])


@pytest.fixture(scope="module")
def tables(found: Catalog) -> dict[str, Table]:
    return {table.target: table for table in found.tables}


def test_tables_of_other_schemas_have_its_name(tables: dict[str, Table]) -> None:
    assert list(tables) == ["orders", "sales__order lines", "recent", "odd", "instants"]
    assert mssql_sql.relation(tables["orders"]) == "[dbo].[orders]"
    assert mssql_sql.relation(tables["sales__order lines"]) == "[sales].[order lines]"


def test_keys_and_references(tables: dict[str, Table]) -> None:
    assert tables["orders"].key == ("id", "code")
    assert tables["recent"].key == ()
    assert tables["odd"].key == ()  # its unique index allows NULL
    lines = tables["sales__order lines"]
    assert (lines.references, lines.foreign_keys) == (("orders",), (ForeignKey(("order",), "orders", ("id",)),))


def test_a_key_past_the_microsecond_is_none(tables: dict[str, Table]) -> None:
    """In a warehouse two of its rows could be one; the next best unique index is taken."""
    assert tables["instants"].key == ("n",)


def test_the_best_cursor_is_taken_and_the_others_are_kept(tables: dict[str, Table]) -> None:
    orders = tables["orders"]
    assert orders.cursor == Cursor(CursorKind.ROWVERSION, "rv")
    assert orders.cursors == (Cursor(CursorKind.CHANGE_TRACKING), Cursor(CursorKind.UPDATED_AT, "ModifiedDate"))
    assert tables["sales__order lines"].cursor == Cursor(CursorKind.CHANGE_TRACKING)
    assert tables["recent"].cursor == FULL  # a view is loaded in full
    assert tables["instants"].cursor == FULL  # change tracking knows it by a key that is not the table's here


@pytest.mark.parametrize(
    ("wish", "chosen"),
    [
        ("rowversion", Cursor(CursorKind.ROWVERSION, "rv")),
        ("rv", Cursor(CursorKind.ROWVERSION, "rv")),
        ("change_tracking", Cursor(CursorKind.CHANGE_TRACKING)),
        ("ModifiedDate", Cursor(CursorKind.UPDATED_AT, "ModifiedDate")),
        ("id", Cursor(CursorKind.UPDATED_AT, "id")),
        ("full", FULL),
    ],
)
def test_the_user_may_choose_another_cursor(tables: dict[str, Table], wish: str, chosen: Cursor) -> None:
    assert configured([tables["orders"]], {"orders": TableConfig(cursor=wish)})[0].cursor == chosen


def test_a_cursor_that_the_table_has_not_is_refused(tables: dict[str, Table]) -> None:
    with pytest.raises(ConfigError, match="the source offers none"):
        configured([tables["odd"]], {"odd": TableConfig(cursor="change_tracking")})


def test_comments_come_with_their_columns(tables: dict[str, Table]) -> None:
    assert tables["orders"].column("code").comment == "What the customer sees."


def test_a_refused_column_names_itself_until_a_type_is_chosen(tables: dict[str, Table]) -> None:
    with pytest.raises(SourceError, match="column where is a geography") as refused:
        refuse(tables["odd"])
    assert '[tables."odd".columns] "where" = "large string"' in refused.value.remedy
    assert str(refusal(tables["odd"], tables["odd"].column("where"))) == str(refused.value)
    refuse(configured([tables["odd"]], {"odd": TableConfig(columns={"where": "large string"})})[0])


def test_init_writes_cursors_with_their_reason(tables: dict[str, Table]) -> None:
    text = scaffold("mssql://sa:secret@host/db", "duckdb:///w.duckdb", tables.values())
    assert "secret" not in text
    assert '# cursor = "rowversion"   # rv is set by the server at every change' in text
    assert '#   or cursor = "change_tracking"' in text
    assert '#   or cursor = "ModifiedDate"' in text
    assert '"where" is a geography, which no warehouse has' in text


# --- watermarks and errors ------------------------------------------------------------------------


def test_a_fence_below_the_watermark_is_a_restored_source() -> None:
    assert expired_version("0x00000000000007d2", "0x00000000000007d2") == ""
    assert expired_version(None, "0x00000000000007d2") == ""
    assert "went back from 0x00000000000007d2 to 0x00000000000007d1" in expired_version(
        "0x00000000000007d1", "0x00000000000007d2"
    )


@pytest.mark.parametrize(
    ("current", "least", "says"),
    [(10, 5, ""), (10, 7, ""), (10, 8, "truncated"), (6, 0, "restored"), (None, None, "off"), (10, None, "off")],
)
def test_change_tracking_expires(current: int | None, least: int | None, says: str) -> None:
    text = expired_tracking(current, least, 7)
    assert says in text
    assert bool(text) == bool(says)


@pytest.mark.parametrize(
    ("current", "least", "tracked", "withheld"),
    [(10, None, True, True), (10, None, False, False), (None, None, True, False), (10, 3, True, False)],
)
def test_a_right_that_is_missing_is_not_taken_for_tracking_that_was_switched_off(
    current: int | None, least: int | None, tracked: bool, withheld: bool
) -> None:
    """Else the whole table would be loaded anew by each sync."""
    assert withheld_tracking(current, least, tracked=tracked) is withheld


def test_a_url_without_a_database_is_refused() -> None:
    """The login's own would be taken, which is master more often than not."""
    config = Config.model_validate({"source": {"url": "mssql://me@db.example:1433?TrustServerCertificate=yes"}})
    with pytest.raises(ConfigError, match=r"mssql://me@db\.example:1433 names no database"):
        connect(config)


class RecordedError(Exception):
    """What mssql-python raises: a phrase for the SQLSTATE, and the server's words."""

    def __init__(self, phrase: str, words: str) -> None:
        super().__init__(f"Driver Error: {phrase}; DDBC Error: {words}")
        self.driver_error, self.ddbc_error = phrase, words


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (
            "[Microsoft][SQL Server]The SELECT permission was denied on the object 'orders', database 'shop', "
            "schema 'dbo'.",
            "GRANT SELECT ON [dbo].[orders] TO [o'neil], or exclude the table",
        ),
        (
            "[Microsoft][SQL Server]The VIEW CHANGE TRACKING permission was denied on the object 'orders', database "
            "'shop', schema 'dbo'.",
            "GRANT VIEW CHANGE TRACKING ON [dbo].[orders] TO [o'neil], or exclude the table",
        ),
        ("[Microsoft][SQL Server]Lock request time out period exceeded.", "somebody is changing it"),
        ("[Microsoft][SQL Server]Invalid object name 'dbo.orders'.", "it was dropped or altered"),
        ("[Microsoft][SQL Server]Invalid column name 'code'.", "it was dropped or altered"),
        (
            "[Microsoft][SQL Server]Snapshot isolation transaction failed in database 'shop' because the object "
            "accessed by the statement has been modified by a DDL statement in another concurrent transaction since "
            "the start of this transaction.",
            "it was dropped or altered",
        ),
        (
            "[Microsoft][SQL Server]Snapshot isolation transaction failed accessing database 'other' because snapshot "
            "isolation is not allowed in this database. Use ALTER DATABASE to allow snapshot isolation.",
            "ALTER DATABASE … SET ALLOW_SNAPSHOT_ISOLATION ON there too",
        ),
        (
            "[Microsoft][SQL Server]Memory optimized tables and natively compiled modules cannot be accessed or "
            "created when the session TRANSACTION ISOLATION LEVEL is set to SNAPSHOT.",
            "exclude it in etl.toml",
        ),
    ],
)
def test_errors_of_a_table_end_with_what_mends_them(tables: dict[str, Table], words: str, remedy: str) -> None:
    error = about(
        translated(RecordedError("Syntax error or access violation", words), "shop"), tables["orders"], "o'neil"
    )
    assert error.message.startswith("table orders: ")
    assert remedy in error.remedy
    assert "[Microsoft]" not in error.message


def test_a_url_that_is_none_is_a_wrong_call() -> None:
    assert isinstance(failure(MssqlError(Trouble.ADDRESS, "no", "write it")), ConfigError)
    assert isinstance(failure(MssqlError(Trouble.LOGIN, "no", "check it")), SourceError)
