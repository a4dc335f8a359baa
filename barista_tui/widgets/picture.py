"""A picture of a blob, and below it the histogram of its values where it has one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field
from rich.segment import Segment
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from barista_tui import format as fmt
from barista_tui.theme import Colors, ink, palette_of

if TYPE_CHECKING:
    from barista_tui.filters import Image
    from barista_tui.pixels import Means, Pixels

BARS = 8
"""Lines of a histogram, where the picture keeps twice as many."""


def bars_in(height: int) -> int:
    """Lines of a histogram in a place so high."""
    return BARS if height >= 3 * BARS else max(0, height // 3)


class Shown(Struct, frozen=True):
    """``image``: two pixels in a cell; a histogram; the same in true pixels, where the terminal can."""

    image: Image
    histogram: tuple[list[int], list[float]] = ([], [])
    rows: int = 0
    """Lines that true pixels take."""
    sixels: str = ""
    """Painted over the cells."""
    message: str = ""
    """Sent before: what cells with ``holders`` show."""
    holders: list[Strip] = field(default_factory=list)


class Picture(Widget):
    """Draws an image in the colours that the terminal has, and over these cells in true pixels where it can;
    asks for one of another size by a message.
    """

    DEFAULT_CSS = "Picture { width: 1fr; height: 1fr; }"

    class Resized(Message):
        """There is more room, or less."""

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, Picture.Resized)

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._shown: Shown | None = None
        self._words = ""
        self._theme = ""
        """Whose ground true pixels have."""
        self._strips: list[Strip] = []
        self._drawn_for: tuple[object, ...] = ()

    @property
    def image(self) -> Image | None:
        """What is shown."""
        return self._shown.image if self._shown else None

    @property
    def sixels(self) -> str:
        """To be painted over the cells; empty where cells are all there is."""
        return self._shown.sixels if self._shown else ""

    @property
    def words(self) -> str:
        """What stands there instead of a picture."""
        return self._words

    @property
    def pixels(self) -> Pixels:
        """What the terminal can."""
        return self.app.pixels  # type: ignore[attr-defined, no-any-return]

    @property
    def means(self) -> Means | None:
        """How true pixels are shown here; None where they are not."""
        means = self.pixels.means
        # Kitty knows its pictures by the colours of their cells; sixels bring their own.
        kept = self.color_range == "many" or (means is not None and means.kind == "sixel")
        return means if kept and self.color_range != "none" else None

    @property
    def color_range(self) -> Colors:
        """How many the terminal has, with the look that it wears."""
        colors: Colors = self.app.color_range  # type: ignore[attr-defined]
        return "sixteen" if colors == "many" and self.app.theme.startswith("barista-ansi") else colors

    def show(self, shown: Shown) -> None:
        """Draw it."""
        self._shown, self._words, self._theme = shown, "", self.app.theme
        self._drawn_for = ()
        if shown.message:
            self.pixels.write(shown.message)
        self.refresh()

    def say(self, words: str) -> None:
        """Nothing is drawn, and why."""
        if self._shown is not None or words != self._words:
            self._shown, self._words = None, words
            self._drawn_for = ()
            self.refresh()

    def render_lines(self, crop: Region) -> list[Strip]:
        if self.sixels:
            self.pixels.rewritten(self)
        return super().render_lines(crop)

    def on_resize(self, event: events.Resize) -> None:
        self.post_message(self.Resized())

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        drawn_for = (width, self.size.height, self.app.theme)
        if drawn_for != self._drawn_for:
            self._strips = self._draw(width)
            self._drawn_for = drawn_for
        if y < len(self._strips):
            return self._strips[y].adjust_cell_length(width).apply_style(self.rich_style)
        return Strip.blank(width, self.rich_style)

    def _draw(self, width: int) -> list[Strip]:
        palette = palette_of(self.app.theme)
        shown = self._shown
        if shown is None:
            blank = [Strip.blank(width)] * max(0, (self.size.height - 1) // 2)
            return [*blank, Strip([Segment(fmt.fit(self._words, width).center(width), ink(palette.dim))])]
        from barista_tui import cellart

        if self._theme != self.app.theme and (shown.sixels or shown.holders):
            self.post_message(self.Resized())
        drawn = shown.holders or cellart.strips(shown.image, palette, self.color_range)
        drawn += [Strip.blank(width)] * (shown.rows - len(drawn))
        bars = cellart.bars(*shown.histogram, width, palette)
        return [*drawn, Strip.blank(width), *bars] if bars else drawn
