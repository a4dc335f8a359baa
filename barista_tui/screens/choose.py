"""One of several things: a question with a list of answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from barista_tui.screens.dialog import Dialog


class Answer(NamedTuple):
    """``id`` is what the screen answers; ``note`` stands dim beside the name."""

    id: str
    name: str
    note: str = ""


class ChooseScreen(Dialog[str | None]):
    """Answers the id of what was chosen, or None. ``first``: the id that the cursor is on."""

    BINDINGS = [Binding("escape", "dismiss", show=False)]

    def __init__(self, title: str, answers: Sequence[Answer], first: str = "") -> None:
        super().__init__()
        self._title = title
        self._answers = answers
        self._first = first

    def compose(self) -> ComposeResult:
        options = [
            Option(Content.assemble(answer.name, (f"  {answer.note}", "$dim")), id=answer.id)
            for answer in self._answers
        ]
        with Vertical(classes="dialog", id="choose"):
            yield Static(Content(self._title), classes="title")
            yield OptionList(*options, id="answers", compact=True)
            yield Static(Content("enter takes it, esc leaves"), classes="line dim hint")

    def on_mount(self) -> None:
        ids = [answer.id for answer in self._answers]
        self.query_one(OptionList).highlighted = ids.index(self._first) if self._first in ids else 0

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_id)
