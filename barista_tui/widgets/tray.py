"""The tray: a line for each long work with bar, rate, time to go; x cancels. Any screen can have one."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.binding import Binding
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from barista_tui import format as fmt
from barista_tui.keymap import move
from barista_tui.theme import ink, palette_of
from barista_tui.works import LongWork

MOST = 4
"""Lines at once; of more, the last tells how many."""
BAR = 20
CANCEL = " ✕ "


def numbers(work: LongWork) -> str:
    """``42 %  1.2 GB of 3.0 GB  95 MB/s  00:12 left``."""
    if work.words:
        return work.words
    size = fmt.size if work.unit == "bytes" else fmt.count
    words = [f"{work.part:4.0%}"] if work.part is not None else []
    if work.unit:
        of = f" of {size(int(work.total))}" if work.total else ""
        words.append(f"{size(int(work.done))}{of}")
        if work.rate > 0:
            words.append(f"{size(int(work.rate))}/s")
    if work.eta is not None:
        words.append(f"{fmt.duration(work.eta)} left")
    return "  ".join(words)


class Tray(Widget, can_focus=True):
    """Shows lines of work; not there while there is none."""

    DEFAULT_CSS = "Tray { height: auto; width: 1fr; background: $surface; display: none; }"
    BINDINGS = [
        move("move-up", "move(-1)"),
        move("move-down", "move(1)"),
        Binding("x,delete", "cancel", show=False, id="work-cancel"),
        Binding("escape", "leave", show=False),
    ]

    class HeightChanged(Message):
        """There are more or fewer lines."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._works: tuple[LongWork, ...] = ()
        self._at = 0

    @property
    def rows(self) -> int:
        """Lines that it takes."""
        return min(len(self._works), MOST)

    def show(self, works: Sequence[LongWork]) -> None:
        """The work as it is now."""
        before = self.rows
        if tuple(works) == self._works:
            return
        chosen = self._works[self._at].id if self._at < len(self._works) else ""
        self._works = tuple(works)
        ids = [work.id for work in works]
        self._at = ids.index(chosen) if chosen in ids else min(self._at, max(0, len(ids) - 1))
        if self.rows != before:
            self.display = self.rows > 0
            self.styles.height = self.rows
            self.post_message(self.HeightChanged())
        self.refresh()

    def render_line(self, y: int) -> Strip:
        palette, width = palette_of(self.app.theme), self.size.width
        if y >= len(self._works):
            return Strip.blank(width, self.rich_style)
        if y == MOST - 1 and len(self._works) > MOST:
            more = Segment(f" … and {len(self._works) - y} more", ink(palette.dim))
            return Strip([more]).adjust_cell_length(width).apply_style(self.rich_style)
        work = self._works[y]
        chosen = self.has_focus and y == self._at
        background = palette.cursor if chosen else None
        told = numbers(work)
        cancel = CANCEL if work.cancel is not None else "   "
        room = width - len(CANCEL) - cell_len(told) - 4
        bar = BAR if room > BAR + 24 else 0
        label = fmt.fit(work.label, max(8, room - bar))
        filled, empty = fmt.bar(work.part or 0.0, bar)
        segments = [
            Segment("▌" if chosen else " ", ink(palette.accent, background)),
            Segment(label + " ", ink(palette.foreground, background)),
            Segment(filled, ink(palette.accent, background)),
            Segment(empty + " ", ink(palette.faint, background)),
            Segment(told + " ", ink(palette.dim, background)),
        ]
        line = Strip(segments).adjust_cell_length(width - len(CANCEL), ink(palette.foreground, background))
        end = Segment(cancel, ink(palette.accent if chosen else palette.dim, background))
        return Strip([*line, end]).apply_style(self.rich_style)

    def action_move(self, step: int) -> None:
        """Choose another line."""
        self._at = max(0, min(self.rows - 1, self._at + step))
        self.refresh()

    def action_cancel(self) -> None:
        """End the chosen work."""
        self._cancel(self._at)

    def action_leave(self) -> None:
        """Back to where the person came from."""
        self.screen.focus_previous()

    def _cancel(self, index: int) -> None:
        work = self._works[index] if index < len(self._works) else None
        if work is not None and work.cancel is not None:
            work.cancel()

    def on_click(self, event: events.Click) -> None:
        place = event.get_content_offset_capture(self)
        self._at = max(0, min(self.rows - 1, place.y))
        if place.x >= self.size.width - len(CANCEL):
            self._cancel(place.y)
        self.refresh()

    def watch_has_focus(self, _: bool) -> None:
        self.refresh()
