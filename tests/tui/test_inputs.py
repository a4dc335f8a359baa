"""The input manager on a real agent with real databases and files."""

from __future__ import annotations

from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Input, OptionList, SelectionList, Static, TextArea

from barista_server.api.messages import DatasetFacts, DatasetInfo, LabelBin, LabelHistogram, Thumbnail
from barista_tui import datasets
from barista_tui.app import BaristaApp
from barista_tui.screens.confirm import ConfirmScreen
from barista_tui.screens.input_search import SearchInputs
from barista_tui.screens.inputs import InputManager
from barista_tui.screens.list_editor import ListEditor
from barista_tui.store import HostKnown, Key, Known, LinkState
from barista_tui.widgets.dataset_look import DatasetLook

from ..data import dataset_files as files
from .support import opened, shown, until


def dataset(id: str, name: str, content: str = "") -> DatasetInfo:
    facts = DatasetFacts(kind="lmdb", size=1000, files=1, samples=30)
    return DatasetInfo(id=id, name=name, path=f"/data/{name}", facts=facts, content=content)


# ------------------------------------------------------------------------------------ pure


def test_the_same_content_is_recognised_on_every_host() -> None:
    alive = LinkState("alive")
    known = Known(
        {
            "local": HostKnown("local", alive, datasets={"1": dataset("1", "faces", "ab" * 32)}),
            "gpu01": HostKnown(
                "gpu01",
                datasets={"1": dataset("1", "men", "ab" * 32), "2": dataset("2", "digits", "cd" * 32)},
            ),
        }
    )
    rows = datasets.rows(known)
    assert [row.twins for row in rows] == [(Key("gpu01", "1"),), (Key("local", "1"),), ()]
    columns = datasets.widths(77, True)
    assert "≡ 1 more" in datasets.line(rows[0], columns).plain
    assert "host away" in datasets.line(rows[1], columns).plain
    assert "gpu01 (men)" in datasets.about(rows[0], known).plain


def test_rows_are_as_wide_as_their_head() -> None:
    row = datasets.rows(Known({"local": HostKnown("local", datasets={"1": dataset("1", "f" * 50)})}))[0]
    for room in (50, 60, 77, 100, 160):
        for hosts in (False, True):
            columns = datasets.widths(room, hosts)
            head, line = datasets.head(columns), datasets.line(row, columns)
            assert max(head.cell_length, line.cell_length) <= room
            assert head.plain.index("content") == line.plain.index("host away")


def test_bars_are_as_high_as_their_counts() -> None:
    bins = [LabelBin(low=each, high=each, count=count) for each, count in enumerate((8, 4, 0))]
    found = LabelHistogram(bins=bins, seen=12, samples=100, whole=False)
    lines = datasets.bars(found, 6).plain.split("\n")
    assert lines[:4] == ["██    ", "██    ", "████  ", "████  "]
    assert lines[4] == "0    2" and "12 of 100" in lines[5]
    # More bins than cells are put together, none is lost.
    many = [LabelBin(low=each, high=each, count=1) for each in range(100)]
    wide = datasets.bars(LabelHistogram(bins=many, seen=100, samples=100, whole=True), 30)
    assert max(len(line) for line in wide.plain.split("\n")[:5]) <= 30 and "bar: 4" in wide.plain


def test_two_rows_of_pixels_are_one_row_of_half_blocks() -> None:
    pixels = bytes([255, 0, 0, 0, 255, 0, 0, 0, 255])
    drawn = datasets.picture(Thumbnail(index=0, height=3, width=1, channels=3, data=pixels))
    assert drawn.plain == "▀\n▀"
    assert [str(span.style) for span in drawn.spans] == ["#ff0000 on #00ff00", "#0000ff"]


# ------------------------------------------------------------------------------------ the screen


async def manager(app: BaristaApp, pilot: Pilot[None]) -> InputManager:
    """The screen, opened by its key."""
    await pilot.press("f2")
    await until(pilot, lambda: isinstance(app.screen, InputManager))
    assert isinstance(app.screen, InputManager)
    return app.screen


async def added(app: BaristaApp, pilot: Pilot[None], path: Path) -> None:
    """Add by path, and wait until it is hashed."""
    await pilot.press("a")
    await until(pilot, lambda: app.screen.query("#path"))
    app.screen.query_one("#path", Input).value = str(path)
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(app.screen, InputManager))
    known = lambda: app.store.known.host("local").datasets.values()  # noqa: E731
    await until(pilot, lambda: any(each.path == str(path) and each.content for each in known()))


def names(app: BaristaApp) -> list[str]:
    """Of the datasets, in the order of the list."""
    return [each.name for each in app.store.known.host("local").datasets.values()]


async def test_datasets_are_added_looked_into_and_changed(root: Path, tmp_path: Path) -> None:
    faces, numbers = files.lmdb(tmp_path / "faces"), files.hdf5(tmp_path / "numbers.h5")
    async with opened(root, size=(80, 24)) as (app, pilot):
        screen = await manager(app, pilot)
        await until(pilot, lambda: "No datasets yet" in shown(app))
        await added(app, pilot, faces)
        await until(pilot, lambda: "faces" in shown(app) and "30" in shown(app) and "lmdb" in shown(app))
        # Samples and labels of a real database.
        await until(
            pilot, lambda: "▀" in shown(app) and "0: 0" in shown(app) and "labels of 30" in shown(app)
        )
        assert "3x4x5" in shown(app)
        await pilot.press("right")
        after = f"{screen.query_one(DatasetLook).count}: "
        await until(pilot, lambda: after in shown(app))
        await added(app, pilot, numbers)
        await until(pilot, lambda: screen.chosen is not None and screen.chosen.dataset.path == str(numbers))
        await pilot.press("g")
        await until(pilot, lambda: screen.chosen is not None and screen.chosen.dataset.name == "faces")
        await pilot.press("G", "K")
        await until(pilot, lambda: names(app) == ["numbers.h5", "faces"])
        assert screen.chosen is not None and screen.chosen.dataset.name == "numbers.h5"
        await pilot.press("r", "end", "2", "enter")
        await until(pilot, lambda: names(app) == ["numbers.h52", "faces"])
        await pilot.press("u")
        await until(pilot, lambda: names(app) == ["numbers.h5", "faces"])
        await pilot.press("d")
        await until(pilot, lambda: names(app) == ["faces"])
        assert numbers.exists()
        await pilot.press("u")
        await until(
            pilot,
            lambda: (
                sorted(names(app)) == ["faces", "numbers.h5"]
                and len(screen.query_one("#inputs-list", OptionList).options) == 2
            ),
        )
        # What is wrong with a path is said where it can be mended.
        await pilot.press("a")
        await until(pilot, lambda: app.screen.query("#path"))
        app.screen.query_one("#path", Input).value = str(tmp_path / "nothing")
        await pilot.press("enter")
        await until(pilot, lambda: "nothing" in str(app.screen.query_one("#error", Static).content))
        await pilot.press("escape", "escape")
        await until(pilot, lambda: app.screen is app.main)


async def test_a_changed_file_is_told_and_hashed_again(root: Path, tmp_path: Path) -> None:
    numbers = files.hdf5(tmp_path / "numbers.h5")
    async with opened(root) as (app, pilot):
        screen = await manager(app, pilot)
        await added(app, pilot, numbers)
        await until(pilot, lambda: screen.chosen is not None)
        assert screen.chosen is not None
        before = screen.chosen.dataset.content
        files.hdf5(numbers, seed=2)
        await pilot.press("R")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await until(pilot, lambda: "changed since it was hashed" in shown(app))
        await pilot.press("tab", "enter")
        one = lambda: next(iter(app.store.known.host("local").datasets.values()))  # noqa: E731
        await until(pilot, lambda: one().content != before and not one().changed and one().job is None)
        # Gone elsewhere: missing until its place is told.
        moved = tmp_path / "elsewhere.h5"
        numbers.rename(moved)
        await pilot.press("R")
        await until(pilot, lambda: "✖ missing" in shown(app))
        await pilot.press("l")
        await until(pilot, lambda: app.screen.query("#answer"))
        app.screen.query_one("#answer", Input).value = str(moved)
        await pilot.press("enter")
        await until(pilot, lambda: one().path == str(moved) and one().alive and one().content)


async def test_a_search_adds_what_was_chosen(root: Path, tmp_path: Path) -> None:
    files.lmdb(tmp_path / "data" / "faces")
    files.hdf5(tmp_path / "data" / "numbers.h5")
    async with opened(root) as (app, pilot):
        await manager(app, pilot)
        await pilot.press("f")
        await until(pilot, lambda: isinstance(app.screen, SearchInputs))
        app.screen.query_one("#below", Input).value = str(tmp_path / "data")
        await pilot.press("enter")
        listing = app.screen.query_one(SelectionList)
        await until(pilot, lambda: "2 datasets in" in shown(app) and app.screen.focused is listing)
        listing.select_all()
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, InputManager))
        await until(pilot, lambda: sorted(names(app)) == ["faces", "numbers.h5"])


async def test_a_list_is_made_edited_and_hashed(root: Path, tmp_path: Path) -> None:
    (tmp_path / "data" / "deep").mkdir(parents=True)
    first, second = files.hdf5(tmp_path / "data/1.h5"), files.hdf5(tmp_path / "data/deep/2.h5", seed=2)
    one = lambda: next(iter(app.store.known.host("local").datasets.values()), None)  # noqa: E731
    async with opened(root, size=(80, 24)) as (app, pilot):
        await pilot.press("ctrl+i")
        await until(pilot, lambda: isinstance(app.screen, InputManager))
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, ListEditor))
        app.screen.query_one("#list", Input).value = str(tmp_path / "list.txt")
        app.screen.query_one("#more", Input).value = str(tmp_path / "data")
        app.screen.query_one("#more").focus()
        await pilot.press("enter")
        await until(pilot, lambda: "2 files added" in shown(app))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, InputManager) and one() and one().content)
        # Empty lines are dropped.
        assert (tmp_path / "list.txt").read_text() == f"{first}\n{second}\n"
        before = one().content
        await until(pilot, lambda: app.screen.chosen is not None)
        await pilot.press("e")
        await until(
            pilot,
            lambda: isinstance(app.screen, ListEditor) and "1.h5" in app.screen.query_one(TextArea).text,
        )
        # The cursor is on the first line.
        await pilot.press("f8")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: one().content not in ("", before) and one().facts.samples == 20)
