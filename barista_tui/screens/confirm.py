"""A question before something is lost: what goes, and the ways on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Static

from barista_tui.screens.dialog import Dialog


class Choice(NamedTuple):
    """A button; ``id`` is what the screen answers."""

    id: str
    label: str
    variant: Literal["default", "warning", "error", "primary"] = "default"


class ConfirmScreen(Dialog[str | None]):
    """Answers the id of the chosen button; None when backed out. The first choice is the harmless one."""

    BINDINGS = [
        Binding("escape", "dismiss", show=False),
        Binding("left", "app.focus_previous", show=False),
        Binding("right", "app.focus_next", show=False),
    ]

    def __init__(self, title: str, body: Sequence[str], choices: Sequence[Choice]) -> None:
        super().__init__()
        self._title = title
        self._body = body
        self._choices = choices

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(Content(self._title), classes="title")
            for line in self._body:
                yield Static(Content(line), classes="line")
            with Horizontal(classes="buttons"):
                for place, choice in enumerate(self._choices):
                    yield Button(
                        Content(choice.label), variant=choice.variant, id=f"choice-{place}", compact=True
                    )

    def on_button_pressed(self, event: Button.Pressed) -> None:
        place = int((event.button.id or "choice-0").removeprefix("choice-"))
        self.dismiss(self._choices[place].id)
