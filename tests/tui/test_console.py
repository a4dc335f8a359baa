"""The console through a real agent: filters, the merged view, search, going to lines and points, files."""

from __future__ import annotations

import base64
import re
from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Input

from barista_server.api.link import Link
from barista_server.api.messages import ImportLog, SessionReply, State
from barista_tui.app import BaristaApp
from barista_tui.panes.console import ConsolePane

from .support import made, opened, shown, solver, state_of, until

MERGED = re.compile(r"\[\d\d:\d\d:\d\d, (Session \d|Log \d|Agent|Barista)\] .")
HOSTILE = (
    b"I1124 16:00:00.000000  4711 solver.cpp:218] Iteration 7, loss = 1\n"
    b"\x1b]52;c;aGFja2Vk\x07\x1b[2J\x1b[31mW1124 evil \x9b5n \xc2\x9b31m\xe2\x80\xaetxet end\n"
)


async def prepared(root: Path, tmp_path: Path) -> None:
    """*talker*, which trains; *dying*, which fails; a hostile log of others."""
    await made(root, "talker", text=solver(speed=30, burst=20_000, extra="test_interval: 100\n"))
    await made(root, "dying", text=solver(speed=0, burst=500, fatal_at=30, display=1))
    log = tmp_path / "hostile.log"
    log.write_bytes(HOSTILE)
    link = await Link.open(root)
    await link.call(ImportLog(path=str(log)), SessionReply)
    await link.close()


async def typed(pilot: Pilot[None], text: str) -> None:
    """A text into the input that has the focus."""
    field = pilot.app.focused
    assert isinstance(field, Input)
    field.value = text
    await pilot.press("enter")


async def test_the_console(root: Path, tmp_path: Path) -> None:
    await prepared(root, tmp_path)
    async with opened(root) as (app, pilot):
        app.main.want("talker")
        await until(pilot, lambda: app.main.session is not None and app.main.session.name == "talker")
        await until(pilot, lambda: state_of(app, "dying") is State.FAILED)
        await until(pilot, lambda: app.main.session is not None and app.main.session.iteration > 30)
        await pilot.press("space")
        await until(pilot, lambda: state_of(app, "talker") is State.PAUSED)
        await pilot.press("space", "2")
        await until(pilot, lambda: "run 2 of 2" in shown(app) and app.main.console.total > 20_000)
        await searched(app, pilot)
        await chosen(app, pilot)
        await gone_to(app, pilot)
        await taken_along(app, pilot, tmp_path)
        await merged(app, pilot)


async def searched(app: BaristaApp, pilot: Pilot[None]) -> None:
    """Text as it is typed, regular expressions at enter, only what matches, and patterns that are none."""
    console, search = app.main.console, app.main.console_pane.search
    await pilot.press("slash", *"burst 0199")
    await until(pilot, lambda: "burst 019999" in shown(app) and "100 of 100" in shown(app))
    assert not console.follow and console.row(console.cursor or 0).message == "burst 019999"  # type: ignore[union-attr]
    await pilot.press("enter", "N")
    await until(pilot, lambda: "99 of 100" in shown(app))
    await pilot.press("n", "n")
    await until(pilot, lambda: "1 of 100" in shown(app) and "burst 019900" in shown(app))
    await pilot.press("slash", "alt+c")
    await typed(pilot, "BURST 0199")
    await until(pilot, lambda: "not found" in shown(app) and "[Aa]" in shown(app))
    await pilot.press("alt+c", "alt+r", "slash")
    await typed(pilot, r"burst (0\d)\1\1$")
    await until(pilot, lambda: search.hits.complete and len(search.hits.places) == 2)
    await pilot.press("ampersand")
    await until(pilot, lambda: console.total == 2)
    await until(pilot, lambda: "burst 000000" in shown(app))
    marked = [
        segment.text
        for line in app.screen._compositor.render_strips()
        for segment in line
        if segment.style is not None and segment.style.reverse and "burst" in segment.text
    ]
    assert marked and all(re.fullmatch(r"burst \d{6}", each) for each in marked)
    await pilot.press("ampersand")
    await until(pilot, lambda: console.total > 20_000)
    await pilot.press("slash")
    await typed(pilot, "(a")
    await until(pilot, lambda: "is no regular expression: missing )" in shown(app))
    await pilot.press("slash")
    await typed(pilot, r"(\w+\s*)+[!?]")
    await until(pilot, lambda: "takes too long" in shown(app))
    await pilot.press("escape")
    assert not search.line.is_open and search.find is None


async def chosen(app: BaristaApp, pilot: Pilot[None]) -> None:
    """Types and runs from lists that drop down."""
    console = app.main.console
    await pilot.press("f", *"metr", "enter")
    await until(pilot, lambda: 0 < console.total < 20_000 and "Metrics" in shown(app))
    assert "burst" not in "".join(shown(app).splitlines()[-14:])
    await pilot.click("#dock-title", offset=(shown(app).splitlines()[30].index("Metrics"), 0))
    await until(pilot, lambda: "no errors, no warnings" in shown(app))
    await pilot.press("home", "enter", "left_square_bracket")
    await until(pilot, lambda: "run 1 of 2" in shown(app) and console.total > 20_000)
    assert console.source is not None and console.source.run == 1
    await until(pilot, lambda: "Optimization" in shown(app))
    app.main.console_pane.choose_run()
    await until(pilot, lambda: "exit code 0" in shown(app))
    await pilot.press("home", "enter")
    await until(pilot, lambda: console.source is not None and console.source.run == 2)


async def gone_to(app: BaristaApp, pilot: Pilot[None]) -> None:
    """Lines, iterations, the plot and back, the line that tells of a failure."""
    console, plot = app.main.console, app.main.plot
    await pilot.press("colon")
    await typed(pilot, "15000")
    await until(pilot, lambda: console.cursor == 14_999 and console.row(14_999) is not None)
    await pilot.press("colon")
    await typed(pilot, "i 20")
    await until(pilot, lambda: console.source is not None and console.source.run == 1)
    await until(pilot, lambda: "Iteration 20 (" in here(app.main.console_pane))
    await pilot.press("down")
    assert "Train net output" in here(app.main.console_pane)
    await pilot.press("p")
    await until(pilot, lambda: plot.has_focus and plot.cursor == 20)
    await pilot.press("p")
    await until(pilot, lambda: console.has_focus and "Iteration 20 (" in here(app.main.console_pane))
    key = app.main.key
    assert key is not None
    app.main.console_pane.show_line(key, 2, 12_345)
    await until(pilot, lambda: console.has_focus and console.cursor == 12_345)
    assert console.source is not None and console.source.run == 2


def here(pane: ConsolePane) -> str:
    row = pane.row_here()
    return row.text if row is not None else ""


async def taken_along(app: BaristaApp, pilot: Pilot[None], tmp_path: Path) -> None:
    """To the clipboard as OSC 52, to a file: all, or what matches."""
    console, written = app.main.console, list[str]()
    app._driver.write = written.append  # type: ignore[union-attr, method-assign]
    await until(pilot, lambda: console.row(12_345) is not None)
    await pilot.press("shift+down", "shift+down", "y")
    rows = [console.row(index) for index in range(12_345, 12_348)]
    text = "\n".join(row.text for row in rows if row is not None)
    assert text.count("\n") == 2 and app.clipboard == text
    assert f"\x1b]52;c;{base64.b64encode(text.encode()).decode()}\a" in written
    await until(pilot, lambda: "Copied: 3 lines" in shown(app))
    await pilot.press("left_square_bracket")
    await until(pilot, lambda: console.source is not None and console.source.run == 1 and console.total > 1)
    log = (Path(app.main.session.folder) / "runs" / "0001" / "caffe.log").read_text()  # type: ignore[union-attr]
    await pilot.press("S")
    await typed(pilot, str(tmp_path / "all.log"))
    await until(pilot, lambda: (tmp_path / "all.log").exists())
    assert (tmp_path / "all.log").read_text() == log
    await pilot.press("slash", "alt+r")
    await typed(pilot, "burst 00012")
    await until(pilot, lambda: app.main.console_pane.search.hits.complete)
    await pilot.press("ampersand", "S")
    await typed(pilot, str(tmp_path / "some.log"))
    await until(pilot, lambda: (tmp_path / "some.log").exists())
    assert [line[-12:] for line in (tmp_path / "some.log").read_text().splitlines()] == [
        f"burst 00012{digit}" for digit in range(10)
    ]
    await pilot.press("S")
    await typed(pilot, str(tmp_path / "some.log"))
    await until(pilot, lambda: "it is there already" in shown(app))
    await pilot.press("escape", "right_square_bracket")


async def merged(app: BaristaApp, pilot: Pilot[None]) -> None:
    """Everybody, by type, one by one; nothing of a hostile log is obeyed."""
    console, pane = app.main.console, app.main.console_pane
    await pilot.press("c", *"sessions, inputs", "enter")
    await until(pilot, lambda: len(pane.rows) > 100)
    await until(pilot, lambda: console.follow and console.scroll_offset.y > 0)
    dock = shown(app).splitlines()[31:42]
    assert all(MERGED.match(line[1:]) for line in dock), dock
    await pilot.press("f", *"err", "enter")
    await until(pilot, lambda: "Session 2] Check failed: error == cudaSuccess" in shown(app))
    assert {row.kind for row in pane.rows} <= {"error", "warning"}
    assert any("was not written" in row.text for row in pane.rows), "what this program could not do is there"
    await pilot.press("c", *"session 2", "enter")
    await until(pilot, lambda: {row.caller for row in pane.rows} == {"Session 2"})
    await pilot.press("f", "home", "enter")
    await until(pilot, lambda: len(pane.rows) > 100)
    assert not any("created: dying" in row.text for row in pane.rows), "older lines are not asked for yet"
    await pilot.press("g")
    await until(pilot, lambda: any("created: dying" in row.text for row in pane.rows))
    await pilot.press("c", *"log 3", "enter")
    await until(pilot, lambda: any("txet" in row.text for row in pane.rows))
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202e]", "".join(row.text for row in pane.rows))
    assert "hacked" not in app.clipboard
    await pilot.press("slash", "alt+r")
    await typed(pilot, r"ev[i]l")
    await until(pilot, lambda: "1 of 1" in shown(app))
    await pilot.press("escape", "v")
    await until(pilot, lambda: console.source is not None)
    app.main.want("dying")
    await until(pilot, lambda: app.main.session is not None and app.main.session.name == "dying")
    await pilot.press("e")
    await until(pilot, lambda: "Check failed: error == cudaSuccess" in here(pane))
