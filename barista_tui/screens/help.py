"""Keys and what they do, made from the action table: the focused pane's group first."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from barista_tui import format as fmt
from barista_tui.actions import ACTIONS, GROUPS, key_word, keys_of
from barista_tui.allowed import Context
from barista_tui.panes.table import SPECS
from barista_tui.screens.dialog import Dialog

if TYPE_CHECKING:
    from barista_tui.app import BaristaApp

DIALOG, FRAME, KEYS = 96, 8, 14
"""Cells of the dialog, of its border, padding and scroll bar, and of the column of keys."""

MOUSE = "Click selects, double click opens, wheel scrolls (zooms in the plot), titles can be clicked"


def group_order(context: Context) -> list[str]:
    """The focused pane's own keys first."""
    first = SPECS[context.pane].title
    first = first if first in GROUPS else "Session"
    return [first, *(group for group in GROUPS if group != first)]


class HelpScreen(Dialog[None]):
    """Any of the keys that opened it, or esc, closes it."""

    app: BaristaApp
    BINDINGS = [Binding("escape,q,question_mark,f1,enter", "dismiss", show=False)]

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._now = context

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide"):
            yield Static(Content(f"Keys · {SPECS[self._now.pane].title}"), classes="title")
            with VerticalScroll(id="help-body"):
                yield Static(Content(SPECS[self._now.pane].about), classes="line dim")
                yield Static(self._keys(), classes="line")

    def _keys(self) -> Content:
        lines: list[Content] = []
        for group in group_order(self._now):
            lines += [Content(""), Content.styled(group, "bold $accent")]
            for action in ACTIONS:
                if action.group != group:
                    continue
                refused = action.refused(self._now)
                keys = " ".join(key_word(key) for key in keys_of(action, self._now))
                words = f"{action.help} ({refused})" if refused else action.help
                lines += self._entry(keys, words, bool(refused))
        lines += [Content(""), Content.styled("Moving", "bold $accent")]
        for moving, where in self.app.keymap.moving():
            lines += self._entry(" ".join(map(key_word, moving)), where[0].upper() + where[1:], not moving)
        lines += self._entry("mouse", MOUSE, False)
        return Content("\n").join(lines)

    def _entry(self, keys: str, words: str, dim: bool) -> list[Content]:
        """Keys in a column of their own, however long the words are."""
        width = max(20, min(DIALOG, int(self.app.size.width * 0.96)) - FRAME - KEYS)
        texts = textwrap.wrap(words, width)
        tone = "$dim" if dim else "$foreground"
        first = Content.assemble((fmt.fit(keys, KEYS), "$dim" if dim else "$accent"), (texts[0], tone))
        return [first, *(Content.styled(" " * KEYS + text, tone) for text in texts[1:])]
