"""The cursor of a widget of lines, and what is selected: by keys and by the mouse."""

from __future__ import annotations

from textual import events
from textual.scroll_view import ScrollView

from barista_tui.keymap import move


class LineCursor(ScrollView):
    """Lines that can be walked through; at the end the cursor gives way to following what comes."""

    BINDINGS = [
        move("move-up", "move(-1)"),
        move("move-down", "move(1)"),
        move("page-up", "page(-1)"),
        move("page-down", "page(1)"),
        move("move-left", "scroll_left"),
        move("move-right", "scroll_right"),
        move("first", "first"),
        move("select-up", "select(-1)"),
        move("select-down", "select(1)"),
    ]

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.cursor: int | None = None
        self._anchor: int | None = None
        """Where the selection begins; it ends at the cursor."""
        self._reveal_due = False
        """The cursor is to be seen once its line is known."""
        self._dragging = False

    # ---------------------------------------------------------------------------------- to be overridden

    @property
    def total(self) -> int:
        """Lines that there are."""
        raise NotImplementedError

    @property
    def seen(self) -> range:
        """The lines that can be seen."""
        raise NotImplementedError

    def set_follow(self) -> None:
        """Go to the last line and stay there."""
        raise NotImplementedError

    def _following(self, follow: bool) -> None:
        raise NotImplementedError

    def _scroll(self, y: float) -> None:
        raise NotImplementedError

    def _moved(self) -> None:
        raise NotImplementedError

    # ---------------------------------------------------------------------------------- cursor, selection

    @property
    def selection(self) -> range:
        """The lines that are chosen: those selected, else that of the cursor."""
        if self.cursor is None:
            return range(0)
        low, high = sorted((self.cursor, self.cursor if self._anchor is None else self._anchor))
        return range(low, min(high + 1, self.total))

    def unselect(self) -> bool:
        """No lines are selected any more; False where none were."""
        selected, self._anchor = self._anchor is not None, None
        self.refresh()
        return selected

    def start_selection(self) -> None:
        """From here on, moving selects; again: no more."""
        if not self.unselect():
            self._step(0)
            self._anchor = self.cursor
            self.refresh()

    def action_move(self, step: int) -> None:
        if step > 0 and (self.cursor is None or self.cursor + step >= self.total) and self._anchor is None:
            self.set_follow()
        else:
            self._step(step)

    def action_select(self, step: int) -> None:
        begin = self._anchor if self._anchor is not None else self.cursor
        if begin is None:
            self._step(0)
            begin = self.cursor
        else:
            self._step(step)
        self._anchor = begin
        self.refresh()

    def action_page(self, step: int) -> None:
        page = step * max(1, self.size.height - 1)
        if step > 0 and self.scroll_offset.y + page >= self.max_scroll_y and self._anchor is None:
            self.set_follow()
            return
        self._step(page, page)

    def action_first(self) -> None:
        self._step(-self.total, -self.total)

    def _step(self, step: int, scroll: int = 0) -> None:
        """Move the cursor, which is where one looks when it was out of sight before."""
        if not self.total:
            return
        seen = self.seen or range(1)
        at = self.cursor if self.cursor is not None else seen[-1]
        at = min(max(at, seen[0]), seen[-1])
        self._reveal_due = False
        self._following(False)
        self.cursor = min(max(0, at + step), self.total - 1)
        if scroll:
            self._scroll(self.scroll_offset.y + scroll)
        if self.cursor not in self.seen:
            above = self.cursor < self.scroll_offset.y
            self._scroll(self.cursor if above else self.cursor - self.size.height + 1)
        self._moved()

    def action_scroll_left(self) -> None:
        self.scroll_relative(x=-8, animate=False)

    def action_scroll_right(self) -> None:
        self.scroll_relative(x=8, animate=False)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        index = self._line_at(event)
        if event.button == 1 and index is not None:
            self._anchor = self.cursor if event.shift and self.cursor is not None else None
            self._point(index)
            self._dragging = True
            self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        index = self._line_at(event)
        if self._dragging and index is not None and index != self.cursor:
            self._anchor = self.cursor if self._anchor is None else self._anchor
            self._point(index)

    def on_mouse_up(self) -> None:
        if self._dragging:
            self._dragging = False
            self.release_mouse()

    def _line_at(self, event: events.MouseEvent) -> int | None:
        index = self.scroll_offset.y + min(max(event.y, -1), self.size.height)
        return index if 0 <= index < self.total else None

    def _point(self, index: int) -> None:
        anchor = self._anchor
        self.cursor = index
        self._step(0)
        self._anchor = anchor
