"""The lines above the plot that say which curve is which; a click switches a curve off or on."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical

from barista_tui.widgets.bar import Bar, Piece


class Legend(Vertical):
    """As high as it has lines, one at least so that the plot does not jump when they come."""

    DEFAULT_CSS = """
    Legend { height: 1; width: 1fr; }
    """

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._bars = [Bar()]

    def compose(self) -> ComposeResult:
        yield from self._bars

    def show(self, lines: Sequence[list[Piece]]) -> None:
        """These lines."""
        lines = lines or [[]]
        while len(self._bars) < len(lines):
            self._bars.append(Bar())
            if self.is_mounted:
                self.mount(self._bars[-1])
        for place, bar in enumerate(self._bars):
            bar.display = place < len(lines)
            bar.show(lines[place] if place < len(lines) else [])
        self.styles.height = len(lines)
