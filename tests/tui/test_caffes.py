"""The screen of caffe builds, through a real agent that tries real programs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import msgspec
import pytest
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from barista_server.api.messages import CaffeInfo, SessionInfo, State
from barista_tui import caffelook
from barista_tui.app import BaristaApp
from barista_tui.caffelook import Look
from barista_tui.screens.add_caffe import AddCaffeScreen
from barista_tui.screens.caffes import CaffeManager
from barista_tui.screens.hosts import HostManager

from .support import made, opened, shown, until

OTHER = Path(__file__).parents[1] / "support" / "other_caffe.py"
SSD = CaffeInfo("ssd", ["/opt/ssd/caffe"], "1.0.0", kind="SSD", gpu=True, checked=90.0)
BROKEN = CaffeInfo("old", ["/opt/old"], problem="needs the library libq.so.6", hint="Install it.")
FRESH = CaffeInfo("/home/me/src/caffe-long-name/build/tools/caffe", ["x"], source="found")


def test_a_row_says_what_a_build_is_or_why_it_does_not_train() -> None:
    for width in (78, 150):
        look = Look(default="ssd", trying=frozenset({"box"}))
        rows = [caffelook.row(one, look, 100.0, width).plain for one in (SSD, BROKEN, FRESH)]
        assert rows[0].split() == ["●", "✔", "ssd", "SSD", "1.0.0", "yes", "added", "10", "s"]
        assert "✖ old" in rows[1] and "needs the library libq.so.6" in rows[1]
        assert "e/build/tools/caffe" in rows[2] and "not tried yet" in rows[2]
        trying = caffelook.row(CaffeInfo("box", ["x"], kind="SSD"), look, 100.0, width).plain
        assert "being tried" in trying
        assert all(len(row) <= width for row in (*rows, trying)) and len(caffelook.heading(width)) <= width


def test_details_name_command_hint_and_who_chose_it() -> None:
    session = SessionInfo(id="3", name="lenet", state=State.WAITING, folder="", created=0.0, caffe="old")
    told = caffelook.details(BROKEN, Look(default="old", sessions=(session,)), 100.0).plain
    for words in ("needs the library libq.so.6", "→ Install it.", "/opt/old", "3 lenet", "of new sessions"):
        assert words in told


@pytest.mark.parametrize(
    ("deed", "one", "look", "why"),
    [
        ("try", SSD, Look(alive=False), "not connected"),
        ("try", SSD, Look(viewer=True, admin=False), "may only look"),
        ("add", None, Look(admin=False), 'barista-role="admin"'),
        ("remove", SSD, Look(admin=False), "may choose among the builds of gpu01"),
        ("default", SSD, Look(admin=False), None),
        ("remove", FRESH, Look(), "while its file is there"),
        ("rename", None, Look(), "no build is chosen"),
        ("try", SSD, Look(trying=frozenset({"ssd"})), "is being tried"),
        ("remove", SSD, Look(), None),
    ],
)
def test_what_cannot_be_done_says_why(deed: str, one: CaffeInfo | None, look: Look, why: str | None) -> None:
    refused = caffelook.refused(deed, one, look, "gpu01")
    assert (refused is None) if why is None else (refused is not None and why in refused)


def test_names_come_from_what_tells_a_path() -> None:
    names = {
        "/opt/nvcaffe/bin/caffe": "nvcaffe",
        "/home/me/caffe-ssd/.build_release/tools/caffe.bin": "caffe-ssd",
        "/home/me/in box.sh": "in-box",
        "/usr/bin/caffe": "usr",
    }
    assert {path: caffelook.name_for([path]) for path in names} == names
    assert caffelook.split("/opt/run --image 'nv caffe'") == ["/opt/run", "--image", "nv caffe"]
    for command in ("", "'x"):
        with pytest.raises(ValueError):
            caffelook.split(command)


async def test_builds_are_added_tried_chosen_renamed_and_taken_off(root: Path) -> None:
    await made(root, "mine", start=False)
    async with opened(root, (100, 30)) as (app, pilot):
        await pilot.press("f3")
        await until(pilot, lambda: isinstance(app.screen, HostManager))
        await until(pilot, lambda: "c Caffes" in shown(app))
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, CaffeManager))
        # What was never tried is tried by itself.
        await until(pilot, lambda: row(app, "scripted").split()[:2] == ["✔", "scripted"], 60)
        await until(pilot, lambda: row(app, "embedded").split()[:2] == ["✔", "embedded"], 60)
        await until(pilot, lambda: "chosen by  1 mine" in shown(app))

        await add(app, pilot, "/no/such/caffe", "gone")
        await until(pilot, lambda: "is not there or not executable" in shown(app))
        assert "Add all the same" not in shown(app)
        await fill(app, pilot, f"{sys.executable} {OTHER} elsewhere", "box")
        await until(pilot, lambda: "does not see the folder" in shown(app))
        await pilot.click("#unchecked")
        await until(pilot, lambda: row(app, "box").startswith("  ✖ box  ") and "A container" in shown(app))

        await pilot.press("e")
        await pilot.pause()
        app.screen.query_one(Input).value = "embedded"
        await pilot.press("enter")
        await until(pilot, lambda: "box was not renamed" in shown(app))
        await pilot.press("e")
        await pilot.pause()
        app.screen.query_one(Input).value = "container"
        await pilot.press("enter")
        await until(pilot, lambda: "✖ container" in row(app, "container"))
        await pilot.press("space")
        await until(pilot, lambda: row(app, "container").startswith("● ✖") and default(root) == "container")
        await pilot.press("space")
        await until(pilot, lambda: row(app, "container").startswith("  ✖") and default(root) == "")

        app.screen.query_one(OptionList).highlighted = 0
        await pilot.press("d")
        await until(pilot, lambda: "no file was deleted; 1 session" in shown(app))
        assert names(root) == ["container"]
        await pilot.press("u")
        await until(pilot, lambda: names(root) == ["scripted", "container"])
        tried = builds(app)["scripted"].checked
        await pilot.press("r")
        await until(pilot, lambda: builds(app)["scripted"].checked not in (None, tried))

        # As the agent tells it to a key that may choose, but not say what is run.
        host = app.fleet["local"]
        assert host.welcome is not None and host.welcome.admin
        host.welcome = msgspec.structs.replace(host.welcome, admin=False)
        await until(pilot, lambda: "with this key you may choose" in shown(app) and "a Add" not in shown(app))
        await pilot.press("d")
        assert names(root) == ["scripted", "container"]
        await pilot.press("escape", "escape")
        await until(pilot, lambda: app.screen is app.main)


async def add(app: BaristaApp, pilot: Pilot[None], command: str, name: str) -> None:
    await pilot.press("a")
    await until(pilot, lambda: isinstance(app.screen, AddCaffeScreen))
    await fill(app, pilot, command, name)


async def fill(app: BaristaApp, pilot: Pilot[None], command: str, name: str) -> None:
    app.screen.query_one("#command", Input).value = command
    app.screen.query_one("#name", Input).value = name
    await pilot.pause()
    await pilot.press("enter")


def builds(app: BaristaApp) -> dict[str, CaffeInfo]:
    assert isinstance(app.screen, CaffeManager)
    return {one.name: one for one in app.screen._found or []}


def row(app: BaristaApp, name: str) -> str:
    """The line of the list with that name, as it is shown; empty where there is none."""
    return next((line for line in shown(app).splitlines()[2:] if line[4:].startswith(f"{name} ")), "")


def default(root: Path) -> str:
    return str(json.loads((root / "defaults.json").read_text()).get("caffe", ""))


def names(root: Path) -> list[str]:
    return [one["name"] for one in json.loads((root / "caffes.json").read_text())]
