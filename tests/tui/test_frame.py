"""Where panes lie; the ways between them: keys, tabs, mouse, jump letters, menus."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.geometry import Size

from barista_server.api.messages import Queued, SessionInfo, State
from barista_tui import titles
from barista_tui.frame import LEAST_DOCK, LEAST_LIST, LEAST_TAB, WIDE, Shape, Shares
from barista_tui.panes.table import PANES
from barista_tui.screens.menu import MenuScreen
from barista_tui.store import Key
from barista_tui.widgets.bar import Piece

from .support import made, opened, shown, solver, state_of, until

NAMES = [spec.name for spec in PANES]


@given(
    st.integers(20, 300),
    st.integers(6, 100),
    st.sampled_from(NAMES),
    st.sampled_from(NAMES[1:]),
    st.floats(0, 1),
    st.floats(0, 1),
    st.integers(0, 600),
)
def test_panes_fill_the_room_and_never_lie_over_each_other(
    width: int, height: int, active: str, tab: str, list_share: float, dock_share: float, rows: int
) -> None:
    shape = Shape(Size(width, height), tab, active, rows, Shares(list_share, dock_share))
    if shape.docked and tab == "console":
        return
    regions = shape.regions()
    room = Size(width, height).region
    assert all(room.contains_region(region) for region in regions.values())
    assert sum(region.area for region in regions.values()) == room.area, "something is covered, or left over"
    assert shape.shown == {name for name in regions if name in NAMES}
    if shape.wide:
        assert regions["sessions"].width >= LEAST_LIST and regions[tab].width >= LEAST_TAB
    if shape.docked:
        assert regions["console"].height >= LEAST_DOCK - 2


def test_eighty_columns_show_one_pane_and_a_large_screen_three() -> None:
    assert Shape(Size(80, 22), "plot", "console").shown == {"console"}
    assert Shape(Size(80, 22), "plot", "sessions", rows=4).shown == {"sessions", "plot"}
    assert Shape(Size(WIDE, 28), "console", "sessions").shown == {"sessions", "console"}
    assert Shape(Size(200, 58), "plot", "sessions").shown == {"sessions", "plot", "console"}


async def test_room_is_given_by_keys_and_mouse_and_remembered(root: Path) -> None:
    await made(root, "one", start=False)
    async with opened(root, (160, 45)) as (app, pilot):
        before = app.main.list.size.width
        await pilot.press("greater_than_sign")
        await until(pilot, lambda: app.main.list.size.width > before)
        await pilot.press("less_than_sign", "less_than_sign")
        await until(pilot, lambda: app.main.list.size.width < before)
        await pilot.mouse_down("#divider", offset=(0, 3))
        await pilot.hover("#header", offset=(100, 0))
        await pilot.mouse_up("#header", offset=(100, 0))
        await until(pilot, lambda: app.main.list.size.width == 100)
        low = app.main.console.size.height
        await pilot.press("right_curly_bracket")
        await until(pilot, lambda: app.main.console.size.height > low)
        await pilot.mouse_down("#dock-divider", offset=(5, 0))
        await pilot.hover("#header", offset=(5, 20))
        await pilot.mouse_up("#header", offset=(5, 20))
        await until(pilot, lambda: app.main.console.region.y == 22)
        shares = app.main.shares
    async with opened(root, (160, 45)) as (app, pilot):
        assert app.main.shares == shares
        await until(pilot, lambda: app.main.list.size.width == 100)


async def test_digits_tab_letters_and_clicks_go_to_panes(root: Path) -> None:
    await made(root, "one", start=False)
    async with opened(root, (150, 30)) as (app, pilot):
        await until(pilot, lambda: "1 Plot" in shown(app) and "6 Sna" in shown(app))
        await pilot.press("2")
        assert app.main.console.has_focus and app.main.console.is_on_screen
        assert not app.main.plot.is_on_screen
        await pilot.press("tab")
        assert app.main.list.has_focus
        await pilot.press("ctrl+o")
        await until(pilot, lambda: len(app.screen_stack) > 1 and app.screen is not app.main)
        letters = app.screen._places  # type: ignore[attr-defined]
        assert {name for name, _ in letters.values()} == set(NAMES)
        letter = next(letter for letter, (name, _) in letters.items() if name == "snapshots")
        await pilot.press(letter)
        await until(pilot, lambda: app.main.active == "snapshots" and "No snapshots yet" in shown(app))
        await pilot.click("#strip", offset=(3, 0))
        await until(pilot, lambda: app.main.plot.has_focus)
        await pilot.press("ctrl+o", "escape")
        assert app.screen is app.main and app.main.active == "plot"
        await pilot.press("escape")
        assert app.main.list.has_focus


async def test_menus_by_key_and_mouse_say_why_not(root: Path) -> None:
    await made(root, "one", start=False)
    async with opened(root, (160, 45)) as (app, pilot):
        await until(pilot, lambda: app.main.session is not None)
        await pilot.press("f10")
        await until(pilot, lambda: isinstance(app.screen, MenuScreen) and "nothing was deleted" in shown(app))
        await pilot.press("right")
        await until(pilot, lambda: "Group by host" in shown(app) and "Sort" in shown(app))
        await pilot.press("escape")
        assert app.screen is app.main
        await pilot.press("alt+h")
        await until(pilot, lambda: isinstance(app.screen, MenuScreen) and "Palette" in shown(app))
        await pilot.press("escape")
        x = app.main.menu_columns()["Session"]
        await pilot.click("#header", offset=(x + 1, 0))
        await until(pilot, lambda: isinstance(app.screen, MenuScreen))
        await pilot.press("escape", "right")
        # A row's own menu: by key, by the right button.
        await pilot.press("m")
        await until(pilot, lambda: isinstance(app.screen, MenuScreen) and "1 one" in shown(app))
        await pilot.press("escape")
        await pilot.click("#sessions", offset=(5, 0), button=3)
        await until(pilot, lambda: isinstance(app.screen, MenuScreen))
        menu = app.screen.query_one("#menu")
        await until(pilot, lambda: menu.size.height > 5)
        await pilot.press("enter")
        await until(pilot, lambda: state_of(app, "one") is State.RUNNING)


@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
async def test_snapshots_are_listed_and_gone_on_from(root: Path, size: tuple[int, int]) -> None:
    await made(root, "one", text=solver(speed=400, max_iter=100_000))
    async with opened(root, size) as (app, pilot):
        known = lambda: app.store.known.sessions[Key("local", "1")]  # noqa: E731
        await until(pilot, lambda: known().iteration > 0 and app.main.session is not None)
        await pilot.press("s")
        await until(pilot, lambda: len(known().snapshots) == 1)
        await pilot.press("space")
        await until(pilot, lambda: known().state is State.PAUSED and len(known().snapshots) == 2)
        await pilot.press("6")
        await until(pilot, lambda: "2 snapshots" in shown(app) and "✔ tiny_iter_" in shown(app))
        first = known().snapshots[0].iteration
        await pilot.press("down", "enter")
        await until(pilot, lambda: known().state is State.RUNNING)
        assert known().runs[-1].resumed_from == first
        await pilot.press("enter")
        await until(pilot, lambda: "Go on from it: running: pause first" in shown(app))


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_help_begins_with_the_pane_that_has_the_focus(root: Path, size: tuple[int, int]) -> None:
    async with opened(root, size) as (app, pilot):
        for key, title, words in (
            ("1", "Plot", "Half the range"),
            ("0", "Sessions", "go on from the last"),
        ):
            await pilot.press(key, "f1")
            await until(pilot, lambda title=title: f"Keys · {title}" in shown(app))
            assert words in shown(app)
            assert all(len(line) <= size[0] for line in shown(app).splitlines())
            await pilot.press("escape")


def test_a_session_that_waits_says_for_what_where_its_results_will_be() -> None:
    queued = Queued(place=1, since=0.0, reason="cpu: one")
    waits = SessionInfo(
        id="2", name="two", state=State.QUEUED, folder="", created=0.0, caffe="", queued=queued
    )
    assert titles.nothing_to_plot(waits) == ("No points yet", "it waits: cpu: one")
    assert titles.no_log(waits) == "No log yet: it waits: cpu: one"
    ready = msgspec.structs.replace(waits, queued=None)
    assert "space starts" in titles.no_log(ready) and "space starts" in titles.nothing_to_plot(ready)[1]


def test_the_strip_keeps_names_before_what_stands_right_of_them() -> None:
    def words(width: int) -> tuple[str, str]:
        right = [Piece("linear  "), Piece("iteration  "), Piece("unsmoothed ")]
        left, kept = titles.strip(Shape(Size(width, 24), "plot", "plot"), right, width)
        return "".join(piece.text for piece in left), "".join(piece.text for piece in kept)

    assert words(119) == (
        " 0 Sessions  1 Plot  2 Console  3 Network  4 Solver  5 Weights  6 Snapshots ",
        "linear  iteration  unsmoothed ",
    )
    tabs = " 0 List  1 Plot  2 Log  3 Net  4 Solver  5 Weights  6 Snaps "
    assert words(92) == (tabs, "linear  iteration  unsmoothed ")
    assert words(80) == (tabs, "unsmoothed ")
    assert words(62) == (tabs, "")
    assert words(40) == (" 0  1 Plot  2  3  4  5  6 ", "linear  iteration  unsmoothed ")
