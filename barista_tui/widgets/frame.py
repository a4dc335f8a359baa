"""The room of the panes: places its children where a shape says, and the dividers between them."""

from __future__ import annotations

from typing import Literal

from rich.segment import Segment
from textual import events
from textual.geometry import NULL_OFFSET, Size, Spacing
from textual.layout import ArrangeResult, Layout, WidgetPlacement
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from barista_tui.frame import Shape
from barista_tui.theme import ink, palette_of


class _Placed(Layout):
    """Children lie where the frame's shape has a region of their name; the others are not seen."""

    name = "placed"

    def arrange(
        self, parent: Widget, children: list[Widget], size: Size, greedy: bool = True
    ) -> ArrangeResult:
        parent.pre_layout(self)
        assert isinstance(parent, PaneFrame)
        regions = parent.shape_of(size).regions()
        placements = []
        for child in children:
            region = regions.get((child.id or "").removeprefix("pane-"))
            if region is not None:
                placements.append(
                    WidgetPlacement(region, NULL_OFFSET, Spacing(), child, 0, False, False, False)
                )
        return placements


class PaneFrame(Widget):
    """Lays panes out by :class:`barista_tui.frame.Shape`; ``shape_now`` gives it for any size."""

    DEFAULT_CSS = "PaneFrame { width: 1fr; height: 1fr; }"

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.shape = Shape(Size(0, 0), "plot", "sessions")
        self._placed = _Placed()

    @property
    def layout(self) -> Layout:
        """Its own, not one by name."""
        return self._placed

    def shape_of(self, size: Size) -> Shape:
        """The present shape at a size."""
        return Shape(size, self.shape.tab, self.shape.active, self.shape.rows, self.shape.shares)

    def take(self, shape: Shape) -> None:
        """Lay out anew, if that is different."""
        if shape != self.shape:
            before, self.shape = self.shape, shape
            if before.regions() != shape.regions():
                # How children were arranged is remembered until one of them asks for another layout.
                for child in self.children[:1]:
                    child.refresh(layout=True)


class Divider(Widget):
    """A line between panes that the mouse can drag."""

    DEFAULT_CSS = "Divider { width: 1fr; height: 1fr; }"

    class Dragged(Message):
        """The mouse is now at this place of the screen."""

        def __init__(self, divider: Divider, x: int, y: int) -> None:
            super().__init__()
            self.divider = divider
            self.x, self.y = x, y

    def __init__(self, direction: Literal["vertical", "horizontal"], id: str) -> None:
        super().__init__(id=id)
        self._sign = "│" if direction == "vertical" else "─"
        self._held = False

    def render_line(self, y: int) -> Strip:
        palette = palette_of(self.app.theme)
        color = palette.accent if self._held else palette.faint
        segment = Segment(self._sign * self.size.width, ink(color))
        return Strip([segment], self.size.width).apply_style(self.rich_style)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        event.stop()
        self._hold(True)
        self.capture_mouse()

    def on_mouse_up(self, event: events.MouseUp) -> None:
        event.stop()
        self._hold(False)
        self.release_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._held:
            event.stop()
            self.post_message(self.Dragged(self, int(event.screen_x), int(event.screen_y)))

    def _hold(self, held: bool) -> None:
        self._held = held
        self.refresh()
