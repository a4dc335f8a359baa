"""A form: some fields, one button. What a person answers is looked at before it is taken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from msgspec import Struct
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Grid, Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Checkbox, Input, Select, Static

from barista_tui.screens.dialog import Dialog
from barista_tui.screens.new_session import PathSuggester

Answers = dict[str, str]
"""By field; of a tick ``yes`` or nothing."""


class Field(Struct, frozen=True):
    """One line. ``choices``: what is shown, and the answer; ``hint``: stands in an empty text."""

    id: str
    label: str
    kind: Literal["text", "path", "choice", "tick"] = "text"
    value: str = ""
    hint: str = ""
    choices: Sequence[tuple[str, str]] = ()


class Tick(Checkbox):
    """Says by a sign, not by its colour, whether it is set."""

    def render(self) -> Content:
        mark = "[✔]" if self.value else "[ ]"
        label = self.label.pad(1, 1).stylize_before(self.get_visual_style("toggle--label"))
        return Content.assemble((mark, "$accent"), label)


class FormScreen(Dialog[Answers | None]):
    """Answers what was filled in, or None when backed out. ``wrong`` says what cannot be, or nothing."""

    DEFAULT_CSS = """
    FormScreen Tick { border: none; padding: 0; background: $surface; height: 1; }
    FormScreen Tick:focus { background: $panel; }
    FormScreen #form-about { margin-bottom: 1; }
    """
    BINDINGS = [Binding("escape", "dismiss", show=False), Binding("ctrl+s", "take", show=False)]

    def __init__(
        self,
        title: str,
        about: str,
        fields: Sequence[Field],
        button: str,
        wrong: Callable[[Answers], str] = lambda answers: "",
    ) -> None:
        super().__init__()
        self._title, self._about, self._fields, self._button = title, about, fields, button
        self._wrong = wrong

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide", id="form"):
            yield Static(Content(self._title), classes="title")
            yield Static(Content(self._about), classes="line dim", id="form-about")
            with Grid(id="fields"):
                for field in self._fields:
                    yield Static(Content(field.label), classes="label")
                    yield self._widget(field)
            yield Static(id="error", classes="line")
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button(Content(f"{self._button} ^s"), id="take", variant="primary", compact=True)

    @staticmethod
    def _widget(field: Field) -> Widget:
        id = f"field-{field.id}"
        match field.kind:
            case "choice":
                value = field.value or field.choices[0][1]
                return Select[str](field.choices, value=value, allow_blank=False, id=id, compact=True)
            case "tick":
                return Tick(Content(field.hint), field.value == "yes", id=id, compact=True)
            case _:
                suggester = PathSuggester("") if field.kind == "path" else None
                return Input(field.value, placeholder=field.hint, id=id, compact=True, suggester=suggester)

    @property
    def answers(self) -> Answers:
        """As it is filled in now."""
        found: Answers = {}
        for field in self._fields:
            widget = self.query_one(f"#field-{field.id}")
            if isinstance(widget, Checkbox):
                found[field.id] = "yes" if widget.value else ""
            elif isinstance(widget, Select):
                found[field.id] = str(widget.value)
            elif isinstance(widget, Input):
                found[field.id] = widget.value.strip()
        return found

    def on_key(self) -> None:
        """Any key is an answer to what was wrong."""
        self.query_one("#error", Static).update(Content(""))

    @on(Button.Pressed, "#cancel")
    def _cancelled(self) -> None:
        self.dismiss(None)

    @on(Button.Pressed, "#take")
    @on(Input.Submitted)
    def action_take(self) -> None:
        """Take it, unless something is wrong."""
        answers = self.answers
        if why := self._wrong(answers):
            self.query_one("#error", Static).update(Content.styled(why, "$error"))
        else:
            self.dismiss(answers)
