"""A text to be read, scrolled and copied."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from barista_tui.screens.dialog import Dialog


class TextScreen(Dialog[None]):
    """Shows the text; ``c`` copies it."""

    DEFAULT_CSS = """
    TextScreen #text { height: auto; max-height: 1fr; scrollbar-size-vertical: 1; }
    TextScreen #text Static { width: 1fr; }
    """
    BINDINGS = [
        Binding("escape,q", "dismiss", show=False),
        Binding("c", "copy", show=False),
    ]

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title, self._text = title, text

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide"):
            yield Static(Content(self._title), classes="title")
            with VerticalScroll(id="text"):
                yield Static(Content(self._text))
            yield Static(Content("c copies, esc leaves"), classes="line dim hint")

    def action_copy(self) -> None:
        """Into the terminal's clipboard (OSC 52)."""
        self.app.copy_to_clipboard(self._text)
        self.notify("copied", timeout=2)
