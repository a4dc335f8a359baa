"""The line in which is typed what the console searches, and how far the search is."""

from __future__ import annotations

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from barista_tui.finding import Find
from barista_tui.widgets.bar import Bar, Piece


class FindInput(Input):
    """Leaves keys with alt to the switches."""

    def check_consume_key(self, key: str, character: str | None) -> bool:
        return not key.startswith("alt+") and super().check_consume_key(key, character)

    def on_key(self, event: events.Key) -> None:
        if event.key.startswith("alt+"):
            # Not typed as the letter that it has; it goes on to the screen's keys.
            event.prevent_default()


class FindLine(Vertical):
    """Input, switches and count in one row; what is wrong with the pattern in another."""

    DEFAULT_CSS = """
    FindLine { height: auto; display: none; }
    FindLine.-open { display: block; }
    FindLine Horizontal { height: 1; background: $panel; }
    FindLine #find-sign { width: 3; padding: 0 1; color: $accent; }
    FindLine Input { width: 1fr; height: 1; border: none; padding: 0; background: $panel; }
    FindLine Bar { background: $panel; }
    FindLine #find-problem { height: auto; max-height: 3; padding: 0 1; color: $error; display: none; }
    """

    class Changed(Message):
        """Something else is typed, or a switch was turned; ``done``: enter was pressed."""

        def __init__(self, done: bool = False) -> None:
            super().__init__()
            self.done = done

    def __init__(self) -> None:
        super().__init__(id="find-line")
        self.input = FindInput(placeholder="text to find", id="find", compact=True)
        self._bar = Bar(id="find-bar")
        self._problem = Static(id="find-problem")
        self.regex = False
        self.case = False

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Static("/", id="find-sign")
            yield self.input
            yield self._bar
        yield self._problem

    @property
    def find(self) -> Find | None:
        """What is to be found; None where nothing is typed."""
        text = self.input.value
        return Find(text, self.regex, self.case) if text else None

    @property
    def is_open(self) -> bool:
        """It can be seen."""
        return self.has_class("-open")

    def open(self) -> None:
        """Show it, ready to be typed in."""
        self.add_class("-open")
        self.input.focus()

    def close(self) -> None:
        """Nothing is searched any more."""
        self.remove_class("-open")
        with self.prevent(Input.Changed):
            self.input.value = ""

    def turn(self, switch: str) -> None:
        """``regex`` or ``case``, on or off."""
        setattr(self, switch, not getattr(self, switch))
        self.input.placeholder = "regular expression, as Python has them" if self.regex else "text to find"

    def show(self, count: str, problem: str, only: bool) -> None:
        """How far the search is."""
        pieces = [
            Piece(f" {count} ", "failed" if problem else "text"),
            _switch(".*", self.regex, "find-regex", "regular expression"),
            _switch("Aa", self.case, "find-case", "capitals count"),
            _switch("only", only, "find-only", "hide lines without a match"),
        ]
        self._bar.styles.width = sum(cell_len(piece.text) for piece in pieces)
        self._bar.show(pieces)
        self._problem.update(Content(problem))
        self._problem.display = bool(problem)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Changed())

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Changed(done=True))


def _switch(name: str, on: bool, action: str, about: str) -> Piece:
    return Piece(f"[{name}] " if on else f" {name}  ", "accent" if on else "dim", action, reason=about)
