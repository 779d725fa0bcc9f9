"""Databases as they are: types no warehouse has, tables made of tables, cursors of PostgreSQL's own, rights."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from support.messages import assert_one_clear_error
from support.project import Project
from support.sources import PostgresEngine
from support.warehouses import DuckDbEngine
from support.writers import writers_on

from etl.sync.run import Failed
from etl.sync.table import Synced
from schemas.table import Cursor, CursorKind


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty database and an empty warehouse."""
    return Project(tmp_path, PostgresEngine(tmp_path), DuckDbEngine(tmp_path))


REFUSED = {
    "int[]": ("{1,NULL,3}", "{1,NULL,3}", "[1,null,3]"),
    "text[]": ('{"a,b",é}', '{"a,b",é}', '["a,b","é"]'),
    "numeric(5,2)[]": ("{1.50}", "{1.50}", "[1.50]"),
    "int4range": ("[1,5)", "[1,5)", '"[1,5)"'),
    "tstzmultirange": ("{}", "{}", '"{}"'),
    "pair": ("(1,x)", "(1,x)", '{"a":1,"b":"x"}'),
    "pairs": ("(1,x)", "(1,x)", '{"a":1,"b":"x"}'),
    "interval": ("1 mon 2 days 03:00", "1 mon 2 days 03:00:00", None),
    "money": ("1234.5", "$1,234.50", None),
    "point": ("(1,2)", "(1,2)", None),
}
"""Declared types with a value, its text, and its JSON where it has parts."""


def _made(project: Project, declared: str, value: str) -> None:
    project.source.execute(
        "CREATE TYPE pair AS (a int, b text)",
        "CREATE DOMAIN pairs AS pair",
        f"CREATE TABLE odd (id int PRIMARY KEY, v {declared})",
        f"INSERT INTO odd VALUES (1, '{value}'), (2, NULL)",
        "CREATE TABLE fine (id int PRIMARY KEY)",
        "INSERT INTO fine VALUES (1)",
    )


def test_a_message_names_a_table_of_another_schema_as_the_configuration_does(project: Project) -> None:
    project.source.execute(
        "CREATE SCHEMA sales",
        'CREATE TABLE sales."Order" (id int PRIMARY KEY, n numeric)',
        """INSERT INTO sales."Order" VALUES (1, '1e30')""",
    )
    failed = project.failed("sales__Order")
    assert "table sales__Order, column n: a value is not decimal(38,18)" in failed.error.message
    assert '[tables."sales__Order".columns] "n" = "string"' in failed.error.remedy
    wishes = {"sales__Order": {"columns": {"n": "string"}}}
    assert project.synced("sales__Order", tables=wishes).check.equal


@pytest.mark.parametrize("declared", REFUSED)
def test_a_type_that_no_warehouse_has_stops_its_table_until_a_form_is_chosen(project: Project, declared: str) -> None:
    value, text, json = REFUSED[declared]
    _made(project, declared, value)
    results = project.sync()
    failed = results["odd"]
    assert isinstance(failed, Failed), failed
    assert "column v has the type" in failed.error.message
    assert '"large string"' in failed.error.remedy
    assert ('"json"' in failed.error.message) is (json is not None)
    assert isinstance(results["fine"], Synced)
    with project.warehouse.opened() as warehouse:
        assert warehouse.tables("raw") == ["fine"]
    for type_, expected in (("string", text), ("json", json)):
        if expected is None:
            continue
        wishes = {"odd": {"columns": {"v": type_}}}
        assert project.synced("odd", tables=wishes, full=True).check.equal
        assert project.warehouse.rows("odd") == [(1, expected), (2, None)]
        check = project.synced("odd", tables=wishes).check
        assert (check.equal, check.found, check.source_mode) == (True, 0, "pushdown")


def test_a_refused_type_is_said_by_every_command_that_looks(project: Project) -> None:
    _made(project, "int[]", "{1}")
    assert_one_clear_error(project.etl("sync"), 3, "column v has the type integer[]", "exclude = true")
    init = project.etl("init", "--source", project.source.url, "--warehouse", project.warehouse.url, "-o", "new.toml")
    assert init.code == 0
    assert "has the type integer[]" in (project.directory / "new.toml").read_text("utf-8")
    doctor = project.etl("doctor")
    assert doctor.code == 3
    assert "integer[]" in doctor.out


def test_hstore_where_it_can_be_had(project: Project) -> None:
    with psycopg.connect(project.source.url, autocommit=True) as connection:
        try:
            connection.execute("CREATE EXTENSION hstore")
        except psycopg.Error as error:
            pytest.skip(f"the server has no hstore: {error}")
    project.source.execute("CREATE TABLE t (id int PRIMARY KEY, v hstore)", "INSERT INTO t VALUES (1, 'b=>2, a=>NULL')")
    assert "hstore" in project.failed("t").error.message
    assert project.synced("t", tables={"t": {"columns": {"v": "json"}}}).check.equal
    assert project.warehouse.rows("t") == [(1, '{"a": null, "b": "2"}')]


def test_columns_read_as_another_type_are_summed_as_that_type(project: Project) -> None:
    """What the server sums is what the copy holds, not how the server spells it."""
    project.source.execute(
        "CREATE TABLE t (id int PRIMARY KEY, n text, d text, b text, x numeric)",
        "INSERT INTO t VALUES (1, '007', '2024-02-29', 'yes', 1.50), (2, NULL, NULL, NULL, NULL)",
    )
    wishes = {"t": {"columns": {"n": "int", "d": "date", "b": "bool", "x": "decimal(10,2)"}}}
    for _ in range(2):
        check = project.synced("t", tables=wishes).check
        assert (check.equal, check.found) == (True, 0)


@pytest.mark.parametrize(
    ("declared", "value", "text"),
    [
        ("numeric", "1e-30", "0.000000000000000000000000000001"),
        ("numeric", "123456789012345678901234567890.5", "123456789012345678901234567890.5"),
        ("date", "0044-03-15 BC", "0044-03-15 BC"),
        ("timestamptz", "infinity", "infinity"),
        ("numeric(60,5)", "1.5", "1.50000"),
    ],
)
def test_a_value_that_no_warehouse_holds_is_refused_or_text_by_choice(
    project: Project, declared: str, value: str, text: str
) -> None:
    _made(project, declared, value)
    failed = project.failed("odd")
    assert "column v" in failed.error.message
    with project.warehouse.opened() as warehouse:
        assert warehouse.tables("raw") == ["fine"]
    assert project.synced("odd", tables={"odd": {"columns": {"v": "string"}}}).check.equal
    assert project.warehouse.rows("odd")[0] == (1, text)


def test_every_row_is_loaded_once_whatever_tables_are_made_of(project: Project) -> None:
    project.source.execute(
        "CREATE TABLE parted (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)",
        "CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2024-01-01') TO ('2024-02-01')",
        "CREATE TABLE parted_2 PARTITION OF parted DEFAULT PARTITION BY HASH (id)",
        "CREATE TABLE parted_2a PARTITION OF parted_2 FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
        "INSERT INTO parted SELECT g, date '2024-01-20' + g FROM generate_series(1, 30) AS g",
        "CREATE TABLE parent (id int PRIMARY KEY, v text)",
        "CREATE TABLE heir (PRIMARY KEY (id)) INHERITS (parent)",
        "INSERT INTO parent VALUES (1, 'own')",
        "INSERT INTO heir VALUES (1, 'same key'), (2, 'other')",
        "CREATE VIEW seen AS SELECT * FROM parent",
        "CREATE MATERIALIZED VIEW kept AS SELECT * FROM parent",
    )
    sizes = {"parted": 30, "parent": 1, "heir": 2, "seen": 3, "kept": 3}
    for _ in range(2):
        results = project.sync()
        assert {
            name: result.check.source_rows for name, result in results.items() if isinstance(result, Synced)
        } == sizes
    project.source.execute(
        "UPDATE parent SET v = v || '!'", "DELETE FROM parted WHERE id = 30", "REFRESH MATERIALIZED VIEW kept"
    )
    results = project.sync()
    assert all(isinstance(result, Synced) and result.check.equal for result in results.values())
    assert sorted(project.warehouse.rows("seen")) == [(1, "own!"), (1, "same key!"), (2, "other!")]
    assert len(project.warehouse.rows("parted")) == 29


def test_a_materialized_view_that_was_never_filled_is_named(project: Project) -> None:
    project.source.execute("CREATE MATERIALIZED VIEW kept AS SELECT 1 AS one WITH NO DATA")
    error = project.failed("kept").error
    assert "has not been populated" in error.message
    assert "REFRESH" in error.remedy


def test_a_foreign_table_is_loaded_as_it_is_seen(project: Project) -> None:
    with psycopg.connect(project.source.url, autocommit=True) as connection:
        try:
            connection.execute("CREATE EXTENSION file_fdw")
        except psycopg.Error as error:
            pytest.skip(f"the server has no file_fdw: {error}")
    project.source.execute(
        "CREATE SERVER files FOREIGN DATA WRAPPER file_fdw",
        "CREATE FOREIGN TABLE rows (id int, v text) SERVER files "
        "OPTIONS (program 'printf 1,a\\\\n2,b\\\\n', format 'csv')",
    )
    assert project.synced("rows").check.source_rows == 2


def test_keys_that_are_enums_and_addresses(project: Project) -> None:
    project.source.execute(
        "CREATE TYPE mood AS ENUM ('sad', 'so so')",
        "CREATE TABLE t (m mood, ip inet, v int, PRIMARY KEY (m, ip))",
        "INSERT INTO t VALUES ('sad', '10.0.0.1', 1), ('so so', '10.0.0.0/8', 2), ('sad', '::1', 3)",
        "INSERT INTO t SELECT 'sad', inet '11.0.0.0' + g, g FROM generate_series(1, 30) AS g",
    )
    project.synced("t")
    project.source.execute("UPDATE t SET v = 9 WHERE ip = '10.0.0.1'", "ALTER TYPE mood RENAME VALUE 'so so' TO 'ok'")
    result = project.synced("t", reload_share=1)
    assert (result.check.equal, project.loads("t")[-1].kind) == (True, "incremental")
    assert {("ok", "10.0.0.0/8", 2), ("sad", "10.0.0.1/32", 9)} < set(project.warehouse.rows("t"))


KEYS = {
    "uuid": "md5(g::text)::uuid",
    "timestamptz": "timestamptz '2024-01-01' + g * interval '1 us'",
    "timestamp": "timestamp '2024-01-01' + g * interval '1 us'",
    "date": "date '2024-01-01' + g",
    "time": "time '00:00' + g * interval '1 us'",
    "numeric": "g / 4.0",
    "numeric(8,3)": "g / 4.0",
    "float8": "g / 3.0",
    "bytea": "decode(lpad(to_hex(g), 4, '0'), 'hex')",
    "char(5)": "g::text",
    "varchar(5)": "g::text",
    "smallint": "g",
    "oid": "g::oid",
    "xid8": "g::text::xid8",
    "inet": "inet '10.0.0.0' + g",
    "bit(10)": "g::bit(10)",
    "jsonb": "jsonb_build_object('k', g)",
    "level": "('l' || g % 40)::level",
    "positive": "g",
    "name": "g::text::name",
}
"""Types a key may have, and forty values."""


def test_rows_are_found_by_keys_of_every_type(project: Project) -> None:
    labels = ", ".join(f"'l{i}'" for i in range(40))
    project.source.execute(f"CREATE TYPE level AS ENUM ({labels})", "CREATE DOMAIN positive AS int CHECK (VALUE > 0)")
    for i, (declared, value) in enumerate(KEYS.items()):
        project.source.execute(
            f"CREATE TABLE t{i} (k {declared}, b text, v int, PRIMARY KEY (k, b))",
            f"INSERT INTO t{i} SELECT {value}, 'x', g FROM generate_series(1, 40) AS g",
        )
    project.sync()
    for i in range(len(KEYS)):
        project.source.execute(f"UPDATE t{i} SET v = -v WHERE v = 7", f"DELETE FROM t{i} WHERE v = 9")
    results = project.sync(reload_share=1)
    for i, declared in enumerate(KEYS):
        result = results[f"t{i}"]
        assert isinstance(result, Synced), (declared, result)
        assert (declared, result.check.equal, result.extracted, result.check.found) == (declared, True, 1, 3)


# --- cursors --------------------------------------------------------------------------------------

TRACKED = (
    "CREATE TABLE t (id int PRIMARY KEY, v text, tx xid8 DEFAULT pg_current_xact_id())",
    "INSERT INTO t (id, v) SELECT g, 'x' FROM generate_series(1, 100) AS g",
    "CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS "
    "'BEGIN NEW.tx := pg_current_xact_id(); RETURN NEW; END'",
    "CREATE TRIGGER stamp BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION stamp()",
)
BY_TRANSACTION = {"t": {"cursor": "tx"}}


def test_a_transactions_number_as_cursor_misses_no_late_commit(project: Project) -> None:
    """A clock's time is taken early and seen late; the fence of transactions waits for those that are open."""
    project.source.execute(*TRACKED)
    with project.source.open().snapshot() as snapshot:
        assert snapshot.tables()[0].cursors == (Cursor(CursorKind.ROWVERSION, "tx"),)
    project.synced("t", tables=BY_TRANSACTION)
    with writers_on(project.source) as writers:
        writers.begin(0)
        assert writers.write(0, ["INSERT INTO t (id, v) VALUES (1000, 'late')"])
        assert writers.write(1, ["INSERT INTO t (id, v) VALUES (1001, 'meanwhile')"])
        during = project.synced("t", tables=BY_TRANSACTION)
        assert (during.extracted, during.check.found) == (1, 0)
        assert writers.write(1, ["UPDATE t SET v = 'new' WHERE id = 5"])
        writers.end(0, commit=True)
    after = project.synced("t", tables=BY_TRANSACTION)
    assert (after.extracted, after.check.found, after.check.equal) == (3, 0, True)
    again = project.synced("t", tables=BY_TRANSACTION)
    assert (again.extracted, again.check.found) == (0, 0)
    assert project.loads("t")[-1].cursor == "rowversion(tx)"


# --- rights ---------------------------------------------------------------------------------------


@pytest.fixture
def reader(project: Project) -> Iterator[tuple[str, str]]:
    """A role that may log in and no more, and the URL under which it does."""
    name = f"reader_{urlsplit(project.source.url).path.removeprefix('/')}"
    project.source.execute(f"CREATE ROLE {name} LOGIN")
    parts = urlsplit(project.source.url)
    yield name, urlunsplit(parts._replace(netloc=f"{name}@{parts.netloc.rpartition('@')[2]}"))
    project.source.execute(f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def _ten(project: Project, reader: str) -> None:
    for i in range(10):
        project.source.execute(f"CREATE TABLE t{i} (id int PRIMARY KEY)", f"INSERT INTO t{i} VALUES ({i})")
        project.source.execute(f"GRANT SELECT ON t{i} TO {reader}")


def test_a_right_missing_on_one_table_of_ten(project: Project, reader: tuple[str, str]) -> None:
    name, url = reader
    _ten(project, name)
    project.source.execute(f"REVOKE SELECT ON t7 FROM {name}")
    done = project.etl("sync", ETL_SOURCE_URL=url)
    assert_one_clear_error(done, 3, "permission denied for table t7", "GRANT SELECT")
    with project.warehouse.opened() as warehouse:
        assert warehouse.tables("raw") == [f"t{i}" for i in range(10) if i != 7]


def test_rows_that_a_policy_hides_are_not_taken_for_gone(project: Project, reader: tuple[str, str]) -> None:
    name, url = reader
    _ten(project, name)
    assert project.etl("sync").code == 0
    project.source.execute("ALTER TABLE t1 ENABLE ROW LEVEL SECURITY", "CREATE POLICY p ON t1 USING (id > 5)")
    done = project.etl("sync", ETL_SOURCE_URL=url, ETL_SYNC_MAX_DELETE_SHARE="1")
    assert_one_clear_error(done, 3, "row-level security", "BYPASSRLS")
    assert project.warehouse.rows("t1") == [(1,)]


def test_without_the_right_to_temporary_tables_rows_are_streamed(project: Project, reader: tuple[str, str]) -> None:
    name, url = reader
    _ten(project, name)
    database = urlsplit(url).path.removeprefix("/")
    project.source.execute(f'REVOKE TEMPORARY ON DATABASE "{database}" FROM PUBLIC')
    for _ in range(2):
        assert project.etl("sync", ETL_SOURCE_URL=url).code == 0
    assert {check.source_mode for check in project.checks("t3")} == {"stream"}


def test_doctor_names_what_is_missing_with_the_statement_that_mends_it(
    project: Project, reader: tuple[str, str]
) -> None:
    name, url = reader
    _ten(project, name)
    database = urlsplit(url).path.removeprefix("/")
    project.source.execute(
        "CREATE SCHEMA closed",
        "CREATE TABLE closed.t (id int PRIMARY KEY)",
        f"REVOKE SELECT ON t7 FROM {name}",
        "ALTER TABLE t1 ENABLE ROW LEVEL SECURITY",
        "CREATE MATERIALIZED VIEW kept AS SELECT 1 AS one WITH NO DATA",
        f"GRANT SELECT ON kept TO {name}",
        f'REVOKE TEMPORARY ON DATABASE "{database}" FROM PUBLIC',
    )
    done = project.etl("doctor", "--json", ETL_SOURCE_URL=url)
    assert done.code == 3
    found = {finding["subject"]: finding for finding in json.loads(done.out)}
    assert "PostgreSQL" in found["server"]["text"]
    assert "UTF8" in found["encoding"]["text"]
    assert found["clock"]["ok"]
    assert found["rights"]["text"] == "8 of 12 tables can be read"
    assert found["right on t7"]["remedy"] == f'GRANT SELECT ON "public"."t7" TO "{name}"'
    assert found["right on t1"]["remedy"] == f'ALTER ROLE "{name}" BYPASSRLS'
    assert found["right on schema closed"]["remedy"] == f'GRANT USAGE ON SCHEMA "closed" TO "{name}"'
    assert found["kept"]["remedy"] == 'REFRESH MATERIALIZED VIEW "public"."kept"'
    assert found["temporary tables"]["remedy"] == f'GRANT TEMPORARY ON DATABASE "{database}" TO "{name}"'
    for subject in ("right on t7", "right on schema closed", "temporary tables", "kept"):
        project.source.execute(found[subject]["remedy"])
    project.source.execute(f"GRANT SELECT ON closed.t TO {name}", f"ALTER ROLE {name} BYPASSRLS")
    assert project.etl("doctor", ETL_SOURCE_URL=url).code == 0
    assert project.etl("sync", ETL_SOURCE_URL=url).code == 0
