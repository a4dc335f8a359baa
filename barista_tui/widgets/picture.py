"""A picture of a blob, and below it the histogram of its values where it has one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from barista_tui import format as fmt
from barista_tui.theme import Colors, ink, palette_of

if TYPE_CHECKING:
    from barista_tui.filters import Image

BARS = 8
"""Lines of a histogram, where the picture keeps twice as many."""


def bars_in(height: int) -> int:
    """Lines of a histogram in a place so high."""
    return BARS if height >= 3 * BARS else max(0, height // 3)


class Picture(Widget):
    """Draws an image in the colours that the terminal has; asks for one of another size by a message."""

    DEFAULT_CSS = "Picture { width: 1fr; height: 1fr; }"

    class Resized(Message):
        """There is more room, or less."""

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, Picture.Resized)

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._image: Image | None = None
        self._histogram: tuple[list[int], list[float]] = ([], [])
        self._words = ""
        self._strips: list[Strip] = []
        self._drawn_for: tuple[object, ...] = ()

    @property
    def image(self) -> Image | None:
        """What is shown."""
        return self._image

    @property
    def words(self) -> str:
        """What stands there instead of a picture."""
        return self._words

    def show(self, image: Image, histogram: tuple[list[int], list[float]] = ([], [])) -> None:
        """Draw it."""
        self._image, self._histogram, self._words = image, histogram, ""
        self._drawn_for = ()
        self.refresh()

    def say(self, words: str) -> None:
        """Nothing is drawn, and why."""
        if self._image is not None or words != self._words:
            self._image, self._histogram, self._words = None, ([], []), words
            self._drawn_for = ()
            self.refresh()

    def on_resize(self, event: events.Resize) -> None:
        self.post_message(self.Resized())

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        colors: Colors = self.app.color_range  # type: ignore[attr-defined]
        drawn_for = (width, self.size.height, self.app.theme)
        if drawn_for != self._drawn_for:
            self._strips = self._draw(width, colors)
            self._drawn_for = drawn_for
        if y < len(self._strips):
            return self._strips[y].adjust_cell_length(width).apply_style(self.rich_style)
        return Strip.blank(width, self.rich_style)

    def _draw(self, width: int, colors: Colors) -> list[Strip]:
        palette = palette_of(self.app.theme)
        if self._image is None:
            blank = [Strip.blank(width)] * max(0, (self.size.height - 1) // 2)
            return [*blank, Strip([Segment(fmt.fit(self._words, width).center(width), ink(palette.dim))])]
        from barista_tui import cellart

        if self.app.theme.startswith("barista-ansi") and colors == "many":
            colors = "sixteen"
        drawn = cellart.strips(self._image, palette, colors)
        bars = cellart.bars(*self._histogram, width, palette)
        return [*drawn, Strip.blank(width), *bars] if bars else drawn
