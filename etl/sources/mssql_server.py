"""What the connected server is and has: servers differ in age, edition and maker, and each is asked for what it can."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from etl.sources.mssql_session import Session, attempt

ABOUT = """
SELECT CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128)) AS version,
       CAST(SERVERPROPERTY('Edition') AS nvarchar(128)) AS edition,
       CAST(SERVERPROPERTY('BabelfishVersion') AS nvarchar(128)) AS babelfish,
       d.name AS name, CAST(d.service_broker_guid AS nvarchar(36)) AS broker,
       CAST(d.group_database_id AS nvarchar(36)) AS group_id, d.create_date AS created,
       d.snapshot_isolation_state AS snapshots, d.collation_name AS collation,
       CAST(DATABASEPROPERTYEX(d.name, 'Updateability') AS nvarchar(20)) AS updateability,
       USER_NAME() AS user_name, DATALENGTH(N'a') AS char_bytes, DATALENGTH(N'a' + NCHAR(0)) AS with_nul
FROM sys.databases AS d WHERE d.database_id = DB_ID()"""
# https://learn.microsoft.com/en-us/sql/t-sql/functions/min-active-rowversion-transact-sql
FENCE = "SELECT CAST(MIN_ACTIVE_ROWVERSION() AS binary(8)) AS fence, CAST(@@DBTS AS binary(8)) AS last"
_LAST = "SELECT CAST(@@DBTS AS binary(8)) AS last"
UTF8 = """
SELECT HASHBYTES('SHA2_256', CONVERT(varchar(max), N'é' COLLATE Latin1_General_100_BIN2_UTF8)) AS hash,
       DATEDIFF_BIG(microsecond, CAST('1970-01-01T00:00:00' AS datetime2(7)), SYSUTCDATETIME()) AS now"""
_E_ACUTE = bytes.fromhex("4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e2ba69c4c")
_ON = 1


@dataclass(frozen=True, slots=True)
class Server:
    """What was found. ``fence`` is the lowest row version still in use, ``last`` the last one given out.

    ``exact_fence`` says whether ``fence`` knows of all open transactions, ``char_bytes`` what DATALENGTH
    counts for ``N'a'``, ``has_nul`` whether text can hold NUL, ``has_utf8`` whether rows can be summed.
    """

    version: str
    edition: str
    babelfish: str
    database: str
    user: str
    identity: str
    snapshots: bool
    collation: str
    char_bytes: int
    has_nul: bool
    has_utf8: bool
    fence: str | None
    last: str | None
    exact_fence: bool

    @property
    def described(self) -> str:
        """Product, version and edition."""
        if self.babelfish:
            return f"Babelfish {self.babelfish}"
        return f"SQL Server {self.version}, {self.edition}"


def look(session: Session) -> Server:
    """Ask the server what it has; the fence is read now, so before any transaction that is to be fenced."""
    about = session.rows(ABOUT)[0]
    fence, last, exact = _fence(session)
    # A replica knows nothing of the transactions that are open where its data comes from.
    exact = exact and about["updateability"] != "READ_ONLY"
    utf8 = attempt(lambda: session.rows(UTF8)[0]["hash"])
    return Server(
        version=about["version"] or "",
        edition=about["edition"] or "",
        babelfish=about["babelfish"] or "",
        database=about["name"],
        user=about["user_name"] or "",
        identity=_identity(about),
        snapshots=about["snapshots"] == _ON,
        collation=about["collation"] or "",
        char_bytes=about["char_bytes"],
        has_nul=about["with_nul"] == 2 * about["char_bytes"],
        has_utf8=utf8 == _E_ACUTE,
        fence=fence,
        last=last,
        exact_fence=exact,
    )


def now(session: Session) -> datetime:
    """The server's clock."""
    instant: datetime = session.rows("SELECT SYSUTCDATETIME() AS instant")[0]["instant"]
    return instant.replace(tzinfo=UTC)


def hexed(version: bytes | None) -> str | None:
    """A row version as text of one length, whose order is that of the versions."""
    return None if version is None else "0x" + version.hex()


def _fence(session: Session) -> tuple[str | None, str | None, bool]:
    exact = attempt(lambda: session.rows(FENCE)[0])
    if exact:
        return hexed(exact["fence"]), hexed(exact["last"]), True
    last = attempt(lambda: hexed(session.rows(_LAST)[0]["last"]))
    return last, last, False


def _identity(about: dict[str, Any]) -> str:
    """A database made anew or restored has another date; in an availability group each replica has its own."""
    born = about["group_id"] or f"{about['created']:%Y-%m-%dT%H:%M:%S.%f}"
    return "/".join(part for part in (about["name"], about["broker"], born) if part)
