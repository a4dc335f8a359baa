"""What the screens have in common that put sessions beside each other: a title, a table, a line, keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from barista_tui import managerkeys
from barista_tui.managerkeys import ManagerKey
from barista_tui.screens.acting import ActingScreen
from barista_tui.widgets.bar import Bar, Piece
from barista_tui.widgets.table import Table


class TableScreen(ActingScreen):
    """``KEYS``: of its own; those with a label stand below."""

    KEYS: ClassVar[Sequence[ManagerKey]] = ()
    TITLE_OF_KEYS: ClassVar[str] = ""
    DEFAULT_CSS = """
    TableScreen #table-title, TableScreen #table-keys { background: $surface; }
    TableScreen #table-note { height: auto; max-height: 6; padding: 0 1; color: $dim; }
    """

    def compose(self) -> ComposeResult:
        yield Bar(id="table-title")
        yield from self.body()
        yield Static(id="table-note")
        yield Bar(id="table-keys")

    def body(self) -> ComposeResult:
        """What fills the screen, the first of it with the focus."""
        yield Table(id="table", cursor_foreground_priority="renderable")

    @property
    def table(self) -> Table:
        """The table."""
        return self.query_one(Table)

    def entitle(self, title: str, right: str = "") -> None:
        """What the line at the top says."""
        pieces = [Piece(f" {title}", "accent", bold=True)]
        self.query_one("#table-title", Bar).show(pieces, [Piece(f"{right} ", "dim")])

    def remark(self, text: str, tone: str = "$dim") -> None:
        """What the line below the table says; empty: it is not there."""
        note = self.query_one("#table-note", Static)
        note.display = bool(text)
        note.update(Content.styled(text, tone))

    def on_mount(self) -> None:
        chosen = self.app.keymap.keys
        left: list[Piece] = []
        for each in self.KEYS:
            if each.label and (key := managerkeys.word(each, chosen)):
                left += [Piece(f" {key}", "accent", each.does, reason=each.help)]
                left += [Piece(f" {each.label} ", "dim", each.does, reason=each.help)]
        leave = next(each for each in self.KEYS if each.does == "leave")
        word = managerkeys.word(leave, chosen)
        back = [Piece(f" {word}", "accent", "leave"), Piece(" Back ", "dim", "leave")]
        self.query_one("#table-keys", Bar).show(left, back)
        self.remark("")
        self.focus_next()
        self.begin()

    def begin(self) -> None:
        """All is there: show what it is about."""

    @on(Bar.Pressed)
    async def _pressed(self, message: Bar.Pressed) -> None:
        await self.run_action(message.action)

    def action_leave(self) -> None:
        """Back to the sessions."""
        self.dismiss()

    def action_keys(self) -> None:
        """All keys of this screen."""
        from barista_tui.screens.text import TextScreen

        text = managerkeys.page(self.KEYS, self.app.keymap.keys)
        self.app.push_screen(TextScreen(f"Keys · {self.TITLE_OF_KEYS}", text))
