"""What Babelfish for PostgreSQL lacks: the one place where the suite's gaps on that server are marked.

Each gap is a question to the server, what SQL Server does by its documentation, and what Babelfish does
instead. A test that needs what is lacking is skipped by the gap's reason; that every gap is still
there, to the very error, is a test of its own, so that one that was closed is noticed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from support.sources import MssqlEngine


@dataclass(frozen=True, slots=True)
class Gap:
    """What ``asked`` brings on SQL Server (``has``) and on Babelfish (``lacks``), in the words of ``observed``.

    ``before`` are statements that prepare the question in an empty database, any of which may be what
    raises; ``beside`` are those that another connection runs in between.
    """

    reason: str
    asked: str
    has: str
    lacks: str
    before: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()

    def observed(self, server: MssqlEngine) -> str:
        """What a server does."""
        with server.connected() as cursor:
            try:
                for statement in self.before:
                    cursor.execute(statement)
                if self.beside:
                    server.execute(*self.beside)
                cursor.execute(self.asked)
                return f"answers {cursor.fetchone()[0]!r}"
            except server.error as error:
                said = error.args[-1]
                return "raises " + (said.decode() if isinstance(said, bytes) else str(said))


GAPS: dict[str, Gap] = {
    "nul": Gap(
        "PostgreSQL's text cannot hold NUL", "SELECT DATALENGTH(N'a' + NCHAR(0))", has="answers 4", lacks="answers None"
    ),
    "capitals": Gap(
        "the catalogs show names in lower case",
        "SELECT name FROM sys.columns WHERE object_id = OBJECT_ID(N'Capital')",
        has="answers 'Id'",
        before=("CREATE TABLE Capital (Id int)",),
        lacks="answers 'id'",
    ),
    "brackets": Gap(
        "a doubled bracket in a name is a syntax error",
        "SELECT name FROM sys.tables",
        has="answers 'a]b'",
        before=("CREATE TABLE [a]]b] (id int)",),
        lacks='raises syntax error at or near "]"',
    ),
    "other alphabets": Gap(
        "the catalogs show a question mark for each letter that is not in code page 1252",
        "SELECT name FROM sys.tables",
        has="answers '日'",
        before=("CREATE TABLE [日] (id int)",),
        lacks="answers '?'",
    ),
    "seventh digit": Gap(
        "times hold six digits below the second",
        "SELECT CAST(CAST('2024-01-01T00:00:00.1234567' AS datetime2(7)) AS varchar(40))",
        has="answers '2024-01-01 00:00:00.1234567'",
        lacks="answers '2024-01-01 00:00:00.123457'",
    ),
    "change tracking": Gap(
        "there is no change tracking",
        "SELECT COUNT(*) FROM (SELECT CHANGE_TRACKING_CURRENT_VERSION() AS v) AS t",
        has="answers 1",
        lacks="raises function change_tracking_current_version() does not exist",
    ),
    "fence": Gap(
        "there is no MIN_ACTIVE_ROWVERSION, so rows of late commits are found by comparing",
        "SELECT DATALENGTH(CAST(MIN_ACTIVE_ROWVERSION() AS binary(8)))",
        has="answers 8",
        lacks="raises function min_active_rowversion() does not exist",
    ),
    "pushdown": Gap(
        "there are no UTF-8 collations, so its rows are streamed to be summed",
        "SELECT CONVERT(varchar(max), N'a' COLLATE Latin1_General_100_BIN2_UTF8)",
        has="answers 'a'",
        lacks='raises collation "latin1_general_100_bin2_utf8" for encoding "UTF8" does not exist',
    ),
    "hex of floats": Gap(
        "CONVERT has no styles for binary values",
        "SELECT CONVERT(varchar(16), CAST(CAST(1.5 AS float(53)) AS binary(8)), 2)",
        has="answers '3FF8000000000000'",
        lacks="answers '?ø'",
    ),
    "hex of bytes": Gap(
        "CONVERT has no styles for binary values",
        "SELECT CONVERT(varchar(max), CAST(0x00FF10 AS varbinary(max)), 2)",
        has="answers '00FF10'",
        lacks="raises Failed to convert from data type varbinary to varchar",
    ),
    "ticks": Gap(
        "no binary is cast to datetime",
        "SELECT CAST(CAST(CAST(0x0000ADDB00E4A5C4 AS datetime) AS datetime2(3)) AS varchar(40))",
        has="answers '2021-11-09 13:39:09.187'",
        lacks="raises cannot cast type varbinary to datetime",
    ),
    "period columns": Gap(
        "there are no temporal tables",
        "SELECT COUNT(*) FROM sys.columns WHERE object_id = OBJECT_ID(N'timed')",
        has="answers 3",
        before=(
            "CREATE TABLE timed (id int PRIMARY KEY, a datetime2 GENERATED ALWAYS AS ROW START HIDDEN NOT NULL, "
            "b datetime2 GENERATED ALWAYS AS ROW END HIDDEN NOT NULL, PERIOD FOR SYSTEM_TIME (a, b))",
        ),
        lacks="raises 'PERIOD FOR SYSTEM_TIME' is not currently supported",
    ),
    "changed tables": Gap(
        "a table that was truncated or rewritten is empty for snapshots from before",
        "SELECT COUNT(*) FROM kept",
        has="raises Snapshot isolation transaction failed in database",
        before=(
            "CREATE TABLE kept (id int)",
            "INSERT INTO kept VALUES (1)",
            "SET TRANSACTION ISOLATION LEVEL SNAPSHOT",
            "BEGIN TRANSACTION",
            "SELECT COUNT(*) FROM sys.tables",
        ),
        beside=("TRUNCATE TABLE kept",),
        lacks="answers 0",
    ),
    "computed decimals": Gap(
        "the catalogs give computed decimals 38 digits behind the point, which their values do not have",
        "SELECT scale FROM sys.columns WHERE object_id = OBJECT_ID(N'made') AND name = N'c'",
        has="answers 2",
        lacks="answers 38",
        before=("CREATE TABLE made (a decimal(10,2), b int, c AS (a * b))",),
    ),
    "types of the CLR": Gap(
        "there are no hierarchyid, geography and geometry",
        "SELECT CAST('/1/' AS hierarchyid).ToString()",
        has="answers '/1/'",
        lacks="raises 'HIERARCHYID datatype' is not currently supported",
    ),
    "fixed roles": Gap(
        "there is no db_datareader",
        "SELECT COUNT(*) FROM sys.database_principals WHERE name = N'db_datareader'",
        has="answers 1",
        lacks="answers 0",
    ),
    "settings of databases": Gap(
        "ALTER DATABASE is not there; SNAPSHOT isolation is always allowed",
        "SELECT snapshot_isolation_state FROM sys.databases WHERE database_id = DB_ID()",
        has="answers 1",
        before=("ALTER DATABASE CURRENT SET ALLOW_SNAPSHOT_ISOLATION ON",),
        lacks="raises 'ALTER DATABASE' is not currently supported",
    ),
}
"""By the names under which tests need them."""
