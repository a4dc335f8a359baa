"""The console: lines of a log, a window at a time however long it is, or the messages of several callers."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip

from barista_server.api.messages import LogLine
from barista_tui import format as fmt
from barista_tui.consolerows import STAMP, Row, log_row, prefix, segments
from barista_tui.finding import Matches
from barista_tui.lines import LineCache, Source, Window
from barista_tui.theme import ink, palette_of
from barista_tui.widgets.linecursor import LineCursor

AHEAD = 256
"""Lines fetched beyond the visible ones, so that pages are turned without waiting."""
GUTTER = 1
"""Cells before a line: where the cursor is, and what is selected."""
CURSOR, SELECTED, BLANK = "▌", "│", Segment(" ")


class Console(LineCursor, can_focus=True):
    """Shows lines of a :class:`LineCache`, or rows it is given; asks for what it lacks by messages.

    The cursor is a line; while following there is none.
    """

    DEFAULT_CSS = """
    Console {
        height: 1fr; overflow-x: auto; overflow-y: scroll;
        scrollbar-size-vertical: 1; scrollbar-size-horizontal: 0;
    }
    """
    ALLOW_SELECT = False

    class Wanted(Message):
        """Lines are needed; answer with :meth:`Console.take`."""

        def __init__(self, source: Source, window: Window) -> None:
            super().__init__()
            self.source = source
            self.window = window

    class StatusChanged(Message):
        """Follow mode, number of lines or cursor changed: the title wants to be painted anew."""

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, Console.StatusChanged)

    class Shown(Message):
        """Other rows can be seen: what comes before may be wanted, or what matches in them."""

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, Console.Shown)

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.follow = True
        self.raw = False
        self.empty: tuple[str, ...] = ()
        self.matches: Matches | None = None
        """What is marked."""
        self._cache: LineCache | None = None
        self._rows: Sequence[Row] = ()
        self._first = 0
        self._asked: Window | None = None
        self._seen: int | None = None
        """Number of the line behind the last one when following was left; None: there were none yet."""
        self._longest = 0
        self._own_scroll = False

    # ---------------------------------------------------------------------------------- what is shown

    @property
    def total(self) -> int:
        """Lines that there are, as far as known."""
        return self._cache.total if self._cache is not None else len(self._rows)

    @property
    def unseen(self) -> int:
        """Lines that came since following was left."""
        return 0 if self.follow or self._seen is None else max(0, self._first + self.total - self._seen)

    @property
    def source(self) -> Source | None:
        """The log that is shown."""
        return self._cache.source if self._cache is not None else None

    def row(self, index: int) -> Row | None:
        """A line; None where it is not here, or not at all."""
        if self._cache is None:
            return self._rows[index] if 0 <= index < len(self._rows) else None
        line = self._cache.get(index) if 0 <= index < self._cache.total else None
        return log_row(line) if line is not None else None

    @property
    def seen(self) -> range:
        """The lines that can be seen."""
        top = self.scroll_offset.y
        return range(top, min(self.total, top + self.size.height))

    def show_log(self, source: Source) -> None:
        """Show a log. The lines are asked for and come with :meth:`take`."""
        if self._cache is None or source != self._cache.source:
            self._cache, self._asked, self._first = LineCache(source), None, 0
            self._begin()

    def show_rows(self, rows: Sequence[Row], first: int = 0, anew: bool = False) -> None:
        """Show these, of which ``first`` is the number of the first: what is read stays in its place.
        ``anew``: they are no continuation of those before.
        """
        anew = anew or self._cache is not None
        moved = 0 if anew else self._first - first
        self._cache, self._rows, self._first = None, rows, first
        if anew:
            self._begin()
            return
        if moved:
            self.cursor = max(0, self.cursor + moved) if self.cursor is not None else None
            self._anchor = max(0, self._anchor + moved) if self._anchor is not None else None
            self._resize_to(Size(max(self._longest, 1) + GUTTER, self.total))
            self._scroll(max(0, self.scroll_offset.y + moved))
        self._grown()

    def poke(self) -> None:
        """The log is said to have grown: look at its end, if anybody sees it."""
        if self._cache is not None and self.size.height:
            self._ask(self._cache.tail())

    def take(self, source: Source, start: int, total: int, lines: Sequence[LogLine]) -> None:
        """Lines that were asked for."""
        self._asked = None
        if self._cache is None or source != self._cache.source:
            return
        before = self._cache.total
        self._cache.put(start, total, list(lines))
        self._longest = max([self._longest, *(cell_len(line.text) + STAMP for line in lines)])
        if total != before:
            self._grown()
        else:
            seen = self.seen
            if start < seen.stop and start + len(lines) > seen.start:
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

    def mark(self, matches: Matches | None) -> None:
        """Mark what these are in the lines; again, once more of them are known."""
        self.matches = matches
        self.refresh()

    # ---------------------------------------------------------------------------------- following

    def set_follow(self) -> None:
        """Go to the last line and stay there."""
        self._reveal_due = False
        self._following(True)
        self._go_to_end()

    def reveal(self, index: int) -> None:
        """Put the cursor on a line in the middle, at once or as soon as the log is known to have it."""
        self._following(False)
        self._anchor, self.cursor = None, index
        self._reveal_due = True
        self._reveal()

    def _reveal(self) -> None:
        if self._reveal_due and self.size.height > 0 and self.cursor is not None and self.cursor < self.total:
            self._reveal_due = False
            if self.cursor not in self.seen:
                self._scroll(max(0, self.cursor - self.size.height // 2))
            self._moved()

    def _following(self, follow: bool) -> None:
        if follow:
            self.cursor = self._anchor = None
            self.refresh()
        if follow != self.follow:
            self.follow = follow
            self._seen = self._first + self.total if self.total else None
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
            # A person scrolled by wheel or bar: the end is where following is.
            self._following(new_value >= self.max_scroll_y)
        self._fetch_visible()

    def _moved(self) -> None:
        self.refresh()
        self._fetch_visible()
        self.post_message(self.StatusChanged())

    # ---------------------------------------------------------------------------------- painting

    def _begin(self) -> None:
        """Other lines from here on: start at the end, following."""
        self._following(True)
        self._longest = 0
        self.scroll_to(x=0, animate=False)
        self._grown()
        self.poke()

    def _grown(self) -> None:
        if self._cache is None:
            shown = self._rows[-2000:]
            self._longest = max((len(row.message) + len(prefix(row)) for row in shown), default=0)
        self._resize_to(Size(max(self._longest, 1) + GUTTER, self.total))
        if self.follow:
            self._go_to_end()
        elif self._seen is None and self.total:
            self._seen = self._first + self.total
        self._reveal()
        self.refresh()
        self._fetch_visible()
        self.post_message(self.StatusChanged())

    def _resize_to(self, size: Size) -> None:
        """Another virtual size: only the bar moves, where Textual would lay out all of the screen."""
        if size != self.virtual_size:
            self.set_reactive(Console.virtual_size, size)
            self._own_scroll = True
            try:
                self._scroll_update(size)
            finally:
                self._own_scroll = False

    def on_resize(self) -> None:
        # It may have been hidden, and the log gone on.
        self.poke()
        if self.follow:
            self._go_to_end()
        self._reveal()
        self._fetch_visible()

    def _fetch_visible(self) -> None:
        if not self.size.height:
            return
        top = self.scroll_offset.y
        if self._cache is not None:
            bottom = top + self.size.height
            # What is seen comes first; then what the next pages need, before they are turned.
            window = self._cache.missing(top, bottom) or self._cache.missing(top - AHEAD, bottom + AHEAD)
            if window is not None:
                self._ask(window)
        if self._cache is None or self.matches is not None:
            self.post_message(self.Shown())

    def _ask(self, window: Window) -> None:
        # One question at a time: its answer leads to the next if that is still needed.
        if self._asked is None and self._cache is not None:
            self._asked = window
            self.post_message(self.Wanted(self._cache.source, window))

    def render_line(self, y: int) -> Strip:
        # The scroll bar is always there, and of the size.
        width = self.size.width - self.styles.scrollbar_size_vertical - GUTTER
        palette = palette_of(self.app.theme)
        x, top = self.scroll_offset
        index = top + y
        if not self.total:
            text = self.empty[y] if y < len(self.empty) else ""
            return Strip([Segment(" " * GUTTER), Segment(text, ink(palette.dim))]).adjust_cell_length(
                width + GUTTER
            )
        row = self.row(index)
        parts: list[Segment] = []
        if row is not None:
            spans = self.matches.get(row.text) if self.matches is not None else None
            parts = segments(row, palette, self.raw, spans or ())
        elif index < self.total:
            parts = [Segment("·", ink(palette.faint))]
        strip = Strip(parts)
        if strip.cell_length > x + width:
            cut = Segment(fmt.ELLIPSIS, ink(palette.dim))
            strip = Strip([*strip.crop(x, x + width - 1), cut], width)
        elif x:
            strip = strip.crop(x)
        chosen = self.cursor is not None and index in self.selection
        if not chosen:
            return Strip([BLANK, *strip], GUTTER + strip.cell_length).extend_cell_length(width + GUTTER)
        focused = self.has_focus
        sign = Segment(
            CURSOR if index == self.cursor else SELECTED, ink(palette.accent if focused else palette.dim)
        )
        background = palette.cursor if focused else palette.cursor_idle
        strip = Strip([sign, *strip]).extend_cell_length(width + GUTTER)
        return strip.apply_style(Style(bgcolor=background))
