"""The list of sessions: one line each, drawn when looked at, so hundreds cost what fits on the screen."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.content import Content
from textual.geometry import Offset, Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from barista_server.api.messages import SessionInfo
from barista_tui import format as fmt
from barista_tui.keymap import moves
from barista_tui.listing import HostRow, Row, SessionRow
from barista_tui.rows import Cell, Columns, columns, heading, row
from barista_tui.store import Key
from barista_tui.theme import Palette, ink, palette_of
from barista_tui.widgets.bar import color_of

LINKS = {
    "connecting": ("◌", "dim"),
    "alive": ("●", "running"),
    "silent": ("◌", "warning"),
    "lost": ("✖", "failed"),
    "offline": ("○", "dim"),
}
"""Glyph and tone of a link's state."""


class ListModel(Struct, frozen=True):
    """What the list shows, in order."""

    rows: tuple[Row, ...] = ()
    sort: str = "id"
    longest_name: int = 12
    longest_id: int = 2
    """Characters of the longest ones, hidden sessions included: columns must not move with the filter."""
    longest_host: int | None = 6
    """None: no column of hosts."""
    several: bool = False
    """There is more than one host."""
    empty: tuple[str, ...] = ()
    """Lines to show where there is no row."""

    @property
    def sessions(self) -> list[SessionInfo]:
        """Those of the rows."""
        return [row.session for row in self.rows if isinstance(row, SessionRow)]

    @property
    def looks(self) -> tuple[object, ...]:
        """What all rows depend on."""
        return self.sort, self.longest_name, self.longest_id, self.longest_host, self.several, self.empty


class SessionList(ScrollView, can_focus=True):
    """Shows a :class:`ListModel`; the selection stays with its session when rows move."""

    DEFAULT_CSS = """
    SessionList { height: 1fr; overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1; }
    """

    BINDINGS = moves()

    class Selected(Message):
        """Another row is selected (``key``: a session or a host, or None in an empty list)."""

        def __init__(self, key: Key | None) -> None:
            super().__init__()
            self.key = key

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, SessionList.Selected)

    class Opened(Message):
        """The selected row was double-clicked."""

    class MenuWanted(Message):
        """A row was clicked with the right button; it is the selected one now."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.model = ListModel()
        self.selected: Key | None = None
        self._index = 0
        self._columns = columns(80)

    # ---------------------------------------------------------------------------------- contents

    def show(self, model: ListModel) -> None:
        """Take a new model; only rows that changed are painted."""
        old, self.model = self.model, model
        if old == model:
            return
        self._layout()
        keys = [row.key for row in model.rows]
        if self.selected in keys:
            self._index = keys.index(self.selected)
        else:
            self._index = min(self._index, max(0, len(keys) - 1))
            self._select(keys[self._index] if keys else None)
        same_rows = [row.key for row in old.rows] == keys
        if not same_rows:
            self.virtual_size = Size(self.size.width, len(keys))
            self._reveal()
        if not same_rows or old.looks != model.looks:
            self.refresh()
            return
        for index, (before, after) in enumerate(zip(old.rows, model.rows, strict=True)):
            if before != after:
                self.refresh_line(index)

    def select(self, key: Key) -> None:
        """Select a row, now or as soon as it appears."""
        keys = [row.key for row in self.model.rows]
        if key in keys:
            self._index = keys.index(key)
            self._reveal()
        self._select(key)
        self.refresh()

    def _select(self, key: Key | None) -> None:
        if key != self.selected:
            self.selected = key
            self.post_message(self.Selected(key))

    def _layout(self) -> None:
        width = self.size.width or 80
        model = self.model
        self._columns = columns(
            width - 2, model.longest_name, model.longest_id, model.longest_host, model.several
        )

    @property
    def columns(self) -> Columns:
        """The layout of the rows."""
        return self._columns

    # ---------------------------------------------------------------------------------- painting

    def heading_cells(self) -> list[Cell]:
        """The titles that stand above the rows."""
        return heading(self._columns, self.model.sort)

    def on_resize(self) -> None:
        self._layout()
        self.virtual_size = Size(self.size.width, len(self.model.rows))
        self._reveal()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        palette = palette_of(self.app.theme)
        index = self.scroll_offset.y + y
        if not self.model.rows:
            text = self.model.empty[y] if y < len(self.model.empty) else ""
            strip = Strip([Segment("  " + text, ink(palette.dim if y else palette.foreground))])
            return strip.adjust_cell_length(width).apply_style(self.rich_style)
        if index >= len(self.model.rows):
            return Strip.blank(width, self.rich_style)
        shown = self.model.rows[index]
        chosen = index == self._index
        background = (palette.cursor if self.has_focus else palette.cursor_idle) if chosen else None
        if isinstance(shown, HostRow):
            cells = host_cells(shown)
        else:
            cells = row(shown.session, self._columns, shown.key.host, shown.age, shown.spark, shown.marked)
        mark = Segment(
            "▌" if chosen else " ", ink(palette.accent if self.has_focus else palette.dim, background)
        )
        segments = [mark, *cell_segments(cells, palette, background, chosen)]
        strip = Strip(segments).adjust_cell_length(width, ink(palette.foreground, background))
        return strip.apply_style(self.rich_style)

    def watch_has_focus(self, _: bool) -> None:
        self.refresh_line(self._index)

    # ---------------------------------------------------------------------------------- moving

    def _go(self, index: int) -> None:
        count = len(self.model.rows)
        if not count:
            return
        index = max(0, min(count - 1, index))
        if index != self._index:
            before, self._index = self._index, index
            self.refresh_line(before)
            self.refresh_line(index)
            self._reveal()
        self._select(self.model.rows[index].key)

    def place_of_cursor(self) -> Offset:
        """Where on the screen the selected row begins its name."""
        return self.region.offset + Offset(6, self._index - self.scroll_offset.y + 1)

    def _reveal(self) -> None:
        self.scroll_to_region(Region(0, self._index, 1, 1), animate=False, force=True)

    def action_move(self, step: int) -> None:
        self._go(self._index + step)

    def action_page(self, step: int) -> None:
        self._go(self._index + step * max(1, self.size.height - 1))

    def action_jump(self, index: int) -> None:
        self._go(index if index >= 0 else len(self.model.rows) - 1)

    def on_click(self, event: events.Click) -> None:
        index = event.get_content_offset_capture(self).y + self.scroll_offset.y
        if index < len(self.model.rows):
            self._go(index)
            if event.button == 3:
                self.post_message(self.MenuWanted())
            elif event.chain == 2:
                self.post_message(self.Opened())

    def on_mouse_move(self, event: events.MouseMove) -> None:
        index = event.get_content_offset_capture(self).y + self.scroll_offset.y
        tip = None
        if 0 <= index < len(self.model.rows):
            tip = _tip(self.model.rows[index]) or None
        content = Content(tip) if tip else None
        if self.tooltip != content:
            self.tooltip = content


def host_cells(row: HostRow) -> list[Cell]:
    """A host above its sessions: ``▾ ● gpu01  3 sessions, 1 running  not connected, 12 s``."""
    glyph, tone = LINKS[row.link.state]
    count = fmt.plural(row.count, "session") + (f", {row.running} running" if row.running else "")
    cells = [
        Cell("▸" if row.folded else "▾", "dim", "fold"),
        Cell(glyph, tone, "link"),
        Cell(row.key.host, "accent", "name"),
        Cell(f" {count}", "dim", "count"),
    ]
    if row.words:
        cells.append(Cell(f" {row.words}", tone, "words"))
    return cells


def _tip(row: Row) -> str:
    if isinstance(row, HostRow):
        return row.link.detail
    return "\n".join(problem.text for problem in row.session.problems)


def cell_segments(
    cells: Sequence[Cell], palette: Palette, background: str | None = None, bold_name: bool = False
) -> list[Segment]:
    """Cells of a row as segments, one blank between columns; a mark takes the place of one."""
    gap = Segment(" ", ink(palette.foreground, background))
    segments: list[Segment] = []
    before = ""
    for cell in cells:
        if segments and cell.column not in ("bar-rest", "mark") and before != "mark":
            segments.append(gap)
        before = cell.column
        bold = bold_name and cell.column == "name"
        if cell_len(cell.text):
            segments.append(Segment(cell.text, ink(color_of(palette, cell.tone), background, bold)))
    return segments
