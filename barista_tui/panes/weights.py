"""Weights of a snapshot, drawn: filters as blocks, matrices as heat maps; snapshots one after the other."""

from __future__ import annotations

import asyncio
import time
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from barista_server.api.link import CallFailed
from barista_server.api.messages import BlobInfo, ListWeights, SessionInfo, Snapshot, WeightsList
from barista_tui import format as fmt
from barista_tui.blobform import Mode, form_of, rows_for
from barista_tui.blobs import Kept
from barista_tui.hosts import LOCAL
from barista_tui.panes import weightwords as words
from barista_tui.panes.base import Look, Pane
from barista_tui.panes.table import PaneSpec
from barista_tui.panes.weightdraw import Drawn, Paint, bounds_of, grounds, painted, room_in
from barista_tui.store import Key
from barista_tui.widgets.bar import Bar, Piece
from barista_tui.widgets.picture import Picture

if TYPE_CHECKING:
    from barista_tui.filters import Scale

FRAME = 0.3
"""Seconds that each snapshot of a film stands at least."""
ZOOMS = range(7)


class Wish(Struct, frozen=True):
    """What is to be seen of the chosen snapshot."""

    layer: int = -1
    """Number in the file; -1: the first that has weights."""
    blob: int = 0
    page: int = 0
    zoom: int = 0
    mode: Mode | None = None
    """None: the form's usual one."""
    scale: Scale = "shared"


class Facts(Struct, frozen=True):
    """What the pane's actions decide by."""

    snapshots: int = 0
    pages: int = 1
    modes: int = 1
    blobs: int = 1
    drawn: bool = False
    playing: bool = False


class WeightsPane(Pane, can_focus=True):
    """Layers left, the chosen one drawn beside. Follows the newest snapshot until one is chosen."""

    DEFAULT_CSS = """
    WeightsPane OptionList {
        border: none; background: $background; background-tint: $foreground 0%; padding: 0; width: 26;
        height: 1fr; text-wrap: nowrap; text-overflow: ellipsis; scrollbar-size-vertical: 1;
    }
    WeightsPane.narrow OptionList { width: 17; }
    WeightsPane Picture { margin: 0 0 0 1; }
    """

    def __init__(self, spec: PaneSpec) -> None:
        super().__init__(spec)
        self._list = OptionList(id="weights-layers", compact=True)
        self._caption, self._foot = Bar(id="weights-caption"), Bar(id="weights-foot")
        self.picture = Picture(id="weights-picture")
        self._key: Key | None = None
        self._session: SessionInfo | None = None
        self._snapshots: tuple[Snapshot, ...] = ()
        self._at: int | None = None
        """Iteration of the chosen snapshot; None: the newest."""
        self._wish = Wish()
        self._layers: WeightsList | None = None
        self._kept = Kept()
        self._mark: tuple[object, ...] = ()
        self._file: Path | None = None
        """A model of this machine that is shown instead of the session's snapshots."""
        self.drawn: Drawn | None = None
        self.playing = False
        self._turn = 0

    def compose(self) -> ComposeResult:
        yield self._caption
        with Horizontal():
            yield self._list
            yield self.picture
        yield self._foot

    # ---------------------------------------------------------------------------------- what is looked at

    def show(self, look: Look) -> None:
        session = look.session
        if self._file is not None and self._key not in (look.key, None):
            self._file = None
        snapshots, linked = tuple(session.snapshots) if session is not None else (), look.linked
        if self._file is not None:
            snapshots, linked = words.as_snapshots(self._file), look.known.host(LOCAL).link.since
        mark = (look.key, self._file, snapshots, linked)
        if mark == self._mark:
            return
        if look.key != self._key:
            self._at, self.playing, self._wish = None, False, Wish(scale=self._wish.scale)
        elif self._at is not None and self._at not in {each.iteration for each in snapshots}:
            self._at = None
        self._mark = mark
        self._key, self._session, self._snapshots = look.key, session, snapshots
        self.renew()

    def open_file(self, path: Path) -> None:
        """Show a model of this machine, until esc, or another session is chosen."""
        self._file, self._key, self._mark = path, self.main.key, ()
        self._at, self.playing, self._wish = None, False, Wish(scale=self._wish.scale)
        self.main.show_known()

    def renew(self) -> None:
        """Fetch and draw what is wished for; what was being fetched is not waited for any more."""
        if not self._snapshots:
            self._show_layers(None)
            self._none(words.why_none(self._session))
            return
        if not self.shown:
            self._mark = ()
            return
        self.app.pixels.wake()
        self.fetch(self._run)

    async def _run(self) -> None:
        """A picture; while the film runs, one after the other, none before the one before has come."""
        await self._load()
        while self.playing and self.shown and len(self._snapshots) > 1:
            begun = time.monotonic()
            self._step(1, around=True)
            await self._load()
            await asyncio.sleep(max(0.0, begun + FRAME - time.monotonic()))
        if self.playing:
            self.playing = False
            self.post_message(self.HeadChanged())

    async def _load(self) -> None:
        key, snapshot = Key(LOCAL) if self._file else self._key, self._snapshot
        if key is None or snapshot is None:
            return
        if self.drawn is None:
            self.picture.say("Reading the snapshot ...")
        try:
            await self._draw(key, snapshot)
        except CallFailed as error:
            hint = f" {error.failure.hint}" if error.failure.hint else ""
            self._none(f"{error.failure.text}{hint}")

    async def _draw(self, key: Key, snapshot: Snapshot) -> None:
        host = self.app.fleet.of(key)
        which = ListWeights(session=key.session, iteration=snapshot.iteration)
        if self._file is not None:
            which = ListWeights(path=str(self._file))
        mark = (key, self._file, snapshot.iteration, snapshot.time)
        model = await self._kept.model(host, mark, which)
        self._show_layers(model)
        wish = self._settled(model)
        if wish is None:
            self._none("No layer of this net has weights.")
            return
        layer = model.layers[wish.layer]
        info = layer.blobs[wish.blob]
        form = form_of(layer.type, info.shape)
        mode = wish.mode if wish.mode in form.modes else form.modes[0]
        room = room_in(*self.picture.size, form, self.picture.means)
        grid = room.grid(form, mode, wish.zoom)
        blocks = grid.page(wish.page)
        wanted = rows_for(form, mode, blocks)
        stats = (await self._kept.stats(host, mark, which, wish.layer))[wish.blob]
        values = await self._kept.rows(host, mark, which, wish.layer, wish.blob, wanted)
        title = words.title(layer.name, wish.blob, len(layer.blobs), info)
        self._turn = 1 - self._turn
        every = self.app.console.color_system == "truecolor"
        paint = Paint(
            form, grid, blocks, wanted.start, mode, wish.scale, bounds_of(stats), room,
            *grounds(self.app.theme, self.picture.color_range, every), self._turn, every,
        )  # fmt: skip
        image, shown = await asyncio.to_thread(painted, values, paint)
        # The wish may have been settled otherwise while this was being fetched: then another run draws it.
        self.drawn = Drawn(snapshot, title, form, grid, mode, image, stats, blocks)
        self._wish = replace(wish, page=min(wish.page, grid.pages - 1))
        self.picture.show(shown)
        self._tell()

    def _settled(self, model: WeightsList) -> Wish | None:
        """The wish, with a layer and a blob that this file has; None where it has none."""
        usable = [number for number, layer in enumerate(model.layers) if _drawable(layer.blobs)]
        if not usable:
            return None
        wish = self._wish
        layer = wish.layer if wish.layer in usable else usable[0]
        choice = _drawable(model.layers[layer].blobs)
        return replace(wish, layer=layer, blob=wish.blob if wish.blob in choice else choice[0])

    def _none(self, text: str) -> None:
        self.drawn = None
        self.picture.say(text)
        self._tell()

    def _tell(self) -> None:
        drawn = self.drawn
        self._caption.show(*(words.caption(drawn, self._file) if drawn else ([],)))
        self._foot.show(words.foot(drawn.stats) if drawn else [])
        self.post_message(self.HeadChanged())

    def _show_layers(self, model: WeightsList | None) -> None:
        if model is not None and self._layers is not None and model.layers == self._layers.layers:
            return
        self._layers = model
        self._list.display = model is not None and not self.has_class("alone")
        self._list.clear_options()
        if model is None:
            return
        numbers = [number for number, layer in enumerate(model.layers) if _drawable(layer.blobs)]
        self._list.add_options(_option(model, number) for number in numbers)
        wish = self._settled(model)
        self._list.highlighted = numbers.index(wish.layer) if wish else None

    # ---------------------------------------------------------------------------------- of a pane

    @property
    def _snapshot(self) -> Snapshot | None:
        chosen = [each for each in self._snapshots if each.iteration == self._at]
        return chosen[0] if chosen else (self._snapshots[-1] if self._snapshots else None)

    def head(self) -> list[Piece]:
        snapshot = self._snapshot
        if snapshot is None:
            return []
        if self._file is not None:
            return [Piece("file, ", "dim"), Piece(f"{fmt.size(snapshot.size)} ", "dim")]
        place = self._snapshots.index(snapshot) + 1
        playing = [Piece("▶ film ", "running", "weights-play")] if self.playing else []
        where = Piece(f"{snapshot.iteration} ({place}/{len(self._snapshots)}) ", "dim")
        return [Piece("iteration ", "dim"), *playing, where]

    def goal(self) -> Widget:
        return self._list if self._list.display else self

    def back(self) -> bool:
        if self.playing:
            self.play()
            return True
        if self._wish.zoom:
            self.zoom(-self._wish.zoom)
            return True
        if self._file is not None:
            self._file = None
            self.main.show_known()
            return True
        return False

    def facts(self) -> object:
        drawn = self.drawn
        if drawn is None:
            return Facts(len(self._snapshots), playing=self.playing)
        layer = self._layers.layers[self._wish.layer] if self._layers else None
        blobs = len(_drawable(layer.blobs)) if layer else 1
        return Facts(len(self._snapshots), drawn.grid.pages, len(drawn.form.modes), blobs, True, self.playing)

    @on(Picture.Resized)
    def _resized(self) -> None:
        self.set_class(self.size.width < 70, "narrow")
        self.renew()

    @on(OptionList.OptionHighlighted)
    def _layer_chosen(self, message: OptionList.OptionHighlighted) -> None:
        number = int(message.option.id or -1)
        if number != self._wish.layer:
            self._change(replace(self._wish, layer=number, blob=0, page=0, mode=None, zoom=0))

    def _change(self, wish: Wish) -> None:
        if wish != self._wish:
            self._wish = wish
            self.renew()

    def _step(self, by: int, around: bool = False) -> bool:
        """Another snapshot; False where there is none."""
        iterations = [each.iteration for each in self._snapshots]
        if self._snapshot is None:
            return False
        place = iterations.index(self._snapshot.iteration) + by
        if around:
            place %= len(iterations)
        if not 0 <= place < len(iterations):
            return False
        self._at = iterations[place] if place < len(iterations) - 1 or around else None
        return True

    # ---------------------------------------------------------------------------------- actions

    def step(self, by: int) -> None:
        """The snapshot before, or after; from the newest on it follows what comes."""
        self.playing = False
        if self._step(by):
            self.renew()
        else:
            end = "newest" if by > 0 else "first"
            self.main.say(f"That is the {end} snapshot", "information")

    def play(self) -> None:
        """The film of the snapshots: on, off."""
        self.playing = not self.playing
        self.renew()
        self.post_message(self.HeadChanged())

    def turn(self, by: int) -> None:
        """Another page."""
        pages = self.drawn.grid.pages if self.drawn else 1
        self._change(replace(self._wish, page=min(max(self._wish.page + by, 0), pages - 1)))

    def zoom(self, by: int) -> None:
        """Larger blocks, or smaller ones; the first that can be seen stays on the page."""
        zoom = min(max(self._wish.zoom + by, ZOOMS[0]), ZOOMS[-1])
        self._change(replace(self._wish, zoom=zoom, page=self._wish.page if by > 0 else 0))

    def rescale(self) -> None:
        """One range for all, or each filter between its own least and greatest."""
        self._change(replace(self._wish, scale="filter" if self._wish.scale == "shared" else "shared"))

    def next_mode(self) -> None:
        """Colour, each channel, their mean: what the form allows."""
        if self.drawn is not None:
            modes = self.drawn.form.modes
            mode = modes[(modes.index(self.drawn.mode) + 1) % len(modes)]
            self._change(replace(self._wish, mode=mode, page=0))

    def next_blob(self) -> None:
        """Weights, bias, whatever the layer has."""
        if self._layers is not None and self.drawn is not None:
            choice = _drawable(self._layers.layers[self._wish.layer].blobs)
            blob = choice[(choice.index(self._wish.blob) + 1) % len(choice)]
            self._change(replace(self._wish, blob=blob, page=0, zoom=0))

    def alone(self) -> None:
        """All the room for the picture, or the layers beside it."""
        self.toggle_class("alone")
        self._list.display = self._layers is not None and not self.has_class("alone")
        self.goal().focus()

    def save(self) -> None:
        """What is drawn as a PNG file."""
        from barista_tui.panes.weightsave import ask_where

        name = self._file.stem if self._file else self._session.name if self._session else None
        if self.drawn is not None and name is not None:
            ask_where(self.main, name, self.drawn)


def _drawable(blobs: list[BlobInfo]) -> list[int]:
    return [place for place, blob in enumerate(blobs) if not blob.shared and 0 not in blob.shape]


def _option(model: WeightsList, number: int) -> Option:
    layer = model.layers[number]
    first = layer.blobs[_drawable(layer.blobs)[0]]
    count = sum(prod(blob.shape) for blob in layer.blobs if not blob.shared)
    text = (f" {layer.name or '(no name)'}\n", (f" {words.shape(first)} {fmt.count(count)}", "$dim"))
    return Option(Content.assemble(*text), id=str(number))
