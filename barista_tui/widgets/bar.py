"""One line of text pieces, some of which can be clicked: header, pane titles and footer are made of it."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.content import Content
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from barista_tui.format import fit
from barista_tui.theme import Palette, ink, palette_of


class Piece(Struct, frozen=True):
    """Text in a tone; ``action`` makes it clickable; ``reason`` is shown when the mouse rests on it."""

    text: str
    tone: str = "text"
    action: str = ""
    bold: bool = False
    reason: str = ""


def color_of(palette: Palette, tone: str) -> str:
    """The colour of a tone: a state's, or ``text``, ``dim``, ``faint``, ``accent``, ``curve0`` ..."""
    named = {
        "text": palette.foreground,
        "dim": palette.dim,
        "faint": palette.faint,
        "accent": palette.accent,
    }
    if tone.startswith("curve"):
        return palette.curves[int(tone.removeprefix("curve"))]
    return named.get(tone) or palette.tones[tone]


class Bar(Widget):
    """Pieces from the left, pieces at the right end. The right ones stay whole when the line is too short."""

    DEFAULT_CSS = """
    Bar { height: 1; width: 1fr; }
    """

    class Pressed(Message):
        """A clickable piece was clicked."""

        def __init__(self, bar: Bar, action: str) -> None:
            super().__init__()
            self.bar = bar
            self.action = action

        @property
        def control(self) -> Bar:
            return self.bar

    def __init__(self, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._left: tuple[Piece, ...] = ()
        self._right: tuple[Piece, ...] = ()
        self._places: list[tuple[int, int, Piece]] = []

    def show(self, left: Sequence[Piece], right: Sequence[Piece] = ()) -> None:
        """Replace the pieces; nothing is painted when they are what is shown already."""
        if (tuple(left), tuple(right)) != (self._left, self._right):
            self._left, self._right = tuple(left), tuple(right)
            self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        right = list(self._right)
        while right and sum(cell_len(piece.text) for piece in right) > width:
            right.pop(0)
        at_right = width - sum(cell_len(piece.text) for piece in right)
        pieces: list[Piece] = []
        used = 0
        for piece in self._left:
            length = cell_len(piece.text)
            # One blank at least before what stands at the right end.
            room = at_right - used - bool(right)
            if length > room:
                if room > 2 and not piece.action:
                    pieces.append(Piece(fit(piece.text.rstrip(), room), piece.tone, bold=piece.bold))
                    used += room
                if pieces and pieces[-1].action and pieces[-1].action == piece.action:
                    # A key without its word says nothing.
                    used -= cell_len(pieces.pop().text)
                break
            pieces.append(piece)
            used += length
        pieces.append(Piece(" " * (at_right - used)))
        return self._strip([*pieces, *right], width)

    def _strip(self, pieces: list[Piece], width: int) -> Strip:
        palette = palette_of(self.app.theme)
        self._places.clear()
        segments = []
        x = 0
        for piece in pieces:
            length = cell_len(piece.text)
            self._places.append((x, x + length, piece))
            segments.append(Segment(piece.text, ink(color_of(palette, piece.tone), bold=piece.bold)))
            x += length
        return Strip(segments, x).adjust_cell_length(width).apply_style(self.rich_style)

    def place_of(self, action: str) -> int:
        """The column where the piece with that action begins; 0 where it is not shown."""
        return next((start for start, _, piece in self._places if piece.action == action), 0)

    def _piece_at(self, x: int) -> Piece | None:
        return next((piece for start, end, piece in self._places if start <= x < end), None)

    def on_click(self, event: events.Click) -> None:
        piece = self._piece_at(event.get_content_offset_capture(self).x)
        if piece is not None and piece.action:
            event.stop()
            self.post_message(self.Pressed(self, piece.action))

    def on_mouse_move(self, event: events.MouseMove) -> None:
        piece = self._piece_at(event.get_content_offset_capture(self).x)
        reason = Content(piece.reason) if piece is not None and piece.reason else None
        if self.tooltip != reason:
            self.tooltip = reason
