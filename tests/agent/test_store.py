"""The root folder: numbers, the trash, files that are whole or not there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from barista_server.agent import files
from barista_server.agent.store import Folder, Meta, Store


def made(tmp_path: Path) -> Store:
    store = Store(tmp_path)
    assert store.open() == []
    return store


def create(store: Store, name: str = "a") -> Folder:
    return store.create(Meta(id="", name=name, created=1.0, caffe="c"), "solver", "net")


def test_numbers_go_on_after_the_trash_was_emptied_and_the_counter_lost(tmp_path: Path) -> None:
    store = made(tmp_path)
    first, second = create(store), create(store)
    assert (first.path.name, second.path.name) == ("1", "2")
    store.delete(second)
    (tmp_path / "last-id").unlink()
    assert create(store).path.name == "3"
    shutil.rmtree(store.trash)
    store.open()
    shutil.rmtree(tmp_path / "sessions" / "3")
    assert create(store).path.name == "4"
    assert [folder.path.name for folder in store.open()] == ["1", "4"]


def test_a_half_made_session_is_no_session(tmp_path: Path) -> None:
    store = made(tmp_path)
    (store.sessions / ".1").mkdir()
    (store.sessions / ".1" / "solver.prototxt").write_text("old")
    folder = create(store)
    assert folder.solver.read_text() == "solver"
    assert [found.path for found in store.open()] == [folder.path]


def test_session_file_is_rebuilt_from_the_journal(tmp_path: Path) -> None:
    folder = create(made(tmp_path), "born")
    folder.note("renamed", name="later")
    path = folder.path / "session.json"
    for damage in (b"", b"\xff\xfe", b"[]", b'{"id": "9", "name": "x", "created": 1.0}'):
        path.write_bytes(damage)
        meta, repaired = folder.load()
        assert (meta.id, meta.name, meta.caffe) == ("1", "later", "c")
        assert repaired
        assert folder.load() == (meta, None)
    path.unlink()
    (folder.path / "journal.jsonl").unlink()
    meta, repaired = folder.load()
    assert (meta.id, meta.name) == ("1", "session 1") and repaired


def test_reset_takes_runs_and_snapshots_and_restore_needs_room(tmp_path: Path) -> None:
    store = made(tmp_path)
    folder = create(store)
    run = folder.new_run()
    (run / "caffe.log").write_text("log")
    snapshot = folder.path / "a_iter_1.caffemodel"
    snapshot.write_text("model")
    folder.note("run started", run=1)
    trash, count, size = store.reset(folder, [snapshot])
    assert (count, size) == (2, 8) and not snapshot.exists() and folder.runs() == []
    # Numbers of runs go on too: a client that followed run 1 never meets another.
    assert folder.new_run().name == "0002"
    path, session, what = store.find_trash(trash)
    assert (session, what) == ("1", "reset")
    with pytest.raises(FileExistsError):
        store.restore_reset(path, folder)
    shutil.rmtree(folder.path / "runs")
    store.restore_reset(path, folder)
    assert snapshot.read_text() == "model" and [found.name for found in folder.runs()] == ["0001"]
    for name in (trash, "../sessions", "", "x-1-delete"):
        with pytest.raises(KeyError):
            store.find_trash(name)


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "session.json"
    files.write_json(path, {"name": "old"})

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.write_json(path, {"name": "new"})
    assert json.loads(path.read_text()) == {"name": "old"}
    assert [found.name for found in tmp_path.iterdir()] == ["session.json"]
