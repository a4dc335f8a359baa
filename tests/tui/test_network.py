"""The network's pane, through a real agent."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from textual.pilot import Pilot
from textual.widgets import Input

from barista_server.api.link import Link
from barista_server.api.messages import NewSession, SessionInfo, SessionReply
from barista_tui.app import BaristaApp
from barista_tui.panes.network import NetworkPane
from tests.caffe_files.zoo import googlenet

from .support import NET, opened, shown, solver, until

TESTED = "test_iter: 1\ntest_interval: 50\n"


async def made_of(root: Path, net: str) -> SessionInfo:
    link = await Link.open(root)
    call = NewSession(name="it", solver=solver(extra=TESTED), net=net, caffe="scripted")
    session = (await link.call(call, SessionReply)).session
    await link.close()
    return session


async def network(app: BaristaApp, pilot: Pilot[None]) -> NetworkPane:
    await until(pilot, lambda: app.main.session is not None)
    await pilot.press("3")
    pane = cast(NetworkPane, app.main.pane("network"))
    await until(pilot, lambda: pane.view is not None)
    await until(pilot, lambda: pane.list.has_focus)
    return pane


def chosen(pane: NetworkPane) -> str:
    return pane.list.chosen.name if pane.list.chosen else ""


async def test_googlenet_is_walked_folded_searched_and_switched(root: Path) -> None:
    await made_of(root, googlenet(1))
    async with opened(root, (80, 24)) as (app, pilot):
        pane = await network(app, pilot)
        await pilot.press(*["down"] * 12)
        assert chosen(pane) == "3a/1x1/relu" and "├─│─●     3a/1x1 " in shown(app)
        await pilot.press("left")
        assert chosen(pane) == "3a/1x1/"
        await pilot.press("left")
        assert chosen(pane) == "3a/" and "14 layers" in shown(app)
        assert "layers folded" in shown(app)
        await pilot.press("right")
        assert "3a/1x1/" in shown(app)
        await pilot.press("minus")
        await until(pilot, lambda: "◆ │   5b/" in shown(app) or "◆ │ 3b/" in shown(app))
        folded = len(pane.list.rows)
        await pilot.press("plus", "home", "slash", *"concat", "enter")
        assert chosen(pane) == "3a/out" and "9 found" in shown(app)
        await pilot.press("right_square_bracket")
        assert chosen(pane) == "3b/out"
        await pilot.press("left_square_bracket", "left_square_bracket")
        assert chosen(pane) == "5b/out"
        assert folded < 30 < len(pane.list.rows)
        await pilot.press("escape", "v")
        await until(pilot, lambda: "test net #0" in shown(app))
        assert chosen(pane) == "5b/out"
        await pilot.press("end")
        assert "accuracy" in shown(app).lower()
        await pilot.press("escape")
        assert app.main.active == "sessions"


async def test_details_show_the_text_and_a_changed_file_is_read_again(root: Path) -> None:
    session = await made_of(root, NET)
    async with opened(root, (160, 45)) as (app, pilot):
        pane = await network(app, pilot)
        await pilot.press("down", "x")
        await until(pilot, lambda: "blobs 2 3, 2: 8 of its own" in shown(app))
        assert "inner_product_param { num_output: 2 } }" in shown(app)
        await pilot.press("escape")
        assert pane.list.has_focus
        file = Path(session.folder) / "net.prototxt"
        file.write_text(NET.replace("num_output: 2", "num_output: 9"))
        await until(pilot, lambda: "net.prototxt:7" in shown(app) and "blobs 9 3, 9" in shown(app))
        assert chosen(pane) == "ip", "the cursor stays"
        file.write_text('layer {\n  name: "a" type "b"\n}')
        await until(pilot, lambda: pane.report is None and "net.prototxt:2 " in shown(app))
        assert "no net that can be shown" in shown(app)
        file.write_text(NET)
        await until(pilot, lambda: "blobs 2 3, 2" in shown(app))


async def test_a_hidden_pane_asks_nothing(root: Path) -> None:
    session = await made_of(root, NET)
    async with opened(root, (80, 24)) as (app, pilot):
        pane = await network(app, pilot)
        before = pane.report
        await pilot.press("0")
        (Path(session.folder) / "net.prototxt").write_text(NET.replace("tiny", "other"))
        pane._next_check = 0.0
        pane._look_at_files()
        assert pane._next_check == 0.0 and pane.report is before
        await pilot.press("3")
        await until(pilot, lambda: pane.view is not None and pane.view.name == "other")
        assert not pane.query_one("#net-search", Input).display
