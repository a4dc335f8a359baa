"""The small parts: remembered list, completed paths, what a force costs, the host's way through trouble."""

from __future__ import annotations

from pathlib import Path

import pytest

from barista_server.api.messages import Failure, Problem, SessionInfo, Snapshot, State
from barista_tui import cache, settings
from barista_tui.commands import failure_text, loss_of_force
from barista_tui.host import Host, LinkError
from barista_tui.screens.new_session import complete_path
from barista_tui.settings import Settings
from barista_tui.store import Store
from barista_tui.target import Target

SESSION = SessionInfo(
    id="1", name="net", state=State.RUNNING, folder="/s/1", created=0.0, caffe="caffe", iteration=4210
)


def test_the_list_is_remembered_for_each_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.load(str(tmp_path / "a")) is None
    cache.save(str(tmp_path / "a"), [SESSION], 5.0)
    assert cache.load(str(tmp_path / "a")) == cache.Remembered(5.0, [SESSION])
    assert cache.load(str(tmp_path / "b")) is None


@pytest.mark.parametrize("garbage", [b"", b"\xc1", b"not a list", b"\x91\x80"])
def test_a_damaged_memory_is_no_memory(
    garbage: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache.save(str(tmp_path), [SESSION], 5.0)
    (file,) = (tmp_path / "barista").iterdir()
    file.write_bytes(garbage)
    assert cache.load(str(tmp_path)) is None


def test_a_memory_that_cannot_be_written_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    cache.save(str(tmp_path), [SESSION], 5.0)
    assert cache.load(str(tmp_path)) is None


def test_paths_are_completed_to_folders_and_prototxt_files(tmp_path: Path) -> None:
    (tmp_path / "lenet").mkdir()
    (tmp_path / "lenet" / "solver.prototxt").touch()
    (tmp_path / "lenet" / "readme.md").touch()
    assert complete_path(f"{tmp_path}/le") == f"{tmp_path}/lenet/"
    assert complete_path(f"{tmp_path}/lenet/") == f"{tmp_path}/lenet/solver.prototxt"
    assert complete_path(f"{tmp_path}/lenet/r") is None
    assert complete_path(f"{tmp_path}/nothing/x") is None
    assert complete_path("") is None


def test_what_force_costs_is_counted_from_the_last_snapshot() -> None:
    snapshot = Snapshot(iteration=4000, model="m", state="s", size=1, time=0.0)
    fields = {name: getattr(SESSION, name) for name in SESSION.__struct_fields__}
    assert loss_of_force(SESSION) == "There is no snapshot: all 4210 iterations are lost."
    assert "210 iterations are lost" in loss_of_force(SessionInfo(**{**fields, "snapshots": [snapshot]}))


def test_a_failure_says_what_where_and_what_next() -> None:
    problem = Problem(text="unknown field", file="solver.prototxt", line=3, hint="did you mean lr_policy?")
    text = failure_text(Failure(code="invalid", text="the files are invalid", problems=[problem]))
    assert text.splitlines() == [
        "the files are invalid",
        "solver.prototxt:3: unknown field",
        "did you mean lr_policy?",
    ]


async def test_a_host_that_is_not_connected_says_so(tmp_path: Path) -> None:
    from barista_server.api.messages import Done, Ping

    with pytest.raises(LinkError, match="local is not connected"):
        await Host(Target(tmp_path), Store()).call(Ping(), Done)


def test_settings_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert settings.load() == Settings()
    other = Settings(theme="light", log=True, axis="time", smooth=2, kinds="errors", sort="loss")
    settings.save(other)
    assert settings.load() == other
    assert [file.name for file in settings.path().parent.iterdir()] == ["view.json"]


@pytest.mark.parametrize("garbage", [b"", b"{", b"[]", b'{"theme": 3}', b'{"axis": "sideways"}', b" " * 5000])
def test_damaged_settings_are_the_defaults(
    garbage: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    settings.save(Settings(theme="light"))
    settings.path().write_bytes(garbage)
    assert settings.load() == Settings()


def test_settings_that_cannot_be_written_are_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    settings.save(Settings(theme="light"))
    assert settings.load() == Settings()
