"""Engines and readers that fail the vectors: the one is streamed instead, the other refused."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.compute
import pytest
from support.items import ITEMS, items
from support.project import Project

from etl.dialects.duckdb import DuckDbDialect
from etl.errors import ConfigError, SourceError
from etl.scratch import Scratch
from etl.sources.base import Snapshot
from etl.verify.comparison import Comparer
from etl.verify.rowsum import Mode
from schemas.types import LogicalType


class RoundingDialect(DuckDbDialect):
    """An engine that shows instants to the second only, as some do."""

    def datetime_text(self, x: str) -> str:
        return f"CAST(epoch_us(date_trunc('second', {x})) AS VARCHAR)"


@contextmanager
def comparing(project: Project, mode: Mode | None = None, dialect: Any = None) -> Iterator[Comparer]:
    scratch = Scratch()
    with project.session() as session, session.source().snapshot() as snapshot:
        if dialect:
            session.warehouse.dialect = dialect
        yield Comparer(snapshot, session.warehouse, scratch, mode)
    scratch.close()


@pytest.fixture
def loaded(project: Project) -> Project:
    project.source.create(ITEMS)
    project.source.insert(ITEMS, items(range(50)))
    assert project.synced().check.equal
    return project


def test_an_engine_that_fails_a_type_is_streamed_and_said(loaded: Project, caplog: pytest.LogCaptureFixture) -> None:
    with comparing(loaded, dialect=RoundingDialect()) as comparer, caplog.at_level(logging.WARNING):
        sides = comparer.source(ITEMS), comparer.warehouse(ITEMS)
        comparison = comparer.compare(ITEMS, *sides)
    assert (comparison.equal, comparison.warehouse_mode) == (True, Mode.STREAM)
    assert "items: the warehouse fails the proof for datetime; streaming" in caplog.text


def test_pushdown_by_force_is_refused_by_one_that_fails(loaded: Project) -> None:
    wanted = pytest.raises(ConfigError, match="fails the proof for datetime")
    with comparing(loaded, Mode.PUSHDOWN, RoundingDialect()) as comparer, wanted:
        comparer.warehouse(ITEMS)


def test_one_that_proves_itself_is_asked_once(loaded: Project) -> None:
    with comparing(loaded) as comparer:
        comparison = comparer.compare(ITEMS, comparer.source(ITEMS), comparer.warehouse(ITEMS))
    assert (comparison.equal, comparison.warehouse_mode, comparison.located) == (True, Mode.PUSHDOWN, None)


def test_a_reader_that_changes_values_is_refused(loaded: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    with loaded.session() as session, session.source().snapshot() as snapshot:
        honest = type(snapshot).read_constants

        def trimming(self: Snapshot, type_: LogicalType, values: Any) -> pa.Array:
            read = honest(self, type_, values)
            return pa.compute.utf8_rtrim_whitespace(read) if pa.types.is_string(read.type) else read

        monkeypatch.setattr(type(snapshot), "read_constants", trimming)
        comparer = Comparer(snapshot, session.warehouse, Scratch())
        with pytest.raises(SourceError, match="' trailing  '"):
            comparer.source(ITEMS)
