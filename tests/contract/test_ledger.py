"""The ledger's tables: made once, and brought along from the ones an earlier version made."""

from __future__ import annotations

import pytest
from support.items import ITEMS, items
from support.project import Project


@pytest.mark.every_warehouse
def test_a_ledger_without_the_newest_columns_gets_them(project: Project) -> None:
    project.source.create(ITEMS)
    project.source.insert(ITEMS, items(range(5)))
    project.synced()
    project.warehouse.execute("ALTER TABLE etl.checks DROP COLUMN losses", "ALTER TABLE etl.checks DROP COLUMN scope")
    assert project.gate() != ""
    assert project.synced().check.equal
    assert project.gate() == ""
    assert project.verified().check.equal
