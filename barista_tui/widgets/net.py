"""A net's layers with their rails: drawn when looked at, so a thousand cost what fits on the screen."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from barista_tui import netrows
from barista_tui.keymap import move
from barista_tui.netrows import NetRow
from barista_tui.theme import ink, palette_of


class NetList(ScrollView, can_focus=True, inherit_bindings=False):
    """Shows rows of a net; one of them is chosen."""

    DEFAULT_CSS = """
    NetList { height: 1fr; overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1; }
    """

    BINDINGS = [
        move("move-up", "move(-1)"),
        move("move-down", "move(1)"),
        move("page-up", "page(-1)"),
        move("page-down", "page(1)"),
        move("first", "jump(0)"),
        move("last", "jump(-1)"),
    ]

    class Chosen(Message):
        """Another row is the chosen one."""

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, NetList.Chosen)

    class Opened(Message):
        """The chosen row was double-clicked."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.rows: Sequence[NetRow] = ()
        self.index = 0
        self.found: frozenset[int] = frozenset()
        """Rows that match what is searched for."""
        self._widths = netrows.widths((), 80)

    @property
    def chosen(self) -> NetRow | None:
        """The row with the cursor."""
        return self.rows[self.index] if self.index < len(self.rows) else None

    def show(self, rows: Sequence[NetRow], index: int) -> None:
        """Other rows, with the cursor on that one."""
        self.rows = rows
        self.index = max(0, min(index, len(rows) - 1))
        self._layout()
        self.post_message(self.Chosen())

    def mark(self, found: frozenset[int]) -> None:
        """Rows that match what is searched for."""
        if found != self.found:
            self.found = found
            self.refresh()

    def go(self, index: int) -> None:
        """Choose a row and bring it into view."""
        index = max(0, min(len(self.rows) - 1, index))
        if self.rows and index != self.index:
            before, self.index = self.index, index
            self.refresh_line(before)
            self.refresh_line(index)
            self.post_message(self.Chosen())
        self._reveal()

    def _layout(self) -> None:
        self._widths = netrows.widths(self.rows, (self.size.width or 80) - 1)
        self.virtual_size = Size(self.size.width, len(self.rows))
        self._reveal()
        self.refresh()

    def _reveal(self) -> None:
        self.scroll_to_region(Region(0, self.index, 1, 1), animate=False, force=True)

    @property
    def heading(self) -> str:
        """Titles of the columns."""
        return " " + netrows.heading(self._widths)

    def on_resize(self) -> None:
        self._layout()
        self.post_message(self.Chosen())

    def watch_has_focus(self, _: bool) -> None:
        self.refresh_line(self.index)

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        palette = palette_of(self.app.theme)
        index = self.scroll_offset.y + y
        if index >= len(self.rows):
            return Strip.blank(width, self.rich_style)
        chosen = index == self.index
        background = (palette.cursor if self.has_focus else palette.cursor_idle) if chosen else None
        rails, name, kind, numbers = netrows.cells(self.rows[index], self._widths)
        folded = bool(self.rows[index].node.prefix)
        tone = palette.accent if folded or index in self.found else palette.foreground
        strip = Strip(
            [
                Segment("▌" if chosen else " ", ink(palette.accent, background)),
                Segment(rails, ink(palette.dim, background)),
                Segment(name, ink(tone, background, index in self.found or chosen)),
                Segment(kind, ink(palette.dim, background)),
                Segment(numbers, ink(palette.foreground, background)),
            ]
        )
        strip = strip.adjust_cell_length(width, ink(palette.foreground, background))
        return strip.apply_style(self.rich_style)

    def action_move(self, step: int) -> None:
        self.go(self.index + step)

    def action_page(self, step: int) -> None:
        self.go(self.index + step * max(1, self.size.height - 1))

    def action_jump(self, index: int) -> None:
        self.go(index if index >= 0 else len(self.rows) - 1)

    def on_click(self, event: events.Click) -> None:
        index = event.get_content_offset_capture(self).y + self.scroll_offset.y
        if index < len(self.rows):
            self.go(index)
            if event.chain == 2:
                self.post_message(self.Opened())
