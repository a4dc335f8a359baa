"""The action table: complete, without doubled keys, and with a reason for what cannot be done."""

from __future__ import annotations

import importlib

import msgspec
import pytest
from msgspec.structs import replace
from textual.geometry import Offset
from textual.screen import Screen

from barista_server.api.messages import Queued, RunInfo, SessionInfo, Snapshot, State
from barista_tui.actions import ACTIONS, BY_ID, MENUS, OnPane, Opens, label
from barista_tui.allowed import Context
from barista_tui.deeds import Deeds
from barista_tui.panes.base import Pane
from barista_tui.panes.table import PANES, SPECS
from barista_tui.screens.menu import MenuScreen, entries
from barista_tui.store import LinkState
from barista_tui.ui import Ui


def context(state: State, **more: object) -> Context:
    session = SessionInfo(
        id="1", name="net", state=state, folder="", created=0.0, caffe="caffe", max_iter=100
    )
    return replace(Context(session=session, link=LinkState("alive")), **more)  # type: ignore[arg-type]


def test_no_key_does_two_things() -> None:
    bound: dict[tuple[str, str | None], str] = {}
    for action in ACTIONS:
        for key in action.keys:
            others = [name for (other, pane), name in bound.items() if other == key and (pane == action.pane)]
            assert not others, f"{key} does {action.id} and {others}"
            bound[key, action.pane] = action.id


def test_every_deed_is_in_the_table_and_works_for_the_screen() -> None:
    wanted = {name for name in vars(Ui) if not name.startswith("_")}
    assert wanted == {name for name in vars(Deeds) if not name.startswith("_")}
    assert len(BY_ID) == len(ACTIONS)
    assert all(action.help and action.label for action in ACTIONS)
    assert set(Context.__struct_fields__) >= {"session", "link", "pane"}


def test_every_pane_and_screen_that_the_table_names_is_there() -> None:
    kinds = {}
    for spec in PANES:
        module, _, name = spec.where.partition(":")
        kinds[spec.name] = getattr(importlib.import_module(module), name)
        assert issubclass(kinds[spec.name], Pane) and spec.about
        assert all(BY_ID[each] for each in spec.footer)
    assert len({spec.key for spec in PANES}) == len(PANES)
    for action in ACTIONS:
        if isinstance(action.handler, OnPane):
            assert callable(getattr(kinds[action.handler.pane], action.handler.method))
        if isinstance(action.handler, Opens):
            module, _, name = action.handler.screen.partition(":")
            assert issubclass(getattr(importlib.import_module(module), name), Screen)
        assert action.pane is None or action.pane in kinds


def test_every_action_is_in_a_menu() -> None:
    now = Context()
    found = {
        action.id for name in MENUS for pane in SPECS for action in entries(name, replace(now, pane=pane))
    }
    assert found == set(BY_ID)
    # Each is seen whole on the smallest screen: 24 lines, two of them the frame.
    at = Offset(0, 0)
    rows = [entries(name, replace(now, pane=pane)) for name in MENUS for pane in SPECS]
    assert max(map(len, rows)) <= 22 and len(MenuScreen.of_session(now, at).actions) <= 22 and all(rows)


@pytest.mark.parametrize("state", list(State))
def test_what_must_rest_is_refused_while_it_runs(state: State) -> None:
    refused = BY_ID["delete"].refused(context(state))
    active = state in (State.RUNNING, State.PAUSING, State.QUEUED)
    assert (refused is not None) == active
    if refused:
        wanted = "take it out with Q first" if state is State.QUEUED else "pause first"
        assert refused.endswith(wanted)


@pytest.mark.parametrize("state", list(State))
def test_an_imported_log_is_only_watched(state: State) -> None:
    session = context(state).session
    assert session is not None
    now = context(state, session=msgspec.structs.replace(session, kind="log"))
    for name in ("toggle", "snapshot", "reset", "force"):
        assert BY_ID[name].refused(now) == "an imported log: only watched"
    for name in ("delete", "rename", "open"):
        assert BY_ID[name].refused(now) is None


@pytest.mark.parametrize("state", list(State))
def test_only_a_running_session_takes_snapshots(state: State) -> None:
    assert (BY_ID["snapshot"].refused(context(state)) is None) == (state is State.RUNNING)


@pytest.mark.parametrize("state", list(State))
def test_what_can_be_started_can_be_queued(state: State) -> None:
    may = BY_ID["queue"].refused(context(state)) is None
    assert may == (
        BY_ID["toggle"].refused(context(state)) is None and state not in (State.RUNNING, State.PAUSING)
    )
    for name in ("queue-up", "queue-down"):
        assert BY_ID[name].refused(context(state)) == "not in the queue: Q puts it there"


def test_a_queued_session_is_moved_within_the_queue() -> None:
    def at(place: int, state: State = State.QUEUED) -> Context:
        session = context(state).session
        assert session is not None
        queued = msgspec.structs.replace(session, queued=Queued(place=place, since=0.0))
        return context(state, session=queued, queue_length=3)

    refusals = [
        [BY_ID[name].refused(at(place)) for name in ("queue-up", "queue-down")] for place in (1, 2, 3)
    ]
    assert refusals == [["next already", None], [None, None], [None, "the last already"]]
    assert label(BY_ID["queue"], at(1)) == "Unqueue" and label(BY_ID["toggle"], at(1)) == "Unqueue"
    # One whose files are to be corrected keeps its place: it can be taken out.
    assert BY_ID["queue"].refused(at(2, State.INVALID)) is None
    assert BY_ID["queue"].refused(context(State.INVALID)) is not None


@pytest.mark.parametrize("state", list(State))
def test_force_is_for_a_pause_that_does_not_end(state: State) -> None:
    assert (BY_ID["force"].refused(context(state)) is None) == (state is State.PAUSING)


def test_nothing_is_asked_of_a_lost_agent() -> None:
    lost = context(State.PAUSED, link=LinkState("lost", cause="dead"), lost=True)
    for name in ("toggle", "snapshot", "delete", "reset", "rename", "new"):
        assert "not connected" in (BY_ID[name].refused(lost) or "")
    assert BY_ID["open"].refused(lost) is None
    assert BY_ID["reconnect"].refused(lost) is None


def test_reset_needs_something_to_throw_away() -> None:
    fresh = context(State.WAITING)
    assert BY_ID["reset"].refused(fresh)
    assert fresh.session is not None
    used = SessionInfo(
        id="1",
        name="n",
        state=State.PAUSED,
        folder="",
        created=0.0,
        caffe="c",
        runs=[RunInfo(number=1, started=0.0)],
    )
    assert BY_ID["reset"].refused(Context(session=used, link=LinkState("alive"))) is None


def test_the_toggle_is_called_what_it_does() -> None:
    assert label(BY_ID["toggle"], context(State.RUNNING)) == "Pause"
    assert label(BY_ID["toggle"], context(State.WAITING)) == "Start"
    snapshot = Snapshot(iteration=10, model="a", state="b", size=1, time=0.0)
    paused = SessionInfo(
        id="1", name="n", state=State.PAUSED, folder="", created=0.0, caffe="c", snapshots=[snapshot]
    )
    assert label(BY_ID["toggle"], Context(session=paused, link=LinkState("alive"))) == "Resume"
