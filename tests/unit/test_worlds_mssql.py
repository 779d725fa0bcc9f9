"""What can be proven of the SQL Server writer without a SQL Server, which cannot run here.

Proven: the DDL that SQLAlchemy's dialect compiles is T-SQL by sqlglot's parser; what is sent, in
which order, and what of it is undone, against a connection that only takes notes; the connection
string, which mssql-python's own parser reads back; that the driver's file is found in the wheel;
and the reader, which is SQLAlchemy's alone, over SQLite. Not proven: that a server accepts any of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlglot
from sqlalchemy import create_engine
from sqlalchemy.dialects import mssql as mssql_dialect

from generators import mssql_driver, worlds
from generators.errors import GeneratorError
from generators.mssql_driver import connection_string, driver, family, required
from generators.readers.mssql import SqlRows
from generators.targets import target
from generators.worlds import WORLDS
from generators.writers import ddl, mssql
from generators.writers.mssql_tables import dialect, with_cursors

URL = "mssql://me:secret@db.example:1444/shop"


class Notes:
    """An engine that takes notes of what it is told and counts what it is given."""

    def __init__(self, *, tables: tuple[str, ...] = (), babelfish: bool = False, lost: int = 0) -> None:
        self.tables, self.babelfish, self.lost = tables, babelfish, lost
        self.said: list[str] = []
        self.rows: Counter[str] = Counter()

    @contextmanager
    def begin(self) -> Iterator[Notes]:
        yield self

    connect = begin

    def exec_driver_sql(self, statement: str) -> None:
        self.said.append(statement)

    def execute(self, statement: Any, rows: list[dict[str, Any]] | None = None) -> Any:
        if rows is not None:
            self.said.append(f"INSERT {statement.table.name}")
            self.rows[statement.table.name] += len(rows)
            assert not {"row_version"} & set(statement.compile(dialect=mssql_dialect.dialect()).params)
            return None
        if "BabelfishVersion" in str(statement):
            return SimpleNamespace(scalar=lambda: "4.3" if self.babelfish else None)
        table = str(statement).rpartition("[")[2].rstrip("]")
        return SimpleNamespace(scalar_one=lambda: self.rows[table] - self.lost)

    def dispose(self) -> None:
        self.said.append("dispose")


class Bulk:
    """A bulk cursor that takes notes, or refuses."""

    def __init__(self, notes: Notes, *, refuses: bool) -> None:
        self.notes, self.refuses = notes, refuses
        self.connection = SimpleNamespace(close=lambda: notes.said.append("close"))

    def bulkcopy_arrow(self, table: str, batch: Any, **options: Any) -> None:
        if self.refuses:
            raise RuntimeError("not here")
        assert options["timeout"] == 0
        assert options["column_mappings"] == batch.schema.names
        self.notes.said.append(f"BULK {table}")
        self.notes.rows[table.strip("[]")] += batch.num_rows


def wire(monkeypatch: pytest.MonkeyPatch, notes: Notes, *, refuses: bool = False) -> None:
    """Let the writer talk to ``notes``."""
    python = SimpleNamespace(connect=lambda *_, **__: SimpleNamespace(cursor=lambda: Bulk(notes, refuses=refuses)))
    monkeypatch.setattr(mssql, "engine", lambda _: notes)
    monkeypatch.setattr(mssql, "inspect", lambda _: SimpleNamespace(get_table_names=lambda: list(notes.tables)))
    monkeypatch.setattr(mssql, "required", lambda _: python)


@pytest.mark.parametrize("name", list(WORLDS))
def test_all_ddl_is_tsql(name: str) -> None:
    with_them, spelled = with_cursors(WORLDS[name].metadata), dialect()
    made = [*ddl.bare_tables(with_them, spelled), *ddl.constraints(with_them, spelled)]
    for statement in [*made, *ddl.comments(with_them, spelled), *ddl.drops(with_them, spelled)]:
        tree = sqlglot.parse_one(statement, read="tsql")
        assert not isinstance(tree, sqlglot.exp.Command), statement
    creates = [statement for statement in made if statement.startswith("CREATE TABLE")]
    assert len(creates) == len(WORLDS[name].metadata.tables)
    assert all("row_version ROWVERSION NOT NULL" in create and "updated_at" in create for create in creates)
    foreign = sum(len(table.foreign_keys) for table in WORLDS[name].metadata.tables.values())
    assert sum("FOREIGN KEY" in statement for statement in made) == foreign


@pytest.mark.parametrize(
    ("babelfish", "refuses", "how"), [(False, False, "BULK"), (False, True, "INSERT"), (True, False, "INSERT")]
)
def test_tables_then_rows_then_constraints(
    monkeypatch: pytest.MonkeyPatch, babelfish: bool, refuses: bool, how: str
) -> None:
    notes = Notes(babelfish=babelfish)
    wire(monkeypatch, notes, refuses=refuses)
    rows = worlds.generate("churn", URL, customers=40)
    assert dict(notes.rows) == rows
    kinds = [statement.split()[0] for statement in notes.said]
    order = [kind for kind, before in zip(kinds, [None, *kinds], strict=False) if kind != before]
    assert order[:4] == ["DROP", "CREATE", how, "ALTER"]
    loaded = [statement.split()[1].strip("[]") for statement in notes.said if statement.startswith(how)]
    assert loaded[0] == "customers"  # parents before children
    assert any("sp_addextendedproperty" in statement for statement in notes.said) is not babelfish


def test_a_filled_database_is_refused_unless_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    notes = Notes(tables=("billing", "mine"))
    wire(monkeypatch, notes)
    with pytest.raises(GeneratorError, match="already has the tables billing") as caught:
        worlds.generate("churn", URL, customers=4)
    assert "secret" not in str(caught.value)
    assert [statement for statement in notes.said if "TABLE" in statement] == []
    worlds.generate("churn", URL, customers=4, replace=True)
    assert not any("mine" in statement for statement in notes.said)


def test_a_count_that_is_short_is_a_message_and_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    notes = Notes(lost=1)
    wire(monkeypatch, notes)
    with pytest.raises(GeneratorError, match="after loading"):
        worlds.generate("churn", URL, customers=4)
    assert [statement.split()[0] for statement in notes.said[-5:]] == ["DROP"] * 4 + ["dispose"]


def test_the_connection_string_says_what_the_url_says() -> None:
    parser = pytest.importorskip("mssql_python.connection_string_parser", reason="needs the extra mssql")
    url = "mssql://sa:p%3B%7Dw%3D@db.example/My%20Db?TrustServerCertificate=yes"
    text = connection_string(url)
    assert parser._ConnectionStringParser()._parse(text) == {
        "server": "db.example,1433",
        "database": "My Db",
        "uid": "sa",
        "pwd": "p;}w=",
        "trustservercertificate": "yes",
    }
    assert connection_string("mssql://db.example/x", driver="/a/b.so") == (
        "DRIVER=/a/b.so;SERVER=db.example,1433;DATABASE=x;Trusted_Connection=yes"
    )


def test_the_driver_is_found_in_the_wheel(tmp_path: Path) -> None:
    pytest.importorskip("mssql_python_odbc", reason="needs the extra mssql")
    assert Path(driver()).is_file()
    assert "libmsodbcsql" in driver()
    release = tmp_path / "os-release"
    for said, folder in (
        ('ID="rocky"\nID_LIKE="rhel centos"', "rhel"),
        ("ID=opensuse-leap", "suse"),
        ("", "debian_ubuntu"),
    ):
        release.write_text(said)
        assert family(release) == folder
    assert family(tmp_path / "nothing") == "debian_ubuntu"


def test_a_driver_that_is_not_there_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(GeneratorError, match=r"pip install 'multi-warehouse-etl\[mssql\]'"):
        required("a_driver_nobody_has")

    def broken(_: str) -> None:
        raise ImportError("libodbc.so.2: cannot open shared object file")

    monkeypatch.setattr(mssql_driver, "import_module", broken)
    with pytest.raises(GeneratorError, match="apt-get install unixodbc"):
        required("pyodbc")


def test_rows_are_read_back_in_logical_types(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/world.db"
    worlds.generate("hopify", url, customers=15)
    made: dict[str, list[Any]] = {}
    for table, batch in WORLDS["hopify"].batches(15, 42, 1):
        made.setdefault(table, []).extend(batch.to_pylist())
    with SqlRows(target(url), create_engine(url)) as rows:
        for table in WORLDS["hopify"].metadata.sorted_tables:
            assert rows.read(table).read_all().to_pylist() == made[table.name]
