"""The Weights pane on a real agent and real model files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from textual.pilot import Pilot
from textual.widgets import Input

from barista_server.api.link import Link
from barista_server.api.messages import (
    GetBlob,
    GetBlobStats,
    ListSessions,
    ListWeights,
    SessionInfo,
    SessionList,
)
from barista_server.caffe.schema import NetParameter
from barista_server.caffe.weights import write_weights
from barista_tui import filters, opening, settings
from barista_tui.app import BaristaApp
from barista_tui.panes.weights import WeightsPane
from barista_tui.pictures import GROUND
from barista_tui.pixelart import HOLDER
from barista_tui.pixels import Pixels
from barista_tui.settings import Settings

from ..support.terminal_pictures import Kitty, sixel_pixels
from .sixel_terminal import CELL, SixelTerminal
from .support import made, opened, shown, solver, until

SHAPES = {
    "conv1": ("Convolution", [(96, 3, 11, 11), (96,)]),
    "relu1": ("ReLU", []),
    "conv2": ("Convolution", [(32, 48, 5, 5)]),
    "fc6": ("InnerProduct", [(900, 600), (900,)]),
}


def write_model(path: Path, seed: int) -> None:
    chance = np.random.default_rng(seed)
    net = NetParameter(name="alex")
    for name, (kind, _) in SHAPES.items():
        net.layer.add(name=name, type=kind)
    blobs = {
        name: [chance.normal(0, 0.1, shape).astype(np.float32) for shape in shapes]
        for name, (_, shapes) in SHAPES.items()
        if shapes
    }
    blobs["fc6"][1][7] = np.nan
    write_weights(path, net, blobs)


async def trained(root: Path, name: str = "alex") -> SessionInfo:
    """A finished session whose three snapshots hold the model."""
    text = solver(max_iter=30, extra="snapshot: 10\n", speed=2000)
    session = await made(root, name, text=text)
    link = await Link.open(root)
    while True:
        listed = (await link.call(ListSessions(), SessionList)).sessions
        session = next(each for each in listed if each.id == session.id)
        if session.state == "finished" and len(session.snapshots) == 3:
            break
    await link.close()
    for snapshot in session.snapshots:
        write_model(Path(session.folder) / snapshot.model, snapshot.iteration)
    return session


@asynccontextmanager
async def looking(
    root: Path, size: tuple[int, int], remembered: bool = False
) -> AsyncIterator[tuple[BaristaApp, Pilot[None], WeightsPane]]:
    await trained(root)
    if remembered:
        settings.save(Settings(tab="weights"))
    async with opened(root, size) as (app, pilot):
        await until(pilot, lambda: app.main.session is not None and len(app.main.session.snapshots) == 3)
        if not remembered:
            await pilot.press("5")
        pane = app.main.pane("weights")
        assert isinstance(pane, WeightsPane)
        await until(pilot, lambda: pane.drawn is not None)
        if remembered:
            await pilot.press("5")
        yield app, pilot, pane


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_a_layer_is_drawn_and_keys_change_how(size: tuple[int, int], root: Path) -> None:
    async with looking(root, size) as (app, pilot, pane):
        assert pane.drawn is not None
        assert (pane.drawn.grid.pages, pane.drawn.mode, pane.drawn.snapshot.iteration) == (1, "colour", 30)
        await pilot.pause()
        text = shown(app)
        assert "conv1" in text and "96x3x11x11" in text and "▀" in text and "NaN/Inf 0" in text
        assert "(3/3)" in text and "relu1" not in text
        first = pane.picture.image
        await pilot.press("a")
        await until(pilot, lambda: pane.picture.image is not first)
        assert pane.picture.image is not None and pane.picture.image.low is None
        await pilot.press("m")
        await until(pilot, lambda: pane.drawn is not None and pane.drawn.mode == "channels")
        assert pane.drawn.grid.blocks == 288
        await pilot.press("plus", "plus")
        await until(pilot, lambda: pane.drawn is not None and pane.drawn.grid.pages > 1)
        await pilot.press("full_stop")
        await until(pilot, lambda: pane.drawn is not None and pane.drawn.blocks.start > 0)
        await pilot.press("b")
        await until(pilot, lambda: pane.drawn is not None and "blob 2/2" in pane.drawn.title)
        await pilot.press("down", "down")
        await until(pilot, lambda: pane.drawn is not None and pane.drawn.title.startswith("fc6"))
        await pilot.pause()
        assert pane.drawn.form.kind == "matrix" and "█" in shown(app) and pane.drawn.grid.pages == 2
        await pilot.press("b")
        await until(pilot, lambda: "NaN/Inf 1" in shown(app))


async def test_snapshots_one_after_the_other_and_as_a_film_asked_for_once(root: Path) -> None:
    async with looking(root, (120, 40), remembered=True) as (app, pilot, pane):
        asked: list[str] = []
        host = app.fleet.of(app.main.key)  # type: ignore[arg-type]
        call = host.call

        async def counted(what, result):  # type: ignore[no-untyped-def]
            if isinstance(what, GetBlob | GetBlobStats | ListWeights):
                asked.append(type(what).__name__)
            return await call(what, result)

        host.call = counted  # type: ignore[method-assign]
        await pilot.press("left")
        await until(pilot, lambda: pane.drawn is not None and pane.drawn.snapshot.iteration == 20)
        assert sorted(asked) == ["GetBlob", "GetBlobStats", "ListWeights"]
        await pilot.press("p")
        await until(pilot, lambda: pane.drawn is not None and pane.drawn.snapshot.iteration == 10)
        asked.clear()
        for iteration in (20, 30, 10):
            await until(pilot, lambda wanted=iteration: pane.drawn.snapshot.iteration == wanted)  # type: ignore
        assert "film" in shown(app) and not asked
        # Who cannot be seen asks for nothing, and a film nobody sees ends.
        await pilot.press("1")
        await until(pilot, lambda: not pane.playing)
        asked.clear()
        app.main.show_known()
        await pilot.pause(0.1)
        assert not asked


async def test_true_pixels_on_the_screen(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    sent: list[str] = []
    async with looking(root, (80, 24)) as (app, pilot, pane):
        app.pixels = Pixels("kitty", {"TERM": "xterm-kitty"}, sent.append, lambda: (10, 20))
        pane.renew()
        await until(pilot, lambda: HOLDER in shown(app))
        terminal = Kitty()
        assert terminal.read("".join(sent)) == ""
        ((number, (columns, rows)),) = terminal.places.items()
        assert pane.drawn is not None and pane.drawn.grid.pages == 1
        assert (
            shown(app).count(HOLDER) == columns * rows == pane.picture.size.width * pane.picture.size.height
        )
        image = pane.drawn.image
        height, width = image.kinds.shape
        values = image.kinds == filters.VALUE
        assert (terminal.pictures[number][:height, :width][values] == image.levels[values]).all()
        # Sixels are painted when the cells have been, unless something stands before them.
        sent.clear()
        app.pixels = Pixels("sixel", {"TERM": "xterm"}, sent.append, lambda: (10, 20))
        pane.renew()
        await until(pilot, lambda: any("\x1bP" in each for each in sent))
        app.main.notify("this stands before it\n" * 5, timeout=1)
        await until(pilot, lambda: "stands before" in shown(app))
        sent.clear()
        pane.picture.refresh()
        await until(pilot, lambda: "stands before" not in shown(app) or sent)
        assert "stands before" not in shown(app)
        await until(pilot, lambda: sent)
        await pilot.press("f10")
        sent.clear()
        pane.picture.refresh()
        await pilot.pause()
        assert not sent
        await pilot.press("escape")
        await until(pilot, lambda: sent)


async def test_a_file_is_shown_until_esc(root: Path, tmp_path: Path) -> None:
    model = tmp_path / "foreign.caffemodel"
    write_model(model, 77)
    await trained(root)
    async with opened(root, (120, 40)) as (app, pilot):
        await until(pilot, lambda: app.main.session is not None and app.main.session.snapshots)
        app.open(opening.of_path(model, root))
        pane = app.main.pane("weights")
        assert isinstance(pane, WeightsPane)
        await until(pilot, lambda: pane.drawn is not None and "foreign.caffemodel" in shown(app))
        assert "conv1" in shown(app) and "iteration" not in pane.head()[0].text
        values = pane.picture.image
        await pilot.press("escape")
        await until(pilot, lambda: "(3/3)" in shown(app) and pane.picture.image is not values)
        app.open(opening.of_path(tmp_path / "foreign.caffemodel", root))
        await until(pilot, lambda: "foreign.caffemodel" in shown(app))
        model.write_bytes(b"no model")
        app.open(opening.of_path(model, root))
        await until(pilot, lambda: pane.drawn is None and "model" in pane.picture.words)


async def test_a_picture_is_written_and_nothing_overwritten(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with looking(root, (120, 40)) as (app, pilot, _):
        for _ in range(2):
            await pilot.press("w")
            await until(pilot, lambda: app.screen.query(Input))
            assert app.screen.query_one(Input).value == "alex-conv1-30.png"
            await pilot.press("enter")
            await until(pilot, lambda: app.screen is app.main)
        await until(pilot, lambda: "there already" in " ".join(each.message for each in app._notifications))
    with Image.open(tmp_path / "alex-conv1-30.png") as read:
        assert max(read.size) > 400


async def test_what_cannot_be_read_is_told_in_its_place(root: Path) -> None:
    session = await trained(root)
    newest = session.snapshots[-1]
    (Path(session.folder) / newest.model).write_bytes(b"\x0a\xff no model")
    async with opened(root, (120, 40)) as (app, pilot):
        await until(pilot, lambda: app.main.session is not None)
        await pilot.press("5")
        pane = app.main.pane("weights")
        assert isinstance(pane, WeightsPane)
        await until(pilot, lambda: newest.model in pane.picture.words)
        await pilot.press("left")
        await until(pilot, lambda: pane.drawn is not None)


async def test_a_terminal_of_sixels_gets_the_picture_that_is_saved(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await trained(root)
    monkeypatch.chdir(tmp_path)
    terminal = SixelTerminal("--root", str(root))
    try:
        await asyncio.to_thread(_look_and_save, terminal)
    finally:
        assert await asyncio.to_thread(terminal.close) == 0
    assert terminal.asked == [b"\x1b[16t", b"\x1b[c"] or terminal.asked == [b"\x1b[c", b"\x1b[16t"]


def _picture(terminal: SixelTerminal, wanted: Callable[[bytes], bool]) -> tuple[int, int, bytes]:
    """Where the next one is painted that is wanted, and its sixels."""
    while True:
        row, column, sixels = terminal.until(r"\x1b7\x1b\[(\d+);(\d+)H(\x1bP.*?\x1b\\)\x1b8").groups()
        if wanted(sixels):
            return int(row), int(column), sixels


def _look_and_save(terminal: SixelTerminal) -> None:
    terminal.until("alex")
    assert not terminal.asked, "asked before anybody looks at weights"
    terminal.press("5")
    row, column, sixels = _picture(terminal, lambda _: True)
    seen = sixel_pixels(sixels.decode())
    height, width = seen.shape[:2]
    assert width % CELL[0] == height % CELL[1] == 0 and column > 26
    assert row + height // CELL[1] <= 40 and column + width // CELL[0] <= 121
    # What is saved of the snapshot before has the same pixels, but for the ground.
    terminal.press("\x1b[D")
    _picture(terminal, lambda painted: painted != sixels)
    terminal.press("w")
    terminal.until("Save the picture")
    terminal.press("\r")
    # While the question stands before it there are cells; after it the picture is whole again.
    _, _, sixels = _picture(terminal, lambda _: True)
    if not list(Path.cwd().glob("*.png")):
        terminal.until("Written")
    (path,) = Path.cwd().glob("*.png")
    saved = np.asarray(Image.open(path)).astype(int)
    assert _same(saved, sixel_pixels(sixels.decode()).astype(int))


def _same(saved: NDArray[np.int64], seen: NDArray[np.int64]) -> bool:
    """But for the ground, and for the 256 colours of sixels."""
    factor = next(each for each in range(1, 9) if saved.shape[0] <= each * seen.shape[0])
    saved = saved[::factor, ::factor]
    part = seen[: saved.shape[0], : saved.shape[1]]
    inner = (saved != GROUND).any(axis=2)
    return part.shape == saved.shape and inner.mean() > 0.8 and np.abs(saved - part)[inner].mean() < 8
