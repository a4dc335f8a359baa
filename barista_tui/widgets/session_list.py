"""The list of sessions: one line each, drawn when looked at, so hundreds cost what fits on the screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.binding import Binding
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from barista_server.api.messages import SessionInfo
from barista_tui.rows import Cell, Columns, columns, heading, row
from barista_tui.theme import Palette, ink, palette_of
from barista_tui.widgets.bar import color_of


@dataclass(frozen=True)
class ListModel:
    """What the list shows, in order. ``link``: age of the last news where the link is lost."""

    sessions: tuple[SessionInfo, ...] = ()
    host: str = "local"
    link: str = ""
    sort: str = "id"
    sparks: dict[str, tuple[float, ...]] = field(default_factory=dict)
    longest_name: int = 12
    longest_id: int = 2
    """Characters of the longest ones, hidden sessions included: columns must not move with the filter."""
    empty: tuple[str, ...] = ()
    """Lines to show where there is no session."""


class SessionList(ScrollView, can_focus=True):
    """Shows a :class:`ListModel`; the selection stays with its session when rows move."""

    DEFAULT_CSS = """
    SessionList { height: 1fr; overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1; }
    """

    BINDINGS = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup,ctrl+b", "page(-1)", show=False),
        Binding("pagedown,ctrl+f", "page(1)", show=False),
        Binding("home,g", "jump(0)", show=False),
        Binding("end,G", "jump(-1)", show=False),
    ]

    class Selected(Message):
        """Another session is selected (``session``: its id, or None in an empty list)."""

        def __init__(self, session: str | None) -> None:
            super().__init__()
            self.session = session

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, SessionList.Selected)

    class Opened(Message):
        """The selected session was double-clicked."""

    class HeadingPressed(Message):
        """A column's title was clicked."""

        def __init__(self, column: str) -> None:
            super().__init__()
            self.column = column

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.model = ListModel()
        self.selected: str | None = None
        self._index = 0
        self._columns = columns(80)

    # ---------------------------------------------------------------------------------- contents

    def show(self, model: ListModel) -> None:
        """Take a new model; only rows that changed are painted."""
        old, self.model = self.model, model
        ids = [session.id for session in model.sessions]
        if old.sessions == model.sessions and old == model:
            return
        self._layout()
        if self.selected in ids:
            self._index = ids.index(self.selected)
        else:
            self._index = min(self._index, max(0, len(ids) - 1))
            self._select(ids[self._index] if ids else None)
        same_rows = [session.id for session in old.sessions] == ids
        if not same_rows:
            self.virtual_size = Size(self.size.width, len(ids))
            self._reveal()
        if not same_rows or (old.link, old.sort, old.host, old.empty) != (
            model.link,
            model.sort,
            model.host,
            model.empty,
        ):
            self.refresh()
            return
        for index, (before, after) in enumerate(zip(old.sessions, model.sessions, strict=True)):
            spark = old.sparks.get(after.id) != model.sparks.get(after.id)
            if spark or before != after:
                self.refresh_line(index)

    def select(self, session: str) -> None:
        """Select by id, now or as soon as it appears."""
        ids = [known.id for known in self.model.sessions]
        if session in ids:
            self._index = ids.index(session)
            self._reveal()
        self._select(session)
        self.refresh()

    def _select(self, session: str | None) -> None:
        if session != self.selected:
            self.selected = session
            self.post_message(self.Selected(session))

    def _layout(self) -> None:
        width = self.size.width or 80
        self._columns = columns(width - 2, self.model.longest_name, self.model.longest_id)

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
        self.virtual_size = Size(self.size.width, len(self.model.sessions))
        self._reveal()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        palette = palette_of(self.app.theme)
        index = self.scroll_offset.y + y
        if not self.model.sessions:
            text = self.model.empty[y] if y < len(self.model.empty) else ""
            strip = Strip([Segment("  " + text, ink(palette.dim if y else palette.foreground))])
            return strip.adjust_cell_length(width).apply_style(self.rich_style)
        if index >= len(self.model.sessions):
            return Strip.blank(width, self.rich_style)
        session = self.model.sessions[index]
        chosen = index == self._index
        background = (palette.cursor if self.has_focus else palette.cursor_idle) if chosen else None
        spark = self.model.sparks.get(session.id, ())
        cells = row(session, self._columns, self.model.host, self.model.link, spark)
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
        count = len(self.model.sessions)
        if not count:
            return
        index = max(0, min(count - 1, index))
        if index != self._index:
            before, self._index = self._index, index
            self.refresh_line(before)
            self.refresh_line(index)
            self._reveal()
        self._select(self.model.sessions[index].id)

    def _reveal(self) -> None:
        self.scroll_to_region(Region(0, self._index, 1, 1), animate=False, force=True)

    def action_move(self, step: int) -> None:
        self._go(self._index + step)

    def action_page(self, step: int) -> None:
        self._go(self._index + step * max(1, self.size.height - 1))

    def action_jump(self, index: int) -> None:
        self._go(index if index >= 0 else len(self.model.sessions) - 1)

    def on_click(self, event: events.Click) -> None:
        index = event.get_content_offset_capture(self).y + self.scroll_offset.y
        if index < len(self.model.sessions):
            self._go(index)
            if event.chain == 2:
                self.post_message(self.Opened())

    def on_mouse_move(self, event: events.MouseMove) -> None:
        index = event.get_content_offset_capture(self).y + self.scroll_offset.y
        tip = None
        if 0 <= index < len(self.model.sessions):
            tip = "\n".join(problem.text for problem in self.model.sessions[index].problems) or None
        content = Content(tip) if tip else None
        if self.tooltip != content:
            self.tooltip = content


def cell_segments(
    cells: Sequence[Cell], palette: Palette, background: str | None = None, bold_name: bool = False
) -> list[Segment]:
    """Cells of a row as segments, one blank between columns."""
    gap = Segment(" ", ink(palette.foreground, background))
    segments: list[Segment] = []
    for cell in cells:
        if segments and cell.column != "bar-rest":
            segments.append(gap)
        bold = bold_name and cell.column == "name"
        if cell_len(cell.text):
            segments.append(Segment(cell.text, ink(color_of(palette, cell.tone), background, bold)))
    return segments
