"""Damaged LevelDBs: each gives an error that names it, and none is taken for a smaller one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import plyvel
import pytest

from barista_server.data.datasets.content import segments
from barista_server.data.datasets.kinds import open_source
from barista_server.data.datasets.source import DatasetError

from . import dataset_files as files


def _table(path: Path) -> Path:
    return max(path.glob("*.ldb"), key=lambda one: one.stat().st_size)


def _flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0xFF
    path.write_bytes(data)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "a table is cut": lambda path: os.truncate(_table(path), _table(path).stat().st_size // 2),
    "a table is empty": lambda path: os.truncate(_table(path), 0),
    "a table is gone": lambda path: _table(path).unlink(),
    "a byte of a record is another": lambda path: _flip(_table(path), 40),
    "a byte of the table's end is another": lambda path: _flip(_table(path), -5),
    "the manifest is gone": lambda path: next(path.glob("MANIFEST-*")).unlink(),
    "the manifest is cut": lambda path: os.truncate(next(path.glob("MANIFEST-*")), 10),
    "a byte of the manifest is another": lambda path: _flip(next(path.glob("MANIFEST-*")), 12),
    "CURRENT is gone": lambda path: (path / "CURRENT").unlink(),
    "CURRENT is empty": lambda path: (path / "CURRENT").write_text(""),
    "CURRENT is a folder": lambda path: ((path / "CURRENT").unlink(), (path / "CURRENT").mkdir()),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = files.leveldb(tmp_path_factory.mktemp("level") / "db")
    with plyvel.DB(str(path)) as database:
        database.compact_range()
    return path


def _read_all(path: Path) -> int:
    source = open_source(path, "leveldb")
    try:
        return sum(segment.records for segment in segments(source.records(None)))
    finally:
        source.close()


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_an_error_that_names_the_database(whole: Path, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "damaged"
    shutil.copytree(whole, path)
    DAMAGES[damage](path)
    before = {one.name: one.stat().st_size for one in path.iterdir() if one.is_file()}
    with pytest.raises(DatasetError) as caught:
        _read_all(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "barista-leveldb-" not in str(caught.value), "that is no place of the person's"
    after = {one.name: one.stat().st_size for one in path.iterdir() if one.is_file()}
    assert before.items() <= after.items(), "nothing of it was thrown away"
