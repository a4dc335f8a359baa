"""Clone, diff, compare and family tree on the screen, through a real agent: one journey."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static

from barista_server.api.link import Link
from barista_server.api.messages import NewSession, SessionReply, StartSession, State
from barista_tui.app import BaristaApp
from barista_tui.screens.clone import CloneScreen
from barista_tui.screens.compare import CompareScreen
from barista_tui.screens.device_pick import DevicePick
from barista_tui.screens.diff import DiffScreen
from barista_tui.screens.tree import TreeScreen

from .support import NET, opened, shown, solver, state_of, until

TEXT = solver(20, extra="snapshot: 10\ntest_iter: 1\ntest_interval: 10\n", speed=0, model_size=3)
FITS = NET.replace("num_output: 2 }", "num_output: 1 bias_term: false }").replace("dim: 2 }", "dim: 1 }")
"""What the scripted caffe writes fits it."""


async def _select(app: BaristaApp, pilot: Pilot[None], name: str) -> None:
    app.main.want(name)
    await until(pilot, lambda: app.main.session is not None and app.main.session.name == name)


async def _cloned(app: BaristaApp, pilot: Pilot[None], root: Path) -> None:
    """Of the older snapshot, by another name, started."""
    await pilot.press("c")
    await until(pilot, lambda: isinstance(app.screen, CloneScreen))
    origin = app.screen.query_one("#origin", OptionList)
    assert [option.id for option in origin.options] == ["20", "10", "none"]
    name = app.screen.query_one("#name", Input)
    await pilot.press("down", "enter")
    await until(pilot, lambda: name.has_focus)
    await pilot.press(*"faster")
    device = app.screen.query_one(DevicePick)
    await until(pilot, lambda: "CPU" in shown(app))
    device.type("gpu7")
    await pilot.press("ctrl+s")
    await until(pilot, lambda: "is no device" in str(app.screen.query_one("#error", Static).content))
    device.type("cpu")
    await pilot.press("ctrl+s")
    await until(pilot, lambda: app.screen is app.main)
    await until(pilot, lambda: state_of(app, "faster") is State.FINISHED)
    await until(pilot, lambda: app.main.session is not None and app.main.session.name == "faster")
    argv = json.loads((root / "sessions" / "2" / "runs" / "0001" / "command.json").read_text())["argv"]
    assert "--weights=pretrained/tiny_iter_10.caffemodel" in argv and not any(
        "--snapshot" in word for word in argv
    )


async def _told_apart(app: BaristaApp, pilot: Pilot[None], root: Path) -> None:
    path = root / "sessions" / "2" / "solver.prototxt"
    path.write_text(path.read_text().replace("base_lr: 0.01", "base_lr: 0.5"))
    await pilot.press("V")
    await until(pilot, lambda: "base_lr" in shown(app))
    line = next(row for row in shown(app).splitlines() if "base_lr" in row)
    assert isinstance(app.screen, DiffScreen) and line.split() == ["base_lr", "0.01", "0.5"]
    assert "1 lenet → 2 faster" in shown(app) and "1 field of the solver" in shown(app)
    await pilot.press("s")
    await until(pilot, lambda: "2 faster → 1 lenet" in shown(app) and "base_lr" in shown(app))
    await pilot.press("o")
    await until(pilot, lambda: "from which session" in shown(app) and "2 faster  parent" not in shown(app))
    await pilot.press("escape", "escape")
    await until(pilot, lambda: app.screen is app.main)


async def _beside(app: BaristaApp, pilot: Pilot[None], tmp_path: Path) -> None:
    await pilot.press("slash", *"none", "enter", "S")
    await until(pilot, lambda: "The list shows no session" in shown(app))
    await pilot.press("escape", "escape", "S")
    await until(pilot, lambda: "best test accuracy" in shown(app) and "1 lenet at 10" in shown(app))
    screen = app.screen
    assert isinstance(screen, CompareScreen) and "momentum2" not in shown(app)
    await until(pilot, lambda: "0.01" in shown(app) and "2 sessions, settings that differ" in shown(app))
    await pilot.press("right", "right", "o")
    heads = [str(column.label) for column in screen.table.ordered_columns]
    assert heads[:3] == ["session", "weights of", "base_lr ▴"]
    rows = [str(screen.table.get_row_at(row)[0]) for row in range(2)]
    assert rows == ["1 lenet", "2 faster"]
    await pilot.press("o")
    assert str(screen.table.get_row_at(0)[0]) == "2 faster", "again, backwards"
    await pilot.press("a")
    await until(pilot, lambda: "all settings" in shown(app) and len(screen.table.ordered_columns) > 30)
    await pilot.press("a", "e")
    answer = app.screen.query_one("#answer", Input)
    answer.value = str(tmp_path / "table.csv")
    await pilot.press("enter")
    await until(pilot, (tmp_path / "table.csv").exists)
    with (tmp_path / "table.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    told = [(row["name"], row["base_lr"], row["iterations"]) for row in table]
    assert told == [("faster", "0.5", "20"), ("lenet", "0.01", "20")]
    await pilot.press("down", "enter")
    await until(pilot, lambda: app.screen is app.main)
    await until(pilot, lambda: app.main.session is not None and app.main.session.name == "lenet")


async def _tree(app: BaristaApp, pilot: Pilot[None]) -> None:
    """The parent is deleted: it still stands where it was."""
    await pilot.press("d")
    await until(pilot, lambda: state_of(app, "lenet") is None)
    await pilot.press("Y")
    await until(pilot, lambda: "└─ 2 faster" in shown(app))
    assert isinstance(app.screen, TreeScreen)
    line = next(row for row in shown(app).splitlines() if "1 lenet" in row)
    assert line.split() == ["1", "lenet", "deleted"]
    assert "weights of iteration 10" in shown(app)
    await pilot.press("g", "enter")
    await until(pilot, lambda: "It was deleted" in shown(app))
    await pilot.press("j", "enter")
    await until(pilot, lambda: app.screen is app.main)
    await until(pilot, lambda: app.main.session is not None and app.main.session.name == "faster")


async def test_a_session_is_cloned_told_apart_compared_and_found_in_its_family(
    root: Path, tmp_path: Path
) -> None:
    link = await Link.open(root)
    call = NewSession(name="lenet", solver=TEXT, net=FITS, caffe="scripted")
    session = (await link.call(call, SessionReply)).session
    await link.call(StartSession(session=session.id), SessionReply)
    await link.close()
    async with opened(root, size=(140, 40)) as (app, pilot):
        await until(pilot, lambda: state_of(app, "lenet") is State.FINISHED)
        await _select(app, pilot, "lenet")
        await _cloned(app, pilot, root)
        await _told_apart(app, pilot, root)
        await _beside(app, pilot, tmp_path)
        await _tree(app, pilot)
