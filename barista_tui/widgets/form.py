"""The fields of a form, one a line below the titles of their groups."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from barista_server.api.messages import FormField, Problem
from barista_tui import formrows
from barista_tui.format import fit
from barista_tui.formrows import FormRow
from barista_tui.keymap import move
from barista_tui.theme import Palette, ink, palette_of

NAME = 22
"""Columns of names, if there is room."""


class FormList(ScrollView, can_focus=True, inherit_bindings=False):
    """Shows rows of a form; one field is chosen, titles are gone past."""

    DEFAULT_CSS = """
    FormList { height: 1fr; overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1; }
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
        """Another field is the chosen one."""

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, FormList.Chosen)

    class Opened(Message):
        """The chosen field was clicked twice."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.rows: Sequence[FormRow] = ()
        self.index = 0
        self.problems: Sequence[Problem] = ()
        self.open_only = False
        """Only fields that are open may be changed: they are marked."""
        self.found: frozenset[int] = frozenset()

    @property
    def chosen(self) -> FormField | None:
        """The field with the cursor."""
        return self.rows[self.index].field if self.index < len(self.rows) else None

    def show(self, rows: Sequence[FormRow], problems: Sequence[Problem], open_only: bool) -> None:
        """Other rows; the cursor stays on the field of its path, or at its place. Nothing is posted."""
        path = self.chosen.path if self.chosen is not None else ""
        at = formrows.row_of(rows, path)
        if path and (at >= len(rows) or (found := rows[at].field) is None or found.path != path):
            at = min(self.index, len(rows) - 1)
        self.rows, self.problems, self.open_only = rows, problems, open_only
        self.index = self._field_at(at, 1)
        self.virtual_size = Size(self.size.width, len(rows))
        self.refresh()
        self._reveal()

    def mark(self, found: Sequence[int]) -> None:
        """Rows that match what is searched for."""
        if frozenset(found) != self.found:
            self.found = frozenset(found)
            self.refresh()

    def _field_at(self, index: int, step: int) -> int:
        """The next row with a field in that direction, else the one before."""
        places = [at for at, row in enumerate(self.rows) if row.field is not None]
        if not places:
            return 0
        later = [at for at in places if (at >= index if step > 0 else at <= index)]
        if not later:
            return places[-1] if step > 0 else places[0]
        return later[0] if step > 0 else later[-1]

    def go(self, index: int, step: int = 1) -> None:
        """Choose the field at a row, or the next one in the direction."""
        index = self._field_at(max(0, min(len(self.rows) - 1, index)), step)
        if self.rows and index != self.index:
            self.index = index
            self.refresh()
            self.post_message(self.Chosen())
        self._reveal()

    def _reveal(self) -> None:
        # The title above comes along.
        top = 1 if self.index and self.rows[self.index - 1].field is None else 0
        region = Region(0, self.index - top, 1, 1 + top)
        self.scroll_to_region(region, animate=False, force=True)

    def on_resize(self) -> None:
        self.virtual_size = Size(self.size.width, len(self.rows))
        if self.rows:
            self._reveal()

    def watch_has_focus(self, _: bool) -> None:
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        palette = palette_of(self.app.theme)
        index = self.scroll_offset.y + y
        if index >= len(self.rows):
            return Strip.blank(width, self.rich_style)
        row = self.rows[index]
        if row.field is None:
            segments = [Segment(f" {row.title}", ink(palette.accent))]
            strip = Strip(segments).adjust_cell_length(width)
            return strip.apply_style(self.rich_style)
        return self._field_line(row.field, index, palette, width).apply_style(self.rich_style)

    def _field_line(self, field: FormField, index: int, palette: Palette, width: int) -> Strip:
        chosen = index == self.index
        background = (palette.cursor if self.has_focus else palette.cursor_idle) if chosen else None
        mark = formrows.mark(field, self.problems)
        wrong = mark == "✖"
        name = max(12, min(NAME, width - 25))
        unit = f" {field.unit}" if field.unit else ""
        if self.open_only:
            unit += "  ✎" if field.open else "   "
        room = max(4, width - name - 5 - len(unit))
        told = palette.foreground if field.values and field.used else palette.dim
        tone = palette.tones["failed"] if wrong else palette.accent if index in self.found else told
        dim: Style = ink(palette.dim, background)
        strip = Strip(
            [
                Segment("▌" if chosen else " ", ink(palette.accent, background)),
                Segment(f"{mark} ", ink(palette.tones["failed"] if wrong else palette.dim, background)),
                Segment(fit(field.name, name) + " ", ink(tone, background, chosen or index in self.found)),
                Segment(fit(formrows.value_words(field), room), ink(told, background, bool(field.values))),
                Segment(unit, dim),
            ]
        )
        return strip.adjust_cell_length(width, ink(palette.foreground, background))

    def action_move(self, step: int) -> None:
        self.go(self.index + step, step)

    def action_page(self, step: int) -> None:
        self.go(self.index + step * max(1, self.size.height - 1), step)

    def action_jump(self, index: int) -> None:
        self.go(index if index >= 0 else len(self.rows) - 1, 1 if index >= 0 else -1)

    def on_click(self, event: events.Click) -> None:
        index = event.get_content_offset_capture(self).y + self.scroll_offset.y
        if index < len(self.rows) and self.rows[index].field is not None:
            self.go(index)
            if event.chain == 2:
                self.post_message(self.Opened())
