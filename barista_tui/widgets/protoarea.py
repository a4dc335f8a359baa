"""A prototxt as text: line numbers, colours, marks beside lines that something is wrong with."""

from __future__ import annotations

from collections.abc import Collection

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widgets import TextArea
from textual.widgets.text_area import TextAreaTheme

from barista_tui.protolight import Lit, lit
from barista_tui.theme import Palette, ink, palette_of

LARGEST = 400_000
"""Characters up to which a text is lit: beyond, each key would be felt."""


class ProtoArea(TextArea):
    """Undo is ctrl+z, redo ctrl+y, as in every text area."""

    DEFAULT_CSS = """
    ProtoArea { border: none; padding: 0; background: $background; scrollbar-size: 0 1; }
    ProtoArea:focus { border: none; }
    """

    def __init__(self, id: str | None = None, read_only: bool = False) -> None:
        self._wrong: frozenset[int] = frozenset()
        super().__init__(
            id=id,
            read_only=read_only,
            show_line_numbers=True,
            soft_wrap=False,
            compact=True,
            tab_behavior="indent",
            highlight_cursor_line=not read_only,
        )
        self.indent_width = 2

    def on_mount(self) -> None:
        self.watch(self.app, "theme", self._take_colours)

    def _take_colours(self) -> None:
        name = f"prototxt-{self.app.theme}"
        self.register_theme(TextAreaTheme(name, syntax_styles=_styles(palette_of(self.app.theme))))
        self.theme = name

    def mark(self, lines: Collection[int]) -> None:
        """Lines (1-based) with something wrong."""
        if frozenset(lines) != self._wrong:
            self._wrong = frozenset(lines)
            self._line_cache.clear()
            self.refresh()

    def go_to(self, line: int) -> None:
        """The cursor to the beginning of a line (1-based), which is brought into view."""
        last = self.document.line_count - 1
        self.move_cursor((max(0, min(line - 1, last)), 0))
        self.scroll_cursor_visible(center=True)

    def _build_highlight_map(self) -> None:
        # Textual asks a tree-sitter grammar here; there is none of prototxt, and none is needed.
        self._line_cache.clear()
        self._highlights.clear()
        if len(self.document.text) > LARGEST:
            return
        for row, line in enumerate(self.document.lines):
            parts = list(lit(line))
            if not line.isascii():  # places are counted in bytes of UTF-8
                size = [len(line[:at].encode("utf-8", "replace")) for at in range(len(line) + 1)]
                parts = [Lit(size[start], size[end], tone) for start, end, tone in parts]
            if parts:
                self._highlights[row] = parts  # type: ignore[assignment]

    def _render_line(self, y: int) -> Strip:
        strip = super()._render_line(y)
        row = y + self.scroll_offset.y
        if row + 1 not in self._wrong or row >= self.document.line_count:
            return strip
        width = self.gutter_width
        sign = ink(palette_of(self.app.theme).tones["failed"], bold=True)
        gutter = [Segment(f"{row + 1:>{width - 2}}", sign), Segment("✖ ", sign)]
        return Strip.join([Strip(gutter, width), strip.crop(width)])


def _styles(palette: Palette) -> dict[str, Style]:
    return {
        "comment": Style(color=palette.dim, italic=True),
        "string": ink(palette.tones["running"]),
        "block": ink(palette.accent, bold=True),
        "field": ink(palette.foreground),
        "value": ink(palette.tones["finished"]),
        "mark": ink(palette.dim),
    }
