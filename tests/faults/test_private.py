"""What is put aside while rows are summed: closed to other users, and gone, even after SIGKILL."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path

import pytest
from support import driver
from support.items import ITEMS, items
from support.project import Project
from support.sources import SqliteEngine
from support.warehouses import DuckDbEngine

from etl.private import PrivateDirectory
from etl.scratch import Scratch


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The temporary directory, of this process and of those it starts."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


def test_it_is_the_users_own_and_gone_when_closed(temporary: Path) -> None:
    umask = os.umask(0)
    try:
        directory = PrivateDirectory("spill")
    finally:
        os.umask(umask)
    assert stat.S_IMODE(directory.path.stat().st_mode) == 0o700
    (directory.path / "rows").write_text("secret")
    directory.close()
    assert list(temporary.iterdir()) == []


def test_what_spills_spills_into_it(temporary: Path) -> None:
    scratch = Scratch("64MB")
    scratch.run("CREATE TABLE t AS SELECT i, md5(i::VARCHAR) AS v FROM range(2000000) AS r(i)")
    (directory,) = temporary.iterdir()
    assert list(directory.iterdir())
    scratch.close()
    assert list(temporary.iterdir()) == []


def test_those_of_the_living_stay(temporary: Path) -> None:
    first = PrivateDirectory("spill")
    second = PrivateDirectory("spill")
    assert sorted(temporary.iterdir()) == sorted([first.path, second.path])
    first.close()
    second.close()


def test_nothing_but_our_own_is_swept(temporary: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (temporary / "etl-spill-link").symlink_to(tmp_path / "kept", target_is_directory=True)
    (temporary / "etl-spill-file").touch()
    (temporary / "other").mkdir()
    (temporary / "etl-spill-dead").mkdir()
    PrivateDirectory("spill").close()
    assert {path.name for path in temporary.iterdir()} == {"etl-spill-link", "etl-spill-file", "other"}
    assert (tmp_path / "kept").is_dir()


def test_one_that_is_swept_before_it_is_locked_is_made_again(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make, swept = tempfile.mkdtemp, []

    def made_and_swept(**options: str) -> str:
        path = make(**options)
        if not swept:
            swept.append(path)
            shutil.rmtree(path)
        return path

    monkeypatch.setattr(tempfile, "mkdtemp", made_and_swept)
    directory = PrivateDirectory("spill")
    assert [str(path) for path in temporary.iterdir()] == [str(directory.path)] != swept
    directory.close()


def test_what_a_killed_sync_left_is_removed_by_the_next(temporary: Path, tmp_path: Path) -> None:
    project = Project(tmp_path, SqliteEngine(tmp_path), DuckDbEngine(tmp_path))
    project.source.create(ITEMS)
    project.source.insert(ITEMS, items())
    process = driver.started(project.source.url, project.warehouse.url, ("items", "merge", 1), temporary)
    process.join(timeout=60)
    assert len(list(temporary.glob("etl-*"))) == 1
    project.synced()
    assert list(temporary.glob("etl-*")) == []
