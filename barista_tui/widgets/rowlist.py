"""Rows of which one is chosen: drawn when looked at, so a thousand cost what fits on the screen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Generic, TypeVar

from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView

from barista_tui.keymap import moves
from barista_tui.theme import Palette

R = TypeVar("R")


class RowList(ScrollView, Generic[R], can_focus=True, inherit_bindings=False):
    """Moved about in by keys and mouse; ``render_line`` is the derived class's."""

    DEFAULT_CSS = """
    RowList { height: 1fr; overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1; }
    """

    BINDINGS = moves()

    class Chosen(Message):
        """Another row is the chosen one."""

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, RowList.Chosen)

    class Opened(Message):
        """The chosen row was clicked twice."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.rows: Sequence[R] = ()
        self.index = 0
        self.found: frozenset[int] = frozenset()
        """Rows that match what is searched for."""

    # ---------------------------------------------------------------------------------- to be overridden

    def can_choose(self, row: R) -> bool:
        """False: a title, which the cursor goes past."""
        return True

    def shown_with(self, index: int) -> int:
        """The first row that comes into view with that one."""
        return index

    # ---------------------------------------------------------------------------------- to be used

    def mark(self, found: Iterable[int]) -> None:
        """Rows that match what is searched for."""
        if (marked := frozenset(found)) != self.found:
            self.found = marked
            self.refresh()

    def go(self, index: int, step: int = 1) -> None:
        """Choose a row and bring it into view; instead of a title the next one in the direction."""
        index = self.nearest(index, step)
        if self.rows and index != self.index:
            before, self.index = self.index, index
            self.refresh_line(before)
            self.refresh_line(index)
            self.post_message(self.Chosen())
        self.reveal()

    def nearest(self, index: int, step: int = 1) -> int:
        """The row that can be chosen next from there in the direction, else the last before; 0: none."""
        index = max(0, min(len(self.rows) - 1, index))
        rest = range(index, len(self.rows)) if step > 0 else range(index, -1, -1)
        back = range(index - 1, -1, -1) if step > 0 else range(index + 1, len(self.rows))
        return next((at for at in chain(rest, back) if self.can_choose(self.rows[at])), 0)

    def reveal(self) -> None:
        """Bring the chosen row into view."""
        top = self.shown_with(self.index)
        self.scroll_to_region(Region(0, top, 1, self.index - top + 1), animate=False, force=True)

    def fit(self) -> None:
        """Other rows, or another size."""
        self.virtual_size = Size(self.size.width, len(self.rows))
        self.refresh()
        self.reveal()

    def ground(self, index: int, palette: Palette) -> str | None:
        """The background of the cursor's row; None: not that one."""
        if index != self.index:
            return None
        return palette.cursor if self.has_focus else palette.cursor_idle

    def on_resize(self) -> None:
        self.fit()

    def watch_has_focus(self, _: bool) -> None:
        self.refresh_line(self.index)

    def action_move(self, step: int) -> None:
        self.go(self.index + step, step)

    def action_page(self, step: int) -> None:
        self.go(self.index + step * max(1, self.size.height - 1), step)

    def action_jump(self, index: int) -> None:
        self.go(index if index >= 0 else len(self.rows) - 1, 1 if index >= 0 else -1)

    def on_click(self, event: events.Click) -> None:
        index = event.get_content_offset_capture(self).y + self.scroll_offset.y
        if index < len(self.rows) and self.can_choose(self.rows[index]):
            self.go(index)
            if event.chain == 2:
                self.post_message(self.Opened())
