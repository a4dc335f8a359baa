"""One line of text asked for."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from barista_tui.screens.dialog import Dialog


class PromptScreen(Dialog[str | None]):
    """Answers the text, or None when backed out."""

    BINDINGS = [Binding("escape", "dismiss", show=False)]

    def __init__(
        self, title: str, value: str = "", hint: str = "enter takes it, esc leaves it as it was"
    ) -> None:
        super().__init__()
        self._title = title
        self._value = value
        self._hint = hint

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(Content(self._title), classes="title")
            yield Input(self._value, compact=True, id="answer")
            yield Static(Content(self._hint), classes="line dim hint")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip() or None)
