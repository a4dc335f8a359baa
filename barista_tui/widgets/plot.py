"""The plot pane: curves of the selected session, drawn only when they changed and are visible."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from barista_server.api.messages import Series
from barista_tui import curves
from barista_tui import format as fmt
from barista_tui.curves import Curve, Inks, View
from barista_tui.store import Key
from barista_tui.theme import ink, palette_of
from barista_tui.widgets.bar import Piece

LEAST_SPAN = 1e-6
"""Part of the whole range that zooming stops at."""


MORE = 10
"""Cells that ``+12 more`` takes."""


def _width(entries: list[list[Piece]]) -> int:
    return sum(cell_len(piece.text) for entry in entries for piece in entry)


class Plot(Widget, can_focus=True):
    """Shows windows of metrics as curves; asks for them by a message when the view or the size changed."""

    DEFAULT_CSS = """
    Plot { height: 1fr; width: 1fr; padding: 0 1; }
    """

    class Wanted(Message):
        """The windows for the present view are needed; answer with :meth:`Plot.take`."""

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, Plot.Wanted)

    class StatusChanged(Message):
        """View or values changed: the title wants to be painted anew."""

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, Plot.StatusChanged)

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.view = View()
        self.session: Key | None = None
        self.empty: tuple[str, ...] = ()
        self._series: tuple[Series, ...] = ()
        self._strips: list[Strip] = []
        self._drawn_for: tuple[object, ...] = ()
        self._whole: tuple[float, float] = (0.0, 1.0)

    # ---------------------------------------------------------------------------------- contents

    def show(self, session: Key | None, empty: tuple[str, ...] = ()) -> None:
        """Show another session; its windows come with :meth:`take`, until then ``empty`` is shown."""
        if session != self.session:
            self.session = session
            self.view = replace(self.view, x0=None, x1=None)
            self._series = ()
            self._redraw()
            self.post_message(self.Wanted())
        if empty != self.empty:
            self.empty = empty
            self._redraw()

    def take(self, session: Key, series: list[Series], view: View) -> None:
        """Windows that were asked for, as ``view`` bounded them."""
        if session != self.session or (view.axis, view.x0, view.x1) != (
            self.view.axis,
            self.view.x0,
            self.view.x1,
        ):
            return
        if tuple(series) != self._series:
            self._series = tuple(series)
            self._redraw()

    @property
    def curves(self) -> list[Curve]:
        """The curves that have points, coloured."""
        colors = palette_of(self.app.theme).curves
        made = [curves.curve(each, colors[place % len(colors)]) for place, each in enumerate(self._series)]
        return [each for each in made if each.x or each.nonfinite]

    @property
    def buckets(self) -> int:
        """How many buckets this width can show: two points a braille cell."""
        return max(40, min(2000, self.size.width * 2))

    # ---------------------------------------------------------------------------------- view

    def set_view(self, view: View) -> None:
        """Look differently at the same session."""
        wanted = (view.axis, view.x0, view.x1) != (self.view.axis, self.view.x0, self.view.x1)
        self.view = view
        if wanted:
            self.post_message(self.Wanted())
        self._redraw()

    def cycle_axis(self) -> None:
        """Iterations, or training time."""
        axis: Literal["iteration", "time"] = "time" if self.view.axis == "iteration" else "iteration"
        self._series = ()
        self.set_view(replace(self.view, axis=axis, x0=None, x1=None))

    def zoom(self, factor: float) -> None:
        """Narrow (below 1) or widen the range around its middle."""
        low, high = self._range()
        middle, half = (low + high) / 2, (high - low) / 2 * factor
        if half < (self._whole[1] - self._whole[0]) * LEAST_SPAN:
            return
        self._set_range(middle - half, middle + half)

    def pan(self, part: float) -> None:
        """Move by a part of the visible range."""
        low, high = self._range()
        step = (high - low) * part
        first, last = self._whole
        step = max(first - low, min(last - high, step))
        self._set_range(low + step, high + step)

    def reset_range(self) -> None:
        """The whole range again, growing with the training."""
        self.set_view(replace(self.view, x0=None, x1=None))

    @property
    def zoomed(self) -> bool:
        """Only a part of the range is visible."""
        return self.view.x0 is not None or self.view.x1 is not None

    def _range(self) -> tuple[float, float]:
        return curves.x_bounds(self.curves, self.view)

    def _set_range(self, low: float, high: float) -> None:
        first, last = self._whole
        if low <= first and high >= last:
            self.reset_range()
        else:
            self.set_view(replace(self.view, x0=max(low, first), x1=min(high, last)))

    # ---------------------------------------------------------------------------------- painting

    def legend(self) -> list[Piece]:
        """Curve colours, names and last values, for the line under the title; short names if need be.

        What finds no room even so is counted.
        """
        entries = self._legend(False)
        room = self.size.width + 2
        if _width(entries) > room:
            entries = self._legend(True)
        count = len(entries)
        while len(entries) > 1 and _width(entries) + (MORE if len(entries) < count else 0) > room:
            entries.pop()
        pieces = [piece for entry in entries for piece in entry]
        if len(entries) < count:
            pieces.append(Piece(f" +{count - len(entries)} more", "dim"))
        return pieces

    def _legend(self, short: bool) -> list[list[Piece]]:
        entries = []
        colors = palette_of(self.app.theme).curves
        shown = self.curves
        if self.view.log and curves.hidden_by_log(shown):
            entries.append([Piece(" ≤ 0 not on a log scale ", "warning", "scale")])
        for each in shown:
            entry = [
                Piece(" ━ ", f"curve{colors.index(each.color)}"),
                Piece(f"{each.short if short else each.label} ", "dim"),
            ]
            if each.last is not None:
                entry.append(Piece(f"{fmt.value(each.last)} ", "text"))
            if each.nonfinite:
                entry.append(Piece("✖ NaN ", "failed", reason="not a number, or infinite: ✖ on the axis"))
            entries.append(entry)
        return entries

    def _redraw(self) -> None:
        if not self.zoomed and self.curves:
            self._whole = curves.x_bounds(self.curves, self.view)
        self._drawn_for = ()
        self.refresh()
        self.post_message(self.StatusChanged())

    def on_resize(self, event: events.Resize) -> None:
        if event.size.width != 0:
            self.post_message(self.Wanted())

    def get_content_width(self, container: Size, viewport: Size) -> int:
        return container.width

    def render_line(self, y: int) -> Strip:
        width, height = self.size
        theme = self.app.theme
        drawn_for = (self._series, self.view, width, height, theme, self.empty)
        if drawn_for != self._drawn_for:
            self._strips = self._draw(width, height, theme)
            self._drawn_for = drawn_for
        if y < len(self._strips):
            return self._strips[y].apply_style(self.rich_style)
        return Strip.blank(width, self.rich_style)

    def _draw(self, width: int, height: int, theme: str) -> list[Strip]:
        palette = palette_of(theme)
        inks = Inks(axis=palette.dim, grid=palette.faint, mark=palette.tones["failed"])
        text = curves.draw(self.curves, self.view, width, height, inks)
        if not text:
            lines = self.empty if self.session is not None or self.empty else ()
            top = max(0, (height - len(lines)) // 2)
            blank = [Strip.blank(width) for _ in range(top)]
            return blank + [
                Strip([Segment(fmt.fit(line, width), ink(palette.dim))]).adjust_cell_length(width)
                for line in (line.center(width)[:width] for line in lines)
            ]
        strips = []
        console = self.app.console
        for line in text.splitlines()[:height]:
            segments = [
                Segment(each.text, Style(color=each.style.color) if each.style else None)
                for each in Text.from_ansi(line, end="").render(console)
                if each.text and each.control is None
            ]
            strips.append(Strip(segments).adjust_cell_length(width))
        return strips

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.zoom(0.8)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.zoom(1.25)
