"""What a person does with the screen, through a real agent and a scripted caffe."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import msgspec
import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Select

from barista_server.api.messages import SeriesKey, State
from barista_tui.app import BaristaApp
from barista_tui.commands import Trashed
from barista_tui.plotting.sources import Ask, Window
from barista_tui.screens.confirm import ConfirmScreen
from barista_tui.screens.details import DetailsScreen
from barista_tui.screens.help import HelpScreen
from barista_tui.screens.main import MainScreen
from barista_tui.screens.new_session import NewSessionScreen
from barista_tui.store import Key
from barista_tui.target import Target

from .support import (
    NET,
    NOW,
    children_of,
    furnish,
    made,
    opened,
    shown,
    solver,
    state_of,
    training_curves,
    until,
)


async def test_from_files_to_a_paused_training_by_keys_alone(root: Path, tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "mine_solver.prototxt").write_text(solver(speed=300))
    async with opened(root) as (app, pilot):
        await until(pilot, lambda: "No sessions yet" in shown(app))
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, NewSessionScreen))
        origin = app.screen.query_one("#origin", OptionList)
        await until(pilot, lambda: origin.option_count >= 2)
        # As from a slow link: all keys at once.
        for key in ("end", "enter", *"a/b"):
            app.post_message(events.Key(key, key if len(key) == 1 else None))
        field = app.screen.query_one("#solver", Input)
        await until(pilot, lambda: app.focused is field and field.value == "a/b")
        field.value = str(tmp_path / "mine_solver.prototxt")
        caffe = app.screen.query_one("#caffe", Select)
        await until(pilot, lambda: "scripted" in str(caffe._options))
        caffe.value = "scripted"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, MainScreen))
        await until(pilot, lambda: state_of(app, "mine") is State.RUNNING)
        await until(pilot, lambda: app.main.console.total > 30 and app.main.plot.curves)
        await until(pilot, lambda: "loss = " in shown(app) and "train loss" in shown(app))
        await pilot.press("s")
        session = app.main.session
        assert session is not None
        await until(pilot, lambda: app.store.known.sessions[Key("local", session.id)].snapshots)
        await until(pilot, lambda: "snapshot taken at iteration" in shown(app))
        await pilot.press("space")
        await until(pilot, lambda: state_of(app, "mine") is State.PAUSED)
        await until(pilot, lambda: "Resume" in shown(app))
        await pilot.press("space")
        await until(pilot, lambda: state_of(app, "mine") is State.RUNNING)
        await until(pilot, lambda: app.main.console.source is not None and app.main.console.source.run == 2)


async def test_what_is_wrong_with_a_file_is_said_with_its_line(root: Path, tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "solver.prototxt").write_text('net: "net.prototxt"\nbase_lr: 0.01\nmax_iters: 3\n')
    async with opened(root, (80, 24)) as (app, pilot):
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, NewSessionScreen))
        await until(pilot, lambda: app.screen.query_one("#origin", OptionList).option_count >= 2)
        await pilot.press("end", "enter")
        field = app.screen.query_one("#solver", Input)
        field.value = str(tmp_path / "nothing.prototxt")
        await pilot.press("enter")
        await until(pilot, lambda: "nothing.prototxt" in str(app.screen.query_one("#error").render()))
        field.value = str(tmp_path / "solver.prototxt")
        await pilot.press("enter")
        await until(pilot, lambda: "max_iters" in str(app.screen.query_one("#error").render()))
        assert "solver.prototxt:3" in str(app.screen.query_one("#error").render())
        assert "Nothing was made" in str(app.screen.query_one("#error").render())
        assert field.has_class("-wrong")
        app.screen.query_one("#create-start").focus()
        await until(pilot, lambda: "Create and start" in shown(app))
        await pilot.press("escape")
        assert isinstance(app.screen, MainScreen)


async def test_queued_moved_and_taken_out_by_keys(root: Path) -> None:
    await made(root, "busy", text=solver(speed=100))
    for name in ("one", "two"):
        await made(root, name, start=False)
    async with opened(root, (80, 24)) as (app, pilot):
        for name in ("one", "two"):
            session = next(each for each in app.store.known.sessions.values() if each.name == name)
            app.main.want(session.id)
            await until(pilot, lambda wanted=name: app.main.session and app.main.session.name == wanted)
            await pilot.press("Q")
            await until(pilot, lambda wanted=name: state_of(app, wanted) is State.QUEUED)
        await until(pilot, lambda: "⧗ Queued #2" in shown(app) and "cpu: busy" in shown(app))
        await pilot.press("K")
        await until(pilot, lambda: app.main.session and app.main.session.queued.place == 1)  # type: ignore[union-attr]
        await pilot.press("Q")
        await until(pilot, lambda: state_of(app, "two") is State.WAITING)
        assert state_of(app, "one") is State.QUEUED


async def test_delete_reset_rename_and_undo(root: Path) -> None:
    await made(root, "first", text=solver(max_iter=40, speed=0))
    await made(root, "second", start=False)
    async with opened(root) as (app, pilot):
        await until(pilot, lambda: state_of(app, "first") is State.FINISHED)
        app.main.want("first")
        await until(pilot, lambda: app.main.session is not None and app.main.session.name == "first")
        await pilot.press("d")
        await until(pilot, lambda: state_of(app, "first") is None)
        await until(pilot, lambda: "in the trash" in shown(app) and "Undo" in shown(app))
        await pilot.press("u")
        await until(pilot, lambda: state_of(app, "first") is State.FINISHED)
        app.main.want("first")
        await pilot.press("R")
        await until(pilot, lambda: state_of(app, "first") is State.WAITING)
        app.main.commands.trash.append(Trashed("local", "20260101T000000-9-delete", "emptied meanwhile"))
        await pilot.press("u")
        await until(pilot, lambda: "nothing in the trash as" in shown(app))
        await pilot.press("u")
        await until(pilot, lambda: state_of(app, "first") is State.FINISHED)
        await pilot.press("r")
        app.screen.query_one(Input).value = "renamed"
        await pilot.press("enter")
        await until(pilot, lambda: state_of(app, "renamed") is State.FINISHED)
        await _from_the_trash(app, pilot, root)


async def _from_the_trash(app: BaristaApp, pilot: Pilot[None], root: Path) -> None:
    """Also what went before the screen was opened comes back, or goes for good."""
    await pilot.press("d")
    await until(pilot, lambda: state_of(app, "renamed") is None)
    app.main.commands.trash.clear()
    await pilot.press("alt+u")
    await until(
        pilot, lambda: "1 renamed" in shown(app) and "deleted" in shown(app) and "1 piece" in shown(app)
    )
    await pilot.press("enter")
    await until(pilot, lambda: state_of(app, "renamed") is State.FINISHED and "is empty" in shown(app))
    await pilot.press("escape")
    app.main.want("renamed")
    await pilot.press("d")
    await until(pilot, lambda: state_of(app, "renamed") is None and len(app.main.commands.trash) == 1)
    await pilot.press("alt+u")
    await until(pilot, lambda: "1 renamed" in shown(app))
    await pilot.press("d", "enter")
    assert list((root / "trash").iterdir()), "the first choice is the harmless one"
    await pilot.press("d", "right", "enter")
    await until(pilot, lambda: "is empty" in shown(app) and not list((root / "trash").iterdir()))
    assert app.main.commands.trash == []


async def test_what_cannot_be_done_says_why(root: Path) -> None:
    await made(root, "busy")
    async with opened(root) as (app, pilot):
        await until(pilot, lambda: state_of(app, "busy") is State.RUNNING and app.main.session is not None)
        await pilot.press("d")
        await pilot.press("d", "d")
        await until(pilot, lambda: "Delete: running: pause first" in shown(app))
        assert shown(app).count("pause first") == 1
        assert state_of(app, "busy") is State.RUNNING


async def test_a_deaf_caffe_is_stopped_by_force_after_showing_the_loss(root: Path) -> None:
    await made(root, "deaf", text=solver(speed=300, deaf=True))
    async with opened(root) as (app, pilot):
        await until(pilot, lambda: app.main.session is not None and app.main.session.iteration > 0)
        await pilot.press("space")
        await until(pilot, lambda: state_of(app, "deaf") is State.PAUSING)
        await until(pilot, lambda: "Force stop" in shown(app))
        await pilot.press("space")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        assert "There is no snapshot: all" in shown(app)
        await pilot.press("tab", "tab", "enter")
        await until(pilot, lambda: state_of(app, "deaf") not in (State.PAUSING, State.RUNNING))


async def test_a_killed_agent_is_told_started_again_and_nothing_is_lost(root: Path) -> None:
    await made(root, "lasting")
    async with opened(root) as (app, pilot):
        await until(pilot, lambda: state_of(app, "lasting") is State.RUNNING)
        epoch = app.store.known.host("local").epoch
        agent = json.loads((root / "agent.json").read_text())["pid"]
        os.kill(agent, signal.SIGKILL)
        await until(pilot, lambda: app.store.known.host("local").link.state == "lost")
        await until(pilot, lambda: "not connected" in shown(app))
        before = app.store.known.sessions
        assert [session.name for session in before.values()] == ["lasting"]
        await until(pilot, lambda: app.store.known.host("local").alive)
        assert app.store.known.host("local").epoch != epoch
        await until(pilot, lambda: state_of(app, "lasting") is State.RUNNING)
        await pilot.press("v")
        await until(pilot, lambda: "Host local] connection lost" in shown(app))


async def test_quitting_leaves_the_training_and_no_child(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await made(root, "going-on")
    before = children_of(os.getpid())
    async with opened(root) as (app, pilot):
        await until(pilot, lambda: state_of(app, "going-on") is State.RUNNING)
        await pilot.press("q")
    assert children_of(os.getpid()) <= before
    assert "1 training goes on: going-on" in capsys.readouterr().err
    async with opened(root) as (again, pilot):
        await until(pilot, lambda: state_of(again, "going-on") is State.RUNNING)


async def test_the_last_known_list_is_there_before_the_agent_answers(root: Path) -> None:
    await made(root, "remembered", start=False)
    async with opened(root) as (app, pilot):
        await until(pilot, lambda: state_of(app, "remembered") is not None)
        await pilot.press("q")
    cold = BaristaApp(Target(root), "tests")
    cold._start_links = lambda: None  # type: ignore[method-assign]
    async with cold.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: "remembered" in shown(cold))
        assert "connecting" in shown(cold)


async def test_a_long_log_is_scrolled_in_windows(root: Path) -> None:
    await made(root, "talker", text=solver(speed=50, burst=50_000))
    async with opened(root) as (app, pilot):
        console = app.main.console
        await until(pilot, lambda: console.total > 50_000)
        await pilot.press("2")
        await until(pilot, lambda: "loss = " in shown(app))
        assert console.follow
        await pilot.press("g")
        await until(pilot, lambda: "Use CPU" in shown(app))
        assert not console.follow
        await until(pilot, lambda: console.unseen > 0)
        await until(pilot, lambda: "new, G follows" in shown(app))
        top = console.scroll_offset.y
        await until(pilot, lambda: console.unseen > 20)
        assert console.scroll_offset.y == top, "new lines must not move what is read"
        await pilot.press("pagedown", "pagedown")
        await until(pilot, lambda: "burst 0000" in shown(app))
        await pilot.press("G")
        await until(pilot, lambda: console.follow and console.scroll_offset.y == console.max_scroll_y)
        await pilot.press("f", "m", "enter")
        await until(pilot, lambda: 0 < console.total < 50_000 and "Metrics" in shown(app))
        assert "burst" not in shown(app)


async def test_one_key_leads_to_the_line_that_tells_why(root: Path) -> None:
    await made(root, "dying", text=solver(speed=0, burst=3000, fatal_at=30, display=1))
    async with opened(root, (80, 24)) as (app, pilot):
        await until(pilot, lambda: state_of(app, "dying") is State.FAILED and app.main.session is not None)
        await until(pilot, lambda: "✖ Failed" in shown(app) and "Check failed" in shown(app))
        await pilot.press("e")
        await until(pilot, lambda: "Check failed: error == cudaSuccess" in shown(app))
        assert app.main.console.is_on_screen and not app.main.console.follow
        await pilot.press("g")
        await until(pilot, lambda: "Use CPU" in shown(app))
        await pilot.press("e")
        await until(pilot, lambda: "Check failed: error == cudaSuccess" in shown(app))


async def test_plot_keys_change_the_view(root: Path) -> None:
    await made(root, "curve", text=solver(max_iter=600, speed=0, display=5, extra="test_interval: 100\n"))
    async with opened(root) as (app, pilot):
        plot = app.main.plot
        await until(pilot, lambda: state_of(app, "curve") is State.FINISHED and len(plot.curves) >= 2)
        await pilot.press("1", "l", "m")
        assert (plot.view.log, plot.view.smooth) == (True, 1)
        await pilot.press("plus", "plus")
        await until(pilot, lambda: plot.curves and min(plot.curves[0].x) > 50)
        before = plot.view.x0
        await pilot.press("1", "shift+left")
        assert before is not None and plot.view.x0 is not None
        assert plot.view.x0 < before
        await pilot.press("escape")
        await until(pilot, lambda: not plot.zoomed and plot.curves and min(plot.curves[0].x) < 10)
        await pilot.press("x")
        assert plot.view.axis == "time"
        await until(pilot, lambda: plot.curves and max(plot.curves[0].x) < 60)


async def test_the_narrow_screen_shows_one_pane_at_a_time(root: Path) -> None:
    await made(root, "small")
    async with opened(root, (80, 24)) as (app, pilot):
        await until(pilot, lambda: "small" in shown(app) and "Running" in shown(app))
        assert app.main.list.is_on_screen and not app.main.console.is_on_screen
        await pilot.press("tab")
        await until(pilot, lambda: app.main.plot.curves and "train loss" in shown(app))
        assert not app.main.list.is_on_screen
        await pilot.press("tab")
        await until(pilot, lambda: "following" in shown(app) and "loss = " in shown(app))
        await pilot.press("tab")
        await until(pilot, lambda: "InnerProduct" in shown(app) and "train net" in shown(app))
        await pilot.press("tab")
        await until(pilot, lambda: "learning rate: 0.01" in shown(app) and "max_iter" in shown(app))
        await pilot.press("tab")
        await until(pilot, lambda: app.main.active == "weights")
        await pilot.press("tab")
        await until(pilot, lambda: "No snapshots yet" in shown(app))
        await pilot.press("tab")
        await until(pilot, lambda: app.main.list.is_on_screen)
        await pilot.resize_terminal(150, 40)
        await until(pilot, lambda: app.main.list.is_on_screen and app.main.console.is_on_screen)


async def test_filter_sort_and_mouse(root: Path) -> None:
    for name in ("alpha", "beta", "gamma"):
        await made(root, name, start=False)
    async with opened(root) as (app, pilot):
        rows = app.main.list
        await until(pilot, lambda: len(rows.model.sessions) == 3)
        assert [session.name for session in rows.model.sessions] == ["gamma", "beta", "alpha"]
        await pilot.click("#sessions", offset=(10, 1))
        assert app.main.session is not None and app.main.session.name == "beta"
        await pilot.click("#sessions-heading", offset=(5, 0))
        await until(pilot, lambda: rows.model.sort == "name")
        assert [session.name for session in rows.model.sessions] == ["alpha", "beta", "gamma"]
        assert app.main.session.name == "beta", "the selection stays with its session"
        await pilot.press("slash", *"gam")
        await until(pilot, lambda: [session.name for session in rows.model.sessions] == ["gamma"])
        assert "1 of 3" in shown(app), "beside the words of the filter, on every screen"
        await pilot.press("enter", "escape")
        await until(pilot, lambda: len(rows.model.sessions) == 3)
        await pilot.click("#sessions", offset=(10, 0), times=2)
        await until(pilot, lambda: isinstance(app.screen, DetailsScreen))
        await pilot.press("escape")
        await pilot.press("slash", *"zzz")
        await until(pilot, lambda: "No session matches" in shown(app))
        await pilot.press("escape")
        await until(pilot, lambda: len(rows.model.sessions) == 3)


async def test_the_palette_does_what_the_table_says(root: Path) -> None:
    await made(root, "subject", start=False)
    async with opened(root) as (app, pilot):
        await until(pilot, lambda: state_of(app, "subject") is not None)
        dark = app.theme
        await pilot.press("ctrl+p")
        await until(pilot, lambda: "Session: Start" in shown(app))
        await pilot.press(*"theme")
        await until(pilot, lambda: "Barista: Theme" in shown(app))
        await pilot.press("enter")
        await until(pilot, lambda: app.theme != dark)
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen) and "Keys" in shown(app))
        await pilot.press("escape")
        assert isinstance(app.screen, MainScreen)


async def test_hundreds_of_sessions_are_rows_only_where_seen(root: Path) -> None:
    session = await made(root, "one", start=False)
    async with opened(root) as (app, pilot):
        await until(pilot, lambda: state_of(app, "one") is not None)
        many = {
            f"m{number}": msgspec.structs.replace(session, id=f"m{number}", name=f"net-{number}")
            for number in range(600)
        }
        app.store._set_host(msgspec.structs.replace(app.store.known.host("local"), sessions=many))
        await until(pilot, lambda: len(app.main.list.model.sessions) == 600)
        await pilot.press("end")
        await until(pilot, lambda: app.main.list.scroll_offset.y == app.main.list.max_scroll_y)
        await pilot.press("home")
        assert app.main.list.scroll_offset.y == 0


async def test_a_frozen_agent_is_told_and_the_screen_stays_awake(root: Path) -> None:
    await made(root, "moving")
    await made(root, "resting", start=False)
    async with opened(root) as (app, pilot):
        await until(pilot, lambda: state_of(app, "moving") is State.RUNNING)
        agent = json.loads((root / "agent.json").read_text())["pid"]
        os.kill(agent, signal.SIGSTOP)
        try:
            await until(pilot, lambda: "does not answer" in shown(app))
            await pilot.press("0", "end")
            await until(pilot, lambda: app.main.session is not None and app.main.session.name == "moving")
            await pilot.press("s")
            await until(pilot, lambda: "Snapshot: the agent does not answer" in shown(app))
        finally:
            os.kill(agent, signal.SIGCONT)
        await until(pilot, lambda: app.store.known.host("local").alive and "● local" in shown(app))
        before = app.main.session.iteration
        await until(pilot, lambda: app.main.session is not None and app.main.session.iteration > before)


async def test_keys_typed_ahead_go_to_the_pane_chosen_before(root: Path) -> None:
    await made(root, "first")
    await made(root, "second", start=False)
    async with opened(root) as (app, pilot):
        await until(pilot, lambda: len(app.main.list.model.sessions) == 2)
        await pilot.press("0", "end")
        await until(pilot, lambda: app.main.console.total > 40)
        app.simulate_key("2")
        app.simulate_key("g")
        await until(pilot, lambda: not app.main.console.follow)
        assert app.main.session is not None and app.main.session.name == "first"


async def test_long_lines_end_in_an_ellipsis_and_scroll_sideways(root: Path) -> None:
    await made(root, "wordy", text=solver(speed=50))
    async with opened(root, (60, 20)) as (app, pilot):
        await pilot.press("2", "w")
        await until(pilot, lambda: "… " in shown(app))
        assert "lr = 0.01" not in shown(app)
        await pilot.press(*["right"] * 5)
        await until(pilot, lambda: "lr = 0.01" in shown(app))


async def test_a_legend_without_room_counts_the_rest(tmp_path: Path) -> None:
    app = BaristaApp(Target(tmp_path), connect=False, now=lambda: NOW)
    async with app.run_test(size=(60, 20)) as pilot:
        await furnish(app, pilot)
        first = training_curves()
        more = [
            msgspec.structs.replace(
                first[2], key=SeriesKey(phase="test", name=f"class_{n}_accuracy", output=n)
            )
            for n in range(5)
        ]
        await pilot.press("1")
        app.main.plot.take(Key("local", "7"), Window(Ask(), (*first, *more)))
        await until(pilot, lambda: re.search(r"\+\d more", shown(app)))
        assert "train 0.0" in shown(app)
        rising = msgspec.structs.replace(first[0], low=first[0].x, high=first[0].x)
        app.main.plot.take(Key("local", "7"), Window(Ask(), (rising,)))
        await pilot.press("l")
        await until(pilot, lambda: "≤ 0 not on a log scale" in shown(app))


async def test_the_next_start_looks_as_the_last_one(root: Path) -> None:
    await made(root, "looked-at", start=False)
    async with opened(root) as (app, pilot):
        await pilot.press("1", "l", "x", "m", "f", *"err", "enter", "o", "T")
        before = app.settings
    async with opened(root, (80, 24)) as (app, pilot):
        assert app.settings == before and not app.current_theme.dark
        view = app.main.plot.view
        assert (view.log, view.axis, view.smooth) == (True, "time", 1)
        assert (app.main.console_pane.type, app.main.sessions.wish.sort) == ("errors", "name")


async def test_few_sessions_leave_room_for_the_plot(root: Path) -> None:
    await made(root, "lively", text=solver(speed=400))
    async with opened(root, (80, 24)) as (app, pilot):
        await until(pilot, lambda: app.main.plot.curves and "train loss" in shown(app))
        assert "Running" in shown(app) and app.main.list.has_focus
        await pilot.press("l")
        assert app.main.plot.view.log
        many = {str(n): msgspec.structs.replace(app.main.session, id=str(n)) for n in range(2, 20)}
        app.store._set_host(msgspec.structs.replace(app.store.known.host("local"), sessions=many))
        await until(pilot, lambda: "train loss" not in shown(app))
        await until(pilot, lambda: app.main.list.size.height > 18)
        await pilot.resize_terminal(80, 40)
        await until(pilot, lambda: app.main.plot.is_on_screen)


async def test_a_failed_command_can_be_read_again_among_the_notices(root: Path) -> None:
    await made(root, "one", start=False)
    await made(root, "two", start=False)
    async with opened(root) as (app, pilot):
        await until(pilot, lambda: app.main.session is not None and app.main.session.name == "two")
        await pilot.press("r")
        app.screen.query_one(Input).value = "x" * 300
        await pilot.press("enter")
        await until(pilot, lambda: "two was not renamed" in shown(app))
        await pilot.press("v")
        await until(pilot, lambda: "Barista] two was not renamed" in shown(app))
        await pilot.press("v", "v")
        await until(pilot, lambda: "No log yet" in shown(app))
