"""URLs: what is shown of them never holds a password, and what is written into them reads back."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.urls import with_password, without_password


@pytest.mark.parametrize("password", ["hunter2", "p@ss", "pa#ss", "pa/ss", "pa?ss", "12/34", "a:b", "%40", "@@"])
def test_a_password_is_left_out_however_it_is_written(password: str) -> None:
    shown = without_password(f"postgresql://user:{password}@host:5432/db")
    assert shown == "postgresql://user@host:5432/db"


@pytest.mark.parametrize(
    "url", ["sqlite:///a@b:c.db", "postgresql://host:5432/db", "postgresql://user@host/db", "duckdb:////w/x.duckdb"]
)
def test_what_has_none_stays_as_it_is(url: str) -> None:
    assert without_password(url) == url


@given(st.text(min_size=1))
def test_any_password_goes_in_and_comes_out_again(password: str) -> None:
    url = with_password("mssql://user@host:1433/db", password)
    assert urlsplit(url).hostname == "host"
    assert without_password(url) == "mssql://user@host:1433/db"


def test_a_file_takes_no_password() -> None:
    assert with_password("sqlite:///shop.db", "secret") == "sqlite:///shop.db"
