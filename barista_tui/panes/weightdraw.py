"""From values to what the Weights pane shows: in a thread, where numpy holds up no key."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from msgspec import Struct
from rich.color import Color as RichColor
from rich.color import ColorSystem
from textual.color import Color

from barista_server.api.messages import BlobStats, Snapshot
from barista_tui.blobform import Form, Grid, Mode, grid_of
from barista_tui.pixels import Means
from barista_tui.theme import Colors, palette_of
from barista_tui.widgets.picture import Shown, bars_in

if TYPE_CHECKING:
    from barista_tui.filters import Image, Scale


class Room(Struct, frozen=True):
    """Where a picture goes: ``columns`` x ``rows`` cells, ``bars`` lines of a histogram below them."""

    columns: int
    rows: int
    bars: int
    means: Means | None = None
    """How true pixels are shown; None: two in a cell."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        if self.means is None:
            return self.columns, 2 * self.rows
        width, height = self.means.cell
        largest = self.means.largest or 1 << 30
        return min(self.columns * width, largest), min(self.rows * height, largest)

    def grid(self, form: Form, mode: Mode, zoom: int) -> Grid:
        """How a blob is laid out here."""
        return grid_of(form, mode, *self.size, zoom, fine=self.means is not None)


def room_in(width: int, height: int, form: Form, means: Means | None) -> Room:
    """A matrix leaves some lines to its histogram."""
    bars = bars_in(height) if form.kind == "matrix" else 0
    return Room(width, max(1, height - bars - bool(bars)), bars, means)


class Paint(Struct, frozen=True):
    """What is drawn, and how."""

    form: Form
    grid: Grid
    blocks: range
    first: int
    mode: Mode
    scale: Scale
    bounds: tuple[float, float] | None
    room: Room
    ground: tuple[int, int, int]
    mark: tuple[int, int, int]
    number: int
    """Of the next of two pictures that take turns."""
    full: bool
    """The terminal has all colours."""


class Drawn(Struct, frozen=True):
    """A picture and what it is of."""

    snapshot: Snapshot
    title: str
    form: Form
    grid: Grid
    mode: Mode
    image: Image
    stats: BlobStats | None
    blocks: range


def grounds(theme: str, colors: Colors, full: bool) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Colours of what is between filters, as the cells around have it, and of what is not finite."""
    palette = palette_of(theme)
    ground, mark = (Color.parse(each) for each in (palette.background, palette.tones["failed"]))
    if colors == "many":
        cells = RichColor.from_rgb(*ground.rgb)
        shown = cells if full else cells.downgrade(ColorSystem.EIGHT_BIT)
        red, green, blue = shown.get_truecolor()
        return (red, green, blue), mark.rgb
    return ((0, 0, 0) if ground.brightness < 0.5 else (255, 255, 255)), mark.rgb


def bounds_of(stats: BlobStats | None) -> tuple[float, float] | None:
    """Least and greatest finite value of the blob."""
    if stats is None or stats.least is None or stats.greatest is None:
        return None
    return stats.least, stats.greatest


def painted(values: array[float], paint: Paint) -> tuple[Image, Shown]:
    """The picture, and what goes to the terminal."""
    import numpy as np

    from barista_tui import filters

    flat = np.frombuffer(values, np.float32)
    image = filters.draw(
        flat, paint.form, paint.grid, paint.blocks, paint.first, paint.mode, paint.scale, paint.bounds
    )
    room = paint.room
    histogram = filters.histogram(flat, room.bars) if room.bars else ([], [])
    if room.means is None:
        return image, Shown(image, histogram)
    return image, _true(image, histogram, paint, room.means)


def _true(image: Image, histogram: tuple[list[int], list[float]], paint: Paint, means: Means) -> Shown:
    from barista_tui import filters, pixelart

    room = paint.room
    width, height = room.size
    columns, rows = width // means.cell[0], height // means.cell[1]
    whole = pixelart.canvas(image, columns * means.cell[0], rows * means.cell[1])
    cells = filters.shrunk(whole, 2 * rows, columns)
    if means.kind == "sixel":
        sent = pixelart.sixels(whole, paint.ground, paint.mark)
        return Shown(cells, histogram, room.rows, sixels=sent)
    rgb = whole.rgb(paint.ground, paint.mark)
    number = pixelart.NUMBERS[paint.number % 2]
    sent = pixelart.kitty_held(rgb, columns, rows, number, paint.full)
    return Shown(cells, histogram, room.rows, message=sent, holders=pixelart.holders(columns, rows, number))
