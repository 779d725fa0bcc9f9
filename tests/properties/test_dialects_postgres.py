"""What only a PostgreSQL server can show: values no other engine has, its own types, its plans."""

from __future__ import annotations

import psycopg
import pytest
from support.engines import Postgres

from schemas import types
from schemas.table import Column
from schemas.types import LogicalType

PAIRS = (Column("x", types.STRING), Column("y", types.STRING))


@pytest.mark.parametrize(
    ("value", "type_", "cell"),
    [
        ("NaN", types.decimal(18, 2), "NaN,"),
        ("infinity", types.DATE, "infinity,"),
        ("-infinity", types.DATE, "-infinity,"),
        ("infinity", types.DATETIME, "infinity,"),
        ("-infinity", types.TIMESTAMP, "-infinity,"),
    ],
)
def test_values_that_only_postgresql_has_do_not_stop_a_rowsum(
    postgres: Postgres, value: str, type_: LogicalType, cell: str
) -> None:
    assert postgres.cells([value], type_) == [cell]


def test_nan_of_either_sign_is_one_nan(postgres: Postgres) -> None:
    assert postgres.rows("SELECT encode(float8send('-NaN'), 'hex')") == [("fff8000000000000",)]
    assert postgres.cells(["NaN", "-NaN"], types.FLOAT) == ["7FF8000000000000,"] * 2


def test_infinite_numbers_of_postgresql(postgres: Postgres) -> None:
    cell = postgres.dialect.cell("v", types.decimal(18, 2))
    sql = f"SELECT {cell} FROM (VALUES (CAST('Infinity' AS numeric)), ('-Infinity')) AS t (v)"
    assert postgres.rows(sql) == [("Infinity,",), ("-Infinity,",)]


def test_postgresql_reads_other_spellings_of_its_types(postgres: Postgres) -> None:
    """A char(n) is padded only where it is stored; real, json and smallint have no functions of their own."""
    postgres.run("DROP TABLE IF EXISTS odd; CREATE TABLE odd (c char(5), r real, j json, jb jsonb, i smallint, f text)")
    postgres.run("""INSERT INTO odd VALUES ('ab', 0.1, '{"b": 1,  "a":2}', '{"b":1}', 7, 'x')""")
    dialect = postgres.dialect
    cells = {"c": types.CHAR, "r": types.FLOAT, "j": types.JSON, "jb": types.JSON, "i": types.INT}
    row = postgres.rows(f"SELECT {', '.join(dialect.cell(name, type_) for name, type_ in cells.items())} FROM odd")[0]
    assert row == ("2:ab,", "3FB99999A0000000,", '16:{"b": 1,  "a":2},', '8:{"b": 1},', "7,")


def test_postgresql_computes_the_hash_once(postgres: Postgres) -> None:
    """Merged into its caller, the subquery would hash each row four times."""
    relation = postgres.relation(PAIRS, [("a", "b"), ("c", "d")])
    for query in (postgres.dialect.hashes(PAIRS, ["x"], relation), postgres.dialect.bucket_sums(PAIRS, (), relation)):
        plan = "\n".join(line for (line,) in postgres.rows(f"EXPLAIN (VERBOSE) {query}"))
        assert plan.count("sha256(") == 1


def test_a_read_only_transaction_refuses_the_temporary_table(postgres: Postgres) -> None:
    """A source's snapshot must therefore be REPEATABLE READ and no more than that."""
    create = postgres.dialect.create_temporary("refused", "SELECT 1 AS n")
    with postgres.connection.transaction(force_rollback=True):
        postgres.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            postgres.run(create)
    with postgres.connection.transaction(force_rollback=True):
        postgres.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        postgres.run(create)
