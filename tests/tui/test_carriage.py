"""Sessions carried between two real agents from the screen: moved, put, fetched, deployed, and stopped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from textual.pilot import Pilot
from textual.widgets import Checkbox, Input, OptionList, Select

from barista_server.api.link import Link
from barista_server.api.messages import (
    AddDataset,
    DatasetReply,
    Done,
    Keep,
    PauseSession,
    SessionReply,
    State,
    StopAgent,
)
from barista_tui.app import BaristaApp
from barista_tui.screens.confirm import ConfirmScreen
from barista_tui.screens.form import FormScreen
from barista_tui.store import Key
from barista_tui.target import Target

from ..cli.test_deploy import lenet
from ..data import dataset_files
from .support import made, shown, until

BALLAST = 24 << 20


class Other(Target, frozen=True):
    """A second root of this machine, which the screen takes for another host."""

    @property
    def name(self) -> str:
        return "gpu01"


@pytest_asyncio.fixture
async def other(root: Path) -> AsyncIterator[Other]:
    folder = root.parent / "other"
    folder.mkdir()
    (folder / "caffes.json").write_bytes((root / "caffes.json").read_bytes())
    yield Other(folder)
    link = await Link.open(folder)
    for session in await sessions(folder):
        if session == "mine":
            await link.call(PauseSession(session=session, force="kill"), SessionReply)
    await link.call(StopAgent(), Done)
    await link.wait_closed()


async def sessions(root: Path) -> list[str]:
    """Names of what trains there."""
    from barista_server.api.messages import ListSessions, SessionList

    link = await Link.open(root)
    found = (await link.call(ListSessions(), SessionList)).sessions
    await link.close()
    return [one.name for one in found if one.state in (State.RUNNING, State.PAUSING)]


async def asked(app: BaristaApp, pilot: Pilot[None], key: str, **answers: str | bool) -> None:
    """Press a key, fill in the form that it opens, and take it."""
    await pilot.press(key)
    await until(pilot, lambda: isinstance(app.screen, FormScreen))
    for name, answer in answers.items():
        widget = app.screen.query_one(f"#field-{name}")
        if isinstance(widget, Select | Input | Checkbox):
            widget.value = answer
    await pilot.press("ctrl+s")
    await until(pilot, lambda: not isinstance(app.screen, FormScreen))


SAID: list[str] = []
"""All that was said in the test; the messages themselves leave the screen after seconds."""


def told(app: BaristaApp) -> str:
    return "\n".join(SAID)


def state(app: BaristaApp, host: str, name: str) -> State | None:
    found = app.store.known.host(host).sessions.values()
    return next((each.state for each in found if each.name == name), None)


async def test_sessions_go_from_host_to_host(root: Path, other: Other, tmp_path: Path) -> None:
    data = dataset_files.lmdb(tmp_path / "digits")
    link = await Link.open(root)
    await link.call(AddDataset(path=str(data), name="digits"), DatasetReply)
    await link.close()
    await made(root, "mine")
    app = BaristaApp(Target(root), "tests", others=[other])
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        say = app.main.say
        app.main.say = lambda text, severity: (SAID.append(text), say(text, severity))[1]
        await until(pilot, lambda: app.store.known.host("gpu01").alive)
        await until(pilot, lambda: (one := app.main.session) is not None and one.loss is not None)
        # A session without snapshots cannot be deployed; the reason is said.
        await pilot.press("D")
        await until(pilot, lambda: "no snapshot yet" in told(app))
        await moved_and_fetched(app, pilot, tmp_path)
        await stopped_and_brought(app, pilot, lenet(tmp_path / "lenet"))
        place = tmp_path / "net.tar.gz"
        await asked(app, pilot, "D", into=str(place), check=False, batch="2")
        await until(pilot, lambda: f"net is deployed: {place}" in told(app))
        assert (await asyncio.to_thread(place.stat)).st_size > 1000
        # How many snapshots stay is chosen where they are; the disk's room is told there.
        app.main.show_pane("snapshots")
        await asked(app, pilot, "a", last="3")
        await until(pilot, lambda: (one := app.main.session) is not None and one.keep == Keep(last=3))
        await until(pilot, lambda: "the disk has room for these" in shown(app))
        await copied_once(app, pilot)
        # What was said with its place can be read again.
        assert any(str(place) in notice.text for notice in app.store.known.notices)


async def beside_each_other(app: BaristaApp, pilot: Pilot[None]) -> None:
    """One of this host and one of the other: told apart, and in one table."""
    app.main.want("1", "local")
    await until(pilot, lambda: app.main.key == Key("local", "1"))
    await pilot.press("t")
    app.main.want("1", "gpu01")
    await until(pilot, lambda: app.main.key == Key("gpu01", "1"))
    await pilot.press("V")
    await until(pilot, lambda: "Caffe would do the same with both" in shown(app))
    assert "local:1 mine → gpu01:1 mine" in shown(app)
    await pilot.press("escape", "S")
    rows = ("local:1 mine", "gpu01:1 mine", "2 sessions, settings that differ ")
    await until(pilot, lambda: all(row in shown(app) for row in rows) and "of 2 read" not in shown(app))
    await pilot.press("escape", "t")
    app.main.want("1", "local")
    await until(pilot, lambda: app.main.key == Key("local", "1"))
    await pilot.press("t")
    app.main.want("1", "gpu01")


async def moved_and_fetched(app: BaristaApp, pilot: Pilot[None], place: Path) -> None:
    """A running session goes on at the other host; a snapshot of it comes here."""
    await asked(app, pilot, "M", to="gpu01")
    await until(pilot, lambda: "mine is on gpu01 as 1 now" in told(app))
    # Its host tells that it runs, which may come a moment after the answer.
    await until(pilot, lambda: state(app, "gpu01", "mine") is State.RUNNING and not app.works.any)
    await until(pilot, lambda: app.main.key == Key("gpu01", "1"))
    assert state(app, "local", "mine") is None
    # What it left behind can be had back.
    await pilot.press("u")
    await until(pilot, lambda: state(app, "local", "mine") is State.PAUSED)
    await beside_each_other(app, pilot)
    await until(pilot, lambda: app.main.key == Key("gpu01", "1") and bool(app.main.session.snapshots))
    await asked(app, pilot, "y", into=str(place / "here"))
    await until(pilot, lambda: f"checked: {place / 'here'}" in told(app))
    found = await asyncio.to_thread(lambda: [one.suffix for one in (place / "here").iterdir()])
    assert sorted(found) == [".caffemodel", ".solverstate"]
    # Of a net that the scripted caffe only pretends to train no weights fit.
    await asked(app, pilot, "D", into=str(place / "none"), check=False)
    await until(pilot, lambda: "Not done: deploying mine." in told(app))
    assert not (place / "none").exists()


async def stopped_and_brought(app: BaristaApp, pilot: Pilot[None], folder: Path) -> None:
    """A folder on its way to the other host is stopped in the middle; the same again goes on."""
    (folder / "ballast").write_bytes(b"1234" * (BALLAST // 4))
    changed = app.works.changed

    def in_the_middle() -> None:
        changed()
        line = app.works._own[0].line if app.works._own else None
        if line is not None and line.done > BALLAST // 4 and not isinstance(app.screen, ConfirmScreen):
            app.leave()
            assert line.cancel is not None
            line.cancel()

    app.works.changed = in_the_middle
    await asked(app, pilot, "B", folder=str(folder), host="gpu01", name="net")
    # Leaving would end it: that is asked first. Stopped, it says how it goes on.
    await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
    app.works.changed = changed
    await until(pilot, lambda: "putting lenet on gpu01" in shown(app))
    await pilot.press("escape")
    await until(pilot, lambda: "the same again goes on from there" in told(app))
    assert state(app, "gpu01", "net") is None and not app.carried
    await asked(app, pilot, "B", folder=str(folder), host="gpu01", name="net")
    await until(pilot, lambda: "is a session of gpu01" in told(app))
    assert "putting lenet on gpu01 goes on: " in told(app)
    await until(pilot, lambda: app.main.key == Key("gpu01", "2"))


async def copied_once(app: BaristaApp, pilot: Pilot[None]) -> None:
    """A dataset goes to the other host, unless it is there."""
    known = app.store.known
    await until(pilot, lambda: all(one.content for one in known.host("local").datasets.values()))
    await pilot.press("f2")
    await until(pilot, lambda: "digits" in shown(app))
    for words in ("digits is on gpu01: ", "The same data as digits is on gpu01 already"):
        await pilot.press("c")
        await until(pilot, lambda: bool(app.screen.query("#answers")))
        app.screen.query_one("#answers", OptionList).action_select()
        await until(pilot, lambda words=words: words in told(app))
