"""The console: a session's log or the notices, a window of lines at a time, however long the log is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from barista_server.api.messages import LogLine, Notice
from barista_tui import format as fmt
from barista_tui.keymap import move
from barista_tui.lines import LineCache, Source, Window
from barista_tui.theme import Palette, ink, palette_of
from barista_tui.widgets.bar import color_of

GLOG = re.compile(r"^[IWEF](?:\d{4}|\d{8}) (\d\d:\d\d:\d\d)(?:\.\d+)? +\d+ [^\]\s]+\] ?")
"""What glog puts before each line; only its time of day is shown."""

KIND_TONES = {
    "plain": "dim",
    "metric": "text",
    "test": "finished",
    "event": "running",
    "warning": "warning",
    "error": "failed",
}

KINDS: dict[str, tuple[str, ...]] = {
    "all lines": (),
    "errors": ("warning", "error"),
    "metrics": ("metric", "test"),
}
"""The filters of the console, by their names on the screen."""

STAMP = 9
"""Cells of the time of day before a line."""

AHEAD = 64
"""Lines fetched beyond the visible ones."""


def line_segments(line: LogLine, palette: Palette, raw: bool) -> list[Segment]:
    """One log line: time dim, message in the colour of its kind."""
    color = ink(color_of(palette, KIND_TONES[line.kind]))
    if raw:
        return [Segment(line.text, color)]
    match = GLOG.match(line.text)
    if match is None:
        return [Segment(" " * STAMP, ink(palette.dim)), Segment(line.text, color)]
    return [Segment(match.group(1) + " ", ink(palette.dim)), Segment(line.text[match.end() :], color)]


def notice_segments(notice: Notice, palette: Palette) -> list[Segment]:
    """``[14:02:31, Session 7] text``."""
    color = palette.tones["failed"] if notice.kind == "error" else palette.foreground
    return [
        Segment(fmt.notice_prefix(notice) + " ", ink(palette.dim)),
        Segment(notice.text.replace("\n", " "), ink(color)),
    ]


class Console(ScrollView, can_focus=True):
    """Shows lines of a :class:`LineCache`, or notices; asks for lines it lacks by a message."""

    DEFAULT_CSS = """
    Console {
        height: 1fr; overflow-x: auto; overflow-y: scroll; padding: 0 0 0 1;
        scrollbar-size-vertical: 1; scrollbar-size-horizontal: 0;
    }
    """

    BINDINGS = [
        move("move-up", "scroll_up"),
        move("move-down", "scroll_down"),
        move("page-up", "page_up"),
        move("page-down", "page_down"),
        move("move-left", "scroll_left"),
        move("move-right", "scroll_right"),
        move("first", "scroll_home"),
    ]

    class Wanted(Message):
        """Lines are needed; answer with :meth:`Console.take`."""

        def __init__(self, source: Source, window: Window) -> None:
            super().__init__()
            self.source = source
            self.window = window

    class StatusChanged(Message):
        """Follow mode, number of lines or filter changed: the title wants to be painted anew."""

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, Console.StatusChanged)

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.follow = True
        self.raw = False
        self.showing: Literal["log", "notices"] = "log"
        self.empty: tuple[str, ...] = ()
        self._cache: LineCache | None = None
        self._notices: tuple[Notice, ...] = ()
        self._asked: Window | None = None
        self._seen = 0
        self._longest = 0
        self._own_scroll = False
        self.marked: int | None = None
        self._reveal_due = False

    # ---------------------------------------------------------------------------------- what is shown

    @property
    def total(self) -> int:
        """Lines that pass the filter, as far as known."""
        if self.showing == "notices":
            return len(self._notices)
        return self._cache.total if self._cache is not None else 0

    @property
    def unseen(self) -> int:
        """Lines that came since following was left."""
        return 0 if self.follow else max(0, self.total - self._seen)

    @property
    def source(self) -> Source | None:
        """The log that is shown or would be, when notices are."""
        return self._cache.source if self._cache is not None else None

    def show_log(self, source: Source | None) -> None:
        """Show another log, or none. The lines are asked for and come with :meth:`take`."""
        if self._cache is not None and source == self._cache.source:
            return
        self._cache = LineCache(source) if source is not None else None
        self._asked = None
        if self.showing == "log":
            self._begin()

    def show_notices(self, notices: tuple[Notice, ...]) -> None:
        """The notices as they are now."""
        if notices is self._notices:
            return
        self._notices = notices
        if self.showing == "notices":
            self._grown()

    def switch(self, showing: Literal["log", "notices"]) -> None:
        """Show the log or the notices."""
        if showing != self.showing:
            self.showing = showing
            self._begin()

    def poke(self) -> None:
        """The log is said to have grown: look at its end, if anybody sees it."""
        if self._cache is not None and self.showing == "log" and self.size.height:
            self._ask(self._cache.tail())

    def take(self, source: Source, start: int, total: int, lines: Sequence[LogLine]) -> None:
        """Lines that were asked for."""
        self._asked = None
        if self._cache is None or source != self._cache.source:
            return
        before = self._cache.total
        self._cache.put(start, total, list(lines))
        longest = max((cell_len(line.text) + STAMP for line in lines), default=0)
        if longest > self._longest:
            self._longest = longest
        if self.showing != "log":
            return
        if total != before:
            self._grown()
        else:
            self.refresh()
            self._fetch_visible()

    def refused(self) -> None:
        """The lines asked for cannot be had now."""
        self._asked = None

    def set_raw(self, raw: bool) -> None:
        """Show log lines with everything glog puts before them."""
        self.raw = raw
        self.refresh()
        self.post_message(self.StatusChanged())

    # ---------------------------------------------------------------------------------- following

    def set_follow(self) -> None:
        """Go to the last line and stay there."""
        self._following(True)
        self._go_to_end()

    def reveal(self, index: int) -> None:
        """Show a line in the middle and mark it, at once or as soon as the log is known to have it."""
        self.marked = index
        self._reveal_due = True
        self._reveal()

    def _reveal(self) -> None:
        visible = self.size.height > 0
        if self._reveal_due and visible and self.marked is not None and self.marked < self.total:
            self._reveal_due = False
            self._following(False)
            self._scroll(max(0, self.marked - self.size.height // 2))
            self.refresh()
            self._fetch_visible()

    def _following(self, follow: bool) -> None:
        if follow != self.follow:
            self.follow = follow
            self._seen = self.total
            self.post_message(self.StatusChanged())

    def _go_to_end(self) -> None:
        self._scroll(self.max_scroll_y)

    def _scroll(self, y: float) -> None:
        self._own_scroll = True
        try:
            self.scroll_to(y=y, animate=False)
        finally:
            self._own_scroll = False

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if not self._own_scroll:
            # A person scrolled, by key, wheel or bar: the end is where following is.
            self._following(new_value >= self.max_scroll_y)
        self._fetch_visible()

    def action_scroll_up(self) -> None:
        self.scroll_relative(y=-1, animate=False)

    def action_scroll_down(self) -> None:
        self.scroll_relative(y=1, animate=False)

    def action_page_up(self) -> None:
        self.scroll_relative(y=-max(1, self.size.height - 1), animate=False)

    def action_page_down(self) -> None:
        self.scroll_relative(y=max(1, self.size.height - 1), animate=False)

    def action_scroll_home(self) -> None:
        self.scroll_to(y=0, animate=False)

    def action_scroll_left(self) -> None:
        self.scroll_relative(x=-8, animate=False)

    def action_scroll_right(self) -> None:
        self.scroll_relative(x=8, animate=False)

    # ---------------------------------------------------------------------------------- painting

    def _begin(self) -> None:
        """Other lines from here on: start at the end, following."""
        self.follow = True
        self.marked = None
        self._longest = 0
        self.scroll_to(x=0, animate=False)
        self._grown()
        self.poke()

    def _grown(self) -> None:
        if self.showing == "notices":
            self._longest = max((len(notice.text) + 40 for notice in self._notices), default=0)
        self.virtual_size = Size(max(self._longest, 1), self.total)
        if self.follow:
            self._go_to_end()
        self._reveal()
        self.refresh()
        self._fetch_visible()
        self.post_message(self.StatusChanged())

    def on_resize(self) -> None:
        # It may have been hidden, and the log gone on.
        self.poke()
        if self.follow:
            self._go_to_end()
        self._reveal()
        self._fetch_visible()

    def _fetch_visible(self) -> None:
        if self._cache is None or self.showing != "log" or not self.size.height:
            return
        top = self.scroll_offset.y
        window = self._cache.missing(top, top + self.size.height)
        if window is not None:
            self._ask(self._cache.missing(top - AHEAD, top + self.size.height + AHEAD) or window)

    def _ask(self, window: Window) -> None:
        # One question at a time: its answer leads to the next if that is still needed.
        if self._asked is None and self._cache is not None:
            self._asked = window
            self.post_message(self.Wanted(self._cache.source, window))

    def render_line(self, y: int) -> Strip:
        # The size includes the cells of the scroll bar.
        width = self.scrollable_content_region.width
        palette = palette_of(self.app.theme)
        index = self.scroll_offset.y + y
        if not self.total:
            text = self.empty[y] if y < len(self.empty) else ""
            strip = Strip([Segment(text, ink(palette.dim))])
            return strip.adjust_cell_length(width).apply_style(self.rich_style)
        segments: list[Segment] = []
        if index < self.total:
            if self.showing == "notices":
                segments = notice_segments(self._notices[index], palette)
            elif self._cache is not None:
                line = self._cache.get(index)
                if line is None:
                    segments = [Segment("·", ink(palette.faint))]
                else:
                    segments = line_segments(line, palette, self.raw)
        x = self.scroll_offset.x
        strip = Strip(segments)
        if strip.cell_length > x + width:
            cut = Segment(fmt.ELLIPSIS, ink(palette.dim))
            strip = Strip([*strip.crop(x, x + width - 1), cut])
        else:
            strip = strip.crop_extend(x, x + width, None)
        if self.showing == "log" and index == self.marked:
            strip = strip.extend_cell_length(width).apply_style(Style(bgcolor=palette.cursor))
        return strip.apply_style(self.rich_style)
