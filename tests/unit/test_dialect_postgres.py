"""PostgreSQL's text; the server that runs it is in ``tests/properties``."""

from __future__ import annotations

import pytest
import sqlglot
from sqlglot import exp

from etl.dialects.postgres import PostgresDialect
from etl.errors import ConfigError
from schemas import types

DIALECT = PostgresDialect()


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ("", "''"),
        ("it's", "'it''s'"),
        ("\\", "E'\\\\'"),
        ("\\'", "E'\\\\'''"),
        ("caf\u00e9", "'caf\u00e9'"),
    ],
)
def test_strings(text: str, literal: str) -> None:
    """With a backslash the form is E'…', which means the same whatever standard_conforming_strings is."""
    assert DIALECT.string(text) == literal


def test_nul_is_refused_and_left_out_of_the_proof() -> None:
    assert not DIALECT.has("a\0b")
    assert DIALECT.has(b"\0")
    with pytest.raises(ConfigError):
        DIALECT.literal("a\0b", types.STRING)


@pytest.mark.parametrize("name", ["plain", "a b", 'a"b', "Select", "a.b"])
def test_identifiers_are_taken_literally(name: str) -> None:
    table = sqlglot.parse_one(f"SELECT 1 FROM {DIALECT.qualify('s', name)}", read="postgres").find(exp.Table)
    assert table
    assert (table.db, table.name) == ("s", name)
