"""A net's layers with their rails."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from textual.strip import Strip

from barista_tui import netrows
from barista_tui.netrows import NetRow
from barista_tui.theme import ink, palette_of
from barista_tui.widgets.rowlist import RowList


class NetList(RowList[NetRow]):
    """Shows rows of a net; one of them is chosen."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._widths = netrows.widths((), 80)

    @property
    def chosen(self) -> NetRow | None:
        """The row with the cursor."""
        return self.rows[self.index] if self.index < len(self.rows) else None

    def show(self, rows: Sequence[NetRow], index: int) -> None:
        """Other rows, with the cursor on that one."""
        self.rows = rows
        self.index = max(0, min(index, len(rows) - 1))
        self.fit()
        self.post_message(self.Chosen())

    def fit(self) -> None:
        self._widths = netrows.widths(self.rows, (self.size.width or 80) - 1)
        super().fit()

    @property
    def heading(self) -> str:
        """Titles of the columns."""
        return " " + netrows.heading(self._widths)

    def on_resize(self) -> None:
        # Textual calls the base's as well.
        self.post_message(self.Chosen())

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        palette = palette_of(self.app.theme)
        index = self.scroll_offset.y + y
        if index >= len(self.rows):
            return Strip.blank(width, self.rich_style)
        background = self.ground(index, palette)
        chosen = background is not None
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
