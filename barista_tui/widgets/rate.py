"""The learning rate over the iterations, small."""

from __future__ import annotations

from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from barista_server.api.messages import Form
from barista_tui import lrcurve
from barista_tui.theme import ink, palette_of


class RateCurve(Widget):
    """Draws the policy of a solver's form."""

    DEFAULT_CSS = "RateCurve { height: 12; width: 1fr; padding: 0 1; }"

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._policy: lrcurve.Policy | str = ""
        self._now = 0
        self._drawn: tuple[object, list[str]] = (None, [])

    def show(self, form: Form, iteration: int) -> None:
        """The policy as it is now, and where the training is."""
        policy = lrcurve.policy_of(form)
        if (policy, iteration) != (self._policy, self._now):
            self._policy, self._now = policy, iteration
            self.refresh()

    def _lines(self) -> list[str]:
        size = self.content_size
        mark = (self._policy, self._now, size)
        if mark != self._drawn[0]:
            if isinstance(self._policy, str):
                lines = [f"no curve: {self._policy}" if self._policy else ""]
            else:
                lines = lrcurve.drawing(self._policy, size.width, size.height, self._now)
            self._drawn = (mark, lines)
        return self._drawn[1]

    def render_line(self, y: int) -> Strip:
        lines, palette, width = self._lines(), palette_of(self.app.theme), self.content_size.width
        text = lines[y] if y < len(lines) else ""
        inner = 0 < y < len(lines) - 1
        label, curve = (text[:9], text[9:]) if inner else (text, "")
        segments = [Segment(label, ink(palette.dim)), Segment(curve, ink(palette.curves[0]))]
        return Strip(segments).adjust_cell_length(width).apply_style(self.rich_style)
