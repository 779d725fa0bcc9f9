"""SQL Server's connections as far as no server is needed: URLs, drivers, and failures in words."""

from __future__ import annotations

import logging
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from schemas.mssql import MssqlError, Trouble, address, chosen_driver, connect, driver, loaded_driver, translated
from schemas.mssql.driver import OFFICIAL, RUST, family, remedy
from schemas.mssql.parameters import execute_many, parameter_type, with_nulls

AWKWARD = ("p;}w=", "{x}", "}}", " a b ", "a=b;Server=evil", "{", "ü𝄞", "%41", "'\"", "a\tb")


def quoted(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


@pytest.mark.parametrize("value", AWKWARD)
@pytest.mark.parametrize("where", ["user", "password", "database"])
def test_no_character_of_a_value_ends_it(where: str, value: str) -> None:
    parser = pytest.importorskip("mssql_python.connection_string_parser", reason="needs the extra mssql")
    given = {"user": "me", "password": "secret", "database": "shop"} | {where: value}
    user, password, database = (quoted(given[name]) for name in ("user", "password", "database"))
    text = address(f"mssql://{user}:{password}@db.example/{database}").connection_string
    assert parser._ConnectionStringParser(validate_keywords=True)._parse(text) == {
        "server": "db.example,1433",
        "database": given["database"],
        "uid": given["user"],
        "pwd": given["password"],
        "encrypt": "yes",
        "trustservercertificate": "no",
    }


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mssql://me@db.example", "Server=db.example,1433;UID=me;Encrypt=yes;TrustServerCertificate=no"),
        (
            "mssql+mssqlpython://me:x@db:1444/shop?encrypt=strict&HostNameInCertificate=a.b",
            "Server=db,1444;Database=shop;UID=me;PWD=x;Encrypt=strict;TrustServerCertificate=no;HostNameInCertificate=a.b",
        ),
        (
            "mssql://db/shop",
            "Server=db,1433;Database=shop;Trusted_Connection=yes;Encrypt=yes;TrustServerCertificate=no",
        ),
        (
            "mssql://db/shop?Authentication=ActiveDirectoryDefault",
            "Server=db,1433;Database=shop;Encrypt=yes;TrustServerCertificate=no;Authentication=ActiveDirectoryDefault",
        ),
        (
            "mssql://app%40tenant:s@db/shop?Authentication=ActiveDirectoryServicePrincipal&TrustServerCertificate=yes",
            "Server=db,1433;Database=shop;UID=app@tenant;PWD=s;Encrypt=yes;TrustServerCertificate=yes;"
            "Authentication=ActiveDirectoryServicePrincipal",
        ),
        ("mssql://me@db%5CSECOND/x", "Server=db\\SECOND;Database=x;UID=me;Encrypt=yes;TrustServerCertificate=no"),
    ],
)
def test_encryption_is_on_and_everything_else_is_as_the_url_says(url: str, said: str) -> None:
    assert address(url).connection_string == said


def test_a_login_timeout_and_a_driver_are_not_the_connection_strings() -> None:
    found = address("mssql://me@db/x?Connect Timeout=3&driver=ODBC+Driver+18+for+SQL+Server")
    assert (found.login_seconds, found.provider) == (3, OFFICIAL)
    assert "imeout" not in found.connection_string
    assert "river" not in found.connection_string
    assert address("mssql://me@db/x?driver=mssql-odbc").provider == RUST


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("mssql://sa:p/secret@db:1433/x", "cannot be read"),
        ("mssql://sa:p#secret@db/x", "cannot be read"),
        ("mssql:///x", "names no SQL Server"),
        ("mssql://sa:secret@db:99999/x", "cannot be read"),
        ("mssql://sa:secret@db/x?driver=FreeTDS", "FreeTDS"),
        ("mssql://sa:secret@db/x?PWD=other", "PWD as an option"),
        ("mssql://sa:secret@db/x?Encrypt=no&encrypt=yes", "twice"),
        ("mssql://sa:secret@db/x?timeout=soon", "no number of seconds"),
    ],
)
def test_a_url_that_is_none_is_refused_without_its_password(url: str, why: str) -> None:
    with pytest.raises(MssqlError, match=why) as caught:
        address(url)
    assert caught.value.trouble is Trouble.ADDRESS
    assert "secret" not in str(caught.value)


def test_an_address_shows_no_password() -> None:
    found = address("mssql://me:secret@db:1444/shop")
    assert str(found) == "mssql://me@db:1444/shop"
    assert "secret" not in repr(found)


@pytest.fixture
def fresh() -> Iterator[None]:
    chosen_driver.cache_clear()
    yield
    chosen_driver.cache_clear()


def files(**paths: str) -> SimpleNamespace:
    """mssql-python whose drivers are at ``paths``."""
    module = SimpleNamespace(pooling=lambda **_: None, native_provider=None)
    by = {OFFICIAL: paths.get("official", ""), RUST: paths.get("rust", "")}
    module.get_native_provider_info = lambda: {"package": "p", "driver_path": by[module.native_provider]}
    return module


@pytest.mark.usefixtures("fresh")
def test_the_younger_driver_is_taken_where_microsofts_does_not_load(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = tmp_path / "libbroken.so"
    broken.write_text("no library")
    working = next(Path(sys.prefix).rglob("*pyarrow*/libarrow.so*"))
    module = files(official=str(broken), rust=str(working))
    monkeypatch.delenv("MSSQL_PYTHON_NATIVE_PROVIDER", raising=False)
    monkeypatch.setattr(driver, "_imported", lambda _: module)
    with caplog.at_level(logging.DEBUG, logger="schemas"):
        assert loaded_driver() is module
    assert (chosen_driver().name, module.native_provider) == (RUST, RUST)
    assert "libbroken.so" in chosen_driver().missed
    assert remedy(OFFICIAL) in caplog.text
    assert {record.levelname for record in caplog.records} == {"DEBUG"}  # every command would say it otherwise
    with pytest.raises(MssqlError, match="msodbcsql18 cannot be loaded") as caught:
        loaded_driver(OFFICIAL)
    assert caught.value.remedy == remedy(OFFICIAL)


@pytest.mark.usefixtures("fresh")
def test_without_any_driver_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "_imported", lambda _: files())
    with pytest.raises(MssqlError, match="no driver can be loaded"):
        loaded_driver()
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "mssql_python", None)
    with pytest.raises(MssqlError, match=r"pip install 'multi-warehouse-etl\[mssql\]'"):
        loaded_driver()


@pytest.mark.parametrize(
    ("said", "named", "command"),
    [
        ('ID="rocky"\nID_LIKE="rhel centos"', "rhel", "dnf install libtool-ltdl krb5-libs"),
        ("ID=opensuse-leap", "suse", "zypper install libltdl7 krb5"),
        ("ID=alpine", "alpine", "apk add libltdl krb5-libs"),
        ("ID=ubuntu\nID_LIKE=debian", "debian", "apt-get install libltdl7 libgssapi-krb5-2"),
        ("", "debian", "apt-get install libltdl7 libgssapi-krb5-2"),
    ],
)
def test_packages_are_named_as_the_distribution_names_them(tmp_path: Path, said: str, named: str, command: str) -> None:
    release = tmp_path / "os-release"
    release.write_text(said)
    assert (family(release), remedy(OFFICIAL, release)) == (named, command)
    assert family(tmp_path / "nothing") == "debian"


def test_a_driver_of_the_wheels_loads_here_and_nobody_answering_is_a_message() -> None:
    """In a process of its own: one keeps the driver that it loaded first."""
    pytest.importorskip("mssql_python", reason="needs the extra mssql")
    code = (
        "from schemas.mssql import MssqlError, connect\n"
        "try:\n    connect('mssql://me:secret@127.0.0.1:1/x?LoginTimeout=2')\n"
        "except MssqlError as error:\n    print(error.trouble.name, error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)  # noqa: S603
    assert done.stdout.startswith("UNREACHABLE mssql://me@127.0.0.1:1/x: ")
    assert "refused" in done.stdout
    assert "secret" not in done.stdout + done.stderr


class Said(Exception):  # noqa: N818
    """An error as mssql-python raises it."""

    def __init__(self, driver_error: str, ddbc_error: str) -> None:
        super().__init__(driver_error)
        self.driver_error, self.ddbc_error = driver_error, ddbc_error


MS = "[Microsoft][ODBC Driver 18 for SQL Server]"

# Microsoft's texts are those of its pages on errors; the others were heard from the drivers and from Babelfish.
RECORDED: list[tuple[str, str, Trouble]] = [
    ("Invalid authorization specification", f"{MS}[SQL Server]Login failed for user 'sa'.", Trouble.LOGIN),
    ("General error", '[Microsoft]Login failed for user "etl"', Trouble.LOGIN),
    ("General error", f"{MS}SSPI Provider: No Kerberos credentials available", Trouble.LOGIN),
    (
        "Syntax error or access violation",
        f'{MS}[SQL Server]Cannot open database "x" requested by the login. The login failed.',
        Trouble.DATABASE,
    ),
    ("Client unable to establish connection", f"{MS}TCP Provider: Error code 0x2749", Trouble.UNREACHABLE),
    ("Timeout expired", f"{MS}Login timeout expired", Trouble.UNREACHABLE),
    (
        "Client unable to establish connection",
        f"{MS}SSL Provider: [error:0A000086:SSL routines::certificate verify failed:self-signed certificate]",
        Trouble.CERTIFICATE,
    ),
    (
        "Syntax error or access violation",
        f"{MS}[SQL Server]The SELECT permission was denied on the object 'orders', database 'shop', schema 'dbo'.",
        Trouble.DENIED,
    ),
    ("Base table or view not found", f"{MS}[SQL Server]Invalid object name 'dbo.gone'.", Trouble.ABSENT),
    ("Column not found", f"{MS}[SQL Server]Ungültiger Spaltenname 'x'.", Trouble.ABSENT),
    ("Communication link failure", f"{MS}TCP Provider: Error code 0x2746", Trouble.LOST),
    (
        "Serialization failure",
        f"{MS}[SQL Server]Transaction (Process ID 52) was deadlocked on lock resources with another process",
        Trouble.CONFLICT,
    ),
    (
        "Syntax error or access violation",
        f"{MS}[SQL Server]Snapshot isolation transaction aborted due to update conflict.",
        Trouble.CONFLICT,
    ),
    (
        "Syntax error or access violation",
        f"{MS}[SQL Server]Could not allocate space for object 'dbo.t' in database 'x' because the 'PRIMARY' filegroup",
        Trouble.FULL,
    ),
    (
        "General error",
        "[Microsoft]Protocol Error: Batched RPC results ended without a final DONE",
        Trouble.PROTOCOL,
    ),
    ("General error", f"{MS}[SQL Server]Divide by zero error encountered.", Trouble.OTHER),
]


@pytest.mark.parametrize(("phrase", "words", "trouble"), RECORDED)
def test_what_servers_say_is_sorted_by_what_to_do(phrase: str, words: str, trouble: Trouble) -> None:
    found = translated(Said(phrase, words), "dbo.orders")
    assert found.trouble is trouble
    assert found.message.startswith("dbo.orders: ")
    assert "[" not in found.message.partition("SSL Provider")[0]
    assert not found.message.endswith(".")
    assert found.remedy
    wrapped: Any = Exception("(mssql_python…) and the whole statement")
    wrapped.orig = Said(phrase, words)
    assert translated(wrapped, "dbo.orders").message == found.message
    assert translated(found, "another") is found


def test_windows_numbers_are_spelled_out() -> None:
    found = translated(Said("Client unable to establish connection", f"{MS}TCP Provider: Error code 0x2AF9"), "db")
    assert found.message == "db: TCP Provider: no such host"


def test_options_that_the_driver_does_not_know_are_named() -> None:
    pytest.importorskip("mssql_python", reason="needs the extra mssql")
    with pytest.raises(MssqlError, match="nonsense") as caught:
        connect("mssql://me:secret@127.0.0.1:1/x?Nonsense=1")
    assert caught.value.trouble is Trouble.ADDRESS
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (("a long one of ASCII alone", "é", None), (-9, 25, 0)),  # never varchar, whose code page has no é
        (("𝄞𝄞𝄞", "abcd"), (-9, 6, 0)),  # UTF-16 units, of which a clef has two
        (("", None), (-9, 1, 0)),
        ((None, True), (-7, 1, 0)),
        ((2**62, -1), (-5, 19, 0)),
        ((Decimal("1.5"), Decimal("-0.00001"), Decimal("1E+3")), (3, 38, 5)),
        ((b"\x00\xff", b""), (-3, 2, 0)),
        ((datetime(2024, 1, 1),), (93, 26, 6)),
        ((datetime(2024, 1, 1, tzinfo=UTC),), (-155, 33, 6)),
        ((date(2024, 1, 1),), (91, 10, 0)),
        ((time(1, 2, 3, 456_789),), (-9, 16, 0)),
        ((0.1,), (8, 53, 0)),
    ],
)
def test_a_parameter_has_the_type_that_holds_all_its_values(values: Any, said: tuple[int, int, int]) -> None:
    assert parameter_type(values) == said


def test_a_value_of_an_unknown_type_is_refused() -> None:
    with pytest.raises(TypeError, match="complex"):
        parameter_type([1j])


def test_nulls_are_spelled_out_only_where_values_are_meant() -> None:
    statement = "UPDATE [odd?]]?] SET a = ?, b = 'why? it''s ?', c = ? WHERE k = ?"
    assert (
        with_nulls(statement, [None, 1, None])
        == "UPDATE [odd?]]?] SET a = NULL, b = 'why? it''s ?', c = ? WHERE k = NULL"
    )
    assert with_nulls("SELECT '?', ?", []) == "SELECT '?', ?"


class Sqlite:
    """A cursor of SQLite, which takes question marks too, with the one call that it lacks."""

    def __init__(self) -> None:
        self.cursor = sqlite3.connect(":memory:").cursor()
        self.execute, self.executemany = self.cursor.execute, self.cursor.executemany
        self.sizes: list[Any] = []

    def setinputsizes(self, sizes: list[Any]) -> None:
        self.sizes = sizes


@pytest.mark.parametrize(
    ("rows", "bound"),
    [
        ([(1, None, "a"), (2, None, None)], 2),
        ([(None, None, None)] * 3, 0),
        ([(1, 2, "x")], 3),
    ],
)
def test_columns_of_nulls_alone_arrive_as_nulls(rows: list[tuple[Any, ...]], bound: int) -> None:
    database = Sqlite()
    database.execute("CREATE TABLE t (a, b, c)")
    execute_many(database, "INSERT INTO t VALUES (?, ?, ?)", rows)
    assert database.execute("SELECT * FROM t").fetchall() == rows
    assert len(database.sizes) == bound


def test_a_url_behind_the_question_mark_is_not_repeated() -> None:
    with pytest.raises(MssqlError) as refused:
        address("mssql://db?mssql://user:s3cret@host/x=1")
    assert "s3cret" not in str(refused.value)
