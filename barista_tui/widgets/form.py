"""The fields of a form, one a line below the titles of their groups."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from barista_server.api.messages import FormField, Problem
from barista_tui import formrows
from barista_tui.format import fit
from barista_tui.formrows import FormRow
from barista_tui.theme import Palette, ink, palette_of
from barista_tui.widgets.rowlist import RowList

NAME = 22
"""Columns of names, if there is room."""


class FormList(RowList[FormRow]):
    """Shows rows of a form; one field is chosen, titles are gone past."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.problems: Sequence[Problem] = ()
        self.open_only = False
        """Only fields that are open may be changed: they are marked."""

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
        self.index = self.nearest(at)
        self.fit()

    def can_choose(self, row: FormRow) -> bool:
        return row.field is not None

    def shown_with(self, index: int) -> int:
        # The title above comes along.
        return index - 1 if index and self.rows[index - 1].field is None else index

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
        background = self.ground(index, palette)
        chosen = background is not None
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
