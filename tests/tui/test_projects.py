"""Project files, what `barista PATH` opens, and going on where one left."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input

from barista_server.api.messages import State
from barista_tui import opening, projects
from barista_tui.app import BaristaApp
from barista_tui.cli import HANDLERS, with_open
from barista_tui.hosts import HostEntry, Hosts
from barista_tui.opening import Opening, OpeningError
from barista_tui.projects import Project, ProjectError, Recent
from barista_tui.rows import MARK
from barista_tui.settings import Settings
from barista_tui.store import Key
from barista_tui.target import Target

from ..log.log_results import FIXTURES
from .support import made, opened, shown, state_of, until


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("BARISTA_ROOT", str(tmp_path / "root"))
    return tmp_path


def test_a_project_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    project = Project(
        root="/data/x", hosts=[HostEntry("gpu01", "me@gpu01")], view=Settings(log=True, hidden=["gpu01/3"])
    )
    projects.save(tmp_path / "a.barista", project)
    assert projects.load(tmp_path / "a.barista") == project
    assert [file.name for file in tmp_path.iterdir()] == ["a.barista"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no project file"),
        (b"[]", "no project file"),
        (b'{"hosts": 3}', "no project file"),
        (b'{"barista": 2}', "newer Barista"),
    ],
)
def test_what_is_no_project_is_told(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "a.barista").write_bytes(content)
    with pytest.raises(ProjectError, match=words):
        projects.load(tmp_path / "a.barista")


def test_the_latest_project_is_first_and_what_is_gone_is_left_out(config: Path) -> None:
    assert projects.recent() == Recent()
    paths = [config / f"{name}.barista" for name in "abc"]
    for path in paths:
        projects.save(path, Project())
        projects.remember(path)
    assert projects.recent() == Recent((paths[2], paths[1], paths[0]), True)
    projects.remember(None)
    assert projects.recent() == Recent((paths[2], paths[1], paths[0]), False)
    projects.remember(paths[0])
    paths[0].unlink()
    assert projects.recent() == Recent((paths[2], paths[1]), False)


def test_what_a_path_means(config: Path) -> None:
    Hosts().add(HostEntry("gpu01", "gpu01"))
    session = config / "root" / "sessions" / "7"
    session.mkdir(parents=True)
    (session / "session.json").write_text("{}")
    for path in (session, session / "session.json"):
        assert opening.of_path(path) == Opening(Target(config / "root"), select="7")
    assert opening.of_path(config / "root") == Opening(Target(config / "root"))
    (config / "train.log").write_text("x")
    log = opening.of_path(config / "train.log")
    assert log.file == config / "train.log" and log.others is not None
    project = Project(hosts=[HostEntry("gpu01", "old-address"), HostEntry("far", "far:22")])
    projects.save(config / "a.barista", project)
    found = opening.of_path(config / "a.barista")
    assert found.project == config / "a.barista" and found.others is not None
    # The address on the person's own list is newer than the project's.
    assert [(one.name, one.host.address) for one in found.others if one.host] == [
        ("gpu01", "gpu01"),
        ("far", "far:22"),
    ]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nothing", "is not there"),
        ("lenet.prototxt", "barista new"),
        ("lenet_iter_10.solverstate", "state of a solver"),
        ("empty", "no session's folder"),
        ("moved", "outside of any root"),
    ],
)
def test_what_cannot_be_opened_says_what_to_do(name: str, words: str, config: Path) -> None:
    (config / "lenet.prototxt").touch()
    (config / "lenet_iter_10.solverstate").touch()
    (config / "empty").mkdir()
    (config / "moved").mkdir()
    (config / "moved" / "session.json").write_text("{}")
    with pytest.raises(OpeningError, match=words):
        opening.of_path(config / name)


def test_a_path_needs_no_verb(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (config / "train.log.1").touch()
    (config / "ls").touch()
    monkeypatch.chdir(config)
    assert with_open(["train.log.1"], HANDLERS) == ["open", "train.log.1"]
    assert with_open(["--root", "x", "digits.barista"], HANDLERS) == ["--root", "x", "open", "digits.barista"]
    assert with_open(["./x"], HANDLERS) == ["open", "./x"]
    for words in (["ls"], ["--help"], [], ["demo"], ["lss"], ["open", "x"], ["--root", "x"]):
        assert with_open(words, HANDLERS) == words


async def test_saved_changed_and_opened_again(root: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        await made(root, name, start=False)
    path = tmp_path / "mine.barista"
    async with opened(root, (120, 30)) as (app, pilot):
        await until(pilot, lambda: len(app.main.list.model.sessions) == 2)
        await pilot.press("ctrl+s")
        app.screen.query_one(Input).value = str(tmp_path / "mine")
        await pilot.press("enter")
        await until(pilot, lambda: path.exists() and "mine" in shown(app).splitlines()[0])
        # From now on what changes is kept there.
        await pilot.press("ctrl+k", "o")
        await until(pilot, lambda: len(app.main.list.model.sessions) == 1)
        await pilot.press("t")
        await until(pilot, lambda: projects.load(path).view.marked == ["local/1"])
        await until(pilot, lambda: projects.load(path).view.sort == "name")
        assert projects.load(path).view.hidden == ["local/2"]
        assert projects.load(path).root == str(root)
        await pilot.press("q")
    assert opening.last().project == path
    last = opening.last()
    again = BaristaApp(last.target, others=last.others, project=last.project)
    async with again.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: [each.name for each in again.main.list.model.sessions] == ["one"])
        assert again.main.sessions.wish.sort == "name"
        assert again.main.sessions.marked == (Key("local", "1"),) and MARK in shown(again)
        await pilot.press("asterisk")
        assert again.main.sessions.marked == () and MARK not in shown(again)
        await pilot.press("ctrl+r")
        await until(pilot, lambda: len(again.main.list.model.sessions) == 2)
        await until(pilot, lambda: projects.load(path).view.hidden == [])
        # Another one, from the list of late.
        other = tmp_path / "other.barista"
        projects.save(other, Project(root=str(tmp_path / "elsewhere")))
        await pilot.press("O")
        await until(pilot, lambda: "Open a project" in shown(again) and "mine" in shown(again))
        again.screen.query_one(Input).focus()
        again.screen.query_one(Input).value = str(tmp_path / "no.barista")
        await pilot.press("enter")
        told = again.screen.query_one("#error")
        await until(pilot, lambda: "is not there" in str(told.render()))
        again.screen.query_one(Input).value = str(other)
        await pilot.press("enter")
        await until(pilot, lambda: "other" in shown(again).splitlines()[0])
        await until(
            pilot, lambda: again.store.known.host("local").alive and "No sessions yet" in shown(again)
        )
        assert projects.load(path).root == str(root), "the one before is left as it was"
    from barista_server.api.link import Link
    from barista_server.api.messages import Done, StopAgent

    link = await Link.open(tmp_path / "elsewhere")
    await link.call(StopAgent(), Done)


async def test_a_log_named_at_the_start_is_imported_once(root: Path) -> None:
    log = next(path for path in sorted(FIXTURES.rglob("*.log")) if path.stat().st_size < 300_000)
    for _ in range(2):
        app = BaristaApp(Target(root), file=log)
        async with app.run_test(size=(120, 30)) as pilot:
            await until(
                pilot, lambda app=app: app.main.session is not None and app.main.session.kind == "log"
            )
            assert app.main.session is not None and app.main.session.log is not None
            assert app.main.session.log.path == str(log)
            assert len(app.store.known.sessions) == 1


async def test_the_first_time_a_line_says_what_to_press(root: Path) -> None:
    await made(root, "one", start=False)
    async with opened(root, (80, 24)) as (app, pilot):
        await until(pilot, lambda: "New here?" in shown(app))
        assert all(len(line) <= 80 for line in shown(app).splitlines())
        await pilot.press("escape")
        await until(pilot, lambda: "New here?" not in shown(app))
    async with opened(root, (80, 24)) as (app, pilot):
        await until(pilot, lambda: state_of(app, "one") is State.WAITING)
        assert "New here?" not in shown(app)


async def test_every_look_is_put_on_in_turn(root: Path) -> None:
    from barista_tui.theme import LOOKS

    async with opened(root) as (app, pilot):
        seen = []
        for _ in LOOKS:
            seen.append(app.look)
            await pilot.press("T")
        assert seen == list(LOOKS) and app.look == seen[0]
