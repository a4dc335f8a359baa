"""The plot through a real agent: two logs overlaid, looked at in every way, exported, found as they were."""

from __future__ import annotations

import math
from pathlib import Path

from barista_server.api.link import Link
from barista_server.api.messages import ImportLog, SessionReply
from barista_tui.app import BaristaApp
from barista_tui.plotting.scene import sign_of
from barista_tui.screens.plot_chooser import Checks, PlotChooser
from barista_tui.store import Key

from .support import opened, shown, until

ONE, TWO = Key("local", "1"), Key("local", "2")


def write_log(path: Path, displays: int, fall: float, bad: int = -1) -> None:
    """A display every 20 iterations and every second, a test at every tenth of them; NaN from ``bad`` on."""
    lines, second = ["I1124 10:00:00.000000  1 caffe.cpp:248] Starting Optimization"], 0

    def say(source: str, text: str) -> None:
        lines.append(f"I1124 10:{second // 60:02}:{second % 60:02}.000000  1 {source}] {text}")

    for number in range(displays):
        iteration, loss = 20 * number, 2 * math.exp(-number / fall) + 0.01
        if number % 10 == 0:
            say("solver.cpp:337", f"Iteration {iteration}, Testing net (#0)")
            say("solver.cpp:404", f"    Test net output #0: accuracy = {1 - loss / 2.5:.4f}")
        value = "nan" if 0 <= bad <= number else f"{loss:.6g}"
        say("solver.cpp:228", f"Iteration {iteration}, loss = {value}")
        say("solver.cpp:244", f"    Train net output #0: loss = {value} (* 1 = {value} loss)")
        say("sgd_solver.cpp:106", f"Iteration {iteration}, lr = {0.01 if number < 100 else 0.001:g}")
        second += 1
    path.write_text("\n".join(lines) + "\n")


async def imported(root: Path, *logs: Path) -> None:
    link = await Link.open(root)
    for log in logs:
        await link.call(ImportLog(path=str(log), name=log.stem), SessionReply)
    await link.close()


def named(app: BaristaApp) -> list[str]:
    """``1 train loss`` for each curve that is not off."""
    return [f"{each.name.session.session} {each.label}" for each in app.main.plot.curves if not each.off]


def here(app: BaristaApp) -> str:
    """The line that the console's cursor is on."""
    console = app.main.console
    row = console.row(console.cursor) if console.cursor is not None else None
    return row.text if row is not None else ""


async def test_two_logs_in_one_plot(root: Path, tmp_path: Path) -> None:
    base, wild = tmp_path / "base.log", tmp_path / "wild.log"
    write_log(base, 200, 40.0)
    write_log(wild, 120, 90.0, bad=100)
    await imported(root, base, wild)
    async with opened(root) as (app, pilot):
        main, plot = app.main, app.main.plot
        await until(pilot, lambda: len(app.main.list.model.sessions) == 2 and plot.curves)
        # The marked sessions, and the selected one: each curve with a sign of its own, which it keeps.
        await pilot.press("t")
        await until(pilot, lambda: {each.name.session for each in plot.curves} == {ONE, TWO})
        signs = {each.name: each.slot for each in plot.curves}
        assert sorted(signs.values()) == list(range(4))
        assert main.key == ONE and main.sessions.marked == (TWO,)
        await pilot.press("t")
        await until(pilot, lambda: main.sessions.marked == (TWO, ONE))
        assert {each.name: each.slot for each in plot.curves} == signs
        await until(pilot, lambda: "2 wild train loss" in shown(app) and "1 base train loss" in shown(app))
        for slot in range(4):
            assert shown(app).count(sign_of(slot)) >= 2
        assert "✖" in shown(app) and "★" in shown(app)

        # The cursor, by keys and by the mouse; space switches off the curve that it is on.
        await pilot.press("1", "home", "right", "down")
        assert plot.cursor is not None and 0 < plot.cursor < 100 and plot.chosen == plot.curves[1].name
        await until(pilot, lambda: f"▴ {plot.cursor:.0f}" in shown(app))
        await pilot.click(plot, offset=(plot._now().left + 20, 8))
        assert 500 < plot.cursor < 2500
        first = plot.curves[0]
        plot.choose(first.name)
        await pilot.press("space")
        assert "2 train loss" not in named(app) and len(plot.curves) == 4
        await pilot.press("space", "b")
        assert "2 train loss" in named(app) and first.best is not None and plot.cursor == first.best.x

        # To the line that told of the point, and back from another one.
        await pilot.press("enter")
        await until(pilot, lambda: main.active == "console" and main.console.cursor is not None)
        at = f"Iteration {first.best.x:.0f}, loss = "
        await until(pilot, lambda: at in here(app))
        assert main.key == first.name.session
        await pilot.press("up", "up", "up", "p")
        await until(pilot, lambda: main.active == "plot" and plot.cursor == first.best.x - 20)
        assert plot.chosen is not None and plot.chosen.session == first.name.session

        # The other axes: seconds since each one's beginning, the time of day, logarithms.
        await pilot.press("x")
        await until(pilot, lambda: plot.curves and max(plot.curves[0].x) == 119)
        await pilot.press("x")
        await until(pilot, lambda: plot.curves and min(each.x[0] for each in plot.curves) > 1e9)
        assert "not of the time of day" not in shown(app)
        await pilot.press("ctrl+l")
        await until(pilot, lambda: "not of the time of day" in shown(app))
        await pilot.press("x", "ctrl+l", "L", "l")
        await until(pilot, lambda: plot.curves and "iteration (log)" in shown(app))
        assert (plot.view.log, plot.view.log_right, plot.view.log_x) == (True, True, True)
        await pilot.press("ctrl+l", "L", "l")
        await until(pilot, lambda: plot.curves and "linear  iteration" in shown(app))

        # Zooming draws what is there, and then finer.
        await pilot.press("plus", "plus", "plus")
        assert plot.zoomed and plot.curves
        await until(pilot, lambda: all(each.part is not None for each in plot.sources.values()))
        await pilot.press("z")

        # Metrics by phase, and sessions, are chosen in one dialog; what has another scale has the right axis.
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, PlotChooser) and "☐ TRAIN  lr" in shown(app))
        assert "☑ TEST   accuracy" in shown(app)
        await pilot.press("down", "space")
        await until(pilot, lambda: "1 lr" in named(app) and "2 lr" in named(app))
        await pilot.press("up", "space", "down", "tab")
        await until(pilot, lambda: "1 train loss" not in named(app))
        assert isinstance(app.focused, Checks) and "☑   1 ≡ base" in shown(app)
        await pilot.press("escape")
        rate = next(each for each in plot.curves if each.label == "lr")
        assert {each.label: each.right for each in plot.curves} == {"test accuracy": False, "lr": True}
        plot.choose(rate.name)
        await pilot.press("y")
        assert not any(each.right for each in plot.curves)

        # Just what is shown is exported.
        for each in list(plot.curves):
            if each.name.session == TWO:
                plot.toggle_curve(each.name)
        target = tmp_path / "out.csv"
        await pilot.press("e")
        await until(pilot, lambda: "Export 2 curves of 1 session as" in shown(app))
        await pilot.press("enter")
        await until(pilot, lambda: "Write to" in shown(app) and "base.csv" in shown(app))
        app.screen.query_one("#answer").value = str(target)
        await pilot.press("enter")
        await until(pilot, target.exists)
        lines = target.read_text().splitlines()
        assert lines[:3] == ["# base TRAIN", "Iterations; Time; base.TRAIN.lr", "0; 0.000000; 0.01"]
        assert lines[202:206] == [
            "",
            "# base TEST",
            "Iterations; Time; base.TEST.accuracy",
            "0; 0.000000; 0.196",
        ]
        assert len(lines) == 202 + 3 + 20
        before = app.settings

    # The next start looks as this one did.
    async with opened(root) as (app, pilot):
        plot = app.main.plot
        await until(pilot, lambda: named(app) == ["1 test accuracy", "1 lr"])
        assert app.settings == before and app.main.sessions.marked == (TWO, ONE)
